//! Builds the end of a record while the execution runs.

use super::INLINE_BYTES;
use super::message::{Limits, message};
use super::tail::Tail;
use crate::ExecutionRequest;
use crate::contract::response::{Response, ResponseError};
use crate::contract::{ArgvJsonError, MAX_RESULT_BYTES, argv_json, error_message};
use faas_executor_api::Done;
use faas_types::{Contract, ErrorKind, ExecutionRecord, ExecutionState, Outcome, StartRecord, Timestamp, UsageRecord};
use serde_json::Value;
use std::time::{Duration, Instant};

/// How much of a program's own error message a record holds.
const ERROR_CHARACTERS: usize = 1024;

/// When things happened, by the clock that only goes forward.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// It was accepted.
    pub(crate) created: Instant,
    /// It had its turn.
    pub(crate) turn: Instant,
    /// Its program was started.
    pub(crate) started: Instant,
}

/// Sees everything a program writes. It holds at most twice the largest result, and only for contracts
/// that find their result in what was written.
#[derive(Debug)]
pub(crate) struct Recorder {
    limits: Limits,
    stdout_tail: Option<Tail>,
    response: Option<Response>,
}

/// How it ended in the record's words.
struct Verdict {
    status: ExecutionState,
    error: Option<String>,
    error_kind: Option<ErrorKind>,
    result: Option<Value>,
}

impl Recorder {
    pub(crate) fn new(request: &ExecutionRequest) -> Self {
        Self {
            limits: Limits { resources: request.resources, output: request.output, timeout: request.timeout },
            stdout_tail: (request.contract() == Contract::ArgvJson).then(|| Tail::new(MAX_RESULT_BYTES)),
            response: request.contract().answers().then(Response::default),
        }
    }

    pub(crate) fn stdout(&mut self, bytes: &[u8]) {
        if let Some(tail) = &mut self.stdout_tail {
            tail.push(bytes);
        }
    }

    /// What it answers with; `None` for contracts without an answer.
    pub(crate) const fn response(&mut self) -> Option<&mut Response> {
        self.response.as_mut()
    }

    /// The record of the end, without output. `running` is the record of the running program.
    pub(crate) fn finish(mut self, running: ExecutionRecord, done: &Done, times: &Times) -> ExecutionRecord {
        let verdict = self.verdict(done);
        let finished = Instant::now();
        let (exit_code, signal) = match done.outcome {
            Outcome::Exited { code } => (Some(code), None),
            Outcome::Signaled { signal } => (None, Some(signal)),
            Outcome::TimedOut
            | Outcome::OutOfMemory
            | Outcome::LimitExceeded { .. }
            | Outcome::Cancelled
            | Outcome::SandboxLost => (None, None),
        };
        let inline = u64::try_from(INLINE_BYTES).unwrap_or(u64::MAX);
        ExecutionRecord {
            status: verdict.status,
            error: verdict.error,
            error_kind: verdict.error_kind,
            exit_code,
            signal,
            stdout_truncated: done.output.stdout_truncated || done.output.stdout_bytes > inline,
            stderr_truncated: done.output.stderr_truncated || done.output.stderr_bytes > inline,
            stdout_bytes: done.output.stdout_bytes,
            stderr_bytes: done.output.stderr_bytes,
            result: verdict.result,
            start: StartRecord {
                run_us: microseconds(finished.saturating_duration_since(times.started)),
                total_us: microseconds(finished.saturating_duration_since(times.created)),
                ..running.start
            },
            usage: UsageRecord {
                cpu_us: done.usage.cpu_us,
                memory_peak_bytes: done.usage.memory_peak_bytes,
                egress_bytes: 0,
                cost_usd: None,
            },
            finished_at: Some(Timestamp::now()),
            ..running
        }
    }

    fn verdict(&mut self, done: &Done) -> Verdict {
        let mut verdict = Verdict {
            status: match done.outcome.error_kind() {
                None => ExecutionState::Succeeded,
                Some(ErrorKind::Cancelled) => ExecutionState::Cancelled,
                Some(_) => ExecutionState::Failed,
            },
            error: message(done.outcome, &self.limits),
            error_kind: done.outcome.error_kind(),
            result: None,
        };
        let Outcome::Exited { code } = done.outcome else { return verdict };
        if let Some(response) = self.response.take() {
            match response.result() {
                Ok(result) => verdict.result = Some(result),
                // A program that failed in its own way need not answer.
                Err(ResponseError::Missing) if code != 0 => {}
                Err(error) => verdict.fail(&error.to_string()),
            }
        }
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
        self.status = ExecutionState::Failed;
        self.error = Some(message.lines().next().unwrap_or_default().chars().take(ERROR_CHARACTERS).collect());
        self.error_kind = Some(ErrorKind::UserError);
    }
}

pub(crate) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
