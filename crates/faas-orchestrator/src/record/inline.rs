//! The beginning of both streams, read back from the log into the record.

use crate::StreamName;
use crate::log::{LogFile, LogReader};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_types::ExecutionRecord;

/// How much of each stream a record shows, in bytes.
pub const INLINE_BYTES: usize = 1024 * 1024;

/// Logs above this length are read apart from the tasks that serve everybody.
const MANY_BYTES: u64 = 1024 * 1024;

/// As [`with_output`], without holding up other tasks.
pub(crate) async fn shown(record: ExecutionRecord, log: Option<(LogFile, u64)>) -> ExecutionRecord {
    match log {
        Some((file, length)) if length > MANY_BYTES => {
            let bare = record.clone();
            let shown = tokio::task::spawn_blocking(move || with_output(record, Some((file, length))));
            // The runtime is ending.
            shown.await.unwrap_or_else(|_| with_output(bare, None))
        }
        log => with_output(record, log),
    }
}

/// The record with the beginning of what is in its log below `length`. What cannot be read counts as
/// cut off.
pub(super) fn with_output(mut record: ExecutionRecord, log: Option<(LogFile, u64)>) -> ExecutionRecord {
    let ended = record.status.is_terminal();
    let (mut stdout, mut stderr) = (Head::default(), Head::default());
    if let Some((file, length)) = log {
        let settled = |head: &Head, bytes: u64| head.more || (ended && head.length() >= bytes);
        let mut reader = LogReader::new(file);
        while !(settled(&stdout, record.stdout_bytes) && settled(&stderr, record.stderr_bytes))
            && let Ok(Some((stream, bytes))) = reader.next(length)
        {
            match stream {
                StreamName::Stdout => stdout.push(&bytes),
                StreamName::Stderr => stderr.push(&bytes),
            }
        }
    }
    let missing = |head: &Head, bytes: u64| head.more || (ended && head.length() < bytes);
    record.stdout_truncated |= missing(&stdout, record.stdout_bytes);
    record.stderr_truncated |= missing(&stderr, record.stderr_bytes);
    let (stdout, stderr) = (stdout.finish(), stderr.finish());
    ExecutionRecord {
        stdout: stdout.text,
        stderr: stderr.text,
        stdout_base64: stdout.base64,
        stderr_base64: stderr.base64,
        ..record
    }
}

/// The beginning of a stream.
#[derive(Debug, Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
    /// Whether something came after it.
    more: bool,
}

/// A stream's beginning as text.
pub(super) struct Inline {
    pub(super) text: String,
    /// The exact bytes, when the text does not say them.
    pub(super) base64: Option<String>,
}

impl Head {
    fn length(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = INLINE_BYTES - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.more |= bytes.len() > room;
    }

    pub(super) fn finish(mut self) -> Inline {
        if self.more {
            self.drop_character_cut_by_us();
        }
        match String::from_utf8(self.bytes) {
            Ok(text) => Inline { text, base64: None },
            Err(error) => Inline {
                base64: Some(STANDARD.encode(error.as_bytes())),
                text: String::from_utf8_lossy(error.as_bytes()).into_owned(),
            },
        }
    }

    /// Our own cut must not make good UTF-8 look bad.
    fn drop_character_cut_by_us(&mut self) {
        if let Some(chunk) = self.bytes.utf8_chunks().last() {
            let invalid = chunk.invalid();
            // An error that could become a character with more bytes ends the text and is short.
            if !invalid.is_empty() && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none()) {
                self.bytes.truncate(self.bytes.len() - invalid.len());
            }
        }
    }
}
