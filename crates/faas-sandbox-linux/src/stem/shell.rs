//! Shells: assembled sandboxes in which no program runs yet.

use super::StartStep;
use crate::assemble::StandIn;
use crate::cgroup::Leaf;
use crate::landlock::Rules;
use crate::sys::{self, CloneFlags, Cloned};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::process::Uid;
use std::time::Duration;

/// What a program is started in.
///
/// Its init must be one that may be looked at by the owner of its user namespace: it was executed in
/// there. Its network namespace must belong to the sandbox's user namespace, or to another one that the
/// zygotes' user owns: a copy of a zygote may not enter any other.
#[derive(Debug)]
pub struct Shell<'a> {
    /// The sandbox's init, as a pidfd.
    pub init: BorrowedFd<'a>,
    /// What become the program's descriptors 0 to 3.
    pub descriptors: [BorrowedFd<'a>; 4],
    /// The sandbox's cgroup.
    pub leaf: &'a Leaf,
    /// What landlock is to enforce; `None` where the kernel has none.
    pub landlock: Option<&'a Rules>,
    /// Resource limits that stand in for missing cgroup controllers.
    pub stand_in: StandIn,
    /// Whether it is to have a stem beside it, with which it can become a zygote.
    pub stem: bool,
    /// How long the start may take; a start that takes longer has failed.
    pub bound: Duration,
    /// What is to go wrong, for tests.
    pub fault: Option<Fault>,
}

/// Something that goes wrong in a start, for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A step fails.
    Fails(StartStep),
    /// A step never ends.
    Hangs(StartStep),
    /// The process that takes a step ends in it.
    Dies(StartStep),
}

impl Fault {
    /// Where.
    pub(super) fn step(self) -> StartStep {
        let (Self::Fails(step) | Self::Hangs(step) | Self::Dies(step)) = self;
        step
    }
}

/// Clones the calling process into namespaces that belong to `owner`, the user of the zygotes, whose
/// copies may then join them. The caller keeps its capabilities while it passes for that user, and its
/// own effective user is back afterwards; the child goes on as the owner, with every capability in its
/// new user namespace. `flags` must have a new user namespace.
///
/// # Errors
/// The kernel's answer. A caller that cannot become itself again has ended.
pub fn clone_as_owner(owner: u32, flags: CloneFlags, birthplace: Option<BorrowedFd<'_>>) -> Result<Cloned, Errno> {
    let ourselves = rustix::process::geteuid();
    if ourselves.as_raw() == owner {
        return sys::clone3(flags, birthplace);
    }
    let become_user = |user: Uid| rustix::thread::set_thread_res_uid(None, user, None);
    become_user(Uid::from_raw(owner))?;
    // The effective set is empty now; what is permitted may be taken up again at any time.
    let cloned = rustix::thread::capabilities(None)
        .and_then(|sets| {
            let effective = sets.permitted;
            rustix::thread::set_capabilities(None, rustix::thread::CapabilitySets { effective, ..sets })
        })
        .and_then(|()| sys::clone3(flags, birthplace));
    if let Ok(Cloned::Child) = cloned {
        return cloned;
    }
    // The saved user makes this possible without a capability, and brings the effective set back.
    if become_user(ourselves).is_err() {
        sys::exit_now(125);
    }
    cloned
}
