//! Builds the record while the execution runs.

use super::capture::{Head, Tail};
use super::message::{Limits, message};
use super::{ExecutionRecord, ExecutionStatus, StartRecord, UsageRecord};
use crate::contract::{ArgvJsonError, MAX_RESULT_BYTES, argv_json, error_message};
use crate::{ExecutionRequest, Timestamp};
use faas_executor_api::{Done, ExecutorKind};
use faas_types::{Contract, ErrorKind, ExecutionId, IsolationReport, Language, Outcome};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How much of a program's own error message a record holds.
const ERROR_CHARACTERS: usize = 1024;

/// When things happened, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) created_at: Timestamp,
    pub(crate) created: Instant,
    pub(crate) started_at: Timestamp,
    pub(crate) started: Instant,
}

/// Builds one record.
#[derive(Debug)]
pub(crate) struct Recorder {
    id: ExecutionId,
    executor: ExecutorKind,
    isolation: IsolationReport,
    language: Option<Language>,
    contract: Contract,
    limits: Limits,
    stdout: Head,
    stderr: Head,
    /// Kept only for contracts that find their result there.
    stdout_tail: Option<Tail>,
}

/// How it ended in the record's words.
struct Verdict {
    status: ExecutionStatus,
    error: Option<String>,
    error_kind: Option<ErrorKind>,
    result: Option<Value>,
}

impl Recorder {
    pub(crate) fn new(
        id: ExecutionId,
        executor: ExecutorKind,
        isolation: &IsolationReport,
        request: &ExecutionRequest,
    ) -> Self {
        let contract = request.contract();
        Self {
            id,
            executor,
            isolation: isolation.clone(),
            language: request.language(),
            contract,
            limits: Limits { resources: request.resources, output: request.output, timeout: request.timeout },
            stdout: Head::default(),
            stderr: Head::default(),
            stdout_tail: (contract == Contract::ArgvJson).then(|| Tail::new(MAX_RESULT_BYTES)),
        }
    }

    pub(crate) fn stdout(&mut self, bytes: &[u8]) {
        self.stdout.push(bytes);
        if let Some(tail) = &mut self.stdout_tail {
            tail.push(bytes);
        }
    }

    pub(crate) fn stderr(&mut self, bytes: &[u8]) {
        self.stderr.push(bytes);
    }

    pub(crate) fn finish(mut self, done: &Done, times: &Times) -> ExecutionRecord {
        let verdict = self.verdict(done);
        let finished = Instant::now();
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        let (exit_code, signal) = match done.outcome {
            Outcome::Exited { code } => (Some(code), None),
            Outcome::Signaled { signal } => (None, Some(signal)),
            Outcome::TimedOut
            | Outcome::OutOfMemory
            | Outcome::LimitExceeded { .. }
            | Outcome::Cancelled
            | Outcome::SandboxLost => (None, None),
        };
        ExecutionRecord {
            id: self.id,
            execution_id: self.id,
            status: verdict.status,
            language: self.language,
            error: verdict.error,
            error_kind: verdict.error_kind,
            exit_code,
            signal,
            stdout_truncated: done.output.stdout_truncated || stdout.cut,
            stderr_truncated: done.output.stderr_truncated || stderr.cut,
            stdout: stdout.text,
            stderr: stderr.text,
            stdout_base64: stdout.base64,
            stderr_base64: stderr.base64,
            stdout_bytes: done.output.stdout_bytes,
            stderr_bytes: done.output.stderr_bytes,
            result: verdict.result,
            function: None,
            version: None,
            mode: "ephemeral".to_owned(),
            contract: self.contract,
            executor: self.executor.as_str().to_owned(),
            isolation: self.isolation,
            start: StartRecord {
                kind: "cold".to_owned(),
                mechanism: None,
                queued_us: 0,
                start_us: microseconds(times.started.saturating_duration_since(times.created)),
                run_us: microseconds(finished.saturating_duration_since(times.started)),
                total_us: microseconds(finished.saturating_duration_since(times.created)),
            },
            usage: UsageRecord {
                cpu_us: done.usage.cpu_us,
                memory_peak_bytes: done.usage.memory_peak_bytes,
                egress_bytes: 0,
                cost_usd: None,
            },
            snapshot_id: None,
            snapshot_skipped: None,
            instance_id: None,
            created_at: times.created_at,
            started_at: times.started_at,
            finished_at: Timestamp::now(),
        }
    }

    fn verdict(&mut self, done: &Done) -> Verdict {
        let mut verdict = Verdict {
            status: match done.outcome.error_kind() {
                None => ExecutionStatus::Succeeded,
                Some(ErrorKind::Cancelled) => ExecutionStatus::Cancelled,
                Some(_) => ExecutionStatus::Failed,
            },
            error: message(done.outcome, &self.limits),
            error_kind: done.outcome.error_kind(),
            result: None,
        };
        let Outcome::Exited { code } = done.outcome else { return verdict };
        let Some(tail) = self.stdout_tail.take() else { return verdict };
        let (end, cut) = tail.finish();
        let result = match done.output.stdout_truncated {
            // What was discarded at the output limit is missing from the end.
            true => Err(ArgvJsonError::Cut),
            false => argv_json(&end, cut),
        };
        match result {
            Ok(result) => {
                if let Some(message) = error_message(&result) {
                    verdict.fail(&message);
                }
                verdict.result = Some(result);
            }
            // A program that failed need not print a result.
            Err(error) if code == 0 => verdict.fail(&error.to_string()),
            Err(_) => {}
        }
        verdict
    }
}

impl Verdict {
    /// The message may be the program's own, so it is cut to one line.
    fn fail(&mut self, message: &str) {
        self.status = ExecutionStatus::Failed;
        self.error = Some(message.lines().next().unwrap_or_default().chars().take(ERROR_CHARACTERS).collect());
        self.error_kind = Some(ErrorKind::UserError);
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
