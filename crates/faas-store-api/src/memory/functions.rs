//! Functions in memory.

use super::MemoryStore;
use crate::{
    ChangeError, CreateFunctionError, FunctionChange, FunctionStore, NewFunction, StoreError, StoredFunction,
    StoredVersion, within_page,
};
use async_trait::async_trait;
use faas_types::{FunctionId, FunctionKey, FunctionName, TenantId, Timestamp};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Invariant: every function has its name in `names` and at least one version; no other has.
#[derive(Default)]
pub(super) struct Functions {
    functions: BTreeMap<FunctionId, Kept>,
    names: BTreeMap<(TenantId, FunctionName), FunctionId>,
}

struct Kept {
    function: StoredFunction,
    /// By their numbers, counted from 1.
    versions: BTreeMap<u32, StoredVersion>,
}

impl Functions {
    fn has_key(&self, tenant: TenantId, key: &str) -> bool {
        let of_tenant = self.functions.values().filter(|kept| kept.function.tenant == tenant);
        of_tenant.filter_map(|kept| kept.function.made_with.as_ref()).any(|made_with| made_with.key == key)
    }

    fn of(&self, tenant: TenantId, id: FunctionId) -> Option<&Kept> {
        self.functions.get(&id).filter(|kept| kept.function.tenant == tenant)
    }

    fn expected(&mut self, tenant: TenantId, id: FunctionId, expected: Option<u64>) -> Result<&mut Kept, ChangeError> {
        let kept = self.functions.get_mut(&id).filter(|kept| kept.function.tenant == tenant);
        let kept = kept.ok_or(ChangeError::Unknown)?;
        kept.function.check_revision(expected).map(|()| kept)
    }
}

#[async_trait]
impl FunctionStore for MemoryStore {
    async fn create_function(&self, new: NewFunction) -> Result<StoredFunction, CreateFunctionError> {
        let mut all = self.functions();
        let (function, first) = new.begin();
        let key = (function.tenant, function.name.clone());
        if all.names.contains_key(&key) {
            return Err(CreateFunctionError::Taken);
        }
        if function.made_with.as_ref().is_some_and(|made_with| all.has_key(function.tenant, &made_with.key)) {
            return Err(CreateFunctionError::KeyConflict);
        }
        all.names.insert(key, function.id);
        let kept = Kept { function: function.clone(), versions: BTreeMap::from([(first.number, first)]) };
        all.functions.insert(function.id, kept);
        Ok(function)
    }

    async fn change_function(
        &self,
        tenant: TenantId,
        function: FunctionId,
        expected: Option<u64>,
        change: FunctionChange,
        at: Timestamp,
    ) -> Result<StoredFunction, ChangeError> {
        let mut all = self.functions();
        let kept = all.expected(tenant, function, expected)?;
        let version = kept.function.apply(change, at)?;
        if let Some(version) = version {
            kept.versions.insert(version.number, version);
        }
        Ok(kept.function.clone())
    }

    async fn delete_function(
        &self,
        tenant: TenantId,
        function: FunctionId,
        expected: Option<u64>,
    ) -> Result<(), ChangeError> {
        let mut all = self.functions();
        let name = all.expected(tenant, function, expected)?.function.name.clone();
        all.names.remove(&(tenant, name));
        all.functions.remove(&function);
        Ok(())
    }

    async fn function(&self, tenant: TenantId, key: &FunctionKey) -> Result<Option<StoredFunction>, StoreError> {
        let all = self.functions();
        let id = match key {
            FunctionKey::Id(id) => Some(*id),
            FunctionKey::Name(name) => all.names.get(&(tenant, name.clone())).copied(),
        };
        Ok(id.and_then(|id| all.of(tenant, id)).map(|kept| kept.function.clone()))
    }

    async fn version(
        &self,
        tenant: TenantId,
        function: FunctionId,
        number: u32,
    ) -> Result<Option<StoredVersion>, StoreError> {
        Ok(self.functions().of(tenant, function).and_then(|kept| kept.versions.get(&number).cloned()))
    }

    async fn versions(
        &self,
        tenant: TenantId,
        function: FunctionId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        let all = self.functions();
        let Some(kept) = all.of(tenant, function) else { return Ok(Vec::new()) };
        let older = kept.versions.range(..before.unwrap_or(u32::MAX)).rev();
        let read = older.take(limit as usize).map(|(_, version)| Ok(version.clone()));
        within_page(read, |version| version.spec.len())
    }

    async fn functions(
        &self,
        tenant: TenantId,
        before: Option<FunctionId>,
        limit: u32,
    ) -> Result<Vec<StoredFunction>, StoreError> {
        let all = self.functions();
        let older = (Bound::Unbounded, before.map_or(Bound::Unbounded, Bound::Excluded));
        let of_tenant = all.functions.range(older).rev().filter(|(_, kept)| kept.function.tenant == tenant);
        Ok(of_tenant.take(limit as usize).map(|(_, kept)| kept.function.clone()).collect())
    }

    async fn live_versions(
        &self,
        after: Option<FunctionId>,
        limit: u32,
    ) -> Result<Vec<(StoredFunction, StoredVersion)>, StoreError> {
        let all = self.functions();
        let behind = all.functions.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
        let live = behind
            .filter_map(|(_, kept)| Some((kept.function.clone(), kept.versions.get(&kept.function.live)?.clone())));
        within_page(live.take(limit as usize).map(Ok), |(_, version)| version.spec.len())
    }
}
