//! What is recorded of an execution: the API's execution object.
//!
//! One type from the moment an execution is accepted to the day its history is pruned. Stores keep it
//! without its output, which lives in the execution's log and is put back when it is read.

use crate::{Contract, ErrorKind, ExecutionId, ExecutionState, IsolationReport, Language, Mode, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the sandbox was started and what each part took.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StartRecord {
    /// `cold`: a sandbox was assembled for this execution; `warm`: one was reused; empty before it has one.
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// An execution as the API shows it: queued, running or ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionRecord {
    /// Its id.
    pub id: ExecutionId,
    /// The same id under the name some clients look for.
    pub execution_id: ExecutionId,
    /// Where it stands.
    pub status: ExecutionState,
    /// The language of its code; `None` for commands.
    pub language: Option<Language>,
    /// One line on what went wrong; `None` when nothing did.
    pub error: Option<String>,
    /// The cause of the failure; `None` without one.
    pub error_kind: Option<ErrorKind>,
    /// The code of the refusal where the platform could not start its program: the same request is
    /// answered by it again, not by this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
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
    pub mode: Mode,
    /// How its code was called.
    pub contract: Contract,
    /// The backend that made its sandbox.
    pub executor: String,
    /// The isolation its sandbox really had, shared with it; `None` while it has none.
    #[serde(default, serialize_with = "write_shared", deserialize_with = "read_shared")]
    pub isolation: Option<Arc<IsolationReport>>,
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
    /// What its owner marked it with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// When its program was started; `None` before.
    pub started_at: Option<Timestamp>,
    /// When it ended; `None` before.
    pub finished_at: Option<Timestamp>,
}

impl ExecutionRecord {
    /// An accepted execution that has not begun.
    #[must_use]
    pub fn queued(id: ExecutionId, language: Option<Language>, contract: Contract, executor: &str) -> Self {
        Self {
            id,
            execution_id: id,
            status: ExecutionState::Queued,
            language,
            error: None,
            error_kind: None,
            refusal: None,
            exit_code: None,
            signal: None,
            stdout: String::new(),
            stderr: String::new(),
            stdout_base64: None,
            stderr_base64: None,
            stdout_truncated: false,
            stderr_truncated: false,
            stdout_bytes: 0,
            stderr_bytes: 0,
            result: None,
            function: None,
            version: None,
            mode: Mode::Ephemeral,
            contract,
            executor: executor.to_owned(),
            isolation: None,
            start: StartRecord::default(),
            usage: UsageRecord::default(),
            snapshot_id: None,
            snapshot_skipped: None,
            instance_id: None,
            created_at: Timestamp::now(),
            labels: BTreeMap::new(),
            started_at: None,
            finished_at: None,
        }
    }

    /// Ends it for a reason its program did not give. Nothing happens to one that has ended.
    #[must_use]
    pub fn ended(mut self, status: ExecutionState, kind: ErrorKind, error: &str) -> Self {
        if self.status.may_become(status) && status.is_terminal() {
            self.status = status;
            self.error_kind = Some(kind);
            self.error = Some(error.to_owned());
            self.finished_at = Some(Timestamp::now());
        }
        self
    }

    /// Whether it shows any output.
    #[must_use]
    pub const fn has_output(&self) -> bool {
        !self.stdout.is_empty()
            || !self.stderr.is_empty()
            || self.stdout_base64.is_some()
            || self.stderr_base64.is_some()
    }

    /// The record as stores keep it: without the output, which its log has.
    #[must_use]
    pub fn without_output(mut self) -> Self {
        self.stdout = String::new();
        self.stderr = String::new();
        self.stdout_base64 = None;
        self.stderr_base64 = None;
        self
    }
}

/// As if it were not shared.
fn write_shared<S: Serializer>(report: &Option<Arc<IsolationReport>>, serializer: S) -> Result<S::Ok, S::Error> {
    report.as_deref().serialize(serializer)
}

fn read_shared<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<IsolationReport>>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(Arc::new))
}

#[cfg(test)]
mod tests {
    use super::ExecutionRecord;
    use crate::{Contract, ErrorKind, ExecutionId, ExecutionState, Language};

    #[test]
    fn an_end_is_final() {
        let queued =
            ExecutionRecord::queued(ExecutionId::generate(), Some(Language::Python), Contract::Script, "process");
        let lost = queued.ended(ExecutionState::Failed, ErrorKind::SandboxLost, "the server ended");
        assert_eq!((lost.status, lost.error_kind), (ExecutionState::Failed, Some(ErrorKind::SandboxLost)));
        assert!(lost.finished_at.is_some());
        let again = lost.clone().ended(ExecutionState::Cancelled, ErrorKind::Cancelled, "too late");
        assert_eq!(again, lost);
    }

    #[test]
    fn a_record_survives_json() {
        let record = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Command, "process");
        let json = serde_json::to_string(&record).expect("json");
        assert_eq!(serde_json::from_str::<ExecutionRecord>(&json).expect("parses"), record);
    }
}
