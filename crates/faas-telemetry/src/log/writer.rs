//! The last step of every log line: neutralised, then handed over whole.

use super::neutralise::{Notation, is_plain, neutralise};
use std::io::{self, Write};

/// Takes whole events, as the formatter hands them over: one write each, ended by a newline.
#[derive(Debug)]
pub(super) struct LineWriter<W> {
    target: W,
    notation: Notation,
}

impl<W> LineWriter<W> {
    pub(super) const fn new(target: W, notation: Notation) -> Self {
        Self { target, notation }
    }
}

impl<W: Write> Write for LineWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // Most lines are plain, and pass as they are.
        if let Some((b'\n', line)) = event.split_last()
            && is_plain(line)
        {
            self.target.write_all(event)?;
            return Ok(event.len());
        }
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut out = String::with_capacity(line.len() + 1);
        neutralise(line, self.notation, &mut out);
        out.push('\n');
        // One write, so that lines of two threads do not mix.
        self.target.write_all(out.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}
