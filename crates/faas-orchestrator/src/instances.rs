//! The instances a user can see and end: so far the warm sandboxes that wait for a call.

use crate::{KeptFor, Orchestrator};
use faas_types::{FunctionKey, FunctionName, InstanceId, TenantId};
use std::time::Duration;

/// A warm sandbox that waits for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its id.
    pub id: InstanceId,
    /// The function it serves and the number of its version, where it serves one.
    pub function: Option<(FunctionName, u32)>,
    /// How long it still waits.
    pub expires_in: Duration,
}

/// For how long an instance of a version is kept after a call.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptWorker {
    /// Its name.
    pub function: FunctionName,
    /// For how long, and why.
    pub kept: KeptFor,
}

impl Orchestrator {
    /// For how long instances of a tenant's versions are kept that wait now, where the platform decides.
    #[must_use]
    pub fn kept_workers(&self, tenant: TenantId) -> Vec<KeptWorker> {
        let house = &self.house;
        let named = |kept: KeptFor| {
            let function = house.functions.function(tenant, &FunctionKey::Id(kept.function))?;
            Some(KeptWorker { function: function.name.clone(), kept })
        };
        let versions = house.warm.kept_by_worth(tenant);
        house.warmth.kept_for(versions.into_iter()).into_iter().filter_map(named).collect()
    }

    /// A tenant's warm sandboxes, the one that waits longest first.
    #[must_use]
    pub fn workers(&self, tenant: TenantId) -> Vec<Worker> {
        let house = &self.house;
        let named = |(function, number)| {
            let function = house.functions.function(tenant, &FunctionKey::Id(function))?;
            Some((function.name.clone(), number))
        };
        let waiting = house.warm.list(tenant);
        waiting
            .into_iter()
            .map(|(id, called, expires_in)| Worker { id, function: called.and_then(named), expires_in })
            .collect()
    }

    /// Ends one of them. `false` when it is not there, or serves a call.
    #[must_use]
    pub fn end_worker(&self, tenant: TenantId, id: InstanceId) -> bool {
        let taken = self.house.warm.take_out_one(tenant, id);
        let is_there = !taken.is_empty();
        self.house.end_warm(taken);
        is_there
    }
}
