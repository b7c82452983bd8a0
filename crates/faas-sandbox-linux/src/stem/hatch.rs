//! Making a zygote.

use super::tracee::Tracee;
use super::{AdoptStep, Parked, Waiter, park};
use crate::root::{pivot, procfs};
use crate::sys::{self, Change, CloneFlags, Cloned};
use crate::{assemble, caps, packet, seccomp};
use faas_protocol::launcher::Unfit;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::ffi::{CStr, CString};

/// The number of the socket in a zygote through which its copies get what they are to do.
pub const STEM: i32 = 9;

/// What a zygote is to be.
#[derive(Debug)]
pub struct ZygotePlan<'a> {
    /// [`seccomp::seal_traced`].
    pub seal: &'a seccomp::Program,
    /// The zygotes' user, who owns the shells' user namespaces; the launcher's own where it is not real root.
    pub uid: u32,
    /// The program, by its path in the sandboxes' root, and its arguments. It parks by sending itself
    /// `SIGSTOP`, in the one thread it has.
    pub argv: &'a [CString],
    /// Its environment.
    pub env: &'a [CString],
    /// Its descriptors 0, 1 and 2, of the kind that its copies will have there.
    pub stdio: [BorrowedFd<'a>; 3],
}

/// A step of setting up a zygote's process, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum HatchStep {
    /// Signals as every program expects them, and a tie to the launcher's life.
    Signals,
    /// The first to go when memory is short.
    OomScore,
    /// Its descriptors, and no others.
    Descriptors,
    /// A session of its own.
    Session,
    /// The launcher as its tracer.
    Trace,
    /// The sandboxes' root.
    Root,
    /// Resource limits.
    Limits,
    /// The zygotes' user.
    Ids,
    /// No capability, and none to gain.
    Caps,
    /// The seal.
    Seal,
    /// The program.
    Exec,
}

impl HatchStep {
    const ALL: [Self; 11] = [
        Self::Signals,
        Self::OomScore,
        Self::Descriptors,
        Self::Session,
        Self::Trace,
        Self::Root,
        Self::Limits,
        Self::Ids,
        Self::Caps,
        Self::Seal,
        Self::Exec,
    ];
}

/// Why there is no zygote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HatchError {
    /// Its process could not be set up.
    #[error("a zygote could not be set up at {step:?}: {errno}")]
    Setup {
        /// What failed.
        step: HatchStep,
        /// The kernel's answer.
        errno: Errno,
    },
    /// Its program ended before it parked.
    #[error("a zygote's program ended with exit code {code} before it parked")]
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// Its program was killed before it parked.
    #[error("a zygote's program was ended by signal {signal} before it parked")]
    Killed {
        /// By which signal.
        signal: i32,
    },
    /// It parked in a way from which it cannot be copied.
    #[error("a zygote cannot be copied: {}", .0.as_str())]
    Unfit(Unfit),
    /// A program could not become one.
    #[error("a program could not become a zygote at {step:?}: {errno}")]
    Adoption {
        /// What failed.
        step: AdoptStep,
        /// The kernel's answer; `ETIMEDOUT` past the bound, `ECHILD` when a process ended.
        errno: Errno,
    },
    /// The kernel refused; `ETIMEDOUT` when it did not stop where it must.
    #[error("a zygote could not be prepared: {0}")]
    Kernel(Errno),
}

impl From<Errno> for HatchError {
    fn from(errno: Errno) -> Self {
        Self::Kernel(errno)
    }
}

/// A zygote on its way. Dropping it ends it.
#[derive(Debug)]
pub struct Hatching {
    /// `None` once it is parked.
    process: Option<Tracee>,
    stem: Option<OwnedFd>,
    executed: bool,
}

/// Begins to make a zygote, from whoever is to be its tracer. Does not wait for anything.
///
/// # Errors
/// The kernel's answer; `EINVAL` for a program without a path, and for the host's uid 0.
pub fn hatch(plan: &ZygotePlan<'_>) -> Result<Hatching, Errno> {
    if plan.argv.is_empty() || (plan.uid == 0 && caps::is_host_uid_zero()) {
        return Err(Errno::INVAL);
    }
    let (ours, theirs) = packet::pair()?;
    match sys::clone3(CloneFlags::ZYGOTE, None)? {
        Cloned::Child => become_zygote(plan, &theirs),
        Cloned::Parent { pid, .. } => {
            rustix::fs::fcntl_setfl(&ours, rustix::fs::OFlags::NONBLOCK)?;
            Ok(Hatching { process: Some(Tracee::new(pid)), stem: Some(ours), executed: false })
        }
    }
}

