//! The program's standard streams, without blocking the runtime.
//!
//! Descriptors come from inside: anything but a pipe's right end is refused, because reading
//! something else could block, or be a file of ours.

use bytes::{Bytes, BytesMut};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

/// The most bytes read at once: what a pipe holds by default.
const CHUNK: usize = 64 * 1024;

/// Our end of the program's standard input.
#[derive(Debug)]
pub(crate) struct StdinPipe {
    sender: pipe::Sender,
}

impl StdinPipe {
    /// Takes over a descriptor. Must be called inside a tokio runtime.
    pub(crate) fn new(end: OwnedFd) -> io::Result<Self> {
        Ok(Self { sender: pipe::Sender::from_owned_fd(end)? })
    }

    /// Writes everything; an error when nobody reads any more.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sender.write_all(bytes).await
    }
}

/// Our end of one of the program's output streams.
#[derive(Debug)]
pub(crate) struct OutputPipe {
    receiver: pipe::Receiver,
    buffer: BytesMut,
}

impl OutputPipe {
    /// Takes over a descriptor. Must be called inside a tokio runtime.
    pub(crate) fn new(end: OwnedFd) -> io::Result<Self> {
        Ok(Self { receiver: pipe::Receiver::from_owned_fd(end)?, buffer: BytesMut::new() })
    }

    /// The next bytes; empty at the end. Nothing is lost when the future is dropped.
    pub(crate) async fn read(&mut self) -> Bytes {
        self.buffer.reserve(CHUNK);
        // A broken pipe has no more bytes either.
        let _ = self.receiver.read_buf(&mut self.buffer).await;
        self.buffer.split().freeze()
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }

    /// How many bytes are waiting.
    pub(crate) fn waiting(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.receiver).unwrap_or(0)
    }

    /// At most `limit` of the bytes that are waiting; empty when none are.
    pub(crate) fn read_waiting(&mut self, limit: u64) -> Bytes {
        let limit = usize::try_from(limit).unwrap_or(CHUNK).min(CHUNK);
        self.buffer.resize(limit, 0);
        let length = rustix::io::read(&self.receiver, &mut self.buffer[..]).unwrap_or(0);
        self.buffer.truncate(length);
        self.buffer.split().freeze()
    }
}

/// Whether nothing can be read from any of these now and no other side is gone, for one system call.
pub(crate) fn is_quiet<const COUNT: usize>(ends: &[BorrowedFd<'_>; COUNT]) -> bool {
    let mut ends = ends.each_ref().map(|end| PollFd::from_borrowed_fd(*end, PollFlags::IN));
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Where the kernel does not say it, it is looked at closely.
    poll(&mut ends, Some(&at_once)) == Ok(0)
}
