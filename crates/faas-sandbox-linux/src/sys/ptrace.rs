//! Tracing. Every call but [`trace_me`] is about a traced process that is stopped, and belongs to the
//! thread that traces it. What a call changes is the memory and state of that process, never ours.

use super::clone::last_error;
use libc::user_regs_struct;
use rustix::io::Errno;
use std::mem::MaybeUninit;

/// `PTRACE_GET_RSEQ_CONFIGURATION` (`include/uapi/linux/ptrace.h`), Linux 5.13.
const GET_RSEQ_CONFIGURATION: Request = 0x420f;
/// `PTRACE_GETSIGMASK` and `PTRACE_SETSIGMASK` (`include/uapi/linux/ptrace.h`).
const GET_SIGNAL_MASK: Request = 0x420a;
const SET_SIGNAL_MASK: Request = 0x420b;
/// `PTRACE_GETREGSET` and `PTRACE_SETREGSET`, and the set that has vector registers (`NT_X86_XSTATE`).
const GET_REGISTER_SET: Request = 0x4204;
const SET_REGISTER_SET: Request = 0x4205;
const EXTENDED_STATE: u64 = 0x202;
/// More than any processor has; what does not fit would be cut off by the kernel.
const EXTENDED_STATE_BYTES: usize = 64 << 10;

/// The kernel's `request` has another type in each C library.
#[cfg(target_env = "musl")]
type Request = libc::c_int;
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

/// A thread's area for restartable sequences (`struct ptrace_rseq_configuration`).
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RestartableArea {
    /// Where it is; 0 where there is none.
    pub(crate) address: u64,
    /// Its size.
    pub(crate) size: u32,
    /// The signature before each abort handler.
    pub(crate) signature: u32,
    flags: u32,
    padding: u32,
}

fn request(request: Request, pid: i32, address: u64, data: u64) -> Result<(), Errno> {
    // SAFETY: the callers pass requests that write to no memory of ours, or to what `data` points to and
    // they keep alive.
    let answer = unsafe { libc::ptrace(request, pid, address as *mut libc::c_void, data as *mut libc::c_void) };
    if answer < 0 { Err(last_error()) } else { Ok(()) }
}

/// Has the calling process traced by its parent. Takes no privilege.
pub(crate) fn trace_me() -> Result<(), Errno> {
    request(libc::PTRACE_TRACEME, 0, 0, 0)
}

/// Begins to trace a process that has another parent; the tracer's death kills it from here on. One that has stopped
/// itself is held where it is, any other one goes on.
pub(crate) fn seize(pid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, pid, 0, libc::PTRACE_O_EXITKILL as u64)
}

/// The tracer's death kills it, and with `copies` what it clones is traced too, and it stops at calls
/// for which its seccomp filter asks the tracer.
pub(crate) fn trace_all(pid: i32, copies: bool) -> Result<(), Errno> {
    let mut options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD;
    if copies {
        options |= libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_TRACESECCOMP;
    }
    request(libc::PTRACE_SETOPTIONS, pid, 0, options as u64)
}

/// Lets it run until the next stop, with a signal or none (0).
pub(crate) fn go_on(pid: i32, signal: i32) -> Result<(), Errno> {
    request(libc::PTRACE_CONT, pid, 0, signal as u64)
}

/// Lets it run one instruction.
pub(crate) fn step_on(pid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SINGLESTEP, pid, 0, 0)
}

/// Lets it run for good, untraced.
pub(crate) fn let_go(pid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_DETACH, pid, 0, 0)
}

/// The pid of what it has just cloned, at such a stop.
pub(crate) fn new_child(pid: i32) -> Result<i32, Errno> {
    let mut message: libc::c_ulong = 0;
    request(libc::PTRACE_GETEVENTMSG, pid, 0, &raw mut message as u64)?;
    i32::try_from(message).map_err(|_| Errno::SRCH)
}

/// Its registers.
pub(crate) fn read_registers(pid: i32) -> Result<user_regs_struct, Errno> {
    let mut registers = MaybeUninit::<user_regs_struct>::uninit();
    request(libc::PTRACE_GETREGS, pid, 0, registers.as_mut_ptr() as u64)?;
    // SAFETY: the call succeeded, so the kernel wrote the whole structure.
    Ok(unsafe { registers.assume_init() })
}

/// Sets its registers.
pub(crate) fn write_registers(pid: i32, registers: &user_regs_struct) -> Result<(), Errno> {
    request(libc::PTRACE_SETREGS, pid, 0, std::ptr::from_ref(registers) as u64)
}

/// The signals that it blocks.
pub(crate) fn signal_mask(pid: i32) -> Result<u64, Errno> {
    let mut mask = 0_u64;
    request(GET_SIGNAL_MASK, pid, size_of::<u64>() as u64, &raw mut mask as u64)?;
    Ok(mask)
}

/// Has it block these signals.
pub(crate) fn set_signal_mask(pid: i32, mask: u64) -> Result<(), Errno> {
    request(SET_SIGNAL_MASK, pid, size_of::<u64>() as u64, &raw const mask as u64)
}

/// What its processor has besides [`read_registers`], as the kernel writes it.
pub(crate) fn extended_state(pid: i32) -> Result<Vec<u8>, Errno> {
    let mut state = vec![0_u8; EXTENDED_STATE_BYTES];
    let mut part = libc::iovec { iov_base: state.as_mut_ptr().cast(), iov_len: state.len() };
    request(GET_REGISTER_SET, pid, EXTENDED_STATE, &raw mut part as u64)?;
    if part.iov_len >= state.len() {
        return Err(Errno::TOOBIG);
    }
    state.truncate(part.iov_len);
    Ok(state)
}

/// Sets what [`extended_state`] has read.
pub(crate) fn set_extended_state(pid: i32, state: &[u8]) -> Result<(), Errno> {
    let mut part = libc::iovec { iov_base: state.as_ptr().cast_mut().cast(), iov_len: state.len() };
    request(SET_REGISTER_SET, pid, EXTENDED_STATE, &raw mut part as u64)
}

/// One word of its memory.
pub(crate) fn read_word(pid: i32, address: u64) -> Result<u64, Errno> {
    let mut word: libc::c_long = 0;
    // SAFETY: the raw call stores the word at `data`, which is live for it; the C library's function would
    // return it where an error is told from it by `errno` alone.
    let answer =
        unsafe { libc::syscall(libc::SYS_ptrace, libc::PTRACE_PEEKDATA as libc::c_long, pid, address, &raw mut word) };
    if answer < 0 { Err(last_error()) } else { Ok(word as u64) }
}

/// Replaces one word of its memory, whatever the protection of the page.
pub(crate) fn write_word(pid: i32, address: u64, word: u64) -> Result<(), Errno> {
    request(libc::PTRACE_POKEDATA, pid, address, word)
}

/// Its area for restartable sequences; the default where the kernel knows none.
pub(crate) fn restartable_area(pid: i32) -> RestartableArea {
    let mut area = RestartableArea::default();
    let size = size_of::<RestartableArea>() as u64;
    // SAFETY: the kernel writes at most `size` bytes to `area`, which is live for the call.
    let written =
        unsafe { libc::syscall(libc::SYS_ptrace, GET_RSEQ_CONFIGURATION as libc::c_long, pid, size, &raw mut area) };
    if written < 0 { RestartableArea::default() } else { area }
}
