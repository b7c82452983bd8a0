//! What a copy of a zygote is sent: its script, and its descriptors.

use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::{Errno, IoSlice};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::mem::MaybeUninit;

/// Sends it without waiting. The program's descriptors come first, init's pidfd last.
pub(super) fn send(
    stem: impl AsFd,
    script: &[u8],
    program: [BorrowedFd<'_>; 4],
    init: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let [first, second, third, fourth] = program;
    let descriptors = [first, second, third, fourth, init];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(5))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(Errno::TOOBIG);
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match rustix::net::sendmsg(stem, &[IoSlice::new(script)], &mut control, flags)? {
        sent if sent == script.len() => Ok(()),
        _ => Err(Errno::MSGSIZE),
    }
}
