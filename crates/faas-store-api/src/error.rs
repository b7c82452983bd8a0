//! Why a store could not do what it was asked.

use faas_types::ErrorCode;

/// The store failed. Nothing that was to be durable is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot write or read at present: no space, a failing disk, a lost connection. It works
    /// again by itself when the cause is gone.
    #[error("the store cannot be used: {reason}")]
    Unavailable {
        /// What the system said.
        reason: String,
    },
    /// What it read is not what it wrote.
    #[error("the store holds something it did not write: {reason}")]
    Corrupt {
        /// What was found.
        reason: String,
    },
}

impl StoreError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unavailable { .. } | Self::Corrupt { .. } => ErrorCode::StorageUnavailable,
        }
    }
}

/// Why an execution was not accepted by a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// The idempotency key belongs to a request with another body.
    #[error("this Idempotency-Key was used with another request; use a new key for a new request")]
    KeyConflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
