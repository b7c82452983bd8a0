//! The system calls that need `unsafe`: descriptor 3, signals, and the start of a program.
//!
//! Called by [`crate::agent`] and [`crate::program`]. Nothing here decides anything.

use core::ffi::{c_char, c_int, c_long, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering};
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::Pid;

/// Where the launcher puts the control socket.
const CONTROL: RawFd = 3;

/// The kernel's `struct sigaction` with the default action: handler, flags, restorer, mask.
static DEFAULT_ACTION: [u64; 4] = [0; 4];
const NOTHING: *mut c_void = ptr::null_mut();

/// Stack of a program's first steps. They call nothing but system calls.
const STACK_BYTES: usize = 64 * 1024;

/// Takes the control socket over. Called once, before any other descriptor is opened.
pub(crate) fn take_control() -> Result<OwnedFd, Errno> {
    // SAFETY: the number is only lent to `fcntl`, which answers `EBADF` if it is not open.
    fcntl_setfd(unsafe { BorrowedFd::borrow_raw(CONTROL) }, FdFlags::CLOEXEC)?;
    // SAFETY: descriptor 3 is open, as the call above has shown; the launcher gave it to this
    // process alone, and this function runs once, so nothing else in the process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(CONTROL) })
}

/// Blocks every signal, puts every disposition back to its default (programs inherit them), and
/// gives a descriptor that is readable when a child has changed.
pub(crate) fn child_signals() -> Result<OwnedFd, Errno> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut child = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are written by `sigfillset` and `sigemptyset` before anything reads them,
    // and every pointer is to a local that outlives its call.
    let raw = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigemptyset(child.as_mut_ptr());
        libc::sigaddset(child.as_mut_ptr(), libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), ptr::null_mut());
        for signal in 1..=64 {
            // Straight to the kernel: the C library keeps some numbers to itself, yet programs
            // inherit those too. All zero is the default action; SIGKILL and SIGSTOP refuse it.
            libc::syscall(libc::SYS_rt_sigaction, signal, (&raw const DEFAULT_ACTION).cast::<c_void>(), NOTHING, 8);
        }
        libc::signalfd(-1, child.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    if raw < 0 {
        return Err(last_error());
    }
    // SAFETY: the kernel just returned this descriptor; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Sends a signal to one process. One that is gone already, or a number that does not exist, is
/// ignored.
pub(crate) fn signal(pid: Pid, signal: u8) {
    // SAFETY: `kill` reads no memory; `pid` is one process (a `Pid` is positive), never a group.
    unsafe {
        libc::kill(pid.as_raw_pid(), c_int::from(signal));
    }
}

/// Kills every process this one may kill but itself: as pid 1 of a sandbox everything in it. None is
/// missed that is being born: the kernel kills under the lock that births take.
pub(crate) fn kill_all_others() {
    // SAFETY: `kill` reads no memory. There being nobody to kill is an error that means success.
    unsafe {
        libc::kill(-1, libc::SIGKILL);
    }
}

/// Throws away every signal that waits for this process: user code may send init any number, and those that
/// wait count against what later programs may send each other.
pub(crate) fn forget_signals() {
    let (every, at_once) = (u64::MAX, [0_i64; 2]);
    // SAFETY: the kernel reads 8 bytes of the set and a time of two words, both locals, and writes nothing
    // through the null pointer.
    while unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, &raw const every, NOTHING, &raw const at_once, 8) } > 0 {}
}

/// Whether the sandbox holds System V shared memory, message queues or semaphores. What cannot be found
/// out counts as yes; a kernel without them answers that the calls do not exist.
pub(crate) fn has_ipc_objects() -> bool {
    // The commands, and the word of the answer that counts objects (linux/{shm,msg,sem}.h).
    const SHM_INFO: c_int = 14;
    const MSG_INFO: c_int = 12;
    const SEM_INFO: c_int = 19;
    let mut words = [0_u32; 32];
    let mut counted = |call: c_long, arguments: [c_int; 3], word: usize| {
        let [first, second, third] = arguments;
        let answer = words.as_mut_ptr();
        // SAFETY: the kernel writes one structure of at most twelve words to `words`, which outlives the
        // call. `semctl` takes its address as the fourth argument, the others as the third.
        let done = unsafe {
            if call == libc::SYS_semctl {
                libc::syscall(call, first, second, third, answer)
            } else {
                libc::syscall(call, first, second, answer)
            }
        };
        if done < 0 { last_error() != Errno::NOSYS } else { words.get(word) != Some(&0) }
    };
    counted(libc::SYS_shmctl, [0, SHM_INFO, 0], 0)
        || counted(libc::SYS_msgctl, [0, MSG_INFO, 0], 0)
        || counted(libc::SYS_semctl, [0, 0, SEM_INFO], 7)
}

/// How the kernel runs this process: policy, priority, processors, and the order of its input and
/// output. Programs inherit it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Scheduling {
    attributes: [u8; 56],
    processors: [u8; 128],
    io: c_long,
}

