//! The installed packages of one tenant in a sandbox, in `/packages`.
//!
//! The launcher opens them ([`open`]), because only it may walk through the server's directories; the
//! child, in whose mount namespace nothing of them is, puts them in its place ([`attach`]).

use super::PACKAGES_ROOT;
use crate::sys;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

/// Opens the directory of all packages. Called once the launcher's root is its own.
///
/// # Errors
/// The kernel's answer.
pub fn root() -> Result<OwnedFd, Errno> {
    rustix::fs::open(PACKAGES_ROOT, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// A mount of a tenant's packages that is attached nowhere yet: read-only, without set-uid programs,
/// without devices. Their path beneath `root` is made of digits alone, as
/// `faas_types::PackagesId::directory` makes it, and no link on the way is followed.
///
/// # Errors
/// The kernel's answer; `ENOENT` where there is no such directory.
pub fn open(root: BorrowedFd<'_>, tenant: &[u8; 16], packages: &[u8; 32]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let directory =
        rustix::fs::openat2(root, format!("{}/{}", digits(tenant), digits(packages)), flags, Mode::empty(), resolve)?;
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_EMPTY_PATH | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = rustix::mount::open_tree(&directory, "", clone)?;
    sys::detached_read_only(mount.as_fd())?;
    Ok(mount)
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts an opened mount into the root in the working directory.
///
/// # Errors
/// The kernel's answer.
pub fn attach(mount: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::mount::move_mount(mount, "", CWD, "packages", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}
