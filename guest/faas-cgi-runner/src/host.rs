//! The conversation with the host, on a blocking socket.

use faas_protocol::call::{FromRunner, ToRunner};
use faas_protocol::frame::{Decoder, FrameError};
use rustix::fd::{AsFd, BorrowedFd};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// Why the conversation cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// The host has closed its side: the runner is no longer wanted.
    #[error("the host is gone")]
    Gone,
    /// The host said something that is no frame.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The host said something that is not due.
    #[error("{0}")]
    Protocol(&'static str),
}

impl From<io::Error> for HostError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// The host's end.
pub(crate) struct Host {
    socket: UnixStream,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl Host {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self { socket, decoder: Decoder::new(), buffer: vec![0; BUFFER] }
    }

    /// To be waited for.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// A frame that has been read already.
    pub(crate) fn waiting(&mut self) -> Result<Option<ToRunner>, HostError> {
        match self.decoder.next_frame()? {
            Some(raw) => Ok(Some(ToRunner::decode(raw.as_bytes())?)),
            None => Ok(None),
        }
    }

    /// Reads once; frames may wait then. Blocks when there is nothing to be read.
    pub(crate) fn read(&mut self) -> Result<(), HostError> {
        loop {
            match self.socket.read(&mut self.buffer) {
                Ok(0) => return Err(HostError::Gone),
                Ok(length) => {
                    self.decoder.push(self.buffer.get(..length).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next frame.
    pub(crate) fn next(&mut self) -> Result<ToRunner, HostError> {
        loop {
            if let Some(frame) = self.waiting()? {
                return Ok(frame);
            }
            self.read()?;
        }
    }

    pub(crate) fn send(&mut self, frame: &FromRunner) -> Result<(), HostError> {
        let bytes = frame.encode()?;
        Ok(self.socket.write_all(&bytes)?)
    }
}
