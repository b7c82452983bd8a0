//! The one task that owns a sandbox: create, call, forward, record, destroy.
//!
//! Invariants: a sandbox that was made is destroyed on every path; the reply never waits for the
//! teardown, nor the teardown for whoever reads the reply; a caller that is gone and a platform that stops both
//! end the call.

use crate::record::{Recorder, Times};
use crate::request::Call;
use crate::{ExecuteError, Execution, ExecutionEvent, ExecutionRecord, ExecutionRequest, Timestamp};
use faas_executor_api::{
    CallError, DestroyReason, Done, Event, ExecSession, Executor, Interrupt, Sandbox, SandboxSpec,
};
use faas_types::{ExecutionId, Outcome, OutputStats, SandboxId, Usage};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// Pieces of output between the sandbox and the caller.
const EVENTS_IN_FLIGHT: usize = 16;

/// What a driver needs.
pub(crate) struct Job {
    pub(crate) id: ExecutionId,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) spec: SandboxSpec,
    pub(crate) request: ExecutionRequest,
    pub(crate) created_at: Timestamp,
    pub(crate) created: Instant,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Where the driver's caller learns that the program was started.
type Started = oneshot::Sender<Result<Execution, ExecuteError>>;

/// Drives one execution from nothing to nothing.
pub(crate) async fn drive(job: Job, started: Started) {
    let mut sandbox = match job.executor.create(SandboxId::generate(), job.spec.clone()).await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            drop(started.send(Err(error.into())));
            return;
        }
    };
    if started.is_closed() || *job.stopping.borrow() {
        sandbox.destroy(DestroyReason::Cancelled).await;
        return;
    }
    match call(sandbox.as_mut(), &job.request).await {
        Ok(session) => {
            let Ended { reason, record, mut caller } = run(&job, sandbox.as_mut(), session, started).await;
            // Neither waits for the other: a caller that is slow to take the record keeps nothing alive.
            tokio::join!(caller.complete(record), sandbox.destroy(reason));
        }
        Err(error) => {
            drop(started.send(Err(error.into())));
            sandbox.destroy(DestroyReason::Finished).await;
        }
    }
}

async fn call(sandbox: &mut dyn Sandbox, request: &ExecutionRequest) -> Result<ExecSession, CallError> {
    let now = Instant::now();
    // A timeout beyond what the clock can hold is refused by no check and means nothing: end at once.
    let deadline = now.checked_add(request.timeout).unwrap_or(now);
    match request.clone().into_call(deadline) {
        Call::Invoke(invocation) => sandbox.invoke(invocation).await,
        Call::Exec(command) => sandbox.exec(command).await,
    }
}

/// A call that is done: why its sandbox goes, what is recorded, and who is to be told.
struct Ended {
    reason: DestroyReason,
    record: ExecutionRecord,
    caller: Caller,
}

/// Forwards output until the call is done, then records it.
async fn run(job: &Job, sandbox: &mut dyn Sandbox, session: ExecSession, started: Started) -> Ended {
    let times = Times {
        created_at: job.created_at,
        created: job.created,
        started_at: Timestamp::now(),
        started: Instant::now(),
    };
    let (sender, receiver) = mpsc::channel(EVENTS_IN_FLIGHT);
    let interrupter = sandbox.interrupter();
    let ExecSession { input, mut events } = session;
    let execution = Execution { id: job.id, input, events: receiver, interrupter: interrupter.clone() };
    // A caller that is gone closes the events with it, which the loop below sees.
    drop(started.send(Ok(execution)));

    let mut recorder = Recorder::new(job.id, job.executor.capabilities().kind, sandbox.isolation(), &job.request);
    let mut caller = Caller { sender, stopping: job.stopping.clone(), present: true };
    let done = loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = caller.gone(), if caller.present => {
                caller.present = false;
                interrupter.interrupt(Interrupt::Cancel);
                continue;
            }
        };
        match event {
            Some(Event::Stdout(bytes)) => {
                recorder.stdout(&bytes);
                caller.deliver(ExecutionEvent::Stdout(bytes)).await;
            }
            Some(Event::Stderr(bytes)) => {
                recorder.stderr(&bytes);
                caller.deliver(ExecutionEvent::Stderr(bytes)).await;
            }
            // No contract of these has a response; such events carry nothing to anybody.
            Some(Event::ResponseHead(_) | Event::Body(_)) => {}
            Some(Event::Done(done)) => break done,
            None => break lost(),
        }
    };
    let reason = destroy_reason(done.outcome);
    Ended { reason, record: recorder.finish(&done, &times), caller }
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

/// The caller's end of the events.
struct Caller {
    sender: mpsc::Sender<ExecutionEvent>,
    stopping: watch::Receiver<bool>,
    present: bool,
}

impl Caller {
    /// Returns when nobody will read any more.
    async fn gone(&mut self) {
        tokio::select! {
            () = self.sender.closed() => {}
            // A platform that was dropped without a shutdown is gone, too.
            _ = self.stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    /// Delivers a piece of output; waits while the caller is slow, but not past its going.
    async fn deliver(&mut self, event: ExecutionEvent) {
        if !self.present {
            return;
        }
        let sender = self.sender.clone();
        tokio::select! {
            // Failing means that nobody reads, which `gone` reports to the loop.
            _ = sender.send(event) => {}
            () = self.gone() => {}
        }
    }

    /// Delivers the record. Where the platform stops, only to a caller that has room for it.
    async fn complete(&mut self, record: ExecutionRecord) {
        let event = ExecutionEvent::Complete(Box::new(record));
        match self.sender.try_send(event) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(event)) => self.deliver(event).await,
        }
    }
}
