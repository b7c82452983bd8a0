//! Why a store was not opened, and how SQLite's errors become the contract's.

use faas_store_api::StoreError;
use std::io;
use std::path::PathBuf;

/// Why a directory was not opened as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server works on it.
    #[error(
        "the data directory {directory:?} is in use by {holder}; stop that server or give this one another directory"
    )]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// Who holds it, as far as it says so.
        holder: String,
    },
    /// A file of it cannot be made, read or written.
    #[error("cannot use {path:?} of the data directory: {source}")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer version of this program wrote it.
    #[error("the database {path:?} has version {found}, this program knows up to {known}; run the newer program")]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The database cannot be opened, brought up to date or given what the journal holds.
    #[error("cannot open the database {path:?}: {source}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        source: StoreError,
    },
}

/// A failure inside the store, on its way to a [`StoreError`].
#[derive(Debug, Clone)]
pub(crate) struct Failure(pub(crate) StoreError);

impl Failure {
    pub(crate) fn corrupt(reason: impl Into<String>) -> Self {
        Self(StoreError::Corrupt { reason: reason.into() })
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self(StoreError::Unavailable { reason: reason.into() })
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
        let is_corrupt = match &error {
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..) => true,
            other => matches!(
                other.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
        };
        // The message alone does not tell a failed write from a failed sync.
        let code = error.sqlite_error().map(|error| format!(" (SQLite code {})", error.extended_code));
        let reason = format!("{error}{}", code.unwrap_or_default());
        if is_corrupt { Self::corrupt(reason) } else { Self::unavailable(reason) }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::corrupt(error.to_string())
    }
}
