//! What is placed in a zygote's memory: a few instructions that make one system call after another from
//! a table, and room for tables.
//!
//! The instructions use no stack, because the processes that run them share their memory. They stop at
//! the first call that fails. A process that a call clones goes on behind that call, as its maker would.

use libc::user_regs_struct;

/// A system call: its number and six arguments.
pub(super) type Call = [u64; 7];

/// Bytes of one [`Call`] in a table.
pub(super) const CALL_BYTES: u64 = 56;

/// The instructions, filled up to whole words.
const CODE: [u8; 48] = [
    0x48, 0x8b, 0x03, // mov rax, [rbx]
    0x48, 0x8b, 0x7b, 0x08, // mov rdi, [rbx+8]
    0x48, 0x8b, 0x73, 0x10, // mov rsi, [rbx+16]
    0x48, 0x8b, 0x53, 0x18, // mov rdx, [rbx+24]
    0x4c, 0x8b, 0x53, 0x20, // mov r10, [rbx+32]
    0x4c, 0x8b, 0x43, 0x28, // mov r8, [rbx+40]
    0x4c, 0x8b, 0x4b, 0x30, // mov r9, [rbx+48]
    0x48, 0x83, 0xc3, 0x38, // add rbx, 56
    0x0f, 0x05, // syscall
    0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, // cmp rax, -4095
    0x72, 0xd7, // jb to the first one: not an error
    0xcc, // int3
    0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
];

/// Behind the system call, and behind the trap.
const AFTER_CALL: u64 = 0x21;
const AFTER_TRAP: u64 = 0x2a;

const PAGE: u64 = 4096;
/// Tables that the zygote itself walks.
const TABLE: u64 = PAGE;
/// What its calls answer into.
const ANSWERS: u64 = PAGE + 0x280;
/// The processor it makes its copies on: a mask of [`MASK_BYTES`].
const MASK: u64 = PAGE + 0x300;
/// What arrives with a script and its calls point to.
const DATA: u64 = PAGE + 0x400;
/// How a copy receives its script; ends where the script begins.
const SCRIPT: u64 = 2 * PAGE;

/// Bytes of a mask of processors.
pub(super) const MASK_BYTES: u64 = 128;
/// Bytes that arrive with every script.
pub(super) const DATA_BYTES: u64 = 0x800;
/// The longest script.
pub(super) const SCRIPT_BYTES: u64 = 4 * PAGE;
/// Bytes of everything.
pub(super) const ROOM_BYTES: u64 = SCRIPT + SCRIPT_BYTES;
/// Bytes of the instructions, as far as they are protected from writing.
pub(super) const CODE_BYTES: u64 = PAGE;

/// Where all this is in one zygote and its copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Walker {
    base: u64,
}

/// Where a process that walks has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// A call failed.
    Failed {
        /// The address behind it.
        behind: u64,
        /// The error, as the kernel numbers it.
        errno: i32,
    },
    /// It unmapped the instructions, and fell off.
    Unmapped,
    /// Somewhere else.
    Astray,
}

impl Walker {
    /// In room that begins at this address.
    pub(super) fn at(base: u64) -> Self {
        Self { base }
    }

    /// The address of the room.
    pub(super) fn base(self) -> u64 {
        self.base
    }

    pub(super) fn table(self) -> u64 {
        self.base + TABLE
    }

    pub(super) fn answers(self) -> u64 {
        self.base + ANSWERS
    }

    pub(super) fn mask(self) -> u64 {
        self.base + MASK
    }

    pub(super) fn data(self) -> u64 {
        self.base + DATA
    }

    pub(super) fn script(self) -> u64 {
        self.base + SCRIPT
    }

    /// The instructions, as words.
    pub(super) fn code() -> impl Iterator<Item = u64> {
        CODE.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word))
    }

    /// The registers of a process that is to walk a table; `parked` are those it had.
    pub(super) fn registers(self, parked: &user_regs_struct, table: u64) -> user_regs_struct {
        // No system call is under way that the kernel could want to repeat.
        user_regs_struct { rip: self.base, rbx: table, orig_rax: u64::MAX, ..*parked }
    }

    /// Where a process with these registers has stopped.
    pub(super) fn halt(self, registers: &user_regs_struct) -> Halt {
        match registers.rip.wrapping_sub(self.base) {
            AFTER_CALL => Halt::Unmapped,
            AFTER_TRAP => Halt::Failed {
                behind: registers.rbx,
                errno: i32::try_from(registers.rax.wrapping_neg()).unwrap_or(libc::EIO),
            },
            _ => Halt::Astray,
        }
    }
}

/// A call that fails and does nothing else: the end of a table.
pub(super) const END: Call = [libc::SYS_close.cast_unsigned(), u64::MAX, 0, 0, 0, 0, 0];
/// What [`END`] fails with.
pub(super) const END_ERRNO: i32 = libc::EBADF;

#[cfg(test)]
mod tests {
    use super::{AFTER_CALL, AFTER_TRAP, CODE};

    #[test]
    fn marks_stand_behind_their_instructions() {
        let before = |mark: u64, length: usize| {
            let end = usize::try_from(mark).expect("an offset");
            &CODE[end - length..end]
        };
        assert_eq!(before(AFTER_CALL, 2), [0x0f, 0x05]);
        assert_eq!(before(AFTER_TRAP, 1), [0xcc]);
        // The jump before the trap leads to the first instruction.
        let jump = before(AFTER_TRAP - 1, 2);
        assert_eq!((jump[0], i64::from(jump[1].cast_signed()) + 0x29), (0x72, 0));
    }
}
