//! Emptying directories of ours whose launcher is dead.

use super::files;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// `CGROUP_SUPER_MAGIC` and `CGROUP2_SUPER_MAGIC` of `include/uapi/linux/magic.h`.
const CGROUP_FILE_SYSTEMS: [rustix::fs::FsWord; 2] = [0x0027_e0eb, 0x6367_7270];

/// How often a directory that is busy is tried again. Each round kills what was found in it, and a
/// sandbox cannot fork faster than it is killed: its init is the first in the list.
const ROUNDS: u32 = 200;

/// Kills every process in the directories below `dir` and removes them.
pub(super) fn empty(dir: &OwnedFd) {
    for name in files::subdirectories(dir).unwrap_or_default() {
        let Ok(child) = files::open_dir(dir, &name) else { continue };
        for _ in 0..ROUNDS {
            kill_members(&child);
            match rustix::fs::unlinkat(dir, name.as_str(), AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => break,
                Err(_) => wait_a_little(),
            }
        }
    }
}

/// Removes a directory made by [`super::find`] with everything below it, killing what is inside.
pub fn remove_tree(base: impl AsFd, name: &str) {
    let Ok(dir) = files::open_dir(base.as_fd(), name) else { return };
    for child in files::subdirectories(&dir).unwrap_or_default() {
        remove_tree(&dir, &child);
    }
    for _ in 0..ROUNDS {
        kill_members(&dir);
        match rustix::fs::unlinkat(base.as_fd(), name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return,
            Err(_) => wait_a_little(),
        }
    }
}

/// Removes a dead launcher's own directory, by its path on the host, with everything in it, and the
/// common directory it is in when that is empty. Anything but a cgroup directory is left alone.
pub fn remove_path(path: &str) {
    let Some((parent, name)) = path.rsplit_once('/') else { return };
    let Ok(dir) = files::open(parent) else { return };
    let is_cgroup = rustix::fs::fstatfs(&dir).is_ok_and(|stat| CGROUP_FILE_SYSTEMS.contains(&stat.f_type));
    if !is_cgroup || !name.starts_with("faas-") {
        return;
    }
    let Ok(own) = files::open_dir(&dir, name) else { return };
    // A live launcher with another runtime directory may have taken the name meanwhile.
    if rustix::fs::flock(&own, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        return;
    }
    remove_tree(&dir, name);
    if let Some((above, super::find::BASE)) = parent.rsplit_once('/')
        && let Ok(above) = files::open(above)
    {
        // Other launchers' directories in it keep it.
        let _ = rustix::fs::unlinkat(&above, super::find::BASE, AtFlags::REMOVEDIR);
    }
}

/// Kills the members of one cgroup. Whatever is in it is ours by construction, and the descriptor
/// keeps a recycled number from being hit.
fn kill_members(dir: &OwnedFd) {
    if files::write(dir, "cgroup.kill", "1").is_ok() {
        return;
    }
    for pid in files::read(dir, "cgroup.procs").unwrap_or_default().lines() {
        let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) else { continue };
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // Between the listing and the opening it may have ended and its number been taken by a
        // process elsewhere: look again before the signal.
        let still = files::read(dir, "cgroup.procs")
            .unwrap_or_default()
            .lines()
            .any(|line| line.parse() == Ok(pid.as_raw_nonzero().get()));
        if still {
            // It may have ended meanwhile, which is what is wanted.
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        }
    }
}

/// Lets dying processes finish: 5 ms.
fn wait_a_little() {
    let pause = rustix::thread::Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
    let _ = rustix::thread::nanosleep(&pause);
}
