//! The events of a stream: SSE data and WebSocket text frames alike.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_types::{ErrorKind, ExecutionId, ExecutionRecord, ExecutionState};
use serde::{Deserialize, Serialize};

/// Where a piece of output was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamName {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output as JSON can carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputText {
    /// The text, with U+FFFD for what is not UTF-8.
    pub data: String,
    /// The exact bytes, where `data` is not them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
}

impl OutputText {
    /// From bytes as the program wrote them.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self { data: text.to_owned(), data_base64: None },
            Err(_) => {
                Self { data: String::from_utf8_lossy(bytes).into_owned(), data_base64: Some(STANDARD.encode(bytes)) }
            }
        }
    }

    /// The bytes as the program wrote them; `None` when `data_base64` is malformed.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match &self.data_base64 {
            None => Some(self.data.clone().into_bytes()),
            Some(text) => STANDARD.decode(text).ok(),
        }
    }
}

/// One event of a stream. `seq` is where to go on: `?from=` and `Last-Event-ID` name it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamEvent {
    /// The program was started.
    Started {
        /// 1.
        seq: u64,
        /// Of which execution.
        execution_id: ExecutionId,
    },
    /// It wrote something.
    Output {
        /// Its number.
        seq: u64,
        /// Where.
        stream: StreamName,
        /// What.
        #[serde(flatten)]
        text: OutputText,
    },
    /// The execution ended; nothing follows.
    Complete {
        /// Its number.
        seq: u64,
        /// How it ended.
        status: ExecutionState,
        /// The program's exit code.
        exit_code: Option<u8>,
        /// The signal that ended it.
        signal: Option<u8>,
        /// One line on what went wrong.
        error: Option<String>,
        /// Its cause.
        error_kind: Option<ErrorKind>,
        /// The whole record, without the output.
        execution: Box<ExecutionRecord>,
    },
    /// The stream ends before the execution does, or could not begin. Also why the platform could not
    /// start the program; then [`Self::Complete`] follows, which has no code.
    Error {
        /// The stable code.
        code: String,
        /// What happened, and the next step.
        detail: String,
        /// The same, where some clients look for it.
        error: String,
        /// The field that is wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// When trying again may help.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

impl StreamEvent {
    /// The end of an execution.
    #[must_use]
    pub fn complete(seq: u64, record: ExecutionRecord) -> Self {
        Self::Complete {
            seq,
            status: record.status,
            exit_code: record.exit_code,
            signal: record.signal,
            error: record.error.clone(),
            error_kind: record.error_kind,
            execution: Box::new(record.without_output()),
        }
    }

    /// The name of the event: SSE `event:` and the JSON's `type`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Output { .. } => "output",
            Self::Complete { .. } => "complete",
            Self::Error { .. } => "error",
        }
    }

    /// Its number; errors have none.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        match self {
            Self::Started { seq, .. } | Self::Output { seq, .. } | Self::Complete { seq, .. } => Some(*seq),
            Self::Error { .. } => None,
        }
    }
}
