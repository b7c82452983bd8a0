//! How the processes of a start get from one step to the next.

use super::Waiter;
use super::script::Script;
use super::shell::Fault;
use super::step::StartStep;
use super::tracee::{Stop, Tracee};
use super::walker::{Halt, Walker};
use crate::{packet, sys};
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::time::Instant;

/// What failed, and the kernel's answer.
pub(super) type Failure = (StartStep, Errno);

/// Our end of a stem's socket, and its own.
pub(super) fn sockets() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (ours, theirs) = packet::pair()?;
    rustix::fs::fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok((ours, theirs))
}

/// The program's number in the shell, which the kernel has written to our room in its memory.
pub(super) fn number(program: &Tracee, walker: Walker) -> Result<u32, Errno> {
    let number = sys::read_word(program.pid(), walker.answers())? & 0xffff_ffff;
    u32::try_from(number).map_err(|_| Errno::RANGE)
}

/// Lets a process walk until it makes the next one. Both stand still.
pub(super) fn child(
    process: &mut Tracee,
    step: StartStep,
    script: &Script,
    waiter: &Waiter,
    deadline: Instant,
) -> Result<Tracee, Failure> {
    match process.walk_on(waiter, deadline, script.walker()).map_err(|errno| (step, errno))? {
        Stop::Cloned(child) => Tracee::born(child, waiter, deadline).map_err(|errno| (step, errno)),
        stop => Err(halted(stop, script)),
    }
}

/// The step that a process stopped at too early.
pub(super) fn halted(stop: Stop, script: &Script) -> Failure {
    match stop {
        Stop::Halted(Halt::Failed { behind, errno }) => (script.step_before(behind), sys::error_of(errno)),
        Stop::Halted(_) | Stop::Cloned(_) | Stop::Asks => (StartStep::Unmap, Errno::FAULT),
    }
}

/// The failure that a test asked for at this step.
pub(super) fn check(fault: Option<Fault>, step: StartStep) -> Result<(), Failure> {
    match fault {
        Some(fault) if fault.step() == step => Err((step, Errno::IO)),
        _ => Ok(()),
    }
}
