//! Functions and versions that were called, in memory, so that a call asks the store nothing.
//!
//! Invariants: what is here is what the store had when it was read, and nothing was changed since: a change
//! makes every reading that was under way worthless. It is bounded: when it is full it is emptied, and what is
//! called comes back.

use super::Version;
use faas_store_api::StoredFunction;
use faas_types::{FunctionId, FunctionKey, FunctionName, TenantId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of source that are kept.
const MOST_BYTES: usize = 256 * 1024 * 1024;
/// Functions that are kept.
const MOST_FUNCTIONS: usize = 100_000;

/// See the module.
#[derive(Default)]
pub(crate) struct Cache {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    functions: HashMap<FunctionId, Arc<StoredFunction>>,
    names: HashMap<TenantId, HashMap<FunctionName, FunctionId>>,
    versions: HashMap<(FunctionId, u32), Arc<Version>>,
    bytes: usize,
    /// Counts changes.
    changes: u64,
}

/// What was true when somebody began to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(u64);

impl Cache {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Every change is made whole, so a panic elsewhere is no reason to give up.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.kept().changes)
    }

    pub(crate) fn function(&self, tenant: TenantId, key: &FunctionKey) -> Option<Arc<StoredFunction>> {
        let kept = self.kept();
        let id = match key {
            FunctionKey::Id(id) => id,
            FunctionKey::Name(name) => kept.names.get(&tenant)?.get(name)?,
        };
        kept.functions.get(id).filter(|function| function.tenant == tenant).cloned()
    }

    pub(super) fn version(&self, function: FunctionId, number: u32) -> Option<Arc<Version>> {
        self.kept().versions.get(&(function, number)).cloned()
    }

    /// Keeps what was read, unless something has changed since.
    pub(super) fn read(&self, since: Moment, function: &Arc<StoredFunction>) {
        let mut kept = self.kept();
        if kept.changes == since.0 {
            kept.keep(function);
        }
    }

    /// Keeps a version that was read. It never changes, but its function may be gone.
    pub(super) fn read_version(&self, since: Moment, version: &Arc<Version>) {
        let mut kept = self.kept();
        if kept.changes != since.0 {
            return;
        }
        let bytes = version.spec.bytes();
        if kept.bytes.saturating_add(bytes) > MOST_BYTES {
            kept.versions.clear();
            kept.bytes = 0;
        }
        if kept.versions.insert((version.function, version.number), Arc::clone(version)).is_none() {
            kept.bytes = kept.bytes.saturating_add(bytes);
        }
    }

    /// Keeps what a change has made of a function.
    pub(super) fn changed(&self, function: &Arc<StoredFunction>) {
        let mut kept = self.kept();
        kept.changes += 1;
        // Of two changes at once the later one may be heard of first.
        if kept.functions.get(&function.id).is_none_or(|known| known.revision < function.revision) {
            kept.keep(function);
        }
    }

    /// Forgets a function.
    pub(super) fn gone(&self, function: &StoredFunction) {
        let mut kept = self.kept();
        kept.changes += 1;
        kept.functions.remove(&function.id);
        if let Some(names) = kept.names.get_mut(&function.tenant)
            && names.get(&function.name) == Some(&function.id)
        {
            names.remove(&function.name);
        }
        let before = kept.versions.len();
        kept.versions.retain(|(id, _), _| *id != function.id);
        if kept.versions.len() != before {
            kept.bytes = kept.versions.values().map(|version| version.spec.bytes()).sum();
        }
    }
}

impl Kept {
    fn keep(&mut self, function: &Arc<StoredFunction>) {
        if self.functions.len() >= MOST_FUNCTIONS && !self.functions.contains_key(&function.id) {
            self.functions.clear();
            self.names.clear();
        }
        self.names.entry(function.tenant).or_default().insert(function.name.clone(), function.id);
        self.functions.insert(function.id, Arc::clone(function));
    }
}
