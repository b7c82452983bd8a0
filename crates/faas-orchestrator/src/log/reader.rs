//! Reads a log from its beginning, also while it grows.

use super::frame::{self, MAX_BYTES, MAX_HEAD};
use super::{LogFile, StreamName};
use bytes::{Buf as _, Bytes, BytesMut};
use std::io;
use std::os::unix::fs::FileExt as _;

/// The most bytes read at once, so what a reader holds is bounded.
const CHUNK: usize = MAX_BYTES + MAX_HEAD;

/// Reads the frames of one log in order. It holds at most two chunks, and nothing while it waits.
#[derive(Debug)]
pub(crate) struct LogReader {
    file: LogFile,
    /// Up to where the file was read.
    read: u64,
    buffer: BytesMut,
}

impl LogReader {
    pub(crate) fn new(file: LogFile) -> Self {
        Self { file, read: 0, buffer: BytesMut::new() }
    }

    /// The next frame below `length`, which never is inside a frame but at the torn end of a log;
    /// `None` when there is none.
    pub(crate) fn next(&mut self, length: u64) -> io::Result<Option<(StreamName, Bytes)>> {
        loop {
            if let Some(head) = frame::decode(&self.buffer) {
                if head.length > MAX_BYTES {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a frame is longer than any that is written",
                    ));
                }
                if self.buffer.len() >= head.size + head.length {
                    self.buffer.advance(head.size);
                    let bytes = self.buffer.split_to(head.length).freeze();
                    if self.buffer.is_empty() {
                        // What waits for more output holds no memory meanwhile.
                        self.buffer = BytesMut::new();
                    }
                    return Ok(Some((head.stream, bytes)));
                }
            }
            if !self.fill(length)? {
                return Ok(None);
            }
        }
    }

    /// Reads on; `false` when nothing is left.
    fn fill(&mut self, length: u64) -> io::Result<bool> {
        let left = usize::try_from(length.saturating_sub(self.read)).unwrap_or(usize::MAX).min(CHUNK);
        let before = self.buffer.len();
        self.buffer.resize(before + left, 0);
        let result = loop {
            match self.file.read_at(&mut self.buffer[before..], self.read) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let count = *result.as_ref().unwrap_or(&0);
        self.buffer.truncate(before + count);
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        result.map(|count| count > 0)
    }
}