impl Hatching {
    /// Its process, which is its tracer's child; `None` once it is parked.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(Tracee::pid)
    }

    /// Whether it is parked by now. To be called whenever [`Waiter::descriptor`] was readable; not again
    /// once it is.
    ///
    /// # Errors
    /// Says why it never will be.
    pub fn look(&mut self, waiter: &Waiter) -> Result<Option<Parked>, HatchError> {
        let Some(process) = &mut self.process else { return Err(HatchError::Kernel(Errno::SRCH)) };
        while let Some(change) = process.look()? {
            match change {
                Change::Exited { code } => {
                    let failure = (!self.executed).then(|| self.stem.as_ref().and_then(failure)).flatten();
                    return Err(failure.unwrap_or(HatchError::Exited { code }));
                }
                Change::Killed { signal } => return Err(HatchError::Killed { signal }),
                Change::Stopped { signal: libc::SIGTRAP, event: 0 } if !self.executed => {
                    self.executed = true;
                    sys::trace_all(process.pid(), false)?;
                    sys::go_on(process.pid(), 0)?;
                }
                Change::Stopped { signal: libc::SIGSTOP, event: 0 } if self.executed => {
                    return match (self.process.take(), self.stem.take()) {
                        (Some(process), Some(stem)) => park::prepare(process, stem, waiter).map(Some),
                        _ => Err(HatchError::Kernel(Errno::SRCH)),
                    };
                }
                Change::Stopped { signal, .. } => sys::go_on(process.pid(), signal)?,
            }
        }
        Ok(None)
    }
}

/// What a process said that could not be set up.
fn failure(stem: &OwnedFd) -> Option<HatchError> {
    let mut said = [0_u8; 5];
    let received = packet::receive(stem, &mut said).ok()?;
    let (step, errno) = said.split_first()?;
    let step = HatchStep::ALL.into_iter().find(|known| *known as u8 == *step)?;
    let errno = sys::error_of(i32::from_le_bytes(*errno.as_array()?));
    (received.length == said.len()).then_some(HatchError::Setup { step, errno })
}

fn become_zygote(plan: &ZygotePlan<'_>, stem: &OwnedFd) -> ! {
    let Err((step, errno)) = set_up(plan, stem.as_fd());
    let [a, b, c, d] = errno.raw_os_error().to_le_bytes();
    let said = [step as u8, a, b, c, d];
    // It has one of these numbers; with neither, the exit code has to do.
    if packet::send(stem.as_fd(), &said, &[]).is_err() {
        let _ = sys::with_descriptor(STEM, |stem| packet::send(stem, &said, &[]));
    }
    sys::exit_now(125)
}

fn set_up(plan: &ZygotePlan<'_>, stem: BorrowedFd<'_>) -> Result<std::convert::Infallible, (HatchStep, Errno)> {
    let step = |step, result: Result<(), Errno>| result.map_err(|errno| (step, errno));
    step(HatchStep::Signals, sys::usual_signals().and_then(|()| assemble::die_with_launcher()))?;
    step(HatchStep::OomScore, procfs::make_first_to_go(rustix::process::getpid().as_raw_pid()))?;
    step(HatchStep::Descriptors, arrange_descriptors(plan, stem))?;
    step(HatchStep::Session, rustix::process::setsid().map(drop))?;
    // The seal denies it, and execution then stops at its first instruction.
    step(HatchStep::Trace, sys::trace_me())?;
    step(HatchStep::Root, pivot::prepare().and_then(|()| pivot::enter()))?;
    step(HatchStep::Limits, assemble::set_rlimits(assemble::StandIn::default()))?;
    step(HatchStep::Ids, become_user(plan.uid))?;
    // Changing ids cleared it.
    step(HatchStep::Signals, assemble::die_with_launcher())?;
    step(HatchStep::Caps, caps::drop_what_can_be_used())?;
    step(HatchStep::Caps, rustix::thread::set_no_new_privs(true))?;
    step(HatchStep::Seal, plan.seal.install())?;
    let argv: Vec<&CStr> = plan.argv.iter().map(CString::as_c_str).collect();
    let env: Vec<&CStr> = plan.env.iter().map(CString::as_c_str).collect();
    Err((HatchStep::Exec, sys::execute(&argv, &env)))
}

/// Leaves 0, 1, 2, and the stem's socket.
fn arrange_descriptors(plan: &ZygotePlan<'_>, stem: BorrowedFd<'_>) -> Result<(), Errno> {
    let stem = assemble::out_of_the_way(stem)?;
    let [input, output, error] = plan.stdio;
    let stdio = [(0, input), (1, output), (2, error)];
    let moved = stdio.map(|(target, fd)| (target, assemble::out_of_the_way(fd)));
    for (target, fd) in &moved {
        sys::dup_onto(fd.as_ref().map_err(|errno| *errno)?.as_fd(), *target)?;
    }
    sys::dup_onto(stem.as_fd(), STEM)?;
    // What owned the numbers below must not close them again: this process executes or exits.
    std::mem::forget((stem, moved));
    sys::close_between(3, STEM.unsigned_abs() - 1)?;
    sys::close_range(STEM.unsigned_abs() + 1)
}

/// Takes the zygotes' ids, without groups. Nothing to do for a launcher that is not real root: they are
/// its own, the only ones it has.
fn become_user(uid: u32) -> Result<(), Errno> {
    if rustix::process::geteuid().as_raw() == uid {
        return Ok(());
    }
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(group, group, group)?;
    rustix::thread::set_thread_res_uid(user, user, user)
}
