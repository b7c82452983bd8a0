//! Messages with descriptors, without blocking the runtime.

use faas_sandbox_linux::packet::{self, Received};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::io;
use tokio::io::Interest;
use tokio::net::UnixDatagram;

/// A connected packet socket. The runtime knows it as a datagram socket, which is only what wakes
/// us: every message goes through [`packet`].
#[derive(Debug)]
pub(crate) struct Packets {
    socket: UnixDatagram,
}

impl Packets {
    /// Takes over a socket. Must be called inside a tokio runtime.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self { socket: UnixDatagram::from_std(socket.into())? })
    }

    /// Sends one message; waits while the other side is behind.
    pub(crate) async fn send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let attempt = || packet::send(self.socket.as_fd(), message, descriptors).map_err(io::Error::from);
        // Almost always there is room, and then nothing has to be waited for.
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.async_io(Interest::WRITABLE, attempt).await
            }
            other => other,
        }
        .map_err(|error| errno_of(&error))
    }

    /// Sends one message if that is possible at once.
    pub(crate) fn send_now(&self, message: &[u8]) -> Result<(), Errno> {
        packet::send(self.socket.as_fd(), message, &[])
    }

    /// Whether the other side has said nothing that was not received, and is there.
    pub(crate) fn is_silent(&self) -> bool {
        peek(&self.socket) == Err(Errno::AGAIN)
    }

    /// Receives one message into `buffer`. One that does not fit is an error.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> Result<Received, Errno> {
        self.socket
            .async_io(Interest::READABLE, || packet::receive(self.socket.as_fd(), buffer).map_err(io::Error::from))
            .await
            .map_err(|error| errno_of(&error))
    }

    /// Receives one message of at most `ROOM` bytes and reads it where it is; with what came beside it. The room is
    /// there for that moment only: in a task it would be moved and kept with whoever waits.
    pub(crate) async fn read<const ROOM: usize, T>(
        &self,
        read: impl Fn(&[u8]) -> T,
    ) -> Result<(T, Vec<OwnedFd>), Errno> {
        let attempt = || {
            let mut room = [0; ROOM];
            let received = packet::receive(self.socket.as_fd(), &mut room)?;
            Ok((read(room.get(..received.length).unwrap_or_default()), received.descriptors))
        };
        self.socket.async_io(Interest::READABLE, attempt).await.map_err(|error| errno_of(&error))
    }

    /// Tells the other side that nothing more will come.
    pub(crate) fn close_sending(&self) {
        // A side that is already gone needs not be told.
        let _ = rustix::net::shutdown(self.socket.as_fd(), rustix::net::Shutdown::Write);
    }
}

/// How much can be read without waiting, one byte at most, which stays there; 0 where the other side is gone.
pub(crate) fn peek(socket: impl AsFd) -> Result<usize, Errno> {
    recv(socket, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT).map(|(_, length)| length)
}

fn errno_of(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
