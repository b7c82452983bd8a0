//! Functions that somebody declared without there being a source: known by name, and nothing to call.
//!
//! Invariant: none of them has the name of a function of its tenant: whoever makes that one takes it out.

use faas_types::{FunctionName, TenantId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// See the module. By their names, with where a source was looked for.
#[derive(Debug, Default)]
pub(crate) struct Sourceless {
    known: Mutex<BTreeMap<(TenantId, FunctionName), String>>,
}

impl Sourceless {
    fn known(&self) -> MutexGuard<'_, BTreeMap<(TenantId, FunctionName), String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, tenant: TenantId, name: FunctionName, why: String) {
        self.known().insert((tenant, name), why);
    }

    pub(super) fn remove(&self, tenant: TenantId, name: &FunctionName) {
        self.known().remove(&(tenant, name.clone()));
    }

    /// Why there is no source of it, where it is one of them.
    pub(super) fn why(&self, tenant: TenantId, name: &FunctionName) -> Option<String> {
        self.known().get(&(tenant, name.clone())).cloned()
    }

    /// A tenant's, by name.
    pub(super) fn list(&self, tenant: TenantId) -> Vec<(FunctionName, String)> {
        let known = self.known();
        let of_tenant = known.iter().filter(|((owner, _), _)| *owner == tenant);
        of_tenant.map(|((_, name), why)| (name.clone(), why.clone())).collect()
    }
}
