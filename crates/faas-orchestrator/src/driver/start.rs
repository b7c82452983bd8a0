//! From nothing to a running program, bounded by the deadline and by whoever cancels.

use super::held::Held;
use super::session::Session;
use crate::function::Called;
use crate::house::{House, Slot};
use crate::live::{CancelReason, Live};
use crate::request::Call;
use crate::shared::WARM;
use crate::submit::purpose_of;
use crate::warm::Purpose;
use crate::{ExecutionRequest, NotStarted};
use faas_executor_api::{CallError, DestroyReason, ExecSession, InputSink, Origin, Sandbox, Stay};
use faas_types::Mode;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What a start needs.
pub(super) struct Start<'a> {
    pub(super) house: &'a Arc<House>,
    pub(super) live: &'a Live,
    pub(super) slot: &'a Slot,
    pub(super) timeout: Duration,
}

/// A program that runs.
pub(super) struct Started {
    /// How its sandbox came to be, as records show it.
    pub(super) kind: &'static str,
    pub(super) held: Held,
    pub(super) input: InputSink,
    pub(super) session: Session,
    /// When it was begun to start it.
    pub(super) began: Instant,
    /// Whether it was loaded before.
    pub(super) is_loaded: bool,
}

/// Why no program runs, and what was taken or made for it.
pub(super) struct Unstarted {
    pub(super) why: Why,
    pub(super) held: Option<Held>,
    /// Whether the start was let through, and says nothing of the program.
    pub(super) gives_back: bool,
}

/// Why no program runs.
pub(super) enum Why {
    Cancelled(CancelReason),
    Failed(NotStarted),
}

impl Unstarted {
    pub(super) fn failed(why: impl Into<NotStarted>, held: Option<Held>) -> Self {
        Self { why: Why::Failed(why.into()), held, gives_back: false }
    }

    /// After the start was let through.
    pub(super) fn after_begin(self) -> Self {
        Self { gives_back: true, ..self }
    }

    /// Whether nothing of the call was heard: another sandbox will do.
    fn is_unreached(&self) -> bool {
        matches!(self.why, Why::Failed(NotStarted::Call(CallError::Unreached { .. })))
    }

    /// Ends what was taken or made.
    async fn destroy(self) {
        if let Some(vacated) = self.held.and_then(Held::leave) {
            vacated.sandbox.destroy(DestroyReason::Unhealthy).await;
        }
    }
}

/// Why a step did not come to its end.
pub(super) enum Stopped {
    Cancelled(CancelReason),
    TooLate,
}

impl Start<'_> {
    /// Takes or makes the sandbox and starts the program. A step that takes too long or is cancelled is
    /// dropped.
    pub(super) async fn start(self, request: ExecutionRequest) -> Result<Started, Unstarted> {
        let began = tokio::time::Instant::now();
        // A timeout beyond what the clock can hold means nothing: end at once.
        let patience = began.checked_add(self.timeout).unwrap_or(began);
        let purpose = purpose_of(self.live.tenant, &request);
        // A version that nothing means any more is shared as well: it may run as often, and its instances end
        // with their last calls.
        match request.function.as_ref().filter(|called| self.house.shares(&called.scaling)) {
            // Most calls are no such ones, and need no room for this.
            Some(called) => Box::pin(self.take_seat(called, &request, &purpose, patience)).await,
            None => self.alone(request, purpose, patience).await,
        }
    }

    /// Has a sandbox for itself.
    async fn alone(
        &self,
        request: ExecutionRequest,
        purpose: Purpose,
        patience: tokio::time::Instant,
    ) -> Result<Started, Unstarted> {
        if request.mode == Mode::Cached
            && let Some(sandbox) = self.house.warm.take(&purpose)
        {
            self.slot.serves();
            // What is large in a request is shared by its copies.
            match self.call(WARM, sandbox, request.clone(), patience).await {
                // It died in the meantime: a new one will do.
                Err(unstarted) if unstarted.is_unreached() => unstarted.destroy().await,
                answer => {
                    let began = u64::from(answer.is_ok());
                    self.house.totals.warm_starts.fetch_add(began, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        self.slot.starts();
        let began = Instant::now();
        if let Some(served) = request.function.as_ref().map(Called::served)
            && let Err(put_off) = self.house.starts.begin(served, began)
        {
            return Err(Unstarted::failed(put_off, None));
        }
        loop {
            let create = async {
                self.house.make_room().await;
                self.house.executor.create(purpose.spec.clone()).await
            };
            let sandbox = match self.unless_stopped(patience, create).await {
                Ok(Ok(sandbox)) => sandbox,
                Ok(Err(error)) => return Err(Unstarted::failed(error, None).after_begin()),
                Err(stopped) => return Err(self.unstarted(stopped, None).after_begin()),
            };
            let origin = sandbox.origin();
            match self.call(origin.as_str(), sandbox, request.clone(), patience).await {
                // It died while it waited for somebody: the next one will do, and there are not many.
                Err(unstarted) if origin == Origin::Spare && unstarted.is_unreached() => unstarted.destroy().await,
                called => {
                    return called.map(|started| Started { began, ..started }).map_err(Unstarted::after_begin);
                }
            }
        }
    }

    /// Starts the program in a sandbox.
    async fn call(
        &self,
        kind: &'static str,
        mut sandbox: Box<dyn Sandbox>,
        request: ExecutionRequest,
        patience: tokio::time::Instant,
    ) -> Result<Started, Unstarted> {
        let stay = if self.house.stays(self.live.tenant, &request) { Stay::Answered } else { Stay::No };
        let began = Instant::now();
        let answer = self.unless_stopped(patience, call(sandbox.as_mut(), request, stay)).await;
        let interrupter = sandbox.interrupter();
        let held = Held::Own(sandbox);
        match answer {
            Ok(Ok(ExecSession { input, events })) => {
                let session = Session::of(events, interrupter);
                Ok(Started { kind, held, input, session, began, is_loaded: false })
            }
            Ok(Err(error)) => Err(Unstarted::failed(error, Some(held))),
            Err(stopped) => Err(self.unstarted(stopped, Some(held))),
        }
    }

    pub(super) async fn unless_stopped<T>(
        &self,
        patience: tokio::time::Instant,
        step: impl Future<Output = T>,
    ) -> Result<T, Stopped> {
        let mut asked = self.live.asked();
        tokio::select! {
            biased;
            reason = asked.wait() => Err(Stopped::Cancelled(reason)),
            answer = step => Ok(answer),
            () = tokio::time::sleep_until(patience) => Err(Stopped::TooLate),
        }
    }

    pub(super) fn unstarted(&self, stopped: Stopped, held: Option<Held>) -> Unstarted {
        let why = match stopped {
            Stopped::Cancelled(reason) => Why::Cancelled(reason),
            Stopped::TooLate => Why::Failed(NotStarted::TooLate { timeout: self.timeout }),
        };
        Unstarted { why, held, gives_back: false }
    }
}

async fn call(sandbox: &mut dyn Sandbox, request: ExecutionRequest, stay: Stay) -> Result<ExecSession, CallError> {
    let now = Instant::now();
    // A timeout beyond what the clock can hold means nothing: end at once.
    let deadline = now.checked_add(request.timeout).unwrap_or(now);
    match request.into_call(deadline, stay) {
        Call::Invoke(invocation) => sandbox.invoke(*invocation).await,
        Call::Exec(command) => sandbox.exec(command).await,
    }
}
