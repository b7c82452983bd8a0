//! Why a trace cannot be read.

use super::calls::MOST_CALLS;
use std::io;

/// Why a trace cannot be read: always the place first.
#[derive(Debug, thiserror::Error)]
pub(super) enum TraceError {
    /// The system refused.
    #[error("{file} cannot be read: {source}")]
    Io { file: String, source: io::Error },
    #[error("{file} line {line} is longer than {limit} bytes; accepted: a table of the dataset as it was published")]
    LineTooLong { file: String, line: u64, limit: usize },
    #[error("{file} line {line} is not UTF-8; accepted: text")]
    NotText { file: String, line: u64 },
    #[error("{file} line 1 names no column {column}; accepted: a table of the dataset with its head")]
    NoColumn { file: String, column: String },
    #[error("{file} line {line} has {found} fields; accepted: {wanted}, as its head has")]
    Fields { file: String, line: u64, found: usize, wanted: usize },
    #[error("{file} line {line}, column {column}: {given:?} is refused; accepted: {accepted}")]
    Value {
        file: String,
        line: u64,
        column: String,
        /// Cut when long.
        given: String,
        accepted: &'static str,
    },
    #[error("{file} names more than {limit} functions; take fewer minutes with --minutes")]
    TooManyFunctions { file: String, limit: usize },
    #[error("{calls} calls are too many; accepted: at most {MOST_CALLS}: take fewer with --minutes or --functions")]
    TooManyCalls { calls: u64 },
    #[error("no call is in that part of the trace; take another one with --from and --minutes")]
    Empty,
}
