//! A traced process.

use super::Waiter;
use super::walker::{Halt, Walker};
use crate::sys::{self, Change};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use std::time::Instant;

/// A process that this thread traces. Dropping it ends and collects it.
#[derive(Debug)]
pub(super) struct Tracee {
    pid: i32,
    ended: bool,
}

/// Why a process that walks stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Before a call that its seccomp filter leaves to the tracer.
    Asks,
    /// It has cloned another, which is traced too.
    Cloned(i32),
    /// It halted.
    Halted(Halt),
}

impl Tracee {
    pub(super) fn new(pid: i32) -> Self {
        Self { pid, ended: false }
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// What became of it since it was last looked at.
    pub(super) fn look(&mut self) -> Result<Option<Change>, Errno> {
        let change = sys::look_at_child(self.pid);
        self.note(change.ok().flatten());
        change
    }

    /// Its next change.
    pub(super) fn wait(&mut self, waiter: &Waiter, deadline: Instant) -> Result<Change, Errno> {
        let change = waiter.wait(self.pid, deadline);
        self.note(change.ok());
        change
    }

    fn note(&mut self, change: Option<Change>) {
        self.ended |= matches!(change, Some(Change::Exited { .. } | Change::Killed { .. }));
    }

    /// A process that a traced one has just cloned, once it stands still.
    pub(super) fn born(pid: i32, waiter: &Waiter, deadline: Instant) -> Result<Self, Errno> {
        let mut born = Self::new(pid);
        match born.wait(waiter, deadline)? {
            Change::Stopped { signal: libc::SIGSTOP, .. } => Ok(born),
            Change::Stopped { .. } => Err(Errno::FAULT),
            Change::Exited { .. } | Change::Killed { .. } => Err(Errno::CHILD),
        }
    }

    /// Lets it walk to its next stop.
    pub(super) fn walk(&mut self, waiter: &Waiter, deadline: Instant, walker: Walker) -> Result<Stop, Errno> {
        sys::go_on(self.pid, 0)?;
        self.stops(waiter, deadline, walker)
    }

    /// Lets it walk until it clones or halts. Calls that its seccomp filter leaves to the tracer are let
    /// through: what walks makes only calls of ours.
    pub(super) fn walk_on(&mut self, waiter: &Waiter, deadline: Instant, walker: Walker) -> Result<Stop, Errno> {
        loop {
            match self.walk(waiter, deadline, walker)? {
                Stop::Asks => {}
                stop => return Ok(stop),
            }
        }
    }

    /// Where it stops, which was let walk already.
    pub(super) fn stops(&mut self, waiter: &Waiter, deadline: Instant, walker: Walker) -> Result<Stop, Errno> {
        loop {
            match self.wait(waiter, deadline)? {
                Change::Stopped { event: libc::PTRACE_EVENT_SECCOMP, .. } => return Ok(Stop::Asks),
                Change::Stopped { event: libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_CLONE, .. } => {
                    return sys::new_child(self.pid).map(Stop::Cloned);
                }
                Change::Stopped { signal: libc::SIGTRAP | libc::SIGSEGV, event: 0 } => {
                    return sys::read_registers(self.pid).map(|registers| Stop::Halted(walker.halt(&registers)));
                }
                Change::Stopped { signal: libc::SIGBUS | libc::SIGILL, event: 0 } => return Err(Errno::FAULT),
                // A signal from outside, which is dropped.
                Change::Stopped { .. } => sys::go_on(self.pid, 0)?,
                Change::Exited { .. } | Change::Killed { .. } => return Err(Errno::CHILD),
            }
        }
    }

    /// Has it killed, without waiting until it is gone.
    pub(super) fn kill(&self) {
        // Until it is collected, which only we do, its number is its own.
        if !self.ended
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }

    /// Ends and collects it.
    pub(super) fn end(&mut self) {
        if !self.ended {
            self.kill();
            sys::bury(self.pid);
            self.ended = true;
        }
    }

    /// Lets it run for good; ends it where that fails.
    pub(super) fn let_go(mut self) -> Result<(), Errno> {
        sys::let_go(self.pid)?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        self.end();
    }
}
