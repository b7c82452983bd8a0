//! What earlier calls left in a sandbox that is to be used again.

use crate::frame::FrameError;
use crate::wire::{Reader, Writer};

/// What is left and nobody removes; the sandbox is ended then. Numbers are stable within one build only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Leftover {
    /// Entries of the writable areas, or something on the areas themselves.
    Files = 1,
    /// Space or inodes that belong to no entry.
    Space,
    /// System V shared memory, queues or semaphores.
    Ipc,
    /// Init's own priority or processors, which programs inherit.
    Scheduling,
    /// Connections that the kernel still closes.
    Sockets,
    /// Memory of the kernel's that is charged to the sandbox.
    Memory,
    /// Processes beside a program that stays.
    Processes,
    /// Threads beside those a program that stays had when it was loaded.
    Threads,
}

impl Leftover {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Files,
        Self::Space,
        Self::Ipc,
        Self::Scheduling,
        Self::Sockets,
        Self::Memory,
        Self::Processes,
        Self::Threads,
    ];

    /// The name used in errors and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Space => "space in its writable areas",
            Self::Ipc => "System V objects",
            Self::Scheduling => "another priority or processors",
            Self::Sockets => "connections that are being closed",
            Self::Memory => "memory of the kernel's",
            Self::Processes => "processes",
            Self::Threads => "threads",
        }
    }

    pub(crate) fn write(left: Option<Self>, body: &mut Writer) {
        body.u8(left.map_or(0, |left| left as u8));
    }

    pub(crate) fn read(body: &mut Reader<'_>) -> Result<Option<Self>, FrameError> {
        let value = body.u8()?;
        match (value, Self::ALL.into_iter().find(|left| *left as u8 == value)) {
            (0, _) => Ok(None),
            (_, Some(left)) => Ok(Some(left)),
            (_, None) => Err(FrameError::BadValue { field: "left", value }),
        }
    }
}
