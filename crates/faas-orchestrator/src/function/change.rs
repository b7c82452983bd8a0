//! Changes of functions.
//!
//! Invariants: a change is in the store before anybody here sees it, and whoever asks after it was answered
//! sees it; a change that has begun comes to its end whether or not its caller waits for it, for the store and
//! what is known here of it must not differ; a call that has begun keeps its version whatever changes.

use super::registry::{live, loaded};
use super::routes::Deployed;
use super::version::Version;
use super::{FunctionError, FunctionSpec, FunctionView, Functions, Packages, RowTarget};
use crate::StartError;
use crate::events::EventKind;
use crate::house::House;
use faas_build::{Built, Progress};
use faas_routes::{Collision, Route};
use faas_store_api::{FunctionChange, Idempotency, NewFunction, Seen, StoredFunction};
use faas_types::{
    AliasName, FunctionId, FunctionKey, FunctionName, FunctionRef, TenantId, Timestamp, VersionId, VersionSelector,
};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};

/// Functions that are read at once when a node starts.
const PAGE: u32 = 200;

impl Functions {
    /// The same operations; what the installation of dependencies says is told to `progress`, which must not
    /// block.
    #[must_use]
    pub fn telling(self, progress: Progress) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// Makes a function, whose first version is live at once. Of two at once of one name one is made.
    ///
    /// # Errors
    /// The spec is refused, the name or a route is taken, or the store failed.
    pub async fn create(
        &self,
        tenant: TenantId,
        name: FunctionName,
        spec: FunctionSpec,
    ) -> Result<FunctionView, FunctionError> {
        self.make(tenant, name, spec, None).await
    }

    /// Makes a function once, however often its caller asks with one key: every further time gives its first
    /// version, until it is deleted.
    ///
    /// # Errors
    /// As [`Functions::create`], or the key was used for something else.
    pub async fn create_once(
        &self,
        tenant: TenantId,
        name: FunctionName,
        spec: FunctionSpec,
        key: Idempotency,
    ) -> Result<FunctionView, FunctionError> {
        self.make(tenant, name, spec, Some(key)).await
    }

    async fn make(
        &self,
        tenant: TenantId,
        name: FunctionName,
        spec: FunctionSpec,
        made_with: Option<Idempotency>,
    ) -> Result<FunctionView, FunctionError> {
        self.check(tenant, &spec)?;
        let functions = self.clone();
        self.to_end(self.places(&spec), async move {
            // Before anything is installed, what makes it vain is looked for.
            if let Some(there) = functions.made_before(tenant, &name, made_with.as_ref()).await? {
                return Ok(there);
            }
            let spec = functions.install(tenant, spec).await?;
            let changing = functions.house.routes.change().await;
            let (id, version, at) = (FunctionId::generate(), VersionId::generate(), Timestamp::now());
            let after = routes_of(&spec)?;
            let deployed = Deployed { tenant, function: id, name: name.clone() };
            // Whoever was faster may have been the same caller.
            if let Some(there) = functions.made_before(tenant, &name, made_with.as_ref()).await? {
                return Ok(there);
            }
            not_taken(tenant, changing.collision(id, &after))?;
            let new = NewFunction { id, tenant, name: name.clone(), version, spec: spec.to_bytes(), made_with, at };
            let made = functions.house.store.create_function(new).await;
            let made = made.map_err(|error| FunctionError::of_creation(error, &name))?;
            let view = functions.view_of_new(made, version, spec, at)?;
            functions.house.sourceless.remove(tenant, &name);
            changing.replace(&deployed, &[], &after);
            Ok(view)
        })
        .await
    }

