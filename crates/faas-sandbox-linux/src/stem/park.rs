//! Preparing a zygote that has just parked.

use super::hatch::HatchError;
use super::start::Parked;
use super::tracee::{Stop, Tracee};
use super::walker::{CALL_BYTES, CODE_BYTES, Call, DATA_BYTES, END, END_ERRNO, Halt, MASK_BYTES, ROOM_BYTES};
use super::walker::{SCRIPT_BYTES, Walker};
use super::{STEM, Waiter, proc, single};
use crate::sys::{self, RestartableArea};
use faas_protocol::launcher::Unfit;
use libc::user_regs_struct;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// How long the preparation may take: a few dozen microseconds, on a machine that does anything at all.
const BOUND: Duration = Duration::from_secs(5);

/// `PR_GET_TID_ADDRESS` (`include/uapi/linux/prctl.h`), not in every C library's headers.
pub(super) const GET_TID_ADDRESS: u64 = 40;
/// `RSEQ_FLAG_UNREGISTER` (`include/uapi/linux/rseq.h`).
const UNREGISTER: u64 = 1;

/// What belongs to a thread and not to its memory, so that a process that shares or copies the memory has
/// to be given it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thread {
    /// Where the C library keeps the thread's number.
    pub(super) number: u64,
    /// The head of its list of robust locks, and the head's size.
    pub(super) robust: [u64; 2],
    /// Its stack for signals (`stack_t`).
    pub(super) signal_stack: [u64; 3],
    /// Its area for restartable sequences.
    pub(super) restartable: RestartableArea,
}

/// Makes room in a zygote, takes from it what could act on it from its memory, and learns what its copies
/// need.
pub(super) fn prepare(mut process: Tracee, stem: OwnedFd, waiter: &Waiter) -> Result<Parked, HatchError> {
    let deadline = Instant::now() + BOUND;
    let pid = process.pid();
    if proc::threads(pid)? != 1 {
        return Err(HatchError::Unfit(Unfit::Threads));
    }
    let registers = single::parked_registers(pid)?;
    let walker = make_room(&mut process, waiter, deadline, &registers)?;
    let restartable = sys::restartable_area(pid);
    let thread = learn(&mut process, waiter, deadline, walker, &registers, restartable)?;
    // Threads' libraries that keep no number there cannot be told the copy's.
    if sys::read_word(pid, thread.number)? & 0xffff_ffff != u64::from(pid.unsigned_abs()) {
        return Err(HatchError::Unfit(Unfit::Library));
    }
    furnish(pid, walker)?;
    Ok(Parked::new(process, stem, walker, registers, thread))
}

/// Room for what its copies walk, in memory that the kernel has given for it, with the instructions in it.
pub(super) fn make_room(
    process: &mut Tracee,
    waiter: &Waiter,
    deadline: Instant,
    parked: &user_regs_struct,
) -> Result<Walker, Errno> {
    let mut call = |call: Call| single::call(process, waiter, deadline, parked, call);
    let writable = (libc::PROT_READ | libc::PROT_WRITE).cast_unsigned().into();
    let private = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS).cast_unsigned().into();
    let base = call(call_of(libc::SYS_mmap, [0, ROOM_BYTES, writable, private, u64::MAX, 0]))?;
    let executable = (libc::PROT_READ | libc::PROT_EXEC).cast_unsigned().into();
    call(call_of(libc::SYS_mprotect, [base, CODE_BYTES, executable, 0, 0, 0]))?;
    write(process.pid(), base, Walker::code())?;
    Ok(Walker::at(base))
}

/// Writes the tables by which it is copied, and has its copies traced.
pub(super) fn furnish(pid: i32, walker: Walker) -> Result<(), Errno> {
    write(pid, walker.table(), copying(walker).into_iter().flatten())?;
    write(pid, receiving_at(walker), receiving(walker).into_iter().flatten())?;
    write(pid, walker.answers(), message(walker))?;
    sys::trace_all(pid, true)
}

pub(super) fn call_of(number: libc::c_long, arguments: [u64; 6]) -> Call {
    let [a, b, c, d, e, f] = arguments;
    [number.cast_unsigned(), a, b, c, d, e, f]
}

