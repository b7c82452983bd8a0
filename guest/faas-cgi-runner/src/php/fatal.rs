//! Finding in what PHP logs whether the program has failed.
//!
//! PHP's FastCGI says nothing of it in the end of a request, so its log is the only witness. Whoever logs
//! such a line without having failed has failed all the same.

/// How PHP begins the message of what ends a program.
const BEGINNINGS: [&[u8]; 3] = [b"PHP Fatal error:  ", b"PHP Parse error:  ", b"PHP Recoverable fatal error:  "];
/// What every message of PHP's begins with; a reader knows.
const PREFIX: usize = b"PHP ".len();
/// The most bytes of a line that are kept.
const MAX_LINE: usize = 1000;

/// The log of one request while it arrives.
#[derive(Debug, Default)]
pub(super) struct Log {
    line: Vec<u8>,
    found: Option<String>,
}

impl Log {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                self.line_is_whole();
            }
        }
    }

    fn line_is_whole(&mut self) {
        if self.found.is_none() && BEGINNINGS.iter().any(|beginning| self.line.starts_with(beginning)) {
            let line = self.line.get(PREFIX..).unwrap_or_default();
            self.found = Some(String::from_utf8_lossy(line).trim().to_owned());
        }
        self.line.clear();
    }

    /// The first message of what ends a program.
    pub(super) fn fatal(&self) -> Option<&str> {
        self.found.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::Log;

    #[test]
    fn the_first_fatal_line_is_found_however_it_is_cut() {
        let log = b"PHP Warning:  a\nnot at the front PHP Fatal error:  b\nPHP Fatal error:  Uncaught Exception: mine\nPHP Fatal error:  later\n";
        for cut in 1..log.len() {
            let mut heard = Log::default();
            log.chunks(cut).for_each(|piece| heard.push(piece));
            assert_eq!(heard.fatal(), Some("Fatal error:  Uncaught Exception: mine"), "in pieces of {cut}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_bounded() {
        let mut log = Log::default();
        for _ in 0..100 {
            log.push(&[b'x'; 1000]);
        }
        assert!(log.line.len() <= super::MAX_LINE);
        assert_eq!(log.fatal(), None);
    }
}
