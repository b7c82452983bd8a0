//! Instances of versions that answer several calls at once, for as long as calls are in them.
//!
//! The driver asks for a seat: in the fullest instance with room, in one that is being made, or as the maker of a
//! new one. Whoever leaves last has the sandbox and says what becomes of it. What is made ahead of calls takes a
//! place here too.
//!
//! Invariants: no version has more places than its `scaling.max`: a place is taken from before the sandbox is made
//! until it waits warm or is gone. No instance has more seats than it answers calls at once, and nobody enters one
//! whose program may not be asked any more. A seat that is dropped is left; the call in it was not seen to its
//! end, so that nobody else enters.

mod seat;
#[cfg(test)]
mod tests;

use crate::warm::Served;
use faas_executor_api::{Health, Sandbox, SharedProgram};
use faas_types::Scaling;
use seat::Role;
pub(crate) use seat::{At, Changes, Place, Seat};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How the sandbox came to be, as records show it, of a call that found it there.
pub(crate) const WARM: &str = "warm";

/// See the module.
#[derive(Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    versions: HashMap<Served, Version>,
    /// The number of the newest place.
    newest: u64,
}

/// The instances of one version; it is here while there are any.
#[derive(Default)]
struct Version {
    instances: Vec<Instance>,
    changed: watch::Sender<()>,
}

struct Instance {
    number: u64,
    seats: u32,
    stage: Stage,
    /// How its sandbox came to be, as records show it.
    kind: &'static str,
    sandbox: Option<Box<dyn Sandbox>>,
    program: Option<Arc<dyn SharedProgram>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its program is not there yet. The sandbox, where there is one, is its maker's.
    Made,
    /// Calls may enter.
    Open,
    /// Those that are in it go on, and nobody will.
    Closed,
    /// No call is in it; it may wait warm in a moment.
    Apart { returns: bool },
}

/// Where a call of a version goes.
pub(crate) enum Entry {
    /// Into an instance that is there or is being made.
    Joins(Seat),
    /// Into a new one, which it makes.
    Makes(Seat),
    /// There is no room until something changes.
    Later(Changes),
}

/// In which state a sandbox was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It was nobody else's.
    Own,
    /// Its program was shared and may be asked again.
    Good,
    /// Its program may not be asked again.
    Spent,
}

/// A sandbox that nobody uses any more.
pub(crate) struct Vacated {
    pub(crate) sandbox: Box<dyn Sandbox>,
    pub(crate) condition: Condition,
    /// Given up when the sandbox waits warm or is gone.
    pub(crate) place: Option<Place>,
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        // An instance is changed whole, so a panic elsewhere is no reason to give up.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a call of a version that stays and is shared.
    pub(crate) fn enter(self: &Arc<Self>, served: Served, scaling: &Scaling) -> Entry {
        let mut state = self.state();
        let version = state.versions.entry(served).or_default();
        if let Some(instance) = version.with_room(scaling.concurrency) {
            instance.seats += 1;
            let role = if instance.stage == Stage::Made { Role::Waits } else { Role::Joins };
            let number = instance.number;
            return Entry::Joins(Seat::at(self.at(served, number), role));
        }
        // What is made as new is there sooner than a new one.
        let returns = version.instances.iter().any(|instance| instance.stage == Stage::Apart { returns: true });
        if returns || version.is_full(scaling.max) {
            return Entry::Later(Changes(version.changed.subscribe()));
        }
        let number = state.add(served, Stage::Made, 1);
        Entry::Makes(Seat::at(self.at(served, number), Role::Makes))
    }

    /// A place for an instance that is made ahead of its calls, where there is one. Those that come meanwhile wait
    /// for it, and share it once it waits warm.
    pub(crate) fn take_place(self: &Arc<Self>, served: Served, scaling: &Scaling) -> Result<Place, Changes> {
        let mut state = self.state();
        if let Some(version) = state.versions.get(&served).filter(|version| version.is_full(scaling.max)) {
            return Err(Changes(version.changed.subscribe()));
        }
        let number = state.add(served, Stage::Made, 0);
        Ok(Place(self.at(served, number)))
    }

    /// How many instances of a version are there, or come, for calls that come: not those that nobody enters any
    /// more.
    pub(crate) fn count(&self, served: Served) -> usize {
        self.state().versions.get_mut(&served).map_or(0, |version| {
            version.close_spent();
            version.instances.iter().filter(|instance| instance.stage != Stage::Closed).count()
        })
    }

    fn at(self: &Arc<Self>, served: Served, number: u64) -> At {
        At { pool: Arc::clone(self), served, number }
    }
}

impl State {
    fn add(&mut self, served: Served, stage: Stage, seats: u32) -> u64 {
        self.newest += 1;
        let instance = Instance { number: self.newest, seats, stage, kind: "", sandbox: None, program: None };
        self.versions.entry(served).or_default().instances.push(instance);
        self.newest
    }
}

impl Version {
    fn is_full(&self, max: u32) -> bool {
        self.instances.len() >= usize::try_from(max).unwrap_or(usize::MAX)
    }

    fn close_spent(&mut self) {
        for instance in &mut self.instances {
            instance.close_if_spent();
        }
    }

    /// The fullest with room, one that is being made only where no other is left.
    fn with_room(&mut self, at_once: u32) -> Option<&mut Instance> {
        self.close_spent();
        let enters =
            |instance: &&mut Instance| matches!(instance.stage, Stage::Open | Stage::Made) && instance.seats < at_once;
        let with_room = self.instances.iter_mut().filter(enters);
        with_room.max_by_key(|instance| (instance.stage == Stage::Open, instance.seats))
    }
}

impl Instance {
    fn close_if_spent(&mut self) {
        let is_ready = self.program.as_ref().is_some_and(|program| program.health() == Health::Ready);
        if self.stage == Stage::Open && !is_ready {
            self.stage = Stage::Closed;
        }
    }

    /// Somebody leaves. `None` while the sandbox is still somebody else's.
    fn leave(&mut self, role: Role) -> Option<Condition> {
        self.seats = self.seats.saturating_sub(1);
        let condition = match self.stage {
            Stage::Made if role == Role::Makes => Condition::Own,
            Stage::Open if self.seats == 0 => Condition::Good,
            Stage::Closed if self.seats == 0 => Condition::Spent,
            Stage::Made | Stage::Open | Stage::Closed | Stage::Apart { .. } => return None,
        };
        if condition != Condition::Spent {
            self.stage = Stage::Apart { returns: condition == Condition::Good };
        }
        self.program = None;
        Some(condition)
    }
}
