//! Starting a program from a zygote.

use super::{Shell, Waiter};
use rustix::io::Errno;

/// A parked zygote. Dropping it ends it.
#[derive(Debug)]
pub struct Parked {}

/// A step of a start, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum StartStep {
    /// Copying the zygote.
    Copy,
}

/// A program could not be started. Nothing is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("starting from a zygote failed at {step:?}: {errno}")]
pub struct StartError {
    /// What failed.
    pub step: StartStep,
    /// The kernel's answer; `ETIMEDOUT` past the bound, `ECHILD` when the process ended.
    pub errno: Errno,
    /// Whether the zygote cannot be used any more.
    pub zygote_lost: bool,
}

impl Parked {
    /// Whether it can still be copied.
    pub fn is_alive(&mut self) -> bool {
        false
    }

    /// Starts a program in a shell: a copy of the zygote, which goes on where it parked, with pid 3 (the
    /// returned number) in the shell, as a child of its init. Its descriptors 0 to 3 are those of the shell.
    /// Afterwards [`Waiter::descriptor`] may be readable without a cause.
    ///
    /// # Errors
    /// Names the step that failed.
    pub fn start(&mut self, waiter: &Waiter, shell: &Shell<'_>) -> Result<u32, StartError> {
        let _ = (waiter, shell);
        Err(StartError { step: StartStep::Copy, errno: Errno::NOSYS, zygote_lost: false })
    }
}
