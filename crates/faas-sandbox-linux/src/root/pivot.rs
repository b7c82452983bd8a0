//! Changing into the sandboxes' root, and leaving everything else.

use super::SANDBOX_ROOT;
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

/// Puts a copy of the sandboxes' root over itself and makes it the working directory, to which the
/// paths of [`super::procfs`] and [`super::areas`] are relative. Only a mount of the caller's own
/// can become its root: those it inherited are locked in a user namespace of its own.
///
/// # Errors
/// The kernel's answer.
pub fn prepare() -> Result<(), Errno> {
    rustix::mount::mount_bind_recursive(SANDBOX_ROOT, SANDBOX_ROOT)?;
    rustix::process::chdir(SANDBOX_ROOT)
}

/// Makes the working directory the root. The old one, and what was mounted in it, is gone.
///
/// # Errors
/// The kernel's answer.
pub fn enter() -> Result<(), Errno> {
    rustix::process::pivot_root(".", ".")?;
    // The old root is mounted over the new one now; detaching it leaves the new one alone.
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")
}
