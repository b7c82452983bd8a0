//! Writes the program's output where ours goes, piece by piece as it comes, on a thread of its own:
//! a reader that is slow must not hold up signals and input.
//!
//! Raw bytes, unless the stream is a terminal, where a [`Neutraliser`] stands in between.

use crate::terminal::Neutraliser;
use bytes::Bytes;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use tokio::sync::{mpsc, oneshot};

/// Pieces between the execution and the thread.
const PIECES_IN_FLIGHT: usize = 16;

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// Standard output cannot be written any more; [`Output::finish`] says why.
#[derive(Debug)]
pub(crate) struct Broken;

/// The thread that writes.
pub(crate) struct Output {
    sender: mpsc::Sender<(Stream, Bytes)>,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Output {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let mut stdout = Sink::new(io::stdout().as_fd(), io::stdout().is_terminal())?;
        let mut stderr = Sink::new(io::stderr().as_fd(), io::stderr().is_terminal())?;
        let (sender, mut receiver) = mpsc::channel(PIECES_IN_FLIGHT);
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new().name("output".to_owned()).spawn(move || {
            drop(end.send(write_all(&mut receiver, &mut stdout, &mut stderr)));
        })?;
        Ok(Self { sender, ended })
    }

    /// Gives a piece to the thread; waits while it is behind.
    pub(crate) async fn write(&self, stream: Stream, bytes: Bytes) -> Result<(), Broken> {
        self.sender.send((stream, bytes)).await.map_err(|_| Broken)
    }

    /// Room for a piece, once there is some. Nothing is lost when the future is dropped.
    pub(crate) async fn room(&self) -> Result<mpsc::Permit<'_, (Stream, Bytes)>, Broken> {
        self.sender.reserve().await.map_err(|_| Broken)
    }

    /// Returns once nothing can be written any more.
    pub(crate) async fn broken(&self) {
        self.sender.closed().await;
    }

    /// Returns when everything is written.
    pub(crate) async fn finish(self) -> io::Result<()> {
        drop(self.sender);
        self.ended.await.unwrap_or_else(|_| Err(io::Error::other("the output thread is gone")))
    }
}

fn write_all(receiver: &mut mpsc::Receiver<(Stream, Bytes)>, stdout: &mut Sink, stderr: &mut Sink) -> io::Result<()> {
    while let Some((stream, bytes)) = receiver.blocking_recv() {
        match stream {
            Stream::Stdout => stdout.write(&bytes)?,
            // Whoever closed stderr does not want to know.
            Stream::Stderr => drop(stderr.write(&bytes)),
        }
    }
    drop(stderr.finish());
    stdout.finish()
}

/// One stream of ours.
struct Sink {
    /// A descriptor of its own: no buffer of the standard library comes in between.
    file: File,
    filter: Option<Neutraliser>,
}

impl Sink {
    fn new(fd: BorrowedFd<'_>, terminal: bool) -> io::Result<Self> {
        Ok(Self { file: File::from(fd.try_clone_to_owned()?), filter: terminal.then(Neutraliser::default) })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.filter {
            None => write_whole(&mut self.file, bytes),
            Some(filter) => {
                let mut fit = Vec::with_capacity(bytes.len());
                filter.push(bytes, &mut fit);
                write_whole(&mut self.file, &fit)
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let mut rest = Vec::new();
        filter.finish(&mut rest);
        write_whole(&mut self.file, &rest)
    }
}

/// Like `write_all`, also where somebody made the stream non-blocking for us.
fn write_whole(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_until_writable(file)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn wait_until_writable(file: &File) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::new(file, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
