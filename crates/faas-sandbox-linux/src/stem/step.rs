//! What a start consists of, and how it fails.

use rustix::io::Errno;

/// A step of a start, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum StartStep {
    /// Z is copied: X.
    Copy,
    /// X is sent its script and descriptors.
    Send,
    /// X receives them, and has no others.
    Receive,
    /// X is made, and what makes it is its stem.
    Stem,
    /// The stem has its socket and no other descriptor, and stands still.
    Rest,
    /// X joins the shell's namespaces.
    Join,
    /// Descriptors 0 to 3, and no others.
    Descriptors,
    /// Landlock's rules.
    Landlock,
    /// The sandbox's user.
    Ids,
    /// An empty bounding set.
    Bounds,
    /// Limits that stand in for missing controllers.
    Limits,
    /// X makes Y in the shell.
    Father,
    /// Y makes P.
    Program,
    /// A session of P's own.
    Session,
    /// What belongs to P's thread.
    Thread,
    /// P may use every processor again.
    Processors,
    /// P has no capability.
    Caps,
    /// P's memory is as when Z parked.
    Unmap,
    /// P's area for restartable sequences, by which its memory can redirect it: so nothing of ours runs in it any more.
    Restartable,
    /// X and Y are gone.
    Collect,
    /// P is in the sandbox's cgroup.
    Place,
    /// P goes on where Z parked.
    Release,
}

impl StartStep {
    /// Every step, in order.
    pub const ALL: [Self; 22] = [
        Self::Copy,
        Self::Send,
        Self::Receive,
        Self::Stem,
        Self::Rest,
        Self::Join,
        Self::Descriptors,
        Self::Landlock,
        Self::Ids,
        Self::Bounds,
        Self::Limits,
        Self::Father,
        Self::Program,
        Self::Session,
        Self::Thread,
        Self::Processors,
        Self::Caps,
        Self::Unmap,
        Self::Restartable,
        Self::Collect,
        Self::Place,
        Self::Release,
    ];
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