    /// Makes a new version, which is live at once.
    ///
    /// # Errors
    /// The spec is refused, there is no such function, it is not at the expected revision, a route is taken, or
    /// the store failed.
    pub async fn deploy(
        &self,
        tenant: TenantId,
        key: &FunctionKey,
        expected: Option<Seen>,
        spec: FunctionSpec,
    ) -> Result<FunctionView, FunctionError> {
        self.check(tenant, &spec)?;
        let (functions, which) = (self.clone(), live(key));
        self.to_end(self.places(&spec), async move {
            // Before it is installed, what makes it vain is looked for.
            let current = functions.function(tenant, &which.function).await?;
            current
                .check_revision(revision_of(&current, expected)?)
                .map_err(|error| FunctionError::of_change(error, &which, current.id))?;
            let spec = functions.install(tenant, spec).await?;
            let changing = functions.house.routes.change().await;
            let current = functions.function(tenant, &which.function).await?;
            let expected = revision_of(&current, expected)?;
            let (before, after) = (functions.routes_of_live(&current).await?, routes_of(&spec)?);
            not_taken(tenant, changing.collision(current.id, &after))?;
            let (version, at) = (VersionId::generate(), Timestamp::now());
            let change = FunctionChange::Deploy { version, spec: spec.to_bytes() };
            let changed = functions.change(&current, &which, expected, change, at).await?;
            let view = functions.view_of_new(changed, version, spec, at)?;
            changing.replace(&Deployed::of(&view.function), &before, &after);
            Ok(view)
        })
        .await
    }

    /// Lets an earlier version, or a later one, be the live one.
    ///
    /// # Errors
    /// There is no such function or version, it is not at the expected revision, another function has one of its
    /// routes by now, or the store failed.
    pub async fn go_live(
        &self,
        tenant: TenantId,
        which: &FunctionRef,
        expected: Option<Seen>,
    ) -> Result<FunctionView, FunctionError> {
        let (functions, which) = (self.clone(), which.clone());
        self.to_end(&self.house.changes, async move {
            let changing = functions.house.routes.change().await;
            let current = functions.function(tenant, &which.function).await?;
            let expected = revision_of(&current, expected)?;
            let version = functions.resolve(tenant, &which).await?;
            let (before, after) = (functions.routes_of_live(&current).await?, routes_of(&version.spec)?);
            not_taken(tenant, changing.collision(current.id, &after))?;
            let change = FunctionChange::GoLive { version: version.number };
            let changed = functions.change(&current, &which, expected, change, Timestamp::now()).await?;
            let function = functions.changed(changed);
            functions.house.standing.set(tenant, &version);
            changing.replace(&Deployed::of(&function), &before, &after);
            Ok(FunctionView { function, version })
        })
        .await
    }

    /// Lets an alias point to the version, or to none any more.
    ///
    /// # Errors
    /// There is no such function, version or alias to remove, it is not at the expected revision, or the store
    /// failed.
    pub async fn set_alias(
        &self,
        tenant: TenantId,
        key: &FunctionKey,
        expected: Option<Seen>,
        alias: AliasName,
        version: Option<u32>,
    ) -> Result<Arc<StoredFunction>, FunctionError> {
        let version_named = version.map_or(VersionSelector::Live, VersionSelector::Number);
        let which = FunctionRef { function: key.clone(), version: version_named };
        let functions = self.clone();
        self.to_end(&self.house.changes, async move {
            let _changing = functions.house.routes.change().await;
            let function = functions.function(tenant, &which.function).await?;
            let expected = revision_of(&function, expected)?;
            let change = FunctionChange::Alias { alias, version };
            let changed = functions.change(&function, &which, expected, change, Timestamp::now()).await?;
            Ok(functions.changed(changed))
        })
        .await
    }

    /// Forgets a function with all its versions. Its name is free then; calls that run go on.
    ///
    /// # Errors
    /// There is no such function, it is not at the expected revision, or the store failed.
    pub async fn delete(
        &self,
        tenant: TenantId,
        key: &FunctionKey,
        expected: Option<Seen>,
    ) -> Result<Arc<StoredFunction>, FunctionError> {
        let (functions, which) = (self.clone(), live(key));
        self.to_end(&self.house.changes, async move {
            let house = &functions.house;
            let changing = house.routes.change().await;
            let function = functions.function(tenant, &which.function).await?;
            let expected = revision_of(&function, expected)?;
            let before = functions.routes_of_live(&function).await?;
            let deleted = house.store.delete_function(tenant, function.id, expected).await;
            house.functions.gone(&function);
            deleted.map_err(|error| FunctionError::of_change(error, &which, function.id))?;
            changing.replace(&Deployed::of(&function), &before, &[]);
            house.retire_function(function.id);
            house.calls.forget(function.id);
            Ok(function)
        })
        .await
    }

