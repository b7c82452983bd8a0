//! What happened to the platform itself: the last events, and those to come.

use faas_types::{ExecutionId, Timestamp};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// How many events are kept.
const KEPT: usize = 1024;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The platform serves.
    Started,
    /// An execution of an earlier life of the node ended as lost.
    ExecutionLost,
    /// Something an earlier life of the node left behind cannot be read and is lost.
    JournalDamaged,
    /// The store cannot be used.
    StoreFailed,
    /// The store can be used again.
    StoreRecovered,
    /// Output could not be written to a log and is lost.
    LogFailed,
    /// The queue is full and turns executions away.
    QueueFull,
    /// A used sandbox could not be made as new and was ended.
    SandboxRetired,
    /// The program of a function ends again and again before it is loaded.
    FunctionFailing,
    /// A function does not have the instances that it is to have before anybody calls it.
    InstancesMissing,
    /// Packages that nobody uses may not have been removed.
    PackagesKept,
    /// A route of a function is not served.
    RouteRefused,
    /// A function that the configuration declares is not deployed.
    FunctionRefused,
    /// A zygote, from which runners are forked, ended; programs start the slow way until there is another.
    ZygoteEnded,
    /// The platform takes nothing new and ends.
    Draining,
}

impl EventKind {
    /// The name used in events and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::ExecutionLost => "execution_lost",
            Self::JournalDamaged => "journal_damaged",
            Self::StoreFailed => "store_failed",
            Self::StoreRecovered => "store_recovered",
            Self::LogFailed => "log_failed",
            Self::QueueFull => "queue_full",
            Self::SandboxRetired => "sandbox_retired",
            Self::FunctionFailing => "function_failing",
            Self::InstancesMissing => "instances_missing",
            Self::PackagesKept => "packages_kept",
            Self::RouteRefused => "route_refused",
            Self::FunctionRefused => "function_refused",
            Self::ZygoteEnded => "zygote_ended",
            Self::Draining => "draining",
        }
    }
}

/// Something that happened to the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformEvent {
    /// Its number, counted from 1.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What it is about.
    pub kind: EventKind,
    /// The execution it happened to.
    pub execution_id: Option<ExecutionId>,
    /// One line for people.
    pub detail: String,
}

/// Something that is said at most once a second: what happens every other moment would push every other
/// event out.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    /// When it was last said, in milliseconds of this life; 0 for never.
    said_at: AtomicU64,
}

impl Seldom {
    const EVERY_MS: u64 = 1000;

    /// Whether it may be said now, in a life that began then.
    pub(crate) fn is_due(&self, began: Instant) -> bool {
        let now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let due = |last: u64| (last == 0 || now >= last.saturating_add(Self::EVERY_MS)).then_some(now);
        self.said_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok()
    }
}

/// Where events are noted.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    ring: Arc<Mutex<VecDeque<PlatformEvent>>>,
    newest: watch::Sender<u64>,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self { ring: Arc::default(), newest: watch::Sender::new(0) }
    }

    pub(crate) fn note(&self, kind: EventKind, execution_id: Option<ExecutionId>, detail: impl Into<String>) {
        let mut ring = lock(&self.ring);
        let seq = *self.newest.borrow() + 1;
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(PlatformEvent { seq, at: Timestamp::now(), kind, execution_id, detail: detail.into() });
        self.newest.send_replace(seq);
    }

    pub(crate) fn feed(&self) -> EventFeed {
        let newest = self.newest.subscribe();
        let after = *newest.borrow();
        EventFeed { ring: Arc::clone(&self.ring), newest, after }
    }
}

/// The events of the platform. Holds its place: what comes after its making is given by [`Self::next`].
#[derive(Debug, Clone)]
pub struct EventFeed {
    ring: Arc<Mutex<VecDeque<PlatformEvent>>>,
    newest: watch::Receiver<u64>,
    after: u64,
}

impl EventFeed {
    /// What is kept of the events after this one, oldest first; 0 for all.
    #[must_use]
    pub fn recent(&self, after: u64) -> Vec<PlatformEvent> {
        lock(&self.ring).iter().filter(|event| event.seq > after).cloned().collect()
    }

    /// The next event; a reader that is too slow misses the oldest. `None` when the platform is gone.
    pub async fn next(&mut self) -> Option<PlatformEvent> {
        loop {
            let found = lock(&self.ring).iter().find(|event| event.seq > self.after).cloned();
            if let Some(event) = found {
                self.after = event.seq;
                return Some(event);
            }
            let after = self.after;
            self.newest.wait_for(|newest| *newest > after).await.ok()?;
        }
    }
}

/// An event is noted whole, so a panic elsewhere is no reason to give up.
fn lock(ring: &Mutex<VecDeque<PlatformEvent>>) -> MutexGuard<'_, VecDeque<PlatformEvent>> {
    ring.lock().unwrap_or_else(PoisonError::into_inner)
}
