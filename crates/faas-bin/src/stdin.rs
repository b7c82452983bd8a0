//! What the program gets on its standard input, as it comes.

use crate::diagnostic::CliError;
use bytes::Bytes;
use faas_types::ErrorCode;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use tokio::sync::mpsc;

/// Bytes of one piece.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces between the reader and the execution.
const PIECES_IN_FLIGHT: usize = 2;

/// Where standard input comes from.
#[derive(Debug)]
pub(crate) enum StdinSource {
    /// Nowhere: it is at its end from the beginning.
    Closed,
    /// An open file, pipe or terminal.
    Open(File),
}

impl StdinSource {
    /// Our own standard input.
    pub(crate) fn ours() -> Result<Self, CliError> {
        let fd = io::stdin().as_fd().try_clone_to_owned();
        fd.map(|fd| Self::Open(File::from(fd))).map_err(|error| refused("--stdin", &error))
    }

    /// A file.
    pub(crate) fn file(path: &Path) -> Result<Self, CliError> {
        let refused = |error: io::Error| refused(&format!("--stdin={}", path.display()), &error);
        let file = File::open(path).map_err(refused)?;
        if file.metadata().map_err(refused)?.is_dir() {
            return Err(refused(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self::Open(file))
    }

    /// Its content, piece by piece. Called inside the runtime.
    pub(crate) fn pieces(self) -> Pieces {
        let Self::Open(file) = self else { return Pieces { receiver: None } };
        // Reading a terminal cannot be interrupted, so its thread is left behind at the end.
        let (sender, receiver) = mpsc::channel(PIECES_IN_FLIGHT);
        let reader = std::thread::Builder::new().name("stdin".to_owned());
        // Without a thread there is no input.
        let started = reader.spawn(move || read_all(file, &sender));
        Pieces { receiver: started.is_ok().then_some(receiver) }
    }
}

/// What comes from a source.
#[derive(Debug)]
pub(crate) struct Pieces {
    receiver: Option<mpsc::Receiver<Bytes>>,
}

impl Pieces {
    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.receiver.as_mut()?.recv().await
    }
}

/// An unreadable source is at its end.
fn read_all(mut file: File, sender: &mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if sender.blocking_send(Bytes::copy_from_slice(&buffer[..length])).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn refused(option: &str, error: &io::Error) -> CliError {
    CliError::new(ErrorCode::FileRefused, format!("{option} cannot be read: {error}"))
}
