//! Executing a file by descriptor.

use super::clone::last_error;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;
use std::ffi::CStr;

/// Replaces the process with the program behind `file`. Returns only when that failed.
#[must_use]
pub fn execveat(file: BorrowedFd<'_>, argv: &[&CStr], env: &[&CStr]) -> Errno {
    let argv = null_terminated(argv);
    let env = null_terminated(env);
    // SAFETY: both arrays end with a null pointer and their strings outlive the call; the empty
    // path with AT_EMPTY_PATH names the descriptor itself.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            env.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    last_error()
}

/// Replaces the process with the program at the path that is its first argument. Returns only when that
/// failed.
#[must_use]
pub fn execute(argv: &[&CStr], env: &[&CStr]) -> Errno {
    let Some(path) = argv.first() else { return Errno::INVAL };
    let argv = null_terminated(argv);
    let env = null_terminated(env);
    // SAFETY: both arrays end with a null pointer and their strings outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    last_error()
}

fn null_terminated(strings: &[&CStr]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
}
