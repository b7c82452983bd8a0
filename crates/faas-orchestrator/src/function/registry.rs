//! The operations on functions.
//!
//! Invariants: a change is in the store before anybody here sees it, and whoever asks after it was answered
//! sees it; a call that has begun keeps its version whatever changes.

use super::cache::Moment;
use super::version::Version;
use super::{FunctionError, FunctionSpec};
use crate::house::House;
use crate::{CallStats, Orchestrator};
use faas_executor_api::SandboxSpec;
use faas_store_api::{FunctionChange, NewFunction, StoredFunction, StoredVersion};
use faas_types::{
    AliasName, FunctionId, FunctionKey, FunctionName, FunctionRef, TenantId, Timestamp, VersionId, VersionSelector,
};
use std::sync::Arc;

/// A function with one of its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionView {
    /// The function.
    pub function: Arc<StoredFunction>,
    /// The version.
    pub version: Arc<Version>,
}

/// What a function does at present and what became of its calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionStats {
    /// Calls that run, sandboxes that are torn down included.
    pub running: u32,
    /// Callers that wait.
    pub waiting: usize,
    /// Warm sandboxes that wait for a call.
    pub warm: usize,
    /// What became of its calls since the start of the process.
    pub calls: CallStats,
}

/// The operations on functions; a cheap handle.
#[derive(Clone)]
pub struct Functions {
    house: Arc<House>,
}

impl Orchestrator {
    /// The operations on functions.
    #[must_use]
    pub fn functions(&self) -> Functions {
        Functions { house: Arc::clone(&self.house) }
    }
}

impl Functions {
    /// Makes a function, whose first version is live at once. Of two at once of one name one is made.
    ///
    /// # Errors
    /// The spec is refused, the name is taken, or the store failed.
    pub async fn create(
        &self,
        tenant: TenantId,
        name: FunctionName,
        spec: FunctionSpec,
    ) -> Result<FunctionView, FunctionError> {
        self.check(tenant, &spec)?;
        let (id, version, at) = (FunctionId::generate(), VersionId::generate(), Timestamp::now());
        let new = NewFunction { id, tenant, name: name.clone(), version, spec: spec.to_bytes(), at };
        let made = self.house.store.create_function(new).await;
        let made = made.map_err(|error| FunctionError::of_creation(error, &name))?;
        self.view_of_new(made, version, spec, at)
    }

    /// Makes a new version, which is live at once.
    ///
    /// # Errors
    /// The spec is refused, there is no such function, it is not at the expected revision, or the store failed.
    pub async fn deploy(
        &self,
        tenant: TenantId,
        key: &FunctionKey,
        expected: Option<u64>,
        spec: FunctionSpec,
    ) -> Result<FunctionView, FunctionError> {
        self.check(tenant, &spec)?;
        let (version, at) = (VersionId::generate(), Timestamp::now());
        let change = FunctionChange::Deploy { version, spec: spec.to_bytes() };
        let changed = self.change(tenant, &live(key), expected, change, at).await?;
        self.view_of_new(changed, version, spec, at)
    }

    /// Lets an earlier version, or a later one, be the live one.
    ///
    /// # Errors
    /// There is no such function or version, it is not at the expected revision, or the store failed.
    pub async fn go_live(
        &self,
        tenant: TenantId,
        which: &FunctionRef,
        expected: Option<u64>,
    ) -> Result<FunctionView, FunctionError> {
        let version = self.resolve(tenant, which).await?;
        let change = FunctionChange::GoLive { version: version.number };
        let changed = self.change(tenant, which, expected, change, Timestamp::now()).await?;
        let function = Arc::new(changed);
        self.house.functions.changed(&function);
        self.house.retire_instances(&function);
        Ok(FunctionView { function, version })
    }

    /// Lets an alias point to the version, or to none any more.
    ///
    /// # Errors
    /// There is no such function or version, it is not at the expected revision, or the store failed.
    pub async fn set_alias(
        &self,
        tenant: TenantId,
        key: &FunctionKey,
        expected: Option<u64>,
        alias: AliasName,
        version: Option<u32>,
    ) -> Result<Arc<StoredFunction>, FunctionError> {
        let which = FunctionRef {
            function: key.clone(),
            version: version.map_or(VersionSelector::Live, VersionSelector::Number),
        };
        let change = FunctionChange::Alias { alias, version };
        let function = Arc::new(self.change(tenant, &which, expected, change, Timestamp::now()).await?);
        self.house.functions.changed(&function);
        self.house.retire_instances(&function);
        Ok(function)
    }

    /// Forgets a function with all its versions. Its name is free then; calls that run go on.
    ///
    /// # Errors
    /// There is no such function, it is not at the expected revision, or the store failed.
    pub async fn delete(
        &self,
        tenant: TenantId,
        key: &FunctionKey,
        expected: Option<u64>,
    ) -> Result<Arc<StoredFunction>, FunctionError> {
        let function = self.function(tenant, key).await?;
        let deleted = self.house.store.delete_function(tenant, function.id, expected).await;
        deleted.map_err(|error| FunctionError::of_change(error, &live(key)))?;
        self.house.functions.gone(&function);
        self.house.retire_function(function.id);
        self.house.calls.forget(tenant, function.name.as_str());
        Ok(function)
    }

