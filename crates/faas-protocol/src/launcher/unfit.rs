//! What a zygote must not be or have.

use crate::frame::FrameError;
use crate::wire::{Reader, Writer};

/// Why nothing can be forked from a process. Numbers are stable within one build only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Unfit {
    /// It ended before it stopped itself.
    Gone = 0,
    /// It stands at another place than behind its own `SIGSTOP`.
    Elsewhere,
    /// It has several threads.
    Threads,
    /// It is not alone in its sandbox.
    Processes,
    /// Another process has the same memory.
    Sharers,
    /// It executed another program, or none of its memory is a copy's.
    Memory,
    /// It has memory that a copy would share with it.
    SharedMapping,
    /// It holds more than its streams and its call socket.
    Descriptors,
    /// Its C library does not keep its thread's number where the kernel knows it.
    Library,
}

impl Unfit {
    /// Every reason, in order.
    pub const ALL: [Self; 9] = [
        Self::Gone,
        Self::Elsewhere,
        Self::Threads,
        Self::Processes,
        Self::Sharers,
        Self::Memory,
        Self::SharedMapping,
        Self::Descriptors,
        Self::Library,
    ];

    /// As a sentence about it, used in errors and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "it ended before it stopped itself",
            Self::Elsewhere => "it did not stop by sending itself SIGSTOP",
            Self::Threads => "it has several threads, and only the one that stops would be copied",
            Self::Processes => "it left another process in its sandbox",
            Self::Sharers => "another process has the same memory",
            Self::Memory => "it has executed another program",
            Self::SharedMapping => "it has memory that its copies would share (MAP_SHARED)",
            Self::Descriptors => "it left a descriptor open, which its copies would not have",
            Self::Library => "its C library does not keep its thread's number where the kernel knows it",
        }
    }

    pub(super) fn write(self, body: &mut Writer) {
        body.u8(self as u8);
    }

    pub(super) fn read(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        let value = body.u8()?;
        Self::ALL.get(usize::from(value)).copied().ok_or(FrameError::BadValue { field: "reason", value })
    }
}
