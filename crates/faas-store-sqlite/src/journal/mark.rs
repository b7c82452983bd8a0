//! The mark of an execution whose program may have begun, as the journal's files hold it.
//!
//! ```text
//! repeated: tag u8 │ length u32 │ value
//! ```
//!
//! Nearly every mark is replaced by its record before anybody reads it, so it is written with as little work as
//! possible: only what an execution has when it begins. A tag keeps its meaning for ever; one that is not known was
//! written by a newer program and is passed over, as a member of a record's JSON would be. Words are the API's own.
//! Written and read by [`super::frame`].

use faas_types::{Contract, ExecutionId, ExecutionRecord, ExecutionState, Mode, StartRecord, Timestamp, UsageRecord};

const ID: u8 = 1;
/// Microseconds since 1970.
const CREATED_AT: u8 = 2;
const LANGUAGE: u8 = 3;
const CONTRACT: u8 = 4;
const MODE: u8 = 5;
const EXECUTOR: u8 = 6;
const FUNCTION: u8 = 7;
const VERSION: u8 = 8;
/// The name of a label; its value is the next field.
const LABEL: u8 = 9;
const LABEL_VALUE: u8 = 10;

/// Appends the mark of a record; `false`, and nothing, where it has more to say than a mark can.
pub(super) fn write(record: &ExecutionRecord, into: &mut Vec<u8>) -> bool {
    let length = into.len();
    let is_whole = write_fields(record, into).is_some();
    if !is_whole {
        into.truncate(length);
    }
    is_whole
}

fn write_fields(record: &ExecutionRecord, into: &mut Vec<u8>) -> Option<()> {
    // Whole, so that a new member of a record is not forgotten here.
    let ExecutionRecord {
        id,
        execution_id,
        status: ExecutionState::Starting,
        language,
        error: None,
        error_kind: None,
        refusal: None,
        exit_code: None,
        signal: None,
        // Its output is not kept.
        stdout: _,
        stderr: _,
        stdout_base64: _,
        stderr_base64: _,
        stdout_truncated: false,
        stderr_truncated: false,
        stdout_bytes: 0,
        stderr_bytes: 0,
        result: None,
        function,
        version,
        mode,
        contract,
        executor,
        isolation: None,
        start,
        usage,
        snapshot_id: None,
        snapshot_skipped: None,
        instance_id: None,
        created_at,
        labels,
        started_at: None,
        finished_at: None,
    } = record
    else {
        return None;
    };
    if execution_id != id || *start != StartRecord::default() || *usage != UsageRecord::default() {
        return None;
    }
    let mut field = |tag: u8, value: &[u8]| {
        let length = u32::try_from(value.len()).ok()?;
        into.push(tag);
        into.extend_from_slice(&length.to_le_bytes());
        into.extend_from_slice(value);
        Some(())
    };
    field(ID, id.as_bytes())?;
    field(CREATED_AT, &created_at.as_micros().to_le_bytes())?;
    if let Some(language) = language {
        field(LANGUAGE, language.as_str().as_bytes())?;
    }
    field(CONTRACT, contract.as_str().as_bytes())?;
    field(MODE, mode.as_str().as_bytes())?;
    field(EXECUTOR, executor.as_bytes())?;
    if let Some(function) = function {
        field(FUNCTION, function.as_bytes())?;
    }
    if let Some(version) = version {
        field(VERSION, version.as_bytes())?;
    }
    for (name, value) in labels {
        field(LABEL, name.as_bytes())?;
        field(LABEL_VALUE, value.as_bytes())?;
    }
    Some(())
}

/// The record of a mark; `None` where that is none.
pub(super) fn read(mut bytes: &[u8]) -> Option<ExecutionRecord> {
    let (mut id, mut created_at, mut contract, mut label) = (None, None, None, None);
    // What every mark has is asked for below.
    let mut record = ExecutionRecord {
        status: ExecutionState::Starting,
        ..ExecutionRecord::queued(ExecutionId::from_bytes([0; 16]), None, Contract::Command, "")
    };
    while let Some((tag, rest)) = bytes.split_first() {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        bytes = rest;
        let text = || std::str::from_utf8(value).ok();
        match *tag {
            ID => id = Some(ExecutionId::from_bytes(value.try_into().ok()?)),
            CREATED_AT => created_at = Some(Timestamp::from_micros(u64::from_le_bytes(value.try_into().ok()?))),
            LANGUAGE => record.language = Some(text()?.parse().ok()?),
            CONTRACT => contract = Some(text()?.parse::<Contract>().ok()?),
            MODE => record.mode = text()?.parse::<Mode>().ok()?,
            EXECUTOR => text()?.clone_into(&mut record.executor),
            FUNCTION => record.function = Some(text()?.to_owned()),
            VERSION => record.version = Some(text()?.to_owned()),
            LABEL => label = Some(text()?.to_owned()),
            LABEL_VALUE => drop(record.labels.insert(label.take()?, text()?.to_owned())),
            _ => {}
        }
    }
    let id = id?;
    Some(ExecutionRecord { id, execution_id: id, created_at: created_at?, contract: contract?, ..record })
}
