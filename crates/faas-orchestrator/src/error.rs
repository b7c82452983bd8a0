//! Why an operation failed. A failing program is never one of these: it is a record.

use crate::starts::PutOff;
use crate::{RequestError, WAITING_BYTES};
use faas_executor_api::{CallError, CreateError, RecoverError, SpecError};
use faas_store_api::StoreError;
use faas_types::{ErrorCode, ErrorKind, ExecutionRecord, ExecutionState};
use std::time::Duration;

/// Why an orchestrator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What an earlier life left behind could not be dealt with.
    #[error(transparent)]
    Executor(#[from] RecoverError),
}

/// Why an execution was not accepted. Nothing of it ran and nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The request itself is wrong.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// This host cannot honour it.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// As many wait as may.
    #[error("{queue} executions wait already, which is the queue's bound; retry later, or send it with wait false")]
    QueueFull {
        /// How many may wait.
        queue: u32,
    },
    /// What waits is as large as may be.
    #[error(
        "the executions that wait hold {WAITING_BYTES} bytes, which is the queue's bound; retry later, send less, or send it with wait false"
    )]
    QueueTooLarge,
    /// The function runs as often as it may, and as many wait for it as may.
    #[error(
        "the function runs at most {max} times at once, by its scaling.max times its scaling.concurrency and by max_sandboxes of the server, and others wait for it; retry later, raise what is least, or send it with wait false"
    )]
    FunctionBusy {
        /// How often it may run at once.
        max: u32,
    },
    /// The orchestrator is stopping.
    #[error("the platform is stopping and takes no new execution; retry when it is back")]
    Stopping,
    /// The idempotency key belongs to another request.
    #[error("this Idempotency-Key was used with another request; use a new key for a new request")]
    KeyConflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SubmitError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Request(error) => error.code(),
            Self::Spec(error) => error.code(),
            Self::QueueFull { .. } | Self::QueueTooLarge => ErrorCode::QueueFull,
            Self::FunctionBusy { .. } => ErrorCode::FunctionBusy,
            Self::Stopping => ErrorCode::Stopping,
            Self::KeyConflict => ErrorCode::IdempotencyConflict,
            Self::Store(error) => error.code(),
        }
    }

    /// The field of the request that is to blame, where one is.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::Request(error) => error.field(),
            Self::Spec(_)
            | Self::QueueFull { .. }
            | Self::QueueTooLarge
            | Self::FunctionBusy { .. }
            | Self::Stopping
            | Self::KeyConflict
            | Self::Store(_) => None,
        }
    }
}

/// Why an accepted execution never began to run its program. Its record says the same in one line.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// No sandbox was made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The sandbox could not make the call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What must be remembered before it runs could not be.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store kept of it cannot be run.
    #[error("the stored request cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The start took longer than the program may run.
    #[error("the timeout of {timeout:?} passed before the program was started; raise timeout, or retry later")]
    TooLate {
        /// The timeout.
        timeout: Duration,
    },
    /// The program of the function ended before it was loaded, again and again.
    #[error(
        "the function failed {in_a_row} times in a row while it was loaded, the last time so: {why}; it is tried again in {retry_after:?}: deploy a version that can be loaded"
    )]
    Failing {
        /// How often in a row.
        in_a_row: u32,
        /// What was recorded of the last time.
        why: String,
        /// When it may be started again.
        retry_after: Duration,
    },
}

impl From<PutOff> for NotStarted {
    fn from(put_off: PutOff) -> Self {
        let PutOff { in_a_row, left, why } = put_off;
        Self::Failing { in_a_row, why, retry_after: left }
    }
}

impl NotStarted {
    /// The stable code; `None` where the record alone says it: the deadline passed.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Create(error) => Some(error.code()),
            Self::Call(error) => Some(error.code()),
            Self::Store(error) => Some(error.code()),
            Self::Unreadable { .. } => Some(ErrorCode::StorageUnavailable),
            Self::TooLate { .. } => None,
            Self::Failing { .. } => Some(ErrorCode::FunctionFailing),
        }
    }

    /// When it is worth another try, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Failing { retry_after, .. } => Some(*retry_after),
            Self::Create(_) | Self::Call(_) | Self::Store(_) | Self::Unreadable { .. } | Self::TooLate { .. } => None,
        }
    }

    /// How an execution ends that met it.
    pub(crate) fn end(&self, record: ExecutionRecord) -> ExecutionRecord {
        let refusal = self.code().map(|code| code.as_str().to_owned());
        ExecutionRecord { refusal, ..record.ended(ExecutionState::Failed, self.kind(), &self.to_string()) }
    }

    /// The cause in the record's words.
    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Call(CallError::Invalid { .. } | CallError::File { .. } | CallError::NotFound { .. })
            | Self::Failing { .. } => ErrorKind::UserError,
            Self::Call(CallError::Unreached { .. } | CallError::Lost { .. }) => ErrorKind::SandboxLost,
            Self::Call(CallError::Unsupported(_)) | Self::Create(_) | Self::Store(_) | Self::Unreadable { .. } => {
                ErrorKind::Platform
            }
            Self::TooLate { .. } => ErrorKind::Timeout,
        }
    }
}
