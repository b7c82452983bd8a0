//! What can be wrong with a frame.

use super::MAX_BODY;
use crate::control::MAX_PIECE;
use crate::wire::MAX_ENTRIES;

/// What is wrong with a frame. Ends the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Fewer bytes than it says, or than its message needs.
    #[error("the frame is shorter than it says")]
    Truncated,
    /// More bytes of body than any frame may have.
    #[error("a body of {length} bytes is longer than {MAX_BODY}; send less in one frame")]
    TooLong {
        /// How many bytes it has or announces.
        length: u64,
    },
    /// A piece of a file is longer than a piece may be.
    #[error("a piece of {length} bytes is longer than {MAX_PIECE}; send the file in smaller pieces")]
    PieceTooLong {
        /// How many bytes it has.
        length: usize,
    },
    /// A type this side of this conversation does not know.
    #[error("frame type {kind:#04x} is not known here; build both ends from the same source")]
    UnknownType {
        /// The type's number.
        kind: u8,
    },
    /// A flag is set; none is defined.
    #[error("flags {flags:#04x} are not known; the accepted value is 0")]
    UnknownFlags {
        /// All flags as sent.
        flags: u8,
    },
    /// A header field that this message does not use is not zero.
    #[error("header field {field} must be 0 in this frame")]
    NonZero {
        /// Which field.
        field: &'static str,
    },
    /// A field has a value that stands for nothing.
    #[error("field {field} has the undefined value {value}")]
    BadValue {
        /// Which field.
        field: &'static str,
        /// The value as sent.
        value: u8,
    },
    /// A text is not UTF-8.
    #[error("field {field} is not valid UTF-8")]
    NotUtf8 {
        /// Which field.
        field: &'static str,
    },
    /// A list has more entries than any list may have.
    #[error("list {field} has {count} entries; at most {MAX_ENTRIES} are accepted")]
    TooMany {
        /// Which list.
        field: &'static str,
        /// How many entries it has or announces.
        count: u32,
    },
    /// The message is complete and bytes are left.
    #[error("{count} bytes follow the end of the message")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The reader of a stream pushed without taking frames out. Not the other side's fault.
    #[error("{length} undecoded bytes are more than two frames; take frames out before pushing more")]
    Overrun {
        /// How many bytes there would be.
        length: usize,
    },
}
