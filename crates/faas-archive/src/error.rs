//! Why an archive is not read.

use std::io;

/// Why an archive is not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is none, it is damaged, or it holds what is not accepted.
    #[error("{0}")]
    Refused(String),
    /// It, or something of it, is larger than it may be.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ArchiveError {
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }
}

/// Something that is larger than its limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is larger than the limit of {limit}")]
pub struct TooLarge {
    /// What it is.
    pub what: String,
    /// The limit, with its unit.
    pub limit: String,
}

impl TooLarge {
    /// Something is larger than its limit, which has its unit.
    pub fn new(what: impl Into<String>, limit: impl ToString) -> Self {
        Self { what: what.into(), limit: limit.to_string() }
    }
}
