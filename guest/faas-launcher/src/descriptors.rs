//! The launcher's open files: enough for every sandbox it may be asked for, or it does not start.
//!
//! Called once by the start. A sandbox lowers its own limit, so that what is raised here reaches none.

use faas_sandbox_linux::cgroup::Tree;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A sandbox has its process, its network, and the directories of its cgroups.
const PER_SANDBOX: u64 = 2;
/// What it has anyway: its slot, its cgroups, mounts that are copied, networks and cgroups that are kept ready, and
/// what one sandbox takes while it is made.
const RESERVE: u64 = 160;

/// Why there are too few.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooFew {
    pub(crate) needed: u64,
    pub(crate) limit: u64,
}

/// Raises the limit as far as the system allows.
///
/// # Errors
/// That is not enough.
pub(crate) fn allow(max_sandboxes: u32, tree: &Tree) -> Result<(), TooFew> {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, what it is has to do.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).is_ok();
    // No limit is as many as there can be.
    let limit = if raised { limit.maximum } else { limit.current }.unwrap_or(u64::MAX);
    check(limit, max_sandboxes, tree.descriptors_per_leaf())
}

fn check(limit: u64, max_sandboxes: u32, per_leaf: u64) -> Result<(), TooFew> {
    let needed = RESERVE + u64::from(max_sandboxes) * (PER_SANDBOX + per_leaf);
    if needed > limit { Err(TooFew { needed, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{TooFew, check};

    #[test]
    fn fewer_than_are_needed_are_refused() {
        assert_eq!(check(1024, 72, 5), Ok(()));
        assert_eq!(check(160 + 7 * 2000, 2000, 5), Ok(()));
        assert_eq!(check(160 + 7 * 2000 - 1, 2000, 5), Err(TooFew { needed: 14_160, limit: 14_159 }));
    }
}
