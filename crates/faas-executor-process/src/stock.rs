//! Sandboxes that are there before anybody asks: assembled, with init waiting in them, and for a language with a
//! runner that runner, which waits for its call.
//!
//! The executor takes them; one task of its own makes them, one after the other, for the specs that were asked for
//! last.
//!
//! Invariants: one is handed over once, and for exactly its spec, tenant included; no byte of a tenant's ran in it. There are never
//! more than was set. None is made while a caller's own is being made: whoever waits goes first. Those of a spec
//! that nobody asked for in a while are ended.

use crate::maker::Maker;
use crate::sandbox::ProcessSandbox;
use faas_executor_api::{DestroyReason, Health, Sandbox as _, SandboxSpec};
use faas_types::SandboxId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long they wait for somebody to ask for their spec.
const IDLE: Duration = Duration::from_secs(60);

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
    /// Callers whose own is being made.
    callers: usize,
    closed: bool,
}

#[derive(Debug)]
struct Kind {
    spec: SandboxSpec,
    ready: Vec<ProcessSandbox>,
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

    /// One of this spec. More of it will be made, whether there was one or not.
    pub(crate) fn take(&self, spec: &SandboxSpec) -> Option<ProcessSandbox> {
        if self.most == 0 {
            return None;
        }
        let mut state = self.state();
        let index = state.kinds.iter().position(|kind| kind.spec == *spec);
        let mut kind = match index {
            Some(index) => state.kinds.remove(index),
            None => Kind { spec: spec.clone(), ready: Vec::new(), due: Instant::now() },
        };
        kind.due = Instant::now() + IDLE;
        let taken = std::iter::from_fn(|| kind.ready.pop()).find(|sandbox| sandbox.health() == Health::Ready);
        state.kinds.insert(0, kind);
        drop(state);
        self.changed.notify_one();
        taken
    }

    /// While this is held, none is made.
    pub(crate) fn caller(&self) -> Caller<'_> {
        self.state().callers += 1;
        Caller(self)
    }

    /// Ends all of them, and makes none from here on.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let kinds = std::mem::take(&mut state.kinds);
        drop(state);
        drop(kinds);
        self.changed.notify_one();
    }

    fn next(&self) -> Next {
        let state = self.state();
        if state.closed {
            return Next::Over;
        }
        let wanted = state.wanted(self.most);
        let lacks = state.kinds.iter().take(self.most).find(|kind| kind.ready.len() < wanted);
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
        let mut out = Vec::new();
        for (index, kind) in state.kinds.iter_mut().enumerate() {
            let keeps = if index < self.most && kind.due > now { wanted } else { 0 };
            out.extend(kind.ready.drain(keeps.min(kind.ready.len())..));
        }
        state.kinds.truncate(self.most);
        state.kinds.retain(|kind| kind.due > now);
        out
    }

    /// One was made, or could not be: then none of its spec are, until somebody asks for it again.
    fn made(&self, spec: &SandboxSpec, sandbox: Option<ProcessSandbox>) {
        let mut state = self.state();
        let kind = state.kinds.iter_mut().find(|kind| kind.spec == *spec);
        match (kind, sandbox) {
            (Some(kind), Some(sandbox)) => kind.ready.push(sandbox),
            // What nobody keeps is ended by being dropped.
            (_, Some(_)) => {}
            (_, None) => state.kinds.retain(|kind| kind.spec != *spec),
        }
    }
}

impl State {
    /// How many are wanted of each spec.
    fn wanted(&self, most: usize) -> usize {
        most.checked_div(self.kinds.len()).unwrap_or_default().max(1)
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.state().callers -= 1;
        self.0.changed.notify_one();
    }
}

async fn make(maker: &Maker, spec: SandboxSpec) -> Option<ProcessSandbox> {
    let sandbox = maker.make(SandboxId::generate(), spec, None).await.ok()?;
    sandbox.into_spare().await.ok()
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