    /// What a function does at present and what became of its calls.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub async fn stats(&self, tenant: TenantId, key: &FunctionKey) -> Result<FunctionStats, FunctionError> {
        let function = self.function(tenant, key).await?;
        let (running, waiting) = self.house.state().function(function.id);
        let warm = self.house.warm.count(function.id);
        Ok(FunctionStats { running, waiting, warm, calls: self.house.calls.of(tenant, function.name.as_str()) })
    }

    /// A function.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub async fn function(&self, tenant: TenantId, key: &FunctionKey) -> Result<Arc<StoredFunction>, FunctionError> {
        self.find(tenant, key).await.map(|(function, _)| function)
    }

    /// A function with the version that is meant.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub async fn view(&self, tenant: TenantId, which: &FunctionRef) -> Result<FunctionView, FunctionError> {
        let (function, since) = self.find(tenant, &which.function).await?;
        let missing = || FunctionError::NoVersion { which: which.clone(), newest: function.newest };
        let number = match &which.version {
            VersionSelector::Live => function.live,
            VersionSelector::Number(number) => Some(*number).filter(|it| *it <= function.newest).ok_or_else(missing)?,
            VersionSelector::Alias(alias) => function.aliases.get(alias).copied().ok_or_else(missing)?,
        };
        if let Some(version) = self.house.functions.version(function.id, number) {
            return Ok(FunctionView { function, version });
        }
        let stored = self.house.noted_failure(self.house.store.version(tenant, function.id, number).await)?;
        let version = Arc::new(loaded(&function.name, stored.ok_or_else(missing)?)?);
        self.house.functions.read_version(since, &version);
        Ok(FunctionView { function, version })
    }

    /// The version that is meant.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub async fn resolve(&self, tenant: TenantId, which: &FunctionRef) -> Result<Arc<Version>, FunctionError> {
        self.view(tenant, which).await.map(|view| view.version)
    }

    /// Functions behind the given name, by name, each with its live version.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(
        &self,
        tenant: TenantId,
        after: Option<&FunctionName>,
        limit: u32,
    ) -> Result<Vec<FunctionView>, FunctionError> {
        let functions = self.house.noted_failure(self.house.store.functions(tenant, after, limit).await)?;
        let mut views = Vec::with_capacity(functions.len());
        for function in functions {
            match self.view(tenant, &live(&FunctionKey::Id(function.id))).await {
                Ok(view) => views.push(view),
                // It was deleted in between.
                Err(FunctionError::Unknown { .. } | FunctionError::NoVersion { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(views)
    }

    /// Versions before the given number, newest first.
    ///
    /// # Errors
    /// There is no such function, or the store failed.
    pub async fn versions(
        &self,
        tenant: TenantId,
        key: &FunctionKey,
        before: Option<u32>,
        limit: u32,
    ) -> Result<(Arc<StoredFunction>, Vec<Version>), FunctionError> {
        let function = self.function(tenant, key).await?;
        let stored = self.house.store.versions(tenant, function.id, before, limit).await;
        let stored = self.house.noted_failure(stored)?;
        let versions = stored.into_iter().map(|stored| loaded(&function.name, stored)).collect::<Result<_, _>>()?;
        Ok((function, versions))
    }

    /// Checks what a function is to be, without making it.
    ///
    /// # Errors
    /// It is refused.
    pub fn check(&self, tenant: TenantId, spec: &FunctionSpec) -> Result<(), FunctionError> {
        let FunctionSpec { runtime, resources, isolation, .. } = spec;
        spec.check(self.house.executor.capabilities())?;
        let language = Some(runtime.language);
        let sandbox = SandboxSpec { tenant, language, resources: *resources, isolation: *isolation };
        self.house.executor.validate(&sandbox)?;
        Ok(())
    }

    async fn find(&self, tenant: TenantId, key: &FunctionKey) -> Result<(Arc<StoredFunction>, Moment), FunctionError> {
        let since = self.house.functions.moment();
        if let Some(function) = self.house.functions.function(tenant, key) {
            return Ok((function, since));
        }
        let found = self.house.noted_failure(self.house.store.function(tenant, key).await)?;
        let function = Arc::new(found.ok_or_else(|| FunctionError::Unknown { which: key.to_string() })?);
        self.house.functions.read(since, &function);
        Ok((function, since))
    }

    async fn change(
        &self,
        tenant: TenantId,
        which: &FunctionRef,
        expected: Option<u64>,
        change: FunctionChange,
        at: Timestamp,
    ) -> Result<StoredFunction, FunctionError> {
        let function = self.function(tenant, &which.function).await?;
        let changed = self.house.store.change_function(tenant, function.id, expected, change, at).await;
        changed.map_err(|error| FunctionError::of_change(error, which))
    }

    /// What was just made, without reading it back.
    fn view_of_new(
        &self,
        function: StoredFunction,
        id: VersionId,
        spec: FunctionSpec,
        at: Timestamp,
    ) -> Result<FunctionView, FunctionError> {
        let function = Arc::new(function);
        let call = spec.request()?;
        let (name, number) = (function.name.clone(), function.newest);
        let version = Version { id, function: function.id, name, number, created_at: at, spec, call };
        self.house.functions.changed(&function);
        self.house.retire_instances(&function);
        Ok(FunctionView { function, version: Arc::new(version) })
    }
}

fn live(key: &FunctionKey) -> FunctionRef {
    FunctionRef { function: key.clone(), version: VersionSelector::Live }
}

fn loaded(name: &FunctionName, stored: StoredVersion) -> Result<Version, FunctionError> {
    let StoredVersion { id, function, number, spec, created_at } = stored;
    let spec = FunctionSpec::from_bytes(&spec).map_err(|reason| FunctionError::Unreadable { reason })?;
    let call = spec.request()?;
    Ok(Version { id, function, name: name.clone(), number, created_at, spec, call })
}
