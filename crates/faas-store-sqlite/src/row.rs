//! Values between Rust and columns.

use crate::error::Failure;
use faas_types::{Contract, ExecutionId, ExecutionRecord, ExecutionState, Timestamp};
use rusqlite::Row;

/// The number a status has in its column.
pub(crate) const fn status_number(status: ExecutionState) -> i64 {
    match status {
        ExecutionState::Queued => 0,
        ExecutionState::Starting => 1,
        ExecutionState::Running => 2,
        ExecutionState::Succeeded => 3,
        ExecutionState::Failed => 4,
        ExecutionState::Cancelled => 5,
    }
}

/// What [`stored`] reads: the first columns of a statement over `execution e`.
pub(crate) const STORED: &str = "e.id, e.status, e.function, e.ended_at, e.record";
/// How many these are: the number of the column after them.
pub(crate) const AFTER_STORED: usize = 5;

/// An execution as its row has it.
pub(crate) struct Stored {
    pub(crate) record: ExecutionRecord,
    /// Whether the record was read. Else only the row's other columns were, and the record says so.
    pub(crate) is_whole: bool,
}

/// The execution of a row; `None` when not even its id and its status can be read. The column says the
/// status: a claim changes that alone.
pub(crate) fn stored(found: &Row<'_>) -> Option<Stored> {
    let id = ExecutionId::from_bytes(found.get(0).ok()?);
    let status: i64 = found.get(1).ok()?;
    let status = ExecutionState::ALL.into_iter().find(|known| status_number(*known) == status)?;
    let json = found.get_ref(4).ok()?.as_bytes().ok()?;
    let (mut record, is_whole) = match serde_json::from_slice::<ExecutionRecord>(json) {
        Ok(record) => (record, true),
        Err(_) => (from_columns(id, found), false),
    };
    record.status = status;
    Some(Stored { record, is_whole })
}

/// What is known of an execution without its record.
fn from_columns(id: ExecutionId, found: &Row<'_>) -> ExecutionRecord {
    let moment = |micros: i64| u64::try_from(micros).map(Timestamp::from_micros).ok();
    let [a, b, c, d, e, f, ..] = *id.as_bytes();
    let mut record = ExecutionRecord::queued(id, None, Contract::Command, "unknown");
    // Ids begin with the millisecond they were made in.
    record.created_at = Timestamp::from_micros(u64::from_be_bytes([0, 0, a, b, c, d, e, f]).saturating_mul(1000));
    record.function = found.get(2).ok().flatten();
    record.finished_at = found.get(3).ok().flatten().and_then(moment);
    record.error = Some("the record of this execution cannot be read".to_owned());
    record
}

/// A count or a time as SQLite's integers hold it. What is larger than any clock or file is as good as
/// the greatest.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count out of a column.
pub(crate) fn count(value: i64) -> Result<u64, Failure> {
    u64::try_from(value).map_err(|_| Failure::corrupt(format!("a count is {value}")))
}

/// When an execution ended, in microseconds since 1970; `None` before.
pub(crate) fn ended_at(record: &ExecutionRecord) -> Option<u64> {
    let end = record.finished_at.unwrap_or(record.created_at);
    record.status.is_terminal().then(|| end.as_micros())
}
