//! Hearing of children that changed state.

use crate::sys;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::time::Instant;

/// Says when a child of the calling process changed state. One for each process; the thread that made
/// it is the one that waits.
#[derive(Debug)]
pub struct Waiter {
    signals: OwnedFd,
}

impl Waiter {
    /// Blocks `SIGCHLD` in the calling thread, and makes sure that the kernel sends it.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn new() -> Result<Self, Errno> {
        Ok(Self { signals: sys::child_signals()? })
    }

    /// Readable when a child changed state since [`Waiter::quiet`].
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }

    /// Reads it empty. Whoever calls it looks at every child afterwards: several changes are one signal.
    pub fn quiet(&self) {
        let mut record = [0_u8; 128];
        // Nothing to read is what is wanted.
        while rustix::io::read(&self.signals, &mut record).is_ok() {}
    }

    /// The next change of one child, `ETIMEDOUT` when there is none before the deadline.
    pub(super) fn wait(&self, pid: i32, deadline: Instant) -> Result<sys::Change, Errno> {
        loop {
            if let Some(change) = sys::look_at_child(pid)? {
                return Ok(change);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Errno::TIMEDOUT);
            }
            sys::wait_for_child_signal(left)?;
        }
    }

    /// Makes it readable: signals that [`Waiter::wait`] took may have been about other children.
    pub(super) fn disturb(&self) -> Result<(), Errno> {
        sys::raise_child_signal()
    }
}
