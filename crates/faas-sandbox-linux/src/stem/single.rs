//! System calls of a process that stands where it parked, one instruction at a time.
//!
//! The instruction is the one by which it parked, so nothing has to be placed in its memory first, and nothing that is
//! there runs but this one instruction, whatever it is by then.

use super::Waiter;
use super::hatch::HatchError;
use super::tracee::Tracee;
use super::walker::Call;
use crate::sys::{self, Change};
use faas_protocol::launcher::Unfit;
use libc::user_regs_struct;
use rustix::io::Errno;
use std::time::Instant;

/// A system call of x86-64.
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// Calls by which a process sends itself a signal.
const KILLS: [libc::c_long; 3] = [libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill];
/// Segments of every program of x86-64, as the kernel sets them.
const CODE_SEGMENT: u64 = 0x33;
const STACK_SEGMENT: u64 = 0x2b;
/// The flag that stops a process after each instruction.
const TRAP_FLAG: u64 = 0x100;

const ELSEWHERE: HatchError = HatchError::Unfit(Unfit::Elsewhere);

/// The registers of a process that has just sent itself a signal, with which it goes on as if nothing had happened.
pub(super) fn parked_registers(pid: i32) -> Result<user_regs_struct, HatchError> {
    let mut registers = sys::read_registers(pid)?;
    let instruction = sys::read_word(pid, behind(&registers)).map_err(|_| ELSEWHERE)?;
    let has_sent = registers.rax == 0 && KILLS.into_iter().any(|call| registers.orig_rax == call.cast_unsigned());
    let is_plain = registers.cs == CODE_SEGMENT && registers.ss == STACK_SEGMENT && registers.eflags & TRAP_FLAG == 0;
    if !instruction.to_le_bytes().starts_with(&SYSCALL) || !has_sent || !is_plain {
        return Err(ELSEWHERE);
    }
    // Nothing is under way that the kernel could want to repeat.
    registers.orig_rax = u64::MAX;
    Ok(registers)
}

/// The instruction that a process has just executed, if it was a system call.
fn behind(registers: &user_regs_struct) -> u64 {
    registers.rip.wrapping_sub(SYSCALL.len() as u64)
}

fn begin(process: &Tracee, parked: &user_regs_struct, call: Call) -> Result<(), Errno> {
    let [rax, rdi, rsi, rdx, r10, r8, r9] = call;
    let registers = user_regs_struct { rip: behind(parked), rax, rdi, rsi, rdx, r10, r8, r9, ..*parked };
    sys::write_registers(process.pid(), &registers)?;
    sys::step_on(process.pid())
}

fn answer(process: &Tracee) -> Result<u64, Errno> {
    let answer = sys::read_registers(process.pid())?.rax.cast_signed();
    if (-4095..0).contains(&answer) {
        return Err(sys::error_of(i32::try_from(-answer).unwrap_or(libc::EIO)));
    }
    Ok(answer.cast_unsigned())
}

/// Has a stopped process make one call: what it answers.
///
/// # Errors
/// What the call fails with; `ECHILD` when the process has ended, `EFAULT` when it did anything else.
pub(super) fn call(
    process: &mut Tracee,
    waiter: &Waiter,
    deadline: Instant,
    parked: &user_regs_struct,
    call: Call,
) -> Result<u64, Errno> {
    begin(process, parked, call)?;
    match process.wait(waiter, deadline)? {
        Change::Stopped { signal: libc::SIGTRAP, event: 0 } => answer(process),
        Change::Stopped { .. } => Err(Errno::FAULT),
        Change::Exited { .. } | Change::Killed { .. } => Err(Errno::CHILD),
    }
}

/// Has a stopped process, whose copies are traced, make a call that clones: the clone, which stands still. The process
/// does too, in the middle of the call, and is to be ended.
///
/// # Errors
/// As [`call`].
pub(super) fn clone(
    process: &mut Tracee,
    waiter: &Waiter,
    deadline: Instant,
    parked: &user_regs_struct,
    call: Call,
) -> Result<Tracee, Errno> {
    begin(process, parked, call)?;
    let mut change = process.wait(waiter, deadline)?;
    // Its seccomp filter leaves the call to us, once.
    if matches!(change, Change::Stopped { event: libc::PTRACE_EVENT_SECCOMP, .. }) {
        sys::step_on(process.pid())?;
        change = process.wait(waiter, deadline)?;
    }
    match change {
        Change::Stopped { event: libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_CLONE, .. } => {
            Tracee::born(sys::new_child(process.pid())?, waiter, deadline)
        }
        Change::Stopped { signal: libc::SIGTRAP, event: 0 } => answer(process).and(Err(Errno::FAULT)),
        Change::Stopped { .. } => Err(Errno::FAULT),
        Change::Exited { .. } | Change::Killed { .. } => Err(Errno::CHILD),
    }
}
