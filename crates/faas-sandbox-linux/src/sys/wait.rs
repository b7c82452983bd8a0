//! Children that change state, and the signal that says so.

use super::clone::last_error;
use rustix::fd::{FromRawFd, OwnedFd};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::time::Duration;

/// What became of a child or of a traced process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal ended it.
    Killed {
        /// Which.
        signal: i32,
    },
    /// It is stopped and waits for its tracer.
    Stopped {
        /// The signal it was about to receive.
        signal: i32,
        /// The `PTRACE_EVENT_*` it stopped for; 0 for a signal.
        event: i32,
    },
}

/// `PTRACE_EVENT_*` in a wait status: the byte above the signal's.
const EVENT_SHIFT: i32 = 16;

/// What became of one child since it was last asked for, without waiting.
pub(crate) fn look_at_child(pid: i32) -> Result<Option<Change>, Errno> {
    wait_for(pid, libc::WNOHANG | libc::__WALL)
}

/// Collects a child that was killed. Waits until it is gone; what was already collected is gone.
pub(crate) fn bury(pid: i32) {
    loop {
        match wait_for(pid, libc::__WALL) {
            Ok(None | Some(Change::Stopped { .. })) | Err(Errno::INTR) => {}
            Ok(Some(Change::Exited { .. } | Change::Killed { .. })) | Err(_) => return,
        }
    }
}

fn wait_for(pid: i32, options: i32) -> Result<Option<Change>, Errno> {
    let mut status = 0;
    // SAFETY: `status` is live for the call.
    match unsafe { libc::waitpid(pid, &raw mut status, options) } {
        ..0 => Err(last_error()),
        0 => Ok(None),
        _ if libc::WIFSTOPPED(status) => {
            Ok(Some(Change::Stopped { signal: libc::WSTOPSIG(status), event: status >> EVENT_SHIFT }))
        }
        _ if libc::WIFSIGNALED(status) => Ok(Some(Change::Killed { signal: libc::WTERMSIG(status) })),
        _ => Ok(Some(Change::Exited { code: libc::WEXITSTATUS(status) })),
    }
}

/// Blocks `SIGCHLD` in the calling thread, has the kernel send it for every change, and returns a
/// descriptor that is readable while one waits. It does not block.
pub(crate) fn child_signals() -> Result<OwnedFd, Errno> {
    let set = only_child_signal();
    // SAFETY: the default action runs no code of ours; `set` is live for the calls.
    unsafe {
        if libc::signal(libc::SIGCHLD, libc::SIG_DFL) == libc::SIG_ERR {
            return Err(last_error());
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) < 0 {
            return Err(last_error());
        }
        match libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) {
            ..0 => Err(last_error()),
            // The kernel made it for us and nobody else owns it.
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// Waits for a `SIGCHLD`, which is blocked, and takes it. Returns early for other reasons too.
pub(crate) fn wait_for_child_signal(at_most: Duration) -> Result<(), Errno> {
    let set = only_child_signal();
    let timeout = libc::timespec {
        tv_sec: at_most.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: at_most.subsec_nanos().into(),
    };
    // SAFETY: both are live for the call, and no information is asked for.
    match unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const timeout) } {
        ..0 => match last_error() {
            Errno::AGAIN | Errno::INTR => Ok(()),
            errno => Err(errno),
        },
        _ => Ok(()),
    }
}

/// Sends the calling process a `SIGCHLD`.
pub(crate) fn raise_child_signal() -> Result<(), Errno> {
    // SAFETY: touches no memory; the signal is blocked, or ignored by default.
    if unsafe { libc::kill(libc::getpid(), libc::SIGCHLD) } < 0 { Err(last_error()) } else { Ok(()) }
}

/// `_NSIG` of `asm/signal.h`.
const LAST_SIGNAL: libc::c_int = 64;

/// Gives a child that is about to execute the signals every program expects: none blocked, none ignored.
pub(crate) fn usual_signals() -> Result<(), Errno> {
    let mut none = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` fills the set that the next call reads; the kernel reads a `struct sigaction` of four words,
    // which asks for the default and outlives the call, and writes nothing through the null pointer.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        if libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) < 0 {
            return Err(last_error());
        }
        for signal in (1..=LAST_SIGNAL).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal)) {
            // The C library has signals of its own, which it would not let be changed.
            let default = [0_u64; 4];
            let nothing = std::ptr::null_mut::<libc::c_void>();
            if libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), nothing, 8) < 0 {
                return Err(last_error());
            }
        }
    }
    Ok(())
}

fn only_child_signal() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` fills the set, and `SIGCHLD` is a signal.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        set.assume_init()
    }
}
