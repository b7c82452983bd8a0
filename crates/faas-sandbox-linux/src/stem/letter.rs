//! What a copy of a zygote is sent: its script, and its descriptors.

use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::{Errno, IoSlice};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::mem::MaybeUninit;

/// Sends it without waiting. The program's descriptors come first, then init's pidfd, and the socket of its stem
/// where it is to have one.
pub(super) fn send(
    stem: impl AsFd,
    script: &[u8],
    program: [BorrowedFd<'_>; 4],
    init: BorrowedFd<'_>,
    socket: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let [first, second, third, fourth] = program;
    let with_socket = [first, second, third, fourth, init, socket.unwrap_or(init)];
    let (without_socket, _) = with_socket.split_at(5);
    let descriptors = if socket.is_some() { &with_socket[..] } else { without_socket };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(6))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOBIG);
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match rustix::net::sendmsg(stem, &[IoSlice::new(script)], &mut control, flags)? {
        sent if sent == script.len() => Ok(()),
        _ => Err(Errno::MSGSIZE),
    }
}
