//! From a list of dependencies to a directory of packages.

use crate::dependency::{Dependencies, DependencyError};
use crate::error::{BuildError, Built};
use crate::index::{Index, Indexes};
use crate::interpreter::Interpreter;
use crate::limits::Limits;
use crate::lock::{self, Package};
use crate::log::{Log, Phase, Progress};
use crate::places::{Place, Places};
use crate::relay::Relay;
use crate::resolve;
use crate::run::Tools;
use crate::scripts::{self, Scripts};
use crate::store::{Staged, Store};
use crate::unpack::{Tree, unpack_left, unpack_tarball, unpack_wheel};
use crate::upstream::Upstream;
use faas_executor_api::Executor;
use faas_types::{Language, PackagesId, TenantId};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How many builds run at once; the others wait, and those of tenants that build nothing go first. Each has a
/// sandbox while it fetches.
pub const MAX_BUILDS: u32 = 2;

/// The version of the rules that decide what a list leads to. Packages that were had by other ones are resolved
/// and judged anew: it is raised with every rule that refuses, or installs, something else.
const RULES: u32 = 1;

/// Held by the one that builds what others would build, too.
type Gate = tokio::sync::Mutex<()>;

/// Builds dependencies, each list once.
pub struct Builder {
    executor: Arc<dyn Executor>,
    indexes: Indexes,
    store: Arc<Store>,
    limits: Limits,
    places: Arc<Places>,
    gates: Mutex<HashMap<(TenantId, PackagesId), Weak<Gate>>>,
}

impl Builder {
    /// A builder whose packages are beneath `root`, the directory that the executor was given for them.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn open(
        executor: Arc<dyn Executor>,
        indexes: Indexes,
        root: &Path,
        limits: Limits,
    ) -> Result<Self, BuildError> {
        let store = Arc::new(Store::open(root)?);
        Ok(Self { executor, indexes, store, limits, places: Places::new(MAX_BUILDS), gates: Mutex::default() })
    }

    /// The packages of these dependencies. What the same list led to before is used again as long as it is
    /// there; the same list asked for twice at once is built once. Dropping the future ends what it began.
    ///
    /// # Errors
    /// Why there are no packages; nothing of the attempt is left.
    pub async fn build(
        &self,
        tenant: TenantId,
        dependencies: &Dependencies,
        progress: Progress,
    ) -> Result<Built, BuildError> {
        let language = dependencies.language();
        let index = self.indexes.of(language).ok_or(DependencyError::Language { language })?;
        let interpreter = Interpreter::of(language);
        let list = list_of(RULES, dependencies, index, &interpreter);
        let gate = self.gate(tenant, list);
        let _alone = gate.lock().await;
        if let Some(built) = self.built_before(tenant, list) {
            return Ok(built);
        }
        let place = Arc::new(self.places.take(tenant).await);
        let log = Arc::new(Log::new(progress, self.limits.log.as_bytes()));
        let building = self.build_now(tenant, dependencies, index, &interpreter, &log, place);
        let within = tokio::time::timeout(self.limits.time, building).await;
        let built =
            within.unwrap_or_else(|_| Err(BuildError::TimedOut { after: self.limits.time, log: log.text() }))?;
        self.store.remember(tenant, list, built.packages)?;
        Ok(built)
    }

    /// Removes the packages that nobody used for the time of `unused`, and gives their number. Those in `keep`
    /// are used now, and so are those that a build gives to somebody; that this is longer than a deploy and a
    /// call may take is the caller's business, for a sandbox that still has them loses them.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn forget_unused(&self, keep: &HashSet<PackagesId>, unused: Duration) -> Result<u64, BuildError> {
        self.store.forget_unused(keep, unused)
    }

    fn gate(&self, tenant: TenantId, list: PackagesId) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| gate.strong_count() > 0);
        if let Some(gate) = gates.get(&(tenant, list)).and_then(Weak::upgrade) {
            return gate;
        }
        let gate = Arc::new(Gate::default());
        gates.insert((tenant, list), Arc::downgrade(&gate));
        gate
    }

    fn built_before(&self, tenant: TenantId, list: PackagesId) -> Option<Built> {
        let packages = self.store.asked(tenant, list)?;
        let lock = self.store.lock(tenant, packages)?;
        Some(Built { packages, lock, log: String::new(), cached: true })
    }

    async fn build_now(
        &self,
        tenant: TenantId,
        dependencies: &Dependencies,
        index: &Index,
        interpreter: &Interpreter,
        log: &Arc<Log>,
        place: Arc<Option<Place>>,
    ) -> Result<Built, BuildError> {
        let deadline = Instant::now() + self.limits.time;
        let language = dependencies.language();
        let spool = Arc::new(self.store.stage()?);
        // Read for each build, so that a server need not be started again when they change.
        let upstream = Upstream::new(self.limits.silence)
            .map_err(|_| BuildError::ToolMissing { tool: "certificates of authorities", package: "ca-certificates" })?;
        let rewrites = language == Language::Python;
        let relay =
            Relay::new(Arc::new(upstream), index.clone(), rewrites, self.limits.clone(), spool.path(), Arc::clone(log));
        let relay = Arc::new(relay);
        let (executor, limits) = (self.executor.as_ref(), &self.limits);
        let tools = Tools { executor, tenant, language, interpreter, log, limits, deadline };
        let mut packages = match language {
            Language::JavaScript => resolve::javascript(&tools, dependencies, &relay).await?,
            Language::Python | Language::Bash | Language::Php => resolve::python(&tools, dependencies, &relay).await?,
        };
        let scripts = match language {
            Language::JavaScript => {
                let held = (Arc::clone(&spool), Arc::clone(&place));
                scripts::find(&tools, dependencies, &mut packages, held).await?
            }
            Language::Python | Language::Bash | Language::Php => Scripts::new(),
        };
        let lock = lock::text(language, &mut packages);
        let id = lock::digest(&lock);
        if self.store.lock(tenant, id).is_some() {
            return Ok(Built { packages: id, lock, log: log.text(), cached: true });
        }
        let left = scripts::run(&tools, &packages, &scripts, &relay).await?;
        log.begin(Phase::Unpacking);
        log.say(&format!("unpacking {} packages", packages.len()));
        let staged = self.store.stage()?;
        let (store, limits, text) = (Arc::clone(&self.store), self.limits.clone(), lock.clone());
        let unpacked = tokio::task::spawn_blocking(move || {
            let unpacked = unpack(language, &packages, left.as_deref(), &staged, &limits);
            drop(spool);
            let published = unpacked.and_then(|()| store.publish(&staged, tenant, id, &text));
            drop((staged, place));
            published
        });
        unpacked.await.map_err(|error| BuildError::Failed { reason: error.to_string(), log: log.text() })??;
        Ok(Built { packages: id, lock, log: log.text(), cached: false })
    }
}

