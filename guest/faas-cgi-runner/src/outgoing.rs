//! Bytes on their way to a program that takes them at its own pace.

use rustix::fd::AsFd;
use rustix::io::Errno;

/// What is taken back from the front before memory is moved.
const MOVED: usize = 64 << 10;

/// A queue of bytes.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    start: usize,
}

impl Outgoing {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        // Moving the rest only when it is no longer than what was written keeps the cost linear.
        if self.start >= MOVED && self.start * 2 >= self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.start >= self.bytes.len()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes = Vec::new();
        self.start = 0;
    }

    /// Writes what the other side takes now; an error means that it takes no more.
    pub(crate) fn write_to(&mut self, descriptor: impl AsFd) -> Result<(), Errno> {
        while !self.is_empty() {
            match rustix::io::write(&descriptor, self.bytes.get(self.start..).unwrap_or_default()) {
                Ok(written) => self.start += written,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        self.clear();
        Ok(())
    }
}
