//! The writable areas of a sandbox: one file system in memory, so that one limit in bytes and one
//! in inodes hold for all of them together.

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::mount::MountFlags;
use std::ffi::{CStr, CString};

/// Name in the common file system, place in the root, permissions.
const AREAS: [(&CStr, &CStr, u32); 4] = [
    (c"/mnt/workspace", c"workspace", 0o755),
    (c"/mnt/tmp", c"tmp", 0o1777),
    (c"/mnt/code", c"code", 0o755),
    (c"/mnt/shm", c"dev/shm", 0o1777),
];

/// Mounts the areas into the root in the working directory. The caller has already become the
/// sandbox's user, so they belong to it. The place they come from stays behind at the pivot.
///
/// # Errors
/// The kernel's answer.
pub fn mount(bytes: u64, inodes: u64) -> Result<(), Errno> {
    // The directories themselves take inodes that the program was promised.
    let inodes = inodes + AREAS.len() as u64 + 1;
    let options = CString::new(format!("size={bytes},nr_inodes={inodes},mode=0755,uid=1000,gid=1000"))
        .map_err(|_| Errno::INVAL)?;
    rustix::mount::mount("tmpfs", c"/mnt", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str()))?;
    let umask = rustix::process::umask(Mode::empty());
    for (source, target, mode) in AREAS {
        rustix::fs::mkdir(source, Mode::from_raw_mode(mode))?;
        rustix::mount::mount_bind(source, target)?;
    }
    rustix::process::umask(umask);
    Ok(())
}
