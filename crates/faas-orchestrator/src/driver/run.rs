//! A running program: its input goes in, its output goes to the log, until it is done.

use super::held::Held;
use super::start::Started;
use crate::contract::response::Response;
use crate::events::EventKind;
use crate::house::{House, Slot};
use crate::live::{CancelReason, Live};
use crate::log::LogWriter;
use crate::record::{Recorder, Times, microseconds};
use crate::response::{ResponsePart, ResponseSender};
use crate::stdin::Input;
use crate::{ExecutionRequest, StreamName};
use bytes::Bytes;
use faas_executor_api::{DestroyReason, Done, Event, Interrupt};
use faas_types::{Contract, ExecutionRecord, ExecutionState, Outcome, OutputStats, StartRecord, Timestamp, Usage};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

/// How long after its deadline a program's last words are waited for, where its reader is slow.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What became of loading a handler's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    Loaded,
    /// It ended before, or took too long, by itself.
    Failed,
    /// Nothing is loaded under its contract, or somebody else ended it.
    Unknown,
}

/// What is left of a run.
pub(super) struct Ran {
    pub(super) record: ExecutionRecord,
    pub(super) held: Held,
    pub(super) reason: DestroyReason,
    pub(super) load: Load,
    /// When its program was loaded, where that was heard of.
    pub(super) loaded: Option<Instant>,
}

/// What a run needs.
pub(super) struct Run<'a> {
    house: &'a House,
    slot: &'a Slot,
    live: &'a Live,
    recorder: Recorder,
    log: LogWriter,
    response: Option<ResponseSender>,
    /// Whether its program is yet to be loaded.
    loads: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(house: &'a House, slot: &'a Slot, live: &'a Live, request: &ExecutionRequest) -> Self {
        let log = LogWriter::new(house.logs.clone(), live.id);
        let response = live.take_responder();
        let mut recorder = Recorder::new(request);
        if response.is_some()
            && let Some(response) = recorder.response()
        {
            response.is_passed_on();
        }
        let loads = request.contract() == Contract::Handler;
        Self { house, slot, live, recorder, log, response, loads }
    }

    /// Runs to the program's end.
    pub(super) async fn run(mut self, started: Started, input: Input, times: Times, patience: Instant) -> Ran {
        let Started { kind, held, input: program, mut session, is_loaded, .. } = started;
        self.show_running(kind, &held, &times);
        let mut asked = self.live.asked();
        let mut cancelled = None;
        let mut fed = false;
        // A part of the response that waits for its reader. Nothing else is heard of meanwhile, and the program
        // is held up, but not beyond its deadline, upon which it says what it will never finish.
        let mut part = None;
        let patience = tokio::time::sleep_until(patience.checked_add(LAST_WORDS).unwrap_or(patience));
        tokio::pin!(patience);
        let loaded = tokio::time::sleep(self.house.settings.cold_start_timeout);
        tokio::pin!(loaded);
        let (may_load, mut too_slow, mut heard_loaded) = (self.loads, false, None);
        self.loads &= !is_loaded;
        let feed = input.feed(program);
        tokio::pin!(feed);
        let done = loop {
            let event = tokio::select! {
                event = session.next(), if part.is_none() => event,
                () = pass_on(self.response.as_ref(), &mut part), if part.is_some() => continue,
                () = &mut patience, if part.is_some() => {
                    (self.response, part) = (None, None);
                    continue;
                }
                reason = asked.wait(), if cancelled.is_none() => {
                    cancelled = Some(reason);
                    session.interrupt(Interrupt::Cancel);
                    // Nothing stands between the program and its end any more.
                    (self.response, part) = (None, None);
                    continue;
                }
                () = &mut loaded, if self.loads && !too_slow => {
                    too_slow = true;
                    session.interrupt(Interrupt::Deadline);
                    continue;
                }
                () = &mut feed, if !fed => {
                    fed = true;
                    continue;
                }
            };
            match event {
                Some(Event::Loaded) => {
                    self.loads = false;
                    self.slot.serves();
                    heard_loaded = Some(Instant::now());
                }
                Some(Event::Stdout(bytes)) => {
                    self.recorder.stdout(&bytes);
                    self.write(StreamName::Stdout, &bytes);
                }
                Some(Event::Stderr(bytes)) => self.write(StreamName::Stderr, &bytes),
                Some(Event::ResponseHead(head)) => {
                    self.respond(|response| response.head(&head));
                    part = Some(ResponsePart::Head(head));
                }
                Some(Event::Body(bytes)) => {
                    self.respond(|response| response.body(&bytes));
                    part = Some(ResponsePart::Body(bytes));
                }
                Some(Event::ResponseEnd) => {
                    self.respond(Response::complete);
                    part = Some(ResponsePart::End);
                }
                Some(Event::Failed(message)) => {
                    self.respond(|response| response.failed(message.clone()));
                    part = Some(ResponsePart::Failed(message));
                }
                Some(Event::Done(done)) => break done,
                None => break lost(),
            }
            pass_on_now(self.response.as_ref(), &mut part);
        };
        let reason = destroy_reason(done.outcome);
        let load = match done.outcome {
            Outcome::Cancelled | Outcome::SandboxLost if self.loads => Load::Unknown,
            _ if self.loads => Load::Failed,
            _ if may_load => Load::Loaded,
            _ => Load::Unknown,
        };
        let limit = self.house.settings.cold_start_timeout;
        let mut record = self.record(&done, cancelled, &times);
        if too_slow && done.outcome == Outcome::TimedOut {
            record.error = Some(format!(
                "its program was not loaded within {limit:?}; let it do less while it is imported, or raise \
                 cold_start.timeout"
            ));
        }
        Ran { record, held, reason, load, loaded: heard_loaded }
    }

    fn show_running(&self, kind: &str, held: &Held, times: &Times) {
        let isolation = held.isolation();
        self.live.advance(ExecutionState::Running, |record| {
            record.isolation = isolation;
            record.started_at = Some(Timestamp::now());
            record.start = StartRecord {
                kind: kind.to_owned(),
                mechanism: None,
                queued_us: microseconds(times.turn.saturating_duration_since(times.created)),
                start_us: microseconds(times.started.saturating_duration_since(times.turn)),
                run_us: 0,
                total_us: microseconds(times.started.saturating_duration_since(times.created)),
            };
        });
    }

    /// What a program of another contract answers is for nobody.
    fn respond(&mut self, take: impl FnOnce(&mut Response)) {
        if let Some(response) = self.recorder.response() {
            take(response);
        }
    }

    /// Appends to the log and lets its readers know. The program goes on whatever becomes of the log.
    fn write(&mut self, stream: StreamName, bytes: &Bytes) {
        if let Err(error) = self.log.append(stream, bytes) {
            let detail = format!("its output could not be written and is lost from here on: {error}");
            self.house.events.note(EventKind::LogFailed, Some(self.live.id), detail);
        }
        if let Some(file) = self.log.file() {
            self.live.wrote(file, self.log.length());
        }
    }

    fn record(self, done: &Done, cancelled: Option<CancelReason>, times: &Times) -> ExecutionRecord {
        let mut record = self.recorder.finish(self.live.record(), done, times);
        if let (Outcome::Cancelled, Some(reason)) = (done.outcome, cancelled) {
            record.error = Some(reason.message().to_owned());
        }
        if self.log.is_broken() {
            record.stdout_truncated |= record.stdout_bytes > 0;
            record.stderr_truncated |= record.stderr_bytes > 0;
        }
        record
    }
}

