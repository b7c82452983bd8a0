//! Sandboxes that are there before anybody asks: assembled, with init waiting in them, and for a language with a
//! runner that runner, which waits for its call.
//!
//! The executor takes them; one task of its own makes them, one after the other. How many of which spec there are to
//! be is the scheduler's decision, by how often each is asked for, how long it takes to make one and what it weighs:
//! more of what comes in a rush, none of what is asked for now and then, and it falls slowly, so that none is made only
//! to be ended.
//!
//! Invariants: one is handed over once, and for exactly its spec, tenant included; no byte of a tenant's ran in it.
//! There are never more than was set. None is begun while a caller's own is being made: whoever waits goes first.

mod kinds;

use crate::maker::Maker;
use crate::sandbox::ProcessSandbox;
use faas_executor_api::{DestroyReason, Sandbox as _, SandboxSpec, SpareStats};
use faas_types::ByteSize;
use kinds::Kinds;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long it may take to make one; whoever needs longer is served better by making it when it is asked for.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How often it is decided anew while there are any and nobody asks: fewer are wanted then.
const LOOK: Duration = Duration::from_secs(1);

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpareLimits {
    /// Of all specs together.
    pub most: u32,
    /// The memory that they may take together.
    pub memory: ByteSize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stock {
    most: u32,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    kinds: Kinds<ProcessSandbox>,
    /// Callers whose own is being made.
    callers: usize,
    closed: bool,
}

/// What is to be done next.
enum Next {
    End(Vec<ProcessSandbox>),
    Make(SandboxSpec),
    /// Nothing, until something changes or this moment.
    Wait(Option<Instant>),
    Over,
}

/// A caller whose own sandbox is being made.
pub(crate) struct Caller<'a>(&'a Stock);

impl Stock {
    pub(crate) fn new(limits: SpareLimits) -> Self {
        let state = State { kinds: Kinds::new(limits), callers: 0, closed: false };
        Self { most: limits.most, state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Kinds are changed whole, so a panic elsewhere is no reason to give up.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of this spec, else the right to make one's own.
    pub(crate) fn take(&self, spec: &SandboxSpec) -> Result<ProcessSandbox, Caller<'_>> {
        let mut state = self.state();
        if self.most == 0 || state.closed {
            return Err(self.caller(&mut state));
        }
        let taken = state.kinds.take(spec, Instant::now().into_std());
        let taken = taken.ok_or_else(|| self.caller(&mut state));
        drop(state);
        self.changed.notify_one();
        taken
    }

    fn caller(&self, state: &mut State) -> Caller<'_> {
        state.callers += 1;
        Caller(self)
    }

    /// What is decided and became of it, of each spec that is known; what was asked for last first.
    pub(crate) fn stats(&self) -> Vec<SpareStats> {
        self.state().kinds.stats()
    }

    /// Ends all of them, and makes none from here on.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let gone = state.kinds.clear();
        drop(state);
        drop(gone);
        self.changed.notify_one();
    }

    fn next(&self) -> Next {
        let mut state = self.state();
        if state.closed {
            return Next::Over;
        }
        let now = Instant::now();
        let surplus = state.kinds.decide(now.into_std());
        if !surplus.is_empty() {
            return Next::End(surplus);
        }
        match state.kinds.lacks(now.into_std()) {
            Some(spec) if state.callers == 0 => Next::Make(spec.clone()),
            Some(_) => Next::Wait(None),
            None => {
                let look = state.kinds.any_wanted().then(|| now + LOOK);
                Next::Wait(state.kinds.due().map(Instant::from_std).into_iter().chain(look).min())
            }
        }
    }

    /// One was made in so long, or could not be.
    fn made(&self, spec: &SandboxSpec, took: Duration, sandbox: Option<ProcessSandbox>) {
        let weight = sandbox.as_ref().and_then(ProcessSandbox::weight);
        self.state().kinds.made(spec, Instant::now().into_std(), took, sandbox, weight);
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.state().callers -= 1;
        self.0.changed.notify_one();
    }
}

async fn make(maker: &Maker, spec: SandboxSpec) -> Option<ProcessSandbox> {
    let mut sandbox = maker.make(spec).await.ok()?;
    if let Ok(Ok(())) = tokio::time::timeout(TIMEOUT, sandbox.make_spare()).await {
        return Some(sandbox);
    }
    Box::new(sandbox).destroy(DestroyReason::Unhealthy).await;
    None
}

/// Makes and ends them until the stock is closed.
pub(crate) async fn keep(stock: Arc<Stock>, maker: Arc<Maker>) {
    loop {
        match stock.next() {
            Next::End(sandboxes) => {
                for sandbox in sandboxes {
                    Box::new(sandbox).destroy(DestroyReason::Finished).await;
                }
            }
            Next::Make(spec) => {
                let began = Instant::now();
                let made = make(&maker, spec.clone()).await;
                stock.made(&spec, began.elapsed(), made);
            }
            Next::Wait(until) => {
                tokio::select! {
                    () = stock.changed.notified() => {}
                    () = async { tokio::time::sleep_until(until.unwrap_or_else(Instant::now)).await }, if until.is_some() => {}
                }
            }
            Next::Over => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, SpareLimits, Stock};
    use faas_executor_api::SandboxSpec;
    use faas_types::{ByteSize, IsolationLevel, Resources, TenantId};

    fn stock(most: u32) -> Stock {
        Stock::new(SpareLimits { most, memory: ByteSize::mib(256) })
    }

    fn spec(pids: u32) -> SandboxSpec {
        let resources = Resources { pids, ..Resources::default() };
        let (tenant, isolation) = (TenantId::LOCAL, IsolationLevel::Strict);
        SandboxSpec { tenant, language: None, resources, isolation, packages: None }
    }

    fn makes(stock: &Stock) -> Option<u32> {
        match stock.next() {
            Next::Make(spec) => Some(spec.resources.pids),
            Next::End(_) | Next::Wait(_) | Next::Over => None,
        }
    }

    #[test]
    fn none_is_made_for_what_is_asked_for_once() {
        let stock = stock(2);
        for pids in [11, 12, 13] {
            assert!(stock.take(&spec(pids)).is_err());
            assert_eq!(makes(&stock), None);
        }
        assert!(stock.take(&spec(12)).is_err());
        assert_eq!(makes(&stock), Some(12));
        assert!(stock.take(&spec(11)).is_err());
        assert_eq!(makes(&stock), Some(11), "what was asked for last goes first");
    }

    #[test]
    fn whoever_waits_for_his_own_goes_first() {
        let stock = stock(1);
        assert!(stock.take(&spec(11)).is_err());
        let caller = stock.take(&spec(11));
        assert!(caller.is_err());
        assert_eq!(makes(&stock), None);
        drop(caller);
        assert_eq!(makes(&stock), Some(11));
    }

    #[test]
    fn a_stock_of_none_remembers_nothing_and_a_closed_one_makes_nothing() {
        let none = stock(0);
        assert!(none.take(&spec(11)).is_err() && none.take(&spec(11)).is_err());
        assert_eq!((makes(&none), none.stats().len()), (None, 0));
        let closed = stock(1);
        assert!(closed.take(&spec(11)).is_err() && closed.take(&spec(11)).is_err());
        closed.close();
        assert!(matches!(closed.next(), Next::Over));
    }
}
