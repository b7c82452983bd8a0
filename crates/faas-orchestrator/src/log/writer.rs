//! Appends to the log of one execution.

use super::frame::{self, MAX_BYTES};
use super::{LogFile, Logs, StreamName};
use faas_types::ExecutionId;
use std::io::{self, IoSlice, Write as _};

/// Appends to the log of one execution. The file is made for the first byte.
#[derive(Debug)]
pub(crate) struct LogWriter {
    logs: Logs,
    id: ExecutionId,
    file: Option<LogFile>,
    length: u64,
    /// Writing failed: what follows would leave a gap, so nothing does.
    broken: bool,
}

impl LogWriter {
    pub(crate) const fn new(logs: Logs, id: ExecutionId) -> Self {
        Self { logs, id, file: None, length: 0, broken: false }
    }

    /// How many bytes of whole frames there are.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// The file, once there is one.
    pub(crate) const fn file(&self) -> Option<&LogFile> {
        self.file.as_ref()
    }

    /// Whether something could not be written.
    pub(crate) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Appends a piece of output. After the first failure nothing is appended any more.
    pub(crate) fn append(&mut self, stream: StreamName, bytes: &[u8]) -> io::Result<()> {
        if self.broken {
            return Ok(());
        }
        let appended = self.try_append(stream, bytes);
        self.broken = appended.is_err();
        appended
    }

    fn try_append(&mut self, stream: StreamName, bytes: &[u8]) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(self.logs.create(self.id)?),
        };
        for piece in bytes.chunks(MAX_BYTES) {
            let (head, size) = frame::encode(stream, piece.len());
            write_whole(file, &head[..size], piece)?;
            let written = u64::try_from(size + piece.len()).unwrap_or(u64::MAX);
            self.length = self.length.saturating_add(written);
        }
        Ok(())
    }
}

fn write_whole(file: &LogFile, head: &[u8], piece: &[u8]) -> io::Result<()> {
    let mut file = &**file;
    let mut parts = [IoSlice::new(head), IoSlice::new(piece)];
    let mut left = &mut parts[..];
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
