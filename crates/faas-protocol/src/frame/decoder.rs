//! Cutting a byte stream into frames.

use super::{FrameError, HEADER, MAX_BODY, RawFrame};

/// The most bytes that wait in a [`Decoder`]: a frame that is not whole yet, and one more push.
pub(super) const CAPACITY: usize = 2 * (HEADER + MAX_BODY);

/// Cuts the byte stream of one side of a conversation into frames.
///
/// After each [`push`](Self::push) take frames out with [`next_frame`](Self::next_frame) until it
/// gives `None`. Holds at most two frames' worth of bytes that are not taken yet, moves each byte at most a few times
/// however the stream is split, and never sets memory aside for bytes that are only announced.
///
/// The first error is final: the place where the next frame begins is lost, so every later call
/// gives the same error.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bytes pushed; those before `start` are taken already.
    buffer: Vec<u8>,
    start: usize,
    failed: Option<FrameError>,
}

impl Decoder {
    /// At the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self { buffer: Vec::new(), start: 0, failed: None }
    }

    /// Takes what was read from the stream, at most 128 KiB at once. More without taking frames
    /// out in between makes the next [`next_frame`](Self::next_frame) fail with `Overrun`.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let waiting = self.buffer.len() - self.start;
        let length = waiting.saturating_add(bytes.len());
        if length > CAPACITY {
            self.fail(FrameError::Overrun { length });
            return;
        }
        // Moving the rest forward only when it is no longer than what was taken makes the cost of
        // all moves at most the length of the stream.
        if self.start >= waiting {
            self.buffer.copy_within(self.start.., 0);
            self.buffer.truncate(waiting);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether every byte that was pushed has been taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// The next whole frame, `None` until more bytes are pushed.
    ///
    /// # Errors
    /// A header that is not sound, as soon as its sixteen bytes are there; then again for ever.
    pub fn next_frame(&mut self) -> Result<Option<RawFrame<'_>>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let start = self.start;
        let taken = match RawFrame::split(self.buffer.get(start..).unwrap_or_default()) {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => frame.as_bytes().len(),
            Err(error) => {
                self.fail(error);
                return Err(error);
            }
        };
        self.start = start + taken;
        RawFrame::split(self.buffer.get(start..self.start).unwrap_or_default())
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// `Truncated` if it ended inside a frame, else the first error of the stream.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.start < self.buffer.len() => Err(FrameError::Truncated),
            None => Ok(()),
        }
    }

    /// Bytes of memory set aside.
    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.buffer.capacity()
    }

    /// Keeps the error and gives the memory back.
    fn fail(&mut self, error: FrameError) {
        self.failed = Some(error);
        self.buffer = Vec::new();
        self.start = 0;
    }
}
