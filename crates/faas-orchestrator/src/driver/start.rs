//! From nothing to a running program, bounded by the deadline and by whoever cancels.

use crate::house::House;
use crate::live::{CancelReason, Live};
use crate::request::Call;
use crate::submit::spec_of;
use crate::{ExecutionRequest, NotStarted};
use faas_executor_api::{CallError, ExecSession, Sandbox};
use faas_types::SandboxId;
use std::time::{Duration, Instant};

/// What a start needs.
pub(super) struct Start<'a> {
    pub(super) house: &'a House,
    pub(super) live: &'a Live,
    pub(super) timeout: Duration,
}

/// A program that runs.
pub(super) struct Started {
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
    /// Makes the sandbox and starts the program. A step that takes too long or is cancelled is dropped.
    pub(super) async fn start(self, request: ExecutionRequest) -> Result<Started, Unstarted> {
        let mut asked = self.live.asked();
        let patience = tokio::time::sleep(self.timeout);
        tokio::pin!(patience);
        let spec = spec_of(self.live.tenant, &request);
        let created = tokio::select! {
            biased;
            reason = asked.wait() => Err(Stopped::Cancelled(reason)),
            created = self.house.executor.create(SandboxId::generate(), spec) => Ok(created),
            () = &mut patience => Err(Stopped::TooLate),
        };
        let mut sandbox = match created {
            Ok(Ok(sandbox)) => sandbox,
            Ok(Err(error)) => return Err(Unstarted::Failed(error.into(), None)),
            Err(stopped) => return Err(self.unstarted(stopped, None)),
        };
        let session = tokio::select! {
            biased;
            reason = asked.wait() => Err(Stopped::Cancelled(reason)),
            session = call(sandbox.as_mut(), request) => Ok(session),
            () = &mut patience => Err(Stopped::TooLate),
        };
        match session {
            Ok(Ok(session)) => Ok(Started { sandbox, session }),
            Ok(Err(error)) => Err(Unstarted::Failed(error.into(), Some(sandbox))),
            Err(stopped) => Err(self.unstarted(stopped, Some(sandbox))),
        }
    }

    fn unstarted(&self, stopped: Stopped, sandbox: Option<Box<dyn Sandbox>>) -> Unstarted {
        match stopped {
            Stopped::Cancelled(reason) => Unstarted::Cancelled(reason, sandbox),
            Stopped::TooLate => Unstarted::Failed(NotStarted::TooLate { timeout: self.timeout }, sandbox),
        }
    }
}

async fn call(sandbox: &mut dyn Sandbox, request: ExecutionRequest) -> Result<ExecSession, CallError> {
    let now = Instant::now();
    // A timeout beyond what the clock can hold means nothing: end at once.
    let deadline = now.checked_add(request.timeout).unwrap_or(now);
    match request.into_call(deadline) {
        Call::Invoke(invocation) => sandbox.invoke(invocation).await,
        Call::Exec(command) => sandbox.exec(command).await,
    }
}
