//! The store's methods for functions, over the writer and the readers.

use crate::{SqliteStore, functions};
use async_trait::async_trait;
use faas_store_api::{
    ChangeError, CreateFunctionError, FunctionChange, FunctionStore, NewFunction, StoreError, StoredFunction,
    StoredVersion,
};
use faas_types::{FunctionId, FunctionKey, TenantId, Timestamp};

#[async_trait]
impl FunctionStore for SqliteStore {
    async fn create_function(&self, new: NewFunction) -> Result<StoredFunction, CreateFunctionError> {
        let bytes = new.spec.len();
        self.writer().write_bytes(bytes, move |connection| functions::create(connection, new)).await?
    }

    async fn change_function(
        &self,
        tenant: TenantId,
        function: FunctionId,
        expected: Option<u64>,
        change: FunctionChange,
        at: Timestamp,
    ) -> Result<StoredFunction, ChangeError> {
        let bytes = match &change {
            FunctionChange::Deploy { spec, .. } => spec.len(),
            FunctionChange::GoLive { .. } | FunctionChange::Alias { .. } => 0,
        };
        let work = move |connection: &_| functions::change(connection, tenant, function, expected, change, at);
        self.writer().write_bytes(bytes, work).await?
    }

    async fn delete_function(
        &self,
        tenant: TenantId,
        function: FunctionId,
        expected: Option<u64>,
    ) -> Result<(), ChangeError> {
        self.writer().write(move |connection| functions::delete(connection, tenant, function, expected)).await?
    }

    async fn function(&self, tenant: TenantId, key: &FunctionKey) -> Result<Option<StoredFunction>, StoreError> {
        let key = key.clone();
        self.readers().read(move |connection| functions::function(connection, tenant, &key)).await
    }

    async fn version(
        &self,
        tenant: TenantId,
        function: FunctionId,
        number: u32,
    ) -> Result<Option<StoredVersion>, StoreError> {
        let Some(behind) = number.checked_add(1) else { return Ok(None) };
        let found = self.versions(tenant, function, Some(behind), 1).await?;
        Ok(found.into_iter().find(|version| version.number == number))
    }

    async fn versions(
        &self,
        tenant: TenantId,
        function: FunctionId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        self.readers().read(move |connection| functions::versions(connection, tenant, function, before, limit)).await
    }

    async fn functions(
        &self,
        tenant: TenantId,
        before: Option<FunctionId>,
        limit: u32,
    ) -> Result<Vec<StoredFunction>, StoreError> {
        self.readers().read(move |connection| functions::functions(connection, tenant, before, limit)).await
    }

    async fn live_versions(
        &self,
        after: Option<FunctionId>,
        limit: u32,
    ) -> Result<Vec<(StoredFunction, StoredVersion)>, StoreError> {
        self.readers().read(move |connection| functions::live_versions(connection, after, limit)).await
    }
}
