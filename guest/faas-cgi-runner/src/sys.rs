//! The one call that needs `unsafe`: taking the call socket over.

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Where init puts the call socket.
const CALL: RawFd = 3;

/// Takes the call socket over and keeps it from the programs this one starts. Called once, before any
/// other descriptor is opened.
pub(crate) fn take_call_socket() -> Result<OwnedFd, Errno> {
    // SAFETY: the number is only lent to `fcntl`, which answers `EBADF` if it is not open.
    fcntl_setfd(unsafe { BorrowedFd::borrow_raw(CALL) }, FdFlags::CLOEXEC)?;
    // SAFETY: descriptor 3 is open, as the call above has shown; init gave it to this process alone, and
    // this function runs once and first, so nothing else in the process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(CALL) })
}