/// The name of a list: by which rules what is asked, of which index, for which interpreter.
fn list_of(rules: u32, dependencies: &Dependencies, index: &Index, interpreter: &Interpreter) -> PackagesId {
    let text = format!("rules {rules}\n{}{index:?}\n{interpreter}", dependencies.canonical());
    PackagesId::from_bytes(*blake3::hash(text.as_bytes()).as_bytes())
}

/// Unpacks the packages and, over them, what install scripts left.
fn unpack(
    language: Language,
    packages: &[Package],
    left: Option<&Path>,
    staged: &Staged,
    limits: &Limits,
) -> Result<(), BuildError> {
    let mut tree = Tree::new(staged.path(), limits);
    let open = |path: &Path| File::open(path).map_err(|source| BuildError::Io { path: path.to_owned(), source });
    let refused = |package, error| BuildError::of_archive(package, staged.path(), error);
    for Package { name, version, place, built, archive, .. } in packages {
        let package = format!("{name} {version}");
        let unpacked = match language {
            // All that there is of it is in what the scripts left.
            Language::JavaScript if built.is_some() => Ok(()),
            Language::JavaScript => unpack_tarball(&package, open(archive)?, place, &mut tree),
            Language::Python | Language::Bash | Language::Php => unpack_wheel(&package, open(archive)?, &mut tree),
        };
        unpacked.map_err(|error| refused(package, error))?;
    }
    if let Some(left) = left {
        let what = "what the install scripts left";
        unpack_left(what, open(left)?, &mut tree).map_err(|error| refused(what.to_owned(), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{RULES, list_of};
    use crate::interpreter::Interpreter;
    use crate::{Dependencies, Index};
    use faas_types::Language;

    #[test]
    fn a_list_is_another_at_another_index_or_by_other_rules_and_the_same_in_another_order() {
        let list_by = |rules, entries: &[&str], address: &str, allow_build| {
            let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
            let dependencies = Dependencies::parse(Language::Python, &entries, allow_build).expect("accepted");
            let interpreter = Interpreter::of(Language::Python);
            list_of(rules, &dependencies, &Index::new(address, &[]).expect("an index"), &interpreter)
        };
        let list = |entries: &[&str], address: &str| list_by(RULES, entries, address, false);
        assert_eq!(list(&["a", "b==1"], "http://one"), list(&["B == 1", "A"], "http://one"));
        assert_ne!(list(&["a"], "http://one"), list(&["a"], "http://two"));
        assert_ne!(list(&["a"], "http://one"), list(&["a>1"], "http://one"));
        assert_ne!(list(&["a"], "http://one"), list_by(RULES, &["a"], "http://one", true));
        assert_ne!(list(&["a"], "http://one"), list_by(RULES + 1, &["a"], "http://one", false));
    }
}
