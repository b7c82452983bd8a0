//! Server-sent events, read from pieces of any size. Pure.
//!
//! Invariant: however a stream is cut into pieces, the same frames come out; no frame and no line is
//! held beyond [`FRAME_BYTES`].

/// The largest event that is accepted: a record with all of its inline output.
pub(crate) const FRAME_BYTES: usize = crate::answer::ANSWER_BYTES;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frame {
    pub(crate) id: Option<String>,
    /// The event's name.
    pub(crate) name: Option<String>,
    pub(crate) data: String,
}

/// An event that is larger than is accepted, or not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadStream {
    TooLarge,
    NotText,
}

/// Reads one stream.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// Whether the last byte was a carriage return, whose newline may still come.
    returned: bool,
    frame: Frame,
    has_data: bool,
}

impl Parser {
    /// Takes a piece and gives the events it completes.
    pub(crate) fn push(&mut self, mut piece: &[u8], frames: &mut Vec<Frame>) -> Result<(), BadStream> {
        while let Some(first) = piece.first() {
            if std::mem::take(&mut self.returned) && *first == b'\n' {
                piece = &piece[1..];
                continue;
            }
            let Some(end) = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return self.extend_line(piece);
            };
            self.extend_line(&piece[..end])?;
            self.returned = piece[end] == b'\r';
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.take_line(&line, frames)?;
        }
        Ok(())
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), BadStream> {
        if self.line.len() + self.frame.data.len() + bytes.len() > FRAME_BYTES {
            return Err(BadStream::TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], frames: &mut Vec<Frame>) -> Result<(), BadStream> {
        let line = std::str::from_utf8(line).map_err(|_| BadStream::NotText)?;
        if line.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            // An event without data is none: such are heartbeats.
            if std::mem::take(&mut self.has_data) {
                frames.push(frame);
            }
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.frame.data.push('\n');
                }
                self.has_data = true;
                self.frame.data.push_str(value);
            }
            "id" => self.frame.id = Some(value.to_owned()),
            "event" => self.frame.name = Some(value.to_owned()),
            // A line that begins with a colon is a comment.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{BadStream, FRAME_BYTES, Frame, Parser};
    use proptest::prelude::*;

    fn frames(pieces: &[&[u8]]) -> Result<Vec<Frame>, BadStream> {
        let (mut parser, mut frames) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.push(piece, &mut frames)?;
        }
        Ok(frames)
    }

    fn frame(id: Option<&str>, name: Option<&str>, data: &str) -> Frame {
        Frame { id: id.map(str::to_owned), name: name.map(str::to_owned), data: data.to_owned() }
    }

    #[test]
    fn events_end_with_an_empty_line_whatever_ends_lines() {
        let wanted =
            vec![frame(Some("1"), Some("started"), "{\"a\":1}"), frame(Some("2"), None, "x\ny"), frame(None, None, "")];
        for end in ["\n", "\r\n", "\r"] {
            let text = ": hello\n\nevent: started\nid: 1\ndata: {\"a\":1}\n\nid:2\ndata:x\ndata: y\nretry: 5\n\n\ndata\n\nid: 9\n\ndata: unfinished";
            let text = text.replace('\n', end);
            assert_eq!(frames(&[text.as_bytes()]).as_ref(), Ok(&wanted), "{end:?}");
        }
    }

    #[test]
    fn a_stream_that_never_ends_its_line_is_given_up() {
        let piece = vec![b'x'; FRAME_BYTES / 2 + 1];
        assert_eq!(frames(&[&piece, &piece]), Err(BadStream::TooLarge));
        let line = [b"data: ".as_slice(), &piece, b"\n"].concat();
        assert_eq!(frames(&[&line, &line]), Err(BadStream::TooLarge));
        assert_eq!(frames(&[b"data: \xff\n"]), Err(BadStream::NotText));
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(text in "([a-z:\r\n ]|data: |id: ){0,60}", cuts in prop::collection::vec(0_usize..60, 0..6)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(frames(&pieces), frames(&[bytes]));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = frames(&[&bytes]);
        }
    }
}