    /// The answer to whoever makes a function that is there: the first one, where it was made with the same key
    /// for the same request. `None` where there is none.
    async fn made_before(
        &self,
        tenant: TenantId,
        name: &FunctionName,
        made_with: Option<&Idempotency>,
    ) -> Result<Option<FunctionView>, FunctionError> {
        let there = match self.function(tenant, &FunctionKey::Name(name.clone())).await {
            Ok(there) => there,
            Err(FunctionError::Unknown { .. } | FunctionError::NoSource { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        match (&there.made_with, made_with) {
            (Some(first), Some(again)) if first == again => {
                let (function, version) = (FunctionKey::Id(there.id), VersionSelector::Number(1));
                self.view(there.tenant, &FunctionRef { function, version }).await.map(Some)
            }
            (Some(first), Some(again)) if first.key == again.key => Err(FunctionError::KeyConflict),
            _ => Err(FunctionError::Exists { name: there.name.clone() }),
        }
    }

    /// Installs what a function depends on. Whatever fails here, nothing has changed.
    async fn install(&self, tenant: TenantId, mut spec: FunctionSpec) -> Result<FunctionSpec, FunctionError> {
        let dependencies = spec.needed()?;
        spec.packages = if dependencies.is_empty() {
            None
        } else {
            let builder = self.house.builder.as_ref().ok_or(FunctionError::NoBuilds)?;
            let progress = self.progress.clone().unwrap_or_else(|| Arc::new(|_, _| {}));
            let built = builder.build(tenant, &dependencies, progress).await;
            let Built { packages, lock, .. } = built.map_err(|error| FunctionError::Build(Box::new(error)))?;
            Some(Packages { id: packages, lock })
        };
        Ok(spec)
    }

    /// A version of a function that is in no store, such as one of the routes file.
    ///
    /// # Errors
    /// The spec is refused.
    pub fn unstored(
        &self,
        tenant: TenantId,
        name: FunctionName,
        spec: FunctionSpec,
    ) -> Result<Arc<Version>, FunctionError> {
        self.check(tenant, &spec)?;
        let (id, function, created_at) = (VersionId::generate(), FunctionId::generate(), Timestamp::now());
        let call = spec.request()?;
        Ok(Arc::new(Version { id, function, name, number: 1, created_at, spec, call }))
    }

    /// Lets a route of the routes file lead somewhere, or nowhere any more. Gives the deployed route that goes
    /// before it, with its function.
    ///
    /// # Errors
    /// Another route of the file collides with it.
    pub fn set_row(&self, route: Route, target: Option<RowTarget>) -> Result<Option<(Route, FunctionName)>, Collision> {
        let before = target.is_some().then(|| self.house.routes.before_row(&route)).flatten();
        // What waits warm for the replaced version waits for calls that never come.
        if let Some(RowTarget::Version(_, version)) = self.house.routes.set_row(route, target)? {
            self.house.retire_function(version.function);
            self.house.calls.forget(version.function);
        }
        Ok(before)
    }

    /// Notes that something of the routes file is not used, and why.
    pub fn note_row(&self, detail: impl Into<String>) {
        self.house.events.note(EventKind::RouteRefused, None, detail);
    }

    /// Notes that a function which the configuration declares is not deployed, and why.
    pub fn note_refused(&self, detail: impl Into<String>) {
        self.house.events.note(EventKind::FunctionRefused, None, detail);
    }

    /// The places that a change to this has one of.
    fn places(&self, spec: &FunctionSpec) -> &Arc<Semaphore> {
        if spec.dependencies.is_empty() { &self.house.changes } else { &self.house.installs }
    }

    /// Runs a change to its end, whether or not the caller waits for it.
    async fn to_end<T: Send + 'static>(
        &self,
        places: &Arc<Semaphore>,
        change: impl Future<Output = Result<T, FunctionError>> + Send + 'static,
    ) -> Result<T, FunctionError> {
        // Each holds its source until its turn, whether or not its caller still waits.
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| FunctionError::Crowded)?;
        let (sender, answer) = oneshot::channel();
        self.house.spawn(async move {
            // What nobody waits for is done all the same.
            drop(sender.send(change.await));
            drop(place);
        });
        // A task that ends without an answer was stopped, before the change or after it.
        answer.await.unwrap_or(Err(FunctionError::Stopping))
    }

    /// The routes that its live version has. One that cannot be read has none: none were read at the start.
    async fn routes_of_live(&self, function: &StoredFunction) -> Result<Vec<Route>, FunctionError> {
        match self.view(function.tenant, &live(&FunctionKey::Id(function.id))).await {
            Ok(view) => routes_of(&view.version.spec),
            Err(FunctionError::Unreadable { .. } | FunctionError::Request(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn change(
        &self,
        function: &StoredFunction,
        which: &FunctionRef,
        expected: Option<u64>,
        change: FunctionChange,
        at: Timestamp,
    ) -> Result<StoredFunction, FunctionError> {
        let changed = self.house.store.change_function(function.tenant, function.id, expected, change, at).await;
        changed.map_err(|error| {
            // Whatever the store has now, what is known here may not be it.
            self.house.functions.gone(function);
            FunctionError::of_change(error, which, function.id)
        })
    }

    /// Lets everybody here know what a function has become.
    fn changed(&self, function: StoredFunction) -> Arc<StoredFunction> {
        let function = Arc::new(function);
        self.house.functions.changed(&function);
        self.house.retire_instances(&function);
        function
    }

    /// What was just made, without reading it back.
    fn view_of_new(
        &self,
        function: StoredFunction,
        id: VersionId,
        spec: FunctionSpec,
        at: Timestamp,
    ) -> Result<FunctionView, FunctionError> {
        let call = spec.request()?;
        let (name, number) = (function.name.clone(), function.newest);
        let version = Arc::new(Version { id, function: function.id, name, number, created_at: at, spec, call });
        let function = self.changed(function);
        self.house.functions.read_version(self.house.functions.moment(), &version);
        self.house.standing.set(function.tenant, &version);
        Ok(FunctionView { function, version })
    }
}

impl Deployed {
    fn of(function: &StoredFunction) -> Self {
        Self { tenant: function.tenant, function: function.id, name: function.name.clone() }
    }
}

fn routes_of(spec: &FunctionSpec) -> Result<Vec<Route>, FunctionError> {
    spec.routes.iter().map(|route| route.parse().map_err(FunctionError::Route)).collect()
}

/// The revision that a change is to meet; none is, whatever its number, where another function was seen.
fn revision_of(function: &StoredFunction, expected: Option<Seen>) -> Result<Option<u64>, FunctionError> {
    match expected {
        Some(seen) if seen.function != function.id => Err(FunctionError::Changed { now: function.seen() }),
        seen => Ok(seen.map(|seen| seen.revision)),
    }
}

fn not_taken(tenant: TenantId, collision: Option<(Route, Route, Deployed)>) -> Result<(), FunctionError> {
    let Some((route, with, other)) = collision else { return Ok(()) };
    let route = route.to_string();
    if other.tenant != tenant {
        return Err(FunctionError::RouteOfAnother { route });
    }
    Err(FunctionError::RouteTaken { route, with: with.to_string(), name: other.name })
}

/// Reads the routes of all live versions, before anything is served.
pub(crate) async fn load_routes(house: &House) -> Result<(), StartError> {
    let changing = house.routes.change().await;
    let mut after = None;
    loop {
        let page = house.store.live_versions(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for (function, stored) in page {
            let version = loaded(&function.name, stored).map(Arc::new);
            let routes = version.and_then(|version| {
                house.standing.set(function.tenant, &version);
                routes_of(&version.spec)
            });
            match routes {
                Ok(routes) => changing.replace(&Deployed::of(&function), &[], &routes),
                Err(error) => {
                    let detail = format!("the routes of {} are not served: {error}", function.name);
                    house.events.note(EventKind::RouteRefused, None, detail);
                }
            }
        }
    }
}