/// How this process is run at present.
pub(crate) fn scheduling() -> Result<Scheduling, Errno> {
    const IOPRIO_WHO_PROCESS: c_int = 1;
    let mut scheduling = Scheduling { attributes: [0; 56], processors: [0; 128], io: 0 };
    // SAFETY: the kernel writes at most as many bytes as it is told each array has; 0 is this process.
    let answers = unsafe {
        scheduling.io = libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
        [
            libc::syscall(libc::SYS_sched_getattr, 0, scheduling.attributes.as_mut_ptr(), 56, 0),
            libc::syscall(libc::SYS_sched_getaffinity, 0, 128, scheduling.processors.as_mut_ptr()),
            scheduling.io,
        ]
    };
    if answers.iter().any(|answer| *answer < 0) { Err(last_error()) } else { Ok(scheduling) }
}

/// A program ready to start: everything the child needs, allocated before it exists.
pub(crate) struct Plan<'a> {
    /// Files to try in this order.
    pub(crate) candidates: &'a [CString],
    /// Program name and arguments.
    pub(crate) argv: &'a [CString],
    /// The whole environment.
    pub(crate) env: &'a [CString],
    /// Working directory.
    pub(crate) cwd: &'a CString,
    /// Descriptors that become 0, 1, 2 and so on. Each is above all of those numbers.
    pub(crate) descriptors: &'a [OwnedFd],
}

/// What the child reads, and the one cell it writes. Lives in the parent's frame.
struct Birth<'a> {
    plan: &'a Plan<'a>,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    no_signals: libc::sigset_t,
    failed: AtomicI32,
}

/// Starts a program; returns once it is executed, or with the kernel's reason why it is not.
///
/// The child shares this process's memory until it executes (`vfork`): nothing is copied, a full
/// memory limit does not stop it, and it leaves its error in a variable.
pub(crate) fn start(plan: &Plan<'_>) -> Result<Pid, Errno> {
    let mut no_signals = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` writes the whole set, so it is initialised afterwards.
    let no_signals = unsafe {
        libc::sigemptyset(no_signals.as_mut_ptr());
        no_signals.assume_init()
    };
    let birth =
        Birth { plan, argv: pointers(plan.argv), env: pointers(plan.env), no_signals, failed: AtomicI32::new(0) };
    let mut stack = Vec::<u8>::with_capacity(STACK_BYTES);
    // SAFETY: `stack` and `birth` outlive the child's use of them, because CLONE_VFORK suspends
    // this thread until the child has executed or exited, and this is the only thread. The pointer
    // is one past the end of the allocation; the C library aligns it and pushes below it.
    let raw = unsafe {
        libc::clone(
            child,
            stack.as_mut_ptr().add(STACK_BYTES).cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            ptr::from_ref(&birth).cast_mut().cast(),
        )
    };
    if raw < 0 {
        return Err(last_error());
    }
    let pid = Pid::from_raw(raw).ok_or(Errno::SRCH)?;
    match birth.failed.load(Ordering::Relaxed) {
        0 => Ok(pid),
        errno => Err(Errno::from_raw_os_error(errno)),
    }
}

/// The child between birth and execution: no allocation, no lock, no panic, no return to Rust.
extern "C" fn child(birth: *mut c_void) -> c_int {
    // SAFETY: `start` passes a pointer to its own `Birth`, alive and unchanged while it is suspended.
    let birth = unsafe { &*birth.cast_const().cast::<Birth<'_>>() };
    // SAFETY: the parent of this process lives in `start`, which made every pointer valid.
    birth.failed.store(unsafe { become_program(birth) }, Ordering::Relaxed);
    // SAFETY: `_exit` ends this process without running anything of the parent's.
    unsafe { libc::_exit(127) }
}

/// Returns only with an error number.
///
/// # Safety
/// Only in the child of [`start`]: it gives away descriptors and the signal mask.
unsafe fn become_program(birth: &Birth<'_>) -> i32 {
    // SAFETY: every pointer is to a NUL-terminated string, or a NULL-terminated list of them, that
    // `birth` keeps alive; every other argument is a number the kernel checks.
    unsafe {
        if libc::setsid() < 0 {
            return last_error().raw_os_error();
        }
        if libc::sigprocmask(libc::SIG_SETMASK, &raw const birth.no_signals, ptr::null_mut()) < 0 {
            return last_error().raw_os_error();
        }
        let mut number: c_int = 0;
        for descriptor in birth.plan.descriptors {
            // `dup3` refuses equal numbers, which would stay close-on-exec and vanish silently.
            if libc::dup3(descriptor.as_raw_fd(), number, 0) < 0 {
                return last_error().raw_os_error();
            }
            number += 1;
        }
        // All of them are close-on-exec already; this is the second lock on the door.
        libc::syscall(libc::SYS_close_range, number, c_int::MAX, 0);
        if libc::chdir(birth.plan.cwd.as_ptr()) < 0 {
            return last_error().raw_os_error();
        }
        let mut denied = false;
        for candidate in birth.plan.candidates {
            libc::execve(candidate.as_ptr(), birth.argv.as_ptr(), birth.env.as_ptr());
            let error = last_error();
            if error == Errno::ACCESS {
                denied = true;
            } else if !crate::search::is_elsewhere(error) {
                return error.raw_os_error();
            }
        }
        if denied { Errno::ACCESS.raw_os_error() } else { Errno::NOENT.raw_os_error() }
    }
}

/// The NULL-terminated list `execve` wants. Valid while `strings` lives.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