/// Passes a part of the response on, where there is room for it at once or nobody to read it: nearly always, and then
/// nothing else is looked at in between.
fn pass_on_now(response: Option<&ResponseSender>, part: &mut Option<ResponsePart>) {
    if let (Some(given), Some(response)) = (part.take(), response)
        && let Err(TrySendError::Full(given)) = response.try_send(given)
    {
        *part = Some(given);
    }
}

/// Passes a part of the response on, when there is somebody to read it.
async fn pass_on(response: Option<&ResponseSender>, part: &mut Option<ResponsePart>) {
    let permit = match response {
        Some(response) => response.reserve().await.ok(),
        None => None,
    };
    // Nothing is awaited from here on, so that no part is lost.
    if let (Some(part), Some(permit)) = (part.take(), permit) {
        permit.send(part);
    }
}

/// A stream that ended without its `Done`: the sandbox broke its promise.
fn lost() -> Done {
    Done { outcome: Outcome::SandboxLost, usage: Usage::default(), output: OutputStats::default() }
}

const fn destroy_reason(outcome: Outcome) -> DestroyReason {
    match outcome {
        Outcome::Exited { .. } | Outcome::Signaled { .. } | Outcome::OutOfMemory | Outcome::LimitExceeded { .. } => {
            DestroyReason::Finished
        }
        Outcome::TimedOut => DestroyReason::Deadline,
        Outcome::Cancelled => DestroyReason::Cancelled,
        Outcome::SandboxLost => DestroyReason::Unhealthy,
    }
}
