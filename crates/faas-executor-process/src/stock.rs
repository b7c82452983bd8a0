//! Sandboxes that are there before anybody asks: assembled, with init waiting in them, and for a language with a
//! runner that runner, which waits for its call.
//!
//! The executor takes them; one task of its own makes them, one after the other, for the specs that were asked for
//! last, and more than once: what is asked for once would be made twice.
//!
//! Invariants: one is handed over once, and for exactly its spec, tenant included; no byte of a tenant's ran in it.
//! There are never more than was set. None is begun while a caller's own is being made: whoever waits goes first.
//! Those of a spec that nobody asked for in a while are ended.

use crate::maker::Maker;
use crate::sandbox::ProcessSandbox;
use faas_executor_api::{DestroyReason, Health, Sandbox as _, SandboxSpec};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long they wait for somebody to ask for their spec.
const IDLE: Duration = Duration::from_secs(60);

/// How long it may take to make one; whoever needs longer is served better by making it when it is asked for.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How many specs are remembered of which none are made.
const REMEMBERED: usize = 32;

/// See the module.
#[derive(Debug)]
pub(crate) struct Stock {
    /// The most there are.
    most: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The spec that was asked for last first.
    kinds: Vec<Kind>,
    /// Those that are of no use.
    useless: Vec<ProcessSandbox>,
    /// Callers whose own is being made.
    callers: usize,
    closed: bool,
}

#[derive(Debug)]
struct Kind {
    spec: SandboxSpec,
    ready: Vec<ProcessSandbox>,
    /// Whether it was asked for again.
    again: bool,
    /// One could not be made: none are until then.
    resting: Option<Instant>,
    /// When nobody asked for it in a while.
    due: Instant,
}

/// What is to be done next.
enum Next {
    Make(SandboxSpec),
    /// Nothing, until something changes or this moment.
    Wait(Option<Instant>),
    Over,
}

/// A caller whose own sandbox is being made.
pub(crate) struct Caller<'a>(&'a Stock);

impl Stock {
    pub(crate) fn new(most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { most, state: Mutex::default(), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Kinds are changed whole, so a panic elsewhere is no reason to give up.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of this spec, else the right to make one's own. More of it will be made, whether there was one or not.
    pub(crate) fn take(&self, spec: &SandboxSpec) -> Result<ProcessSandbox, Caller<'_>> {
        let mut state = self.state();
        if self.most == 0 || state.closed {
            return Err(self.caller(&mut state));
        }
        let index = state.kinds.iter().position(|kind| kind.spec == *spec);
        let mut kind = match index {
            Some(index) => Kind { again: true, ..state.kinds.remove(index) },
            None => Kind { spec: spec.clone(), ready: Vec::new(), again: false, resting: None, due: Instant::now() },
        };
        kind.due = Instant::now() + IDLE;
        let mut taken = None;
        while taken.is_none() && !kind.ready.is_empty() {
            // The one that has waited longest.
            let sandbox = kind.ready.remove(0);
            if sandbox.health() == Health::Ready {
                taken = Some(sandbox);
            } else {
                state.useless.push(sandbox);
            }
        }
        state.kinds.insert(0, kind);
        let taken = taken.ok_or_else(|| self.caller(&mut state));
        drop(state);
        self.changed.notify_one();
        taken
    }

    fn caller(&self, state: &mut State) -> Caller<'_> {
        state.callers += 1;
        Caller(self)
    }

