//! Small calls.

use super::clone::last_error;
use rustix::fd::{AsRawFd, BorrowedFd, RawFd};
use rustix::io::Errno;
use rustix::thread::UnshareFlags;

fn check(result: libc::c_long) -> Result<(), Errno> {
    if result < 0 { Err(last_error()) } else { Ok(()) }
}

/// Closes every descriptor from `first` on. Only for processes that are about to execute or exit:
/// whatever owned them in this process must not be used again.
///
/// # Errors
/// The kernel's answer.
pub fn close_range(first: u32) -> Result<(), Errno> {
    close_between(first, u32::MAX)
}

/// Closes the descriptors from `first` to `last`, as [`close_range`] does.
///
/// # Errors
/// The kernel's answer.
pub fn close_between(first: u32, last: u32) -> Result<(), Errno> {
    // SAFETY: closing touches no memory; the contract above covers owners of the descriptors.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })
}

/// Makes `target` a duplicate of `source`, not closed on exec.
///
/// # Errors
/// The kernel's answer.
pub fn dup_onto(source: BorrowedFd<'_>, target: RawFd) -> Result<(), Errno> {
    if source.as_raw_fd() == target {
        // SAFETY: sets a flag of an open descriptor.
        return check(libc::c_long::from(unsafe { libc::fcntl(target, libc::F_SETFD, 0) }));
    }
    // SAFETY: touches no memory; the target number is replaced on purpose.
    check(libc::c_long::from(unsafe { libc::dup2(source.as_raw_fd(), target) }))
}

/// Ends the process at once, without running destructors or exit handlers: for the forked half of
/// a process, whose memory is its parent's copy.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` does not return and touches no memory.
    unsafe { libc::_exit(code) }
}

/// Leaves namespaces of the caller for new ones.
///
/// # Errors
/// The kernel's answer.
pub fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: the one dangerous flag, sharing descriptors or memory apart from other threads, does
    // not arise: the processes that call this have one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Installs a seccomp filter on the calling thread.
///
/// # Errors
/// The kernel's answer.
pub fn install_filter(program: &[libc::sock_filter]) -> Result<(), Errno> {
    let Ok(len) = u16::try_from(program.len()) else { return Err(Errno::INVAL) };
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions from `filter` and writes nothing.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, std::ptr::from_ref(&program)) })
}

/// Joins a new, empty session keyring, so that no key of the session that started us is in reach.
///
/// # Errors
/// The kernel's answer; `ENOSYS` where the kernel has no keyrings.
pub fn join_new_session_keyring() -> Result<(), Errno> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a null name asks for an anonymous keyring.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) })
}

/// Brings up the loopback interface of the socket's network namespace.
///
/// # Errors
/// The kernel's answer.
pub fn loopback_up(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: an all-zero `ifreq` is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (slot, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
        *slot = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`.
    check(libc::c_long::from(unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, std::ptr::from_ref(&request))
    }))
}

/// Makes the mount at `path` read-only and without set-uid programs, keeping every other flag it
/// has (a remount would have to repeat flags that a user namespace may not clear). With `whole_tree`
/// the mounts below it too, and no device in them can be opened.
///
/// # Errors
/// The kernel's answer.
pub fn mount_read_only(path: &std::ffi::CStr, whole_tree: bool) -> Result<(), Errno> {
    let mut attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;
    let mut flags = 0;
    if whole_tree {
        attributes |= libc::MOUNT_ATTR_NODEV;
        flags = libc::AT_RECURSIVE;
    }
    let attr = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: reads one `mount_attr` of the size given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            std::ptr::from_ref(&attr),
            size_of::<libc::mount_attr>(),
        )
    })
}

/// Makes a mount that is held by a descriptor and attached nowhere read-only, without set-uid programs
/// and without devices.
///
/// # Errors
/// The kernel's answer.
pub fn detached_read_only(mount: BorrowedFd<'_>) -> Result<(), Errno> {
    let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    let attr = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: reads one `mount_attr` of the size given and an empty path.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            std::ptr::from_ref(&attr),
            size_of::<libc::mount_attr>(),
        )
    })
}

/// Lends the descriptor with this number, which must be open, to `action`.
pub fn with_descriptor<T>(number: RawFd, action: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    // SAFETY: the caller placed it there itself and nothing closes it while `action` runs: the
    // process has one thread.
    action(unsafe { BorrowedFd::borrow_raw(number) })
}
