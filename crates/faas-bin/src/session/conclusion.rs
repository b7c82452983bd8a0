//! What is said at the end, and the exit code.

use super::forward::Forwarded;
use crate::{console, exit};
use faas_types::{ByteSize, ErrorKind, ExecutionRecord};
use std::process::ExitCode;

pub(super) fn cancelled_by(signal: u8) -> ExitCode {
    console::complain("cancelled", None, "the run was ended by a signal and its sandbox is gone");
    ExitCode::from(exit::of_signal(signal))
}

/// Says on stderr what the program's own output does not say, and gives the exit code.
pub(super) fn conclude(
    record: &ExecutionRecord,
    forwarded: &Forwarded,
    output_limit: ByteSize,
    json: bool,
) -> ExitCode {
    let discarded =
        record.stdout_bytes.saturating_sub(forwarded.stdout) + record.stderr_bytes.saturating_sub(forwarded.stderr);
    if discarded > 0 && !json {
        let message = format!(
            "output passed the limit of {output_limit}; {discarded} bytes were discarded; raise it with --output-limit"
        );
        console::complain("warning", None, &message);
    }
    if let Some(isolation) = record.isolation.as_ref().filter(|isolation| !isolation.missing.is_empty()) {
        let missing = isolation.missing.join(", ");
        console::complain("warning", None, &format!("isolation {}: missing {missing}", isolation.level));
        console::note("help", "`faas doctor` shows how to get it");
    }
    if let (Some(kind), Some(error)) = (record.error_kind, &record.error)
        && !is_plain_exit(record)
    {
        console::complain("error", Some(kind.as_str()), error);
        if let Some(help) = option_that_raises(record) {
            console::note("help", help);
        }
    }
    ExitCode::from(exit::of_record(record))
}

/// A program that ends with a code of its own has said what it wanted to say.
fn is_plain_exit(record: &ExecutionRecord) -> bool {
    record.error_kind == Some(ErrorKind::UserError)
        && record.result.is_none()
        && record.exit_code.is_some_and(|code| code != 0)
}

fn option_that_raises(record: &ExecutionRecord) -> Option<&'static str> {
    let error = record.error.as_deref().unwrap_or_default();
    match record.error_kind? {
        ErrorKind::Timeout => Some("give it longer with --timeout, such as --timeout 5m"),
        ErrorKind::Oom => Some("give it more with --memory, such as --memory 1Gi"),
        ErrorKind::Limit if error.contains("output") => Some("raise --output-limit, or use --on-output-limit discard"),
        ErrorKind::Limit if error.contains("pids") => Some("raise --pids"),
        ErrorKind::Limit => Some("raise --disk, and --memory to at least twice of it"),
        ErrorKind::UserError | ErrorKind::Cancelled | ErrorKind::SandboxLost | ErrorKind::Platform => None,
    }
}
