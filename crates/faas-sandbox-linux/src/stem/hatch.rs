//! Making a zygote.

use super::{Parked, Waiter};
use crate::seccomp;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use std::ffi::CString;

/// The number of the socket in a zygote through which its copies get what they are to do.
pub const STEM: i32 = 9;

/// What a zygote is to be.
#[derive(Debug)]
pub struct ZygotePlan<'a> {
    /// [`seccomp::seal_traced`].
    pub seal: &'a seccomp::Program,
    /// The zygotes' user, who owns the shells' user namespaces; the launcher's own where it is not real root.
    pub uid: u32,
    /// The program, by its path in the sandboxes' root, and its arguments.
    pub argv: &'a [CString],
    /// Its environment.
    pub env: &'a [CString],
    /// Its descriptors 0, 1 and 2, of the kind that its copies will have there.
    pub stdio: [BorrowedFd<'a>; 3],
}

/// A step of making a zygote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum HatchStep {
    /// Signals, and the tie to the launcher's life.
    Signals,
}

/// Why there is no zygote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HatchError {
    /// Its process could not be set up.
    #[error("a zygote could not be set up: {step:?}: {errno}")]
    Setup {
        /// What failed.
        step: HatchStep,
        /// The kernel's answer.
        errno: Errno,
    },
    /// Its program ended before it parked.
    #[error("a zygote's program ended with exit code {code}")]
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// Its program was killed before it parked.
    #[error("a zygote's program was ended by signal {signal}")]
    Killed {
        /// By which signal.
        signal: i32,
    },
    /// Its program parked in a way from which it cannot be copied.
    #[error("a zygote cannot be copied: {0}")]
    Unfit(&'static str),
    /// The kernel refused.
    #[error("a zygote could not be prepared: {0}")]
    Kernel(Errno),
}

/// A zygote on its way. Dropping it ends it.
#[derive(Debug)]
pub struct Hatching {}

/// Begins to make a zygote. Does not wait for anything.
///
/// # Errors
/// The kernel's answer.
pub fn hatch(plan: &ZygotePlan<'_>) -> Result<Hatching, Errno> {
    let _ = plan;
    Err(Errno::NOSYS)
}

impl Hatching {
    /// Whether it is parked by now. To be called whenever [`Waiter::descriptor`] was readable.
    ///
    /// # Errors
    /// Says why it never will be.
    pub fn look(&mut self, waiter: &Waiter) -> Result<Option<Parked>, HatchError> {
        let _ = waiter;
        Err(HatchError::Kernel(Errno::NOSYS))
    }
}
