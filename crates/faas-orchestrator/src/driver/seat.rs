//! From nothing to a call in an instance that answers several at once: one that is there, or a new one.

use super::held::Held;
use super::session::Session;
use super::start::{Start, Started, Unstarted};
use crate::ExecutionRequest;
use crate::function::Called;
use crate::request::Call;
use crate::shared::{Entry, Seat, Vacated, WARM};
use crate::warm::Purpose;
use faas_executor_api::{CallError, DestroyReason, ExecSession, Invocation, SharedCall, SharedProgram, Stay, Verb};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Start<'_> {
    /// Asks an instance with room, or makes one.
    pub(super) async fn take_seat(
        &self,
        called: &Called,
        request: &ExecutionRequest,
        purpose: &Purpose,
        patience: tokio::time::Instant,
    ) -> Result<Started, Unstarted> {
        loop {
            let started = match self.house.shared.enter(called.served(), &called.scaling) {
                Entry::Joins(seat) => self.join(seat, request, patience).await?,
                Entry::Makes(seat) => self.make(seat, called, request, purpose, patience).await?,
                Entry::Later(mut changes) => {
                    let changed = self.unless_stopped(patience, changes.next()).await;
                    changed.map_err(|stopped| self.unstarted(stopped, None))?;
                    None
                }
            };
            if let Some(started) = started {
                return Ok(started);
            }
        }
    }

    /// `None` where the instance comes to nothing before it is asked.
    async fn join(
        &self,
        seat: Seat,
        request: &ExecutionRequest,
        patience: tokio::time::Instant,
    ) -> Result<Option<Started>, Unstarted> {
        match self.unless_stopped(patience, seat.program()).await {
            Ok(Some((program, kind))) => self.ask(seat, program.as_ref(), kind, request, patience).await,
            Ok(None) => {
                seat.close();
                end_if_last(seat.leave()).await;
                Ok(None)
            }
            Err(stopped) => Err(self.unstarted(stopped, Some(Held::Seat(seat)))),
        }
    }

    async fn ask(
        &self,
        seat: Seat,
        program: &dyn SharedProgram,
        kind: &'static str,
        request: &ExecutionRequest,
        patience: tokio::time::Instant,
    ) -> Result<Option<Started>, Unstarted> {
        let began = Instant::now();
        let call = match invocation(request, Stay::Answered, began) {
            Ok(call) => call,
            Err(error) => return Err(Unstarted::failed(error, Some(Held::Seat(seat)))),
        };
        match self.unless_stopped(patience, program.ask(call)).await {
            Ok(Ok(SharedCall { session: ExecSession { input, events }, interrupter })) => {
                self.house.totals.warm_starts.fetch_add(u64::from(kind == WARM), Ordering::Relaxed);
                let session = Session::of(events, interrupter);
                Ok(Some(Started { kind, held: Held::Seat(seat), input, session, began, is_loaded: true }))
            }
            // It ended in the meantime: another one will do.
            Ok(Err(CallError::Unreached { .. })) => {
                seat.close();
                end_if_last(seat.leave()).await;
                Ok(None)
            }
            Ok(Err(error)) => Err(Unstarted::failed(error, Some(Held::Seat(seat)))),
            Err(stopped) => {
                // It may have been asked all the same.
                seat.close();
                Err(self.unstarted(stopped, Some(Held::Seat(seat))))
            }
        }
    }

    /// Takes a warm instance and shares it, or begins to load a new one.
    async fn make(
        &self,
        seat: Seat,
        called: &Called,
        request: &ExecutionRequest,
        purpose: &Purpose,
        patience: tokio::time::Instant,
    ) -> Result<Option<Started>, Unstarted> {
        if let Some(mut sandbox) = self.house.warm.take(purpose) {
            match sandbox.share() {
                Ok(program) => {
                    seat.put(WARM, sandbox);
                    seat.instance().open(Arc::clone(&program));
                    return self.ask(seat, program.as_ref(), WARM, request, patience).await;
                }
                // It died in the meantime, or its program did: a new one will do.
                Err(_) => sandbox.destroy(DestroyReason::Unhealthy).await,
            }
        }
        let began = Instant::now();
        if let Err(put_off) = self.house.starts.begin(called.served(), began) {
            return Err(Unstarted::failed(put_off, None));
        }
        let create = async {
            self.house.make_room().await;
            self.house.executor.create(purpose.spec.clone()).await
        };
        let mut sandbox = match self.unless_stopped(patience, create).await {
            Ok(Ok(sandbox)) => sandbox,
            Ok(Err(error)) => return Err(Unstarted::failed(error, None).after_begin()),
            Err(stopped) => return Err(self.unstarted(stopped, None).after_begin()),
        };
        let load = async {
            let now = Instant::now();
            let call = invocation(request, Stay::Answered, now)?;
            sandbox.invoke(invocation(request, Stay::Loaded, now)?).await.map(|session| (session, call))
        };
        let loading = self.unless_stopped(patience, load).await;
        let interrupter = sandbox.interrupter();
        let kind = sandbox.origin().as_str();
        seat.put(kind, sandbox);
        match loading {
            Ok(Ok((ExecSession { input, events }, call))) => {
                let session = Session::loading(events, interrupter, seat.instance(), call);
                Ok(Some(Started { kind, held: Held::Seat(seat), input, session, began, is_loaded: false }))
            }
            Ok(Err(error)) => Err(Unstarted::failed(error, Some(Held::Seat(seat))).after_begin()),
            Err(stopped) => Err(self.unstarted(stopped, Some(Held::Seat(seat))).after_begin()),
        }
    }
}

/// The call that a request is.
fn invocation(request: &ExecutionRequest, stay: Stay, now: Instant) -> Result<Invocation, CallError> {
    // A timeout beyond what the clock can hold means nothing: end at once.
    let deadline = now.checked_add(request.timeout).unwrap_or(now);
    match request.clone().into_call(deadline, stay) {
        Call::Invoke(call) => Ok(*call),
        Call::Exec(_) => Err(CallError::Unsupported(Verb::Share)),
    }
}

async fn end_if_last(vacated: Option<Vacated>) {
    if let Some(Vacated { sandbox, place, condition: _ }) = vacated {
        sandbox.destroy(DestroyReason::Unhealthy).await;
        drop(place);
    }
}
