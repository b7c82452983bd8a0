//! The schema of an execution's record and its parts.

use super::{count, exact, flag, one_of_names, or_null, reference, text, text_or_null};
use faas_types::{Contract, ErrorCode, ExecutionState, IsolationLevel, Language, Layer, Mode};
use serde_json::{Value, json};

pub(super) fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("Execution", execution()),
        ("ExecutionPage", page()),
        ("Start", start()),
        ("Usage", usage()),
        ("Isolation", isolation()),
        ("ExecutionStatus", status()),
        ("ErrorKind", error_kind()),
    ]
}

fn byte_or_null(description: &str) -> Value {
    json!({"type": ["integer", "null"], "minimum": 0, "maximum": 255, "description": description})
}

fn count_or_null(description: &str) -> Value {
    json!({"type": ["integer", "null"], "minimum": 0, "description": description})
}

fn moment(description: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": description})
}

pub(super) fn id() -> Value {
    json!({"type": "string", "pattern": "^exe_[0-9a-f]{32}$", "description": "An execution's id."})
}

fn status() -> Value {
    let names: Vec<&str> = ExecutionState::ALL.into_iter().map(ExecutionState::as_str).collect();
    one_of_names(&names, "Where it stands; the last three are ends.")
}

fn error_kind() -> Value {
    one_of_names(
        &["user_error", "timeout", "oom", "limit", "cancelled", "sandbox_lost", "platform"],
        "The cause of a failure.",
    )
}

fn execution() -> Value {
    let languages: Vec<&str> = Language::ALL.into_iter().map(Language::as_str).collect();
    let modes: Vec<&str> = Mode::ALL.into_iter().map(Mode::as_str).collect();
    let contracts: Vec<&str> = Contract::ALL.into_iter().map(Contract::as_str).collect();
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let optional = ["refusal", "stdout_base64", "stderr_base64", "labels"];
    exact(
        "An execution: queued, running or ended.",
        json!({
            "id": id(),
            "execution_id": id(),
            "status": reference("ExecutionStatus"),
            "language": or_null(one_of_names(&languages, "The language of its code; null for commands.")),
            "error": text_or_null("One line on what went wrong."),
            "error_kind": or_null(reference("ErrorKind")),
            "refusal": one_of_names(&codes, "The code by which it was refused after it had been accepted: the platform could not start its program."),
            "exit_code": byte_or_null("The program's exit code."),
            "signal": byte_or_null("The signal that ended it."),
            "stdout": text("The first 1 MiB of standard output, U+FFFD for what is not UTF-8. Empty in lists."),
            "stderr": text("The first 1 MiB of standard error."),
            "stdout_base64": text("The exact bytes, where stdout is not them."),
            "stderr_base64": text("The exact bytes, where stderr is not them."),
            "stdout_truncated": flag("Whether stdout is not everything."),
            "stderr_truncated": flag("Whether stderr is not everything."),
            "stdout_bytes": count("Bytes written, discarded ones included."),
            "stderr_bytes": count("Bytes written, discarded ones included."),
            "result": {"description": "The result, for contracts that have one."},
            "function": text_or_null("The function it was a call of."),
            "version": text_or_null("That function's version."),
            "mode": one_of_names(&modes, "What becomes of its sandbox."),
            "contract": one_of_names(&contracts, "How it was called."),
            "executor": text("The backend."),
            "isolation": or_null(reference("Isolation")),
            "start": reference("Start"),
            "usage": reference("Usage"),
            "snapshot_id": text_or_null("The snapshot made after it."),
            "snapshot_skipped": text_or_null("Why none was made."),
            "instance_id": text_or_null("The instance it ran in."),
            "created_at": moment("When it was asked for."),
            "labels": {"type": "object", "additionalProperties": {"type": "string"}, "description": "What its owner marked it with."},
            "started_at": or_null(moment("When its program was started.")),
            "finished_at": or_null(moment("When it ended.")),
        }),
        &optional,
    )
}

fn page() -> Value {
    exact(
        "A page of executions, newest first, without their output.",
        json!({
            "items": {"type": "array", "items": reference("Execution")},
            "next_cursor": text_or_null("The next page's cursor; null at the end."),
        }),
        &[],
    )
}

fn start() -> Value {
    exact(
        "How it was started; times in microseconds.",
        json!({
            "kind": text("cold, zygote, spare, warm, restored, branched; empty before it has a sandbox."),
            "mechanism": text_or_null("What brought saved state back."),
            "queued_us": count("Waiting for its turn."),
            "start_us": count("From its turn to its program's start."),
            "run_us": count("From its program's start to its end."),
            "total_us": count("All together."),
        }),
        &[],
    )
}

fn usage() -> Value {
    exact(
        "What it used.",
        json!({
            "cpu_us": count_or_null("Processor time in microseconds."),
            "memory_peak_bytes": count_or_null("Highest memory."),
            "egress_bytes": count("Bytes sent to other hosts."),
            "cost_usd": text_or_null("Its price; null until pricing exists."),
        }),
        &[],
    )
}

fn isolation() -> Value {
    let layers: Vec<&str> = Layer::ALL.into_iter().map(Layer::as_str).collect();
    let levels = [IsolationLevel::Strict.as_str(), IsolationLevel::Standard.as_str()];
    exact(
        "What isolation a sandbox really had.",
        json!({
            "level": one_of_names(&levels, "What was asked for."),
            "layers": {"type": "array", "items": {"type": "string", "enum": layers}},
            "limits": {"type": "object", "additionalProperties": {"type": "string", "enum": ["cgroup1", "cgroup2", "rlimit", "tmpfs"]}},
            "missing": {"type": "array", "items": {"type": "string"}},
        }),
        &[],
    )
}
