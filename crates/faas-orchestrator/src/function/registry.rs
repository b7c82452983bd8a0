//! Functions as they are looked up: for a call, for a route, to be shown.

use super::cache::Moment;
use super::routes::{Found, Routed, RowTarget};
use super::version::Version;
use super::{FunctionError, FunctionSpec};
use crate::house::House;
use crate::{CallStats, Orchestrator, RequestError};
use faas_build::Progress;
use faas_executor_api::{SandboxSpec, Verb};
use faas_routes::Method;
use faas_store_api::{StoredFunction, StoredVersion, VERSIONS_PAGE_BYTES};
use faas_types::{FunctionId, FunctionKey, FunctionName, FunctionRef, Mode, TenantId, VersionSelector};
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
    /// Calls that run, those included whose sandbox is torn down.
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
    pub(super) house: Arc<House>,
    /// Who hears what the installation of dependencies says.
    pub(super) progress: Option<Progress>,
}

impl Orchestrator {
    /// The operations on functions.
    #[must_use]
    pub fn functions(&self) -> Functions {
        Functions { house: Arc::clone(&self.house), progress: None }
    }
}

impl Functions {
    /// What a function does at present and what became of its calls.
    ///
    /// # Errors
    /// There is none, or the store failed.
    pub async fn stats(&self, tenant: TenantId, key: &FunctionKey) -> Result<FunctionStats, FunctionError> {
        let function = self.function(tenant, key).await?;
        let (running, waiting) = self.house.state().function(function.id);
        let warm = self.house.warm.count(function.id);
        Ok(FunctionStats { running, waiting, warm, calls: self.house.calls.of(function.id) })
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

    /// What a request leads to; the path is canonical.
    ///
    /// # Errors
    /// The store failed.
    pub async fn route(&self, method: Method, path: &str) -> Result<Routed, FunctionError> {
        match self.house.routes.find(method, path) {
            Found::Row(RowTarget::Version(tenant, version)) => Ok(Routed::Version(tenant, version)),
            Found::Row(RowTarget::Refused(code, detail)) => Ok(Routed::Refused(code, detail)),
            Found::OtherMethods(methods) => Ok(Routed::OtherMethods(methods)),
            Found::Unknown => Ok(Routed::Unknown),
            Found::Deployed(deployed, route) => {
                match self.resolve(deployed.tenant, &live(&FunctionKey::Id(deployed.function))).await {
                    // A version that went live in between may not have the route, and may be another's to call.
                    Ok(version) if !version.spec.routes.contains(&route) => Ok(Routed::Unknown),
                    Ok(version) => Ok(Routed::Version(deployed.tenant, version)),
                    // It was deleted in between.
                    Err(FunctionError::Unknown { .. }) => Ok(Routed::Unknown),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// How many routes there are: deployed ones, and those of the routes file.
    #[must_use]
    pub fn routes(&self) -> (usize, usize) {
        self.house.routes.count()
    }

    /// Functions made before the given one, newest first, each with its live version: at most `limit` of them, and
    /// fewer where they are large. With them the one to go on from, where there may be more.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(
        &self,
        tenant: TenantId,
        before: Option<FunctionId>,
        limit: u32,
    ) -> Result<(Vec<FunctionView>, Option<FunctionId>), FunctionError> {
        let functions = self.house.noted_failure(self.house.store.functions(tenant, before, limit).await)?;
        let is_full = functions.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let last = functions.last().filter(|_| is_full).map(|function| function.id);
        let (mut views, mut bytes) = (Vec::with_capacity(functions.len()), 0_usize);
        for function in functions {
            match self.view(tenant, &live(&FunctionKey::Id(function.id))).await {
                Ok(view) => {
                    bytes = bytes.saturating_add(view.version.spec.bytes());
                    views.push(view);
                    if bytes > VERSIONS_PAGE_BYTES {
                        return Ok((views, Some(function.id)));
                    }
                }
                // It was deleted in between, or cannot be read any more, which is said where it is asked for.
                Err(
                    FunctionError::Unknown { .. }
                    | FunctionError::NoVersion { .. }
                    | FunctionError::Unreadable { .. }
                    | FunctionError::Request(_),
                ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((views, last))
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
        self.check_standing(spec)?;
        self.check_sharing(spec)?;
        let language = Some(runtime.language);
        let sandbox = SandboxSpec { tenant, language, resources: *resources, isolation: *isolation, packages: None };
        self.house.executor.validate(&sandbox)?;
        Ok(())
    }

    /// Whether as many instances can be kept as are asked for.
    fn check_standing(&self, spec: &FunctionSpec) -> Result<(), FunctionError> {
        let (min, most) = (spec.scaling.min, self.house.settings.warm.sandboxes.min(self.house.settings.concurrency));
        let keeps = spec.mode == Mode::Cached && self.house.executor.capabilities().offers(Verb::Recycle);
        let refused =
            |reason: String, accepted| Err(RequestError::Field { field: "scaling.min", reason, accepted }.into());
        match min {
            0 => Ok(()),
            _ if !keeps => refused("no instance is kept after a call".to_owned(), "0, but in mode cached"),
            _ if min > most => refused(
                format!("it is {min}, and this server keeps {most} for all functions together"),
                "0 to warm.sandboxes and concurrency of the server",
            ),
            _ => Ok(()),
        }
    }

    /// Whether instances stay, where calls are to share them.
    fn check_sharing(&self, spec: &FunctionSpec) -> Result<(), FunctionError> {
        if spec.scaling.concurrency == 1 || self.house.settings.warm.sandboxes > 0 {
            return Ok(());
        }
        let reason = "this server keeps no instance after a call".to_owned();
        let accepted = "1, but where warm.sandboxes of the server is above 0";
        Err(RequestError::Field { field: "scaling.concurrency", reason, accepted }.into())
    }

    /// Notes that a function is declared of which there is no source, unless there is a function of its name.
    ///
    /// # Errors
    /// The store failed.
    pub async fn note_sourceless(
        &self,
        tenant: TenantId,
        name: FunctionName,
        why: impl Into<String>,
    ) -> Result<(), FunctionError> {
        // Whoever makes one of the name meanwhile comes before this or after it.
        let _changing = self.house.routes.change().await;
        match self.function(tenant, &FunctionKey::Name(name.clone())).await {
            Ok(_) => Ok(()),
            Err(FunctionError::Unknown { .. } | FunctionError::NoSource { .. }) => {
                self.house.sourceless.add(tenant, name, why.into());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The functions of a tenant that are declared and of which there is no source, and why, by name.
    #[must_use]
    pub fn sourceless(&self, tenant: TenantId) -> Vec<(FunctionName, String)> {
        self.house.sourceless.list(tenant)
    }

    /// Why there is no such function.
    fn absent(&self, tenant: TenantId, key: &FunctionKey) -> FunctionError {
        let why = match key {
            FunctionKey::Name(name) => self.house.sourceless.why(tenant, name),
            FunctionKey::Id(_) => None,
        };
        why.map_or_else(|| FunctionError::Unknown { which: key.to_string() }, |why| FunctionError::NoSource { why })
    }

    async fn find(&self, tenant: TenantId, key: &FunctionKey) -> Result<(Arc<StoredFunction>, Moment), FunctionError> {
        let since = self.house.functions.moment();
        if let Some(function) = self.house.functions.function(tenant, key) {
            return Ok((function, since));
        }
        let found = self.house.noted_failure(self.house.store.function(tenant, key).await)?;
        let function = Arc::new(found.ok_or_else(|| self.absent(tenant, key))?);
        self.house.functions.read(since, &function);
        Ok((function, since))
    }
}

pub(super) fn live(key: &FunctionKey) -> FunctionRef {
    FunctionRef { function: key.clone(), version: VersionSelector::Live }
}

pub(super) fn loaded(name: &FunctionName, stored: StoredVersion) -> Result<Version, FunctionError> {
    let StoredVersion { id, function, number, spec, created_at } = stored;
    let spec = FunctionSpec::from_bytes(&spec).map_err(|reason| FunctionError::Unreadable { reason })?;
    let call = spec.request()?;
    Ok(Version { id, function, name: name.clone(), number, created_at, spec, call })
}
