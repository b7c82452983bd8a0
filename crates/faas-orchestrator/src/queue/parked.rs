//! Calls that stand in the store and whose version runs as often as it may: all but the first ones are known here
//! by their ids only, so that the calls of one version do not take the places of everything else.
//!
//! Invariants: the calls of a version have their turn in the order in which they were accepted, so one that comes
//! later is parked behind those that are; of a version with parked calls some wait in memory, and when few are
//! left the next one is read from the store again.

use crate::warm::Served;
use faas_types::ExecutionId;
use std::collections::{BTreeSet, HashMap};

/// Calls of one version that wait in memory while it runs as often as it may.
const MOST: usize = 32;
/// How few are left when the next ones are read.
const FEW: usize = 16;
/// Ids that are known, of all versions together: some megabytes.
const MOST_PARKED: usize = 100_000;

/// See the module. What neither waits nor is parked is not here.
#[derive(Debug, Default)]
pub(super) struct Parked {
    versions: HashMap<Served, Version>,
    parked: usize,
    /// The one that is being read.
    read: Option<Served>,
}

#[derive(Debug, Default)]
struct Version {
    /// How many wait in memory.
    waiting: usize,
    parked: BTreeSet<ExecutionId>,
}

impl Parked {
    /// Takes in a call of a version that may run now or may not; `false` where it is to wait in memory.
    pub(super) fn park(&mut self, served: Option<Served>, may_run: bool, id: ExecutionId) -> bool {
        let Some(version) = served.and_then(|served| self.versions.get_mut(&served)) else { return false };
        let is_behind = !version.parked.is_empty() || self.read == served || (!may_run && version.waiting >= MOST);
        let parks = is_behind && self.parked < MOST_PARKED;
        if parks && version.parked.insert(id) {
            self.parked += 1;
        }
        parks
    }

    /// A call waits in memory.
    pub(super) fn wait(&mut self, served: Option<Served>) {
        if let Some(served) = served {
            self.versions.entry(served).or_default().waiting += 1;
        }
    }

    /// One waits there no more.
    pub(super) fn wait_no_more(&mut self, served: Option<Served>) {
        let Some(served) = served else { return };
        if let Some(version) = self.versions.get_mut(&served) {
            version.waiting = version.waiting.saturating_sub(1);
            self.forget_if_empty(served);
        }
    }

    /// Whether one is to be read.
    pub(super) fn is_due(&self) -> bool {
        self.parked > 0 && self.due().is_some()
    }

    /// One that is to be read, until [`Self::was_read`].
    pub(super) fn take_due(&mut self) -> Option<(Served, ExecutionId)> {
        let served = self.due()?;
        let id = self.versions.get_mut(&served)?.parked.pop_first()?;
        self.parked -= 1;
        self.read = Some(served);
        Some((served, id))
    }

    /// The one that was to be read was, or could not be.
    pub(super) fn was_read(&mut self) {
        if let Some(served) = self.read.take() {
            self.forget_if_empty(served);
        }
    }

    /// It is still to be read.
    pub(super) fn put_back(&mut self, served: Served, id: ExecutionId) {
        if self.versions.entry(served).or_default().parked.insert(id) {
            self.parked += 1;
        }
    }

    /// It has ended in the store.
    pub(super) fn remove(&mut self, id: ExecutionId) {
        let of = self.versions.iter_mut().find_map(|(served, version)| version.parked.remove(&id).then_some(*served));
        if let Some(served) = of {
            self.parked -= 1;
            self.forget_if_empty(served);
        }
    }

    /// Everything is left to the store.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn due(&self) -> Option<Served> {
        let is_due = |version: &Version| !version.parked.is_empty() && version.waiting < FEW;
        self.versions.iter().find_map(|(served, version)| is_due(version).then_some(*served))
    }

    fn forget_if_empty(&mut self, served: Served) {
        if self.versions.get(&served).is_some_and(|version| version.waiting == 0 && version.parked.is_empty()) {
            self.versions.remove(&served);
        }
    }
}
