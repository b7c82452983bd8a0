//! What is recorded of an execution: the API's execution object.

mod capture;
mod message;
mod recorder;
#[cfg(test)]
mod tests;

pub(crate) use recorder::{Recorder, Times};

use crate::Timestamp;
use faas_types::{Contract, ErrorKind, ExecutionId, IsolationReport, Language};
use serde::{Deserialize, Serialize};

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// The program did what its contract asks for.
    Succeeded,
    /// It did not; `error_kind` says why.
    Failed,
    /// Somebody asked for it to stop.
    Cancelled,
}

/// How the sandbox was started and what each part took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRecord {
    /// `cold`: a sandbox was assembled for this execution.
    pub kind: String,
    /// The mechanism that started it from saved state; `None` for cold starts.
    pub mechanism: Option<String>,
    /// Microseconds it waited for its turn.
    pub queued_us: u64,
    /// Microseconds from its turn to its program's start.
    pub start_us: u64,
    /// Microseconds from its program's start to its end.
    pub run_us: u64,
    /// All of them together.
    pub total_us: u64,
}

/// What it used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// Processor time in microseconds; `None` where the host cannot measure it.
    pub cpu_us: Option<u64>,
    /// Highest memory in bytes; `None` where the host cannot measure it.
    pub memory_peak_bytes: Option<u64>,
    /// Bytes it sent to other hosts: none, for its network is closed.
    pub egress_bytes: u64,
    /// Its price; `None` until pricing exists.
    pub cost_usd: Option<String>,
}

/// A finished execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRecord {
    /// Its id.
    pub id: ExecutionId,
    /// The same id under the name some clients look for.
    pub execution_id: ExecutionId,
    /// How it ended.
    pub status: ExecutionStatus,
    /// The language of its code; `None` for commands.
    pub language: Option<Language>,
    /// One line on what went wrong; `None` when nothing did.
    pub error: Option<String>,
    /// The cause of the failure; `None` without one.
    pub error_kind: Option<ErrorKind>,
    /// The program's exit code; `None` when it did not exit by itself.
    pub exit_code: Option<u8>,
    /// The signal that ended it.
    pub signal: Option<u8>,
    /// The first 1 MiB of its standard output, with U+FFFD for what is not UTF-8.
    pub stdout: String,
    /// The first 1 MiB of its standard error, with U+FFFD for what is not UTF-8.
    pub stderr: String,
    /// The exact bytes, where `stdout` shows U+FFFD for some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_base64: Option<String>,
    /// The exact bytes, where `stderr` shows U+FFFD for some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_base64: Option<String>,
    /// Whether `stdout` is not everything it wrote there.
    pub stdout_truncated: bool,
    /// Whether `stderr` is not everything it wrote there.
    pub stderr_truncated: bool,
    /// Bytes it wrote to its standard output, discarded ones included.
    pub stdout_bytes: u64,
    /// Bytes it wrote to its standard error, discarded ones included.
    pub stderr_bytes: u64,
    /// The result, for contracts that have one.
    pub result: Option<serde_json::Value>,
    /// The function it was a call of.
    pub function: Option<String>,
    /// That function's version.
    pub version: Option<String>,
    /// The life-cycle policy of its sandbox.
    pub mode: String,
    /// How its code was called.
    pub contract: Contract,
    /// The backend that made its sandbox.
    pub executor: String,
    /// The isolation its sandbox really had.
    pub isolation: IsolationReport,
    /// How it was started.
    pub start: StartRecord,
    /// What it used.
    pub usage: UsageRecord,
    /// The snapshot made after it.
    pub snapshot_id: Option<String>,
    /// Why a snapshot that was asked for was not made.
    pub snapshot_skipped: Option<String>,
    /// The instance it ran in.
    pub instance_id: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its program was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
}