    /// Ends all of them, and makes none from here on.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let gone = (std::mem::take(&mut state.kinds), std::mem::take(&mut state.useless));
        drop(state);
        drop(gone);
        self.changed.notify_one();
    }

    fn next(&self) -> Next {
        let state = self.state();
        if state.closed {
            return Next::Over;
        }
        let wanted = state.wanted(self.most);
        let now = Instant::now();
        let lacks = |kind: &&Kind| kind.ready.len() < wanted && kind.resting.is_none_or(|until| until <= now);
        let lacks = state.kinds.iter().filter(|kind| kind.again).take(self.most).find(lacks);
        match lacks {
            Some(kind) if state.callers == 0 => Next::Make(kind.spec.clone()),
            _ => Next::Wait(state.kinds.iter().map(|kind| kind.due).min()),
        }
    }

    /// Takes out what is too many, and what nobody asked for in a while.
    fn take_out(&self) -> Vec<ProcessSandbox> {
        let mut state = self.state();
        let now = Instant::now();
        let wanted = state.wanted(self.most);
        let mut out = std::mem::take(&mut state.useless);
        for (index, kind) in state.kinds.iter_mut().filter(|kind| kind.again).enumerate() {
            let keeps = if index < self.most && kind.due > now { wanted } else { 0 };
            out.extend(kind.ready.drain(keeps.min(kind.ready.len())..));
        }
        state.kinds.retain(|kind| kind.due > now);
        state.kinds.truncate(self.most.saturating_add(REMEMBERED));
        out
    }

    /// One was made, or could not be: then none of its spec are for a while.
    fn made(&self, spec: &SandboxSpec, sandbox: Option<ProcessSandbox>) {
        let mut state = self.state();
        let kind = state.kinds.iter_mut().find(|kind| kind.spec == *spec);
        match (kind, sandbox) {
            (Some(kind), Some(sandbox)) => kind.ready.push(sandbox),
            (Some(kind), None) => kind.resting = Some(Instant::now() + IDLE),
            (None, Some(sandbox)) => state.useless.push(sandbox),
            (None, None) => {}
        }
    }
}

impl State {
    /// How many are wanted of each spec.
    fn wanted(&self, most: usize) -> usize {
        let kinds = self.kinds.iter().filter(|kind| kind.again).count();
        most.checked_div(kinds).unwrap_or(most).max(1)
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
        for sandbox in stock.take_out() {
            Box::new(sandbox).destroy(DestroyReason::Finished).await;
        }
        match stock.next() {
            Next::Make(spec) => {
                stock.made(&spec, make(&maker, spec.clone()).await);
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
    use super::{Next, Stock};
    use faas_executor_api::SandboxSpec;
    use faas_types::{IsolationLevel, Resources, TenantId};

    fn spec(pids: u32) -> SandboxSpec {
        let resources = Resources { pids, ..Resources::default() };
        let (tenant, isolation) = (TenantId::LOCAL, IsolationLevel::Strict);
        SandboxSpec { tenant, language: None, resources, isolation, packages: None }
    }

    fn makes(stock: &Stock) -> Option<u32> {
        match stock.next() {
            Next::Make(spec) => Some(spec.resources.pids),
            Next::Wait(_) | Next::Over => None,
        }
    }

    #[test]
    fn none_is_made_for_what_is_asked_for_once() {
        let stock = Stock::new(2);
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
        let stock = Stock::new(1);
        assert!(stock.take(&spec(11)).is_err());
        let caller = stock.take(&spec(11));
        assert!(caller.is_err());
        assert_eq!(makes(&stock), None);
        drop(caller);
        assert_eq!(makes(&stock), Some(11));
    }

    #[test]
    fn a_stock_of_none_remembers_nothing_and_a_closed_one_makes_nothing() {
        let none = Stock::new(0);
        assert!(none.take(&spec(11)).is_err() && none.take(&spec(11)).is_err());
        assert_eq!(makes(&none), None);
        let closed = Stock::new(1);
        assert!(closed.take(&spec(11)).is_err() && closed.take(&spec(11)).is_err());
        closed.close();
        assert!(matches!(closed.next(), Next::Over));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let stock = Stock::new(1);
        for pids in 0..1000 {
            assert!(stock.take(&spec(pids)).is_err());
            assert!(stock.take_out().is_empty());
        }
        assert!(stock.state().kinds.len() <= 1 + super::REMEMBERED);
    }
}
