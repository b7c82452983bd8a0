//! The header every frame starts with, and the cutting of a byte stream into frames.
//!
//! ```text
//! 0        4       5       6        8        12         16
//! | length | type  | flags | zero   | call   | sequence | body ...
//! ```
//! Little endian; `length` counts the body only. No flag is defined, so `flags` is zero; `call` and
//! `sequence` are zero in every message that has no such field. There is exactly one encoding of a
//! message: whatever decodes encodes to the same bytes again.
//!
//! Types are numbered without overlap across all conversations and directions, so that a frame
//! that strays into another conversation is an unknown type there.

mod decoder;
mod error;
#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use error::FrameError;

/// Bytes of the header.
pub const HEADER: usize = 16;
/// The most bytes of one body.
pub const MAX_BODY: usize = 128 * 1024;

/// The header's fields after `length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Which message; unique across all conversations.
    pub kind: u8,
    /// Which call, else 0.
    pub call: u32,
    /// Which piece of a body, else 0.
    pub sequence: u32,
}

impl Header {
    /// A message that belongs to no call.
    #[must_use]
    pub const fn plain(kind: u8) -> Self {
        Self { kind, call: 0, sequence: 0 }
    }

    /// A message of one call.
    #[must_use]
    pub const fn of_call(kind: u8, call: u32) -> Self {
        Self { kind, call, sequence: 0 }
    }

    /// Refuses a call and a sequence number.
    pub(crate) fn expect_plain(self) -> Result<(), FrameError> {
        if self.call != 0 {
            return Err(FrameError::NonZero { field: "call" });
        }
        self.expect_of_call().map(|_call| ())
    }

    /// Refuses a sequence number; gives the call.
    pub(crate) fn expect_of_call(self) -> Result<u32, FrameError> {
        if self.sequence != 0 {
            return Err(FrameError::NonZero { field: "sequence" });
        }
        Ok(self.call)
    }

    /// The sixteen bytes. `length` is at most [`MAX_BODY`].
    pub(crate) fn to_bytes(self, length: u32) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(&length.to_le_bytes());
        bytes[4] = self.kind;
        bytes[8..12].copy_from_slice(&self.call.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes
    }

    /// The header and the length of the body behind it. Nothing is believed: the length is checked
    /// before anyone can allocate or wait for it.
    fn from_bytes(bytes: &[u8; HEADER]) -> Result<(Self, usize), FrameError> {
        let [l0, l1, l2, l3, kind, flags, z0, z1, c0, c1, c2, c3, s0, s1, s2, s3] = *bytes;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let body = usize::try_from(length).unwrap_or(usize::MAX);
        if body > MAX_BODY {
            return Err(FrameError::TooLong { length: u64::from(length) });
        }
        if flags != 0 {
            return Err(FrameError::UnknownFlags { flags });
        }
        if z0 != 0 || z1 != 0 {
            return Err(FrameError::NonZero { field: "padding" });
        }
        let header =
            Self { kind, call: u32::from_le_bytes([c0, c1, c2, c3]), sequence: u32::from_le_bytes([s0, s1, s2, s3]) };
        Ok((header, body))
    }
}

/// One whole frame with a sound header; its body is not looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawFrame<'a> {
    header: Header,
    bytes: &'a [u8],
}

impl<'a> RawFrame<'a> {
    /// From exactly one frame, such as one packet.
    ///
    /// # Errors
    /// A header that is not sound, and fewer or more bytes than it says.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        match Self::split(bytes)? {
            None => Err(FrameError::Truncated),
            Some(frame) if frame.bytes.len() < bytes.len() => {
                Err(FrameError::TrailingBytes { count: bytes.len() - frame.bytes.len() })
            }
            Some(frame) => Ok(frame),
        }
    }

    /// The frame at the front of a stream, `None` while it is not whole.
    fn split(bytes: &'a [u8]) -> Result<Option<Self>, FrameError> {
        let Some(head) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
        let (header, body) = Header::from_bytes(head)?;
        Ok(bytes.get(..HEADER + body).map(|bytes| Self { header, bytes }))
    }

    /// Its header.
    #[must_use]
    pub const fn header(&self) -> Header {
        self.header
    }

    /// Its body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// Header and body, as the `decode` of every message takes them.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
