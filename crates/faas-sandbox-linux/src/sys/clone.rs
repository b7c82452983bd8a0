//! `clone3` into new namespaces.

use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;

/// Which namespaces the child gets of its own, as the kernel's flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloneFlags(u64);

impl CloneFlags {
    /// User, pid, mount, ipc and uts namespaces of its own. The network namespace is the caller's
    /// current one (pooled), the cgroup namespace is unshared by the child once it is placed.
    pub const SANDBOX: Self = Self(
        (libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS) as u64,
    );

    /// As [`CloneFlags::SANDBOX`], and a network namespace that belongs to the new user namespace.
    pub const SHELL: Self = Self(Self::SANDBOX.0 | libc::CLONE_NEWNET as u64);

    /// A network namespace, and the user namespace that it belongs to.
    pub const NETWORK: Self = Self((libc::CLONE_NEWUSER | libc::CLONE_NEWNET) as u64);

    /// What keeps a zygote from the host: mount, network, ipc and uts namespaces of its own. It stays in
    /// the caller's user and pid namespaces, from which its copies can enter any sandbox's.
    pub const ZYGOTE: Self =
        Self((libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS) as u64);
}

/// Which side of the clone this is.
#[derive(Debug)]
pub enum Cloned {
    /// The new process.
    Child,
    /// The caller, with the new process's pid and a descriptor that stands for it.
    Parent {
        /// Its pid in the caller's namespace.
        pid: i32,
        /// Readable once it is dead.
        pidfd: OwnedFd,
    },
}

/// `CLONE_INTO_CGROUP`, missing from older headers. Linux 5.7, `include/uapi/linux/sched.h`.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of `include/uapi/linux/sched.h`, up to `cgroup` (version 2, 88 bytes).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Clones the calling process. On cgroup v2 the child can be born in `cgroup`.
///
/// The caller must be single-threaded: the child goes on with a copy of its memory, in which no
/// other thread exists to release a lock.
///
/// # Errors
/// The kernel's answer.
pub fn clone3(flags: CloneFlags, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned, Errno> {
    let mut pidfd: libc::c_int = -1;
    let mut args = CloneArgs {
        flags: flags.0 | libc::CLONE_PIDFD as u64,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: `args` is a valid `clone_args` of the size given and outlives the call; without
    // `CLONE_VM` the child has its own copy of this stack, so both sides may return from here.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::from_mut(&mut args), size_of::<CloneArgs>()) };
    match pid {
        ..0 => Err(last_error()),
        0 => Ok(Cloned::Child),
        pid => Ok(Cloned::Parent {
            pid: pid as i32,
            // SAFETY: the kernel stored a fresh descriptor that nobody else owns.
            pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) },
        }),
    }
}

/// An error by the number that the kernel gave another process, `EIO` where there is no such error.
pub(crate) fn error_of(number: i32) -> Errno {
    if (1..4096).contains(&number) { Errno::from_raw_os_error(number) } else { Errno::IO }
}

/// The calling thread's `errno`.
pub(super) fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
