//! Making moves between cgroups cheap.
//!
//! By default writing a pid to `cgroup.procs` waits for a grace period: about 7 ms. A hierarchy
//! mounted with `favordynmods` switches the kernel to a path of 0.16 ms, for every hierarchy
//! (`Documentation/admin-guide/cgroup-v2.rst`, "favordynmods"). A named hierarchy without
//! controllers does. Making one costs 10 ms and removing it more, so where the kernel keeps the
//! cheap path until reboot, it is made once for each boot, which a file remembers.

use super::files;
use rustix::fd::OwnedFd;
use rustix::mount::{MountFlags, UnmountFlags};
use std::fs;
use std::path::Path;

/// Since this version the cheap path, once switched on, stays on until reboot.
const KEPT_SINCE: (u32, u32) = (6, 18);

/// The file that remembers for which boot it was switched on.
const MARKER: &str = "cheap-moves";

/// Keeps moves cheap while it lives, on kernels that do not keep them so by themselves.
#[derive(Debug)]
pub struct CheapMoves {
    _hierarchy: OwnedFd,
}

/// Asks the kernel for cheap moves; `scratch` is a directory that only this user can write, in a
/// mount namespace of the caller's own. `None` when nothing has to be held: the kernel keeps them
/// cheap, or has no such option, or the caller lacks the right. Moves may then be slower, not less
/// safe.
#[must_use]
pub fn favor_dynamic_moves(scratch: &Path) -> Option<CheapMoves> {
    let kept = version(&rustix::system::uname().release().to_string_lossy()).is_some_and(|ours| ours >= KEPT_SINCE);
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let marker = scratch.join(MARKER);
    if kept && fs::read_to_string(&marker).is_ok_and(|remembered| remembered == boot) {
        return None;
    }
    let options = c"none,name=faas,favordynmods";
    rustix::mount::mount("faas", scratch, "cgroup", MountFlags::empty(), Some(options)).ok()?;
    let hierarchy = files::open(scratch);
    // The descriptor alone keeps the hierarchy.
    rustix::mount::unmount(scratch, UnmountFlags::DETACH).ok()?;
    if kept {
        // Without the file the next launcher asks again.
        let _ = fs::write(marker, boot);
        return None;
    }
    Some(CheapMoves { _hierarchy: hierarchy.ok()? })
}

/// The first two numbers of a kernel release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn releases_are_read_and_compared_as_numbers() {
        assert_eq!(version("6.18.44-fc-v445"), Some((6, 18)));
        assert_eq!(version("6.1.0-56-cloud-amd64"), Some((6, 1)));
        assert!(version("6.9.1") < version("6.18.0"));
        assert_eq!(version("nonsense"), None);
    }
}