/// Writes words one behind the other.
pub(super) fn write(pid: i32, at: u64, words: impl IntoIterator<Item = u64>) -> Result<(), Errno> {
    (at..).step_by(8).zip(words).try_for_each(|(at, word)| sys::write_word(pid, at, word))
}

/// Unregisters the area for restartable sequences, by which memory can redirect a thread, and asks for
/// the rest of [`Thread`].
fn learn(
    process: &mut Tracee,
    waiter: &Waiter,
    deadline: Instant,
    walker: Walker,
    parked: &user_regs_struct,
    restartable: RestartableArea,
) -> Result<Thread, HatchError> {
    let pid = process.pid();
    let answer = |index: u64| walker.answers() + index * 8;
    let mut table = vec![
        call_of(libc::SYS_prctl, [GET_TID_ADDRESS, answer(0), 0, 0, 0, 0]),
        call_of(libc::SYS_get_robust_list, [0, answer(1), answer(2), 0, 0, 0]),
        call_of(libc::SYS_sigaltstack, [0, answer(3), 0, 0, 0, 0]),
    ];
    if restartable.address != 0 {
        let (size, signature) = (restartable.size.into(), restartable.signature.into());
        table.push(call_of(libc::SYS_rseq, [restartable.address, size, UNREGISTER, signature, 0, 0]));
    }
    table.push(END);
    let end = walker.table() + table.len() as u64 * CALL_BYTES;
    write(pid, walker.table(), table.into_iter().flatten())?;
    sys::write_registers(pid, &walker.registers(parked, walker.table()))?;
    match process.walk_on(waiter, deadline, walker)? {
        Stop::Halted(Halt::Failed { behind, errno: END_ERRNO }) if behind == end => {}
        Stop::Halted(Halt::Failed { errno, .. }) => {
            return Err(HatchError::Kernel(sys::error_of(errno)));
        }
        Stop::Halted(_) | Stop::Cloned(_) | Stop::Asks => return Err(HatchError::Kernel(Errno::FAULT)),
    }
    let word = |index| sys::read_word(pid, answer(index));
    Ok(Thread {
        number: word(0)?,
        robust: [word(1)?, word(2)?],
        signal_stack: [word(3)?, word(4)?, word(5)?],
        restartable,
    })
}

/// What the zygote calls for each copy: first it moves to the processor that the mask names. The copy is
/// its maker's sibling, so that the launcher is its parent.
fn copying(walker: Walker) -> [Call; 3] {
    let flags = (libc::CLONE_PARENT | libc::SIGCHLD).cast_unsigned().into();
    [
        call_of(libc::SYS_sched_setaffinity, [0, MASK_BYTES, walker.mask(), 0, 0, 0]),
        call_of(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]),
        END,
    ]
}

/// What a copy calls to receive its script, behind which it goes on. Only the stem's socket is left, as
/// 3, so that what arrives has the numbers 0, 1, 2, 4 and 5, and 6 where it is
/// to have a stem.
fn receiving(walker: Walker) -> [Call; 4] {
    let do_not_wait = libc::MSG_DONTWAIT.cast_unsigned().into();
    [
        call_of(libc::SYS_dup3, [STEM.unsigned_abs().into(), 3, 0, 0, 0, 0]),
        call_of(libc::SYS_close_range, [4, u32::MAX.into(), 0, 0, 0, 0]),
        call_of(libc::SYS_close_range, [0, 2, 0, 0, 0, 0]),
        call_of(libc::SYS_recvmsg, [3, walker.answers(), do_not_wait, 0, 0, 0]),
    ]
}

/// Where a copy begins: right before its script.
pub(super) fn receiving_at(walker: Walker) -> u64 {
    walker.script() - receiving(walker).len() as u64 * CALL_BYTES
}

/// Words of `struct msghdr` and the two `struct iovec` behind it, then room for descriptors.
fn message(walker: Walker) -> [u64; 11] {
    let vectors = walker.answers() + 7 * 8;
    let control = walker.answers() + 11 * 8;
    // No name; two vectors; control bytes, enough for six descriptors; flags.
    [0, 0, vectors, 2, control, 40, 0, walker.data(), DATA_BYTES, walker.script(), SCRIPT_BYTES]
}
