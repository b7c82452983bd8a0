//! From nothing to a running program, bounded by the deadline and by whoever cancels.

use crate::house::House;
use crate::live::{CancelReason, Live};
use crate::request::Call;
use crate::submit::purpose_of;
use crate::{ExecutionRequest, NotStarted};
use faas_executor_api::{CallError, DestroyReason, ExecSession, Sandbox, Stay};
use faas_types::{Mode, SandboxId};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What a start needs.
pub(super) struct Start<'a> {
    pub(super) house: &'a Arc<House>,
    pub(super) live: &'a Live,
    pub(super) timeout: Duration,
}

/// A program that runs.
pub(super) struct Started {
    /// How its sandbox came to be, as records show it.
    pub(super) kind: &'static str,
    pub(super) sandbox: Box<dyn Sandbox>,
    pub(super) session: ExecSession,
}

/// Why no program runs, and the sandbox that was made for it.
pub(super) enum Unstarted {
    Cancelled(CancelReason, Option<Box<dyn Sandbox>>),
    Failed(NotStarted, Option<Box<dyn Sandbox>>),
}

/// Why a step did not come to its end.
enum Stopped {
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
        if request.mode == Mode::Cached
            && let Some(sandbox) = self.house.warm.take(&purpose)
        {
            // What is large in a request is shared by its copies.
            match self.call("warm", sandbox, request.clone(), patience).await {
                // It died in the meantime: a new one will do.
                Err(Unstarted::Failed(NotStarted::Call(CallError::Unreached { .. }), sandbox)) => {
                    if let Some(sandbox) = sandbox {
                        sandbox.destroy(DestroyReason::Unhealthy).await;
                    }
                }
                answer => {
                    let began = u64::from(answer.is_ok());
                    self.house.totals.warm_starts.fetch_add(began, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        if let Some(called) = &request.function
            && let Err(put_off) = self.house.starts.begin(called.served(), Instant::now())
        {
            return Err(Unstarted::Failed(put_off.into(), None));
        }
        let create = async {
            self.house.make_room().await;
            self.house.executor.create(SandboxId::generate(), purpose.spec).await
        };
        match self.unless_stopped(patience, create).await {
            Ok(Ok(sandbox)) => self.call("cold", sandbox, request, patience).await,
            Ok(Err(error)) => Err(Unstarted::Failed(error.into(), None)),
            Err(stopped) => Err(self.unstarted(stopped, None)),
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
        match self.unless_stopped(patience, call(sandbox.as_mut(), request, stay)).await {
            Ok(Ok(session)) => Ok(Started { kind, sandbox, session }),
            Ok(Err(error)) => Err(Unstarted::Failed(error.into(), Some(sandbox))),
            Err(stopped) => Err(self.unstarted(stopped, Some(sandbox))),
        }
    }

    async fn unless_stopped<T>(
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

    fn unstarted(&self, stopped: Stopped, sandbox: Option<Box<dyn Sandbox>>) -> Unstarted {
        match stopped {
            Stopped::Cancelled(reason) => Unstarted::Cancelled(reason, sandbox),
            Stopped::TooLate => Unstarted::Failed(NotStarted::TooLate { timeout: self.timeout }, sandbox),
        }
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
