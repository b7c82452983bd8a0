//! One piece of output in a log.
//!
//! ```text
//! short: [stream:1 | length:7]            length below 127, then the bytes
//! long:  [stream:1 | 127] [length:32 LE]  then the bytes
//! ```
//!
//! A program that writes byte by byte thus makes its log at most twice as large as its output.

use serde::{Deserialize, Serialize};

/// The most bytes of one frame; longer pieces are split.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// The most bytes of a frame's head.
pub(super) const MAX_HEAD: usize = 5;

const STDERR: u8 = 0x80;
const LENGTH: u8 = 0x7f;

/// One of the two streams of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamName {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

impl StreamName {
    /// The name used in events and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A frame's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) stream: StreamName,
    pub(super) length: usize,
    /// Bytes of the head itself.
    pub(super) size: usize,
}

/// The head of a frame of at most [`MAX_BYTES`], and how many bytes of it count.
pub(super) fn encode(stream: StreamName, length: usize) -> ([u8; MAX_HEAD], usize) {
    let flag = match stream {
        StreamName::Stdout => 0,
        StreamName::Stderr => STDERR,
    };
    match u8::try_from(length) {
        Ok(short) if short < LENGTH => ([flag | short, 0, 0, 0, 0], 1),
        _ => {
            let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
            ([flag | LENGTH, a, b, c, d], MAX_HEAD)
        }
    }
}

/// The head at the start of `bytes`; `None` when it is not whole.
pub(super) fn decode(bytes: &[u8]) -> Option<Head> {
    let (first, rest) = bytes.split_first()?;
    let stream = if first & STDERR == 0 { StreamName::Stdout } else { StreamName::Stderr };
    match first & LENGTH {
        LENGTH => {
            let length = u32::from_le_bytes(*rest.first_chunk()?);
            Some(Head { stream, length: usize::try_from(length).unwrap_or(usize::MAX), size: MAX_HEAD })
        }
        short => Some(Head { stream, length: usize::from(short), size: 1 }),
    }
}
