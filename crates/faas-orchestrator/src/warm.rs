//! Warm sandboxes: used, made as new, and kept for the next execution in mode `cached` that asks for the
//! same.
//!
//! The driver takes one and gives it back; upkeep ends those nobody came for.
//!
//! Invariants: what is taken was made by the same spec, its tenant included. There are never more
//! sandboxes than slots, warm ones included: whoever makes one first ends as many warm ones as are too
//! many. Nothing is kept once the end has begun.

use faas_executor_api::{DestroyReason, Health, Sandbox, SandboxSpec};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How many are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmSettings {
    /// The most over all tenants; none are kept at 0.
    pub sandboxes: u32,
    /// How long one waits for its next execution.
    pub ttl: Duration,
}

impl Default for WarmSettings {
    /// A handful, for some minutes.
    fn default() -> Self {
        Self { sandboxes: 8, ttl: Duration::from_secs(5 * 60) }
    }
}

/// See the module.
pub(crate) struct Warm {
    settings: WarmSettings,
    kept: Mutex<Kept>,
    /// When the first is due, for who ends them.
    due: watch::Sender<Option<Instant>>,
}

#[derive(Default)]
struct Kept {
    /// The one that waits longest first; all wait equally long, so it is the first to be due.
    waiting: VecDeque<Waiting>,
    closed: bool,
}

struct Waiting {
    spec: SandboxSpec,
    sandbox: Box<dyn Sandbox>,
    due: Instant,
}

impl Warm {
    pub(crate) fn new(settings: WarmSettings) -> Self {
        Self { settings, kept: Mutex::default(), due: watch::Sender::new(None) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.kept().waiting.len()
    }

    /// The one of this spec that was used last. Those that died meanwhile are dropped.
    pub(crate) fn take(&self, spec: &SandboxSpec) -> Option<Box<dyn Sandbox>> {
        let mut kept = self.kept();
        while let Some(index) = kept.waiting.iter().rposition(|waiting| waiting.spec == *spec) {
            let taken = kept.waiting.remove(index).filter(|waiting| waiting.sandbox.health() == Health::Ready);
            self.show(&kept);
            if let Some(Waiting { sandbox, .. }) = taken {
                return Some(sandbox);
            }
        }
        None
    }

    /// Keeps a sandbox that is as new. Returns one that is to be destroyed for it, which may be itself.
    #[must_use]
    pub(crate) fn keep(&self, spec: SandboxSpec, sandbox: Box<dyn Sandbox>) -> Option<Box<dyn Sandbox>> {
        let mut kept = self.kept();
        if kept.closed || self.settings.sandboxes == 0 {
            return Some(sandbox);
        }
        kept.waiting.push_back(Waiting { spec, sandbox, due: Instant::now() + self.settings.ttl });
        let most = usize::try_from(self.settings.sandboxes).unwrap_or(usize::MAX);
        let evicted = if kept.waiting.len() > most { kept.waiting.pop_front() } else { None };
        self.show(&kept);
        evicted.map(|waiting| waiting.sandbox)
    }

    /// Ends as many as it takes for no more than `room` to be left.
    pub(crate) async fn leave(&self, room: usize) {
        let evicted = {
            let mut kept = self.kept();
            let count = kept.waiting.len().saturating_sub(room);
            let evicted: Vec<_> = kept.waiting.drain(..count).collect();
            self.show(&kept);
            evicted
        };
        destroy(evicted).await;
    }

    /// Ends those nobody came for, for ever.
    pub(crate) async fn expire(&self) {
        let mut next = self.due.subscribe();
        loop {
            let due = *next.borrow_and_update();
            let changed = async { drop(next.changed().await) };
            match due {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => destroy(self.take_due()).await,
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    fn take_due(&self) -> Vec<Waiting> {
        let now = Instant::now();
        let mut kept = self.kept();
        let count = kept.waiting.iter().take_while(|waiting| waiting.due <= now).count();
        let due = kept.waiting.drain(..count).collect();
        self.show(&kept);
        due
    }

    /// Keeps none from here on, and destroys those that wait.
    pub(crate) async fn close(&self) {
        let all = self.take_all();
        destroy(all).await;
    }

    /// As [`Self::close`], where nothing can be awaited: a sandbox that is dropped ends too.
    pub(crate) fn abort(&self) {
        drop(self.take_all());
    }

    fn take_all(&self) -> Vec<Waiting> {
        let mut kept = self.kept();
        kept.closed = true;
        let all = kept.waiting.drain(..).collect();
        self.show(&kept);
        all
    }

    fn show(&self, kept: &Kept) {
        let due = kept.waiting.front().map(|waiting| waiting.due);
        self.due.send_if_modified(|shown| std::mem::replace(shown, due) != due);
    }
}

async fn destroy(waiting: Vec<Waiting>) {
    for Waiting { sandbox, .. } in waiting {
        sandbox.destroy(DestroyReason::Finished).await;
    }
}
