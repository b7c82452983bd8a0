//! For how long instances of functions wait for their next call, and which of them is worth least.
//!
//! The driver tells what calls take, [`crate::warm::Warm`] asks; `faas-scheduler` decides. A version that answers
//! several calls at once by several instances has a place for each: the first is called whenever the version is, the
//! second when the first is busy, and so on, as whoever comes takes the instance that was used last. So the fifth
//! instance of a burst is kept for as long as five are wanted at once, not for as long as one is.
//!
//! Invariants: the lock is held for moments and nothing else is asked meanwhile; strangers choose what is called, so
//! only so many places are known, and of the others what holds for any function.

use crate::WarmSettings;
use crate::warm::Served;
use faas_scheduler::{Keep, KeepAlive, KeepReason, KeepSettings};
use faas_types::{ByteSize, FunctionId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How many places are known: some megabytes.
const PLACES: usize = 4096;
/// What a start is taken to cost until one was measured: an interpreter with a program, on a host that is not idle.
const START: Duration = Duration::from_millis(30);
const MEMORY: ByteSize = ByteSize::mib(16);
/// No start is taken to cost less: what costs nothing would be worth nothing.
const LEAST_START: Duration = Duration::from_millis(1);

/// A version, and how many calls it serves beside.
type Place = (Served, u32);

/// For how long one instance of a version is kept, as users are told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeptFor {
    /// The function.
    pub function: FunctionId,
    /// The number of its version.
    pub version: u32,
    /// After its last call.
    pub keep_for: Duration,
    /// Why.
    pub reason: KeepReason,
}

/// See the module.
pub(crate) struct Warmth(Mutex<Known>);

struct Known {
    decisions: KeepAlive<Place>,
    /// How many calls each version serves.
    serving: HashMap<Served, u32>,
}

/// What a call took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Took {
    /// From when its program was there to its end.
    pub(crate) service: Duration,
    /// Until its program was there, where none waited.
    pub(crate) start: Option<Duration>,
    pub(crate) memory: Option<ByteSize>,
}

/// A call that is being served, until it is dropped.
pub(crate) struct Serving {
    warmth: Arc<Warmth>,
    place: Place,
}

impl Warmth {
    pub(crate) fn new(settings: WarmSettings) -> Self {
        let WarmSettings { memory: budget, longest, .. } = settings;
        let settings = KeepSettings { functions: PLACES, budget, longest, start: START, memory: MEMORY };
        Self(Mutex::new(Known { decisions: KeepAlive::new(settings), serving: HashMap::new() }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every method leaves it whole, so a panic elsewhere is no reason to give up.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call of a version has its turn, of which an instance takes so many at once.
    pub(crate) fn arrived(self: &Arc<Self>, served: Served, at_once: u32) -> Serving {
        let now = Instant::now().into_std();
        let mut known = self.known();
        let serving = known.serving.entry(served).or_default();
        let place = (served, *serving / at_once.max(1));
        *serving += 1;
        known.decisions.arrived(now, &place);
        Serving { warmth: Arc::clone(self), place }
    }

    /// For how long the instance of a version is kept that is the next one after those so many.
    pub(crate) fn keep_for(&self, served: Served, beside: u32) -> Duration {
        let known = self.known();
        let serving = known.serving.get(&served).copied().unwrap_or_default();
        known.decisions.keep_for(&(served, serving.saturating_add(beside))).keep_for
    }

    /// What an instance saves that has waited for so long, for each second that it waits on.
    pub(crate) fn saves(&self, served: Option<Served>, beside: u32, waited: Duration) -> f64 {
        let known = self.known();
        let place = served.map(|served| {
            let serving = known.serving.get(&served).copied().unwrap_or_default();
            (served, serving.saturating_add(beside))
        });
        known.decisions.saves(place.as_ref(), waited)
    }

    /// Decides for all anew.
    pub(crate) fn decide(&self) {
        drop(self.known().decisions.decide(Instant::now().into_std()));
    }

    /// For how long the first instance of each of these versions is kept.
    pub(crate) fn kept_for(&self, versions: impl Iterator<Item = Served>) -> Vec<KeptFor> {
        let known = self.known();
        let of = |served: Served| {
            let Keep { keep_for, reason, .. } = known.decisions.keep_for(&(served, 0));
            KeptFor { function: served.0, version: served.1, keep_for, reason }
        };
        versions.map(of).collect()
    }
}

impl Serving {
    /// The call is over.
    pub(crate) fn over(self, took: Took) {
        let Took { service, start, memory } = took;
        let mut known = self.warmth.known();
        let decisions = &mut known.decisions;
        decisions.served(&self.place, service);
        if let Some(start) = start {
            decisions.started(&self.place, start.max(LEAST_START));
        }
        if let Some(memory) = memory {
            decisions.weighed(&self.place, memory);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let served = self.place.0;
        let mut known = self.warmth.known();
        if let Some(serving) = known.serving.get_mut(&served) {
            *serving = serving.saturating_sub(1);
            if *serving == 0 {
                known.serving.remove(&served);
            }
        }
    }
}
