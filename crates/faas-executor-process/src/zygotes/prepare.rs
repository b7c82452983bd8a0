//! Making zygotes that have loaded packages.
//!
//! Packages are code of a tenant's, which runs as it is loaded. So that happens where all of its code runs, in a full
//! sandbox of its own, by a runner that waits in it; when that stands still and is alone, the launcher takes a copy of
//! it that belongs to no sandbox, and the sandbox is ended. Done by one task, in the background, one after the other.
//!
//! Invariant: whatever a package does, what is lost is its zygote.

use super::packages::{Lock, Next, Packages};
use super::{Identity, ZygoteEnded, reason};
use crate::link::Link;
use crate::maker::Maker;
use crate::sandbox::ProcessSandbox;
use crate::validate::validate;
use faas_executor_api::{DestroyReason, Origin, Sandbox as _, SandboxSpec};
use faas_protocol::launcher::{ToLauncher, Unfit, ZygoteEnd};
use faas_types::{Language, PackagesId, Resources, SandboxId, TenantId};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

/// How long packages may take to be loaded.
const DEADLINE: Duration = Duration::from_secs(30);
/// How much of a lock is read, and how many packages of it are loaded.
const LONGEST_LOCK: u64 = 1 << 20;
const MOST_DISTRIBUTIONS: usize = 512;
/// The lock in a directory of packages.
const LOCK_FILE: &str = "faas.lock";

/// Who waits for the one that is made, and what became of it.
type Outcome = oneshot::Sender<Result<(), ZygoteEnd>>;

/// The zygotes that have loaded packages, for whoever starts programs and hears the launcher.
#[derive(Debug)]
pub(super) struct PackageZygotes {
    state: Mutex<Packages>,
    outcome: Mutex<Option<(u32, Outcome)>>,
    changed: Notify,
    events: mpsc::Sender<ZygoteEnded>,
}

impl PackageZygotes {
    /// None, until some are wanted.
    pub(super) fn new(events: mpsc::Sender<ZygoteEnded>) -> Self {
        Self { state: Mutex::new(Packages::new(0)), outcome: Mutex::new(None), changed: Notify::new(), events }
    }

    fn state(&self) -> MutexGuard<'_, Packages> {
        // Every change of it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(&self) -> MutexGuard<'_, Option<(u32, Outcome)>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn want(&self, most: u32) {
        *self.state() = Packages::new(usize::try_from(most).unwrap_or(usize::MAX));
    }

    /// Somebody starts a program: the zygote that has loaded its packages, where there is one.
    pub(super) fn started(&self, spec: &SandboxSpec, interpreter: impl FnOnce() -> Option<Identity>) -> Option<u32> {
        let SandboxSpec { tenant, language, isolation, packages, resources: _ } = *spec;
        let packages = packages.filter(|_| language == Some(Language::Python))?;
        let zygote = self.state().started(Lock { tenant, packages, isolation }, Instant::now(), interpreter);
        self.changed.notify_one();
        zygote
    }

    pub(super) fn forked(&self, zygote: u32, worked: bool) {
        let ended = self.state().forked(zygote, worked, Instant::now());
        self.tell(ended, "too many forks of it failed");
    }

    pub(super) fn hatched(&self, zygote: u32) {
        self.became(zygote, Ok(()));
    }

    pub(super) fn ended(&self, zygote: u32, cause: ZygoteEnd) {
        if !self.became(zygote, Err(cause)) {
            let ended = self.state().ended(zygote, Instant::now());
            self.tell(ended, reason(cause));
        }
    }

    /// Whether somebody waited for it.
    fn became(&self, zygote: u32, outcome: Result<(), ZygoteEnd>) -> bool {
        let waits = self.outcome().take_if(|(waited, _)| *waited == zygote);
        // Who gave up waiting has it ended.
        waits.is_some_and(|(_, asker)| asker.send(outcome).is_ok())
    }

    fn expect(&self, zygote: u32) -> oneshot::Receiver<Result<(), ZygoteEnd>> {
        let (asker, outcome) = oneshot::channel();
        *self.outcome() = Some((zygote, asker));
        outcome
    }

    /// Whoever listens is told that one ended.
    fn tell(&self, ended: Option<(Lock, Duration)>, reason: &'static str) {
        if let Some((Lock { packages, .. }, again_in)) = ended {
            let (language, packages) = (Language::Python, Some(packages));
            // Whoever does not listen misses it.
            let _ = self.events.try_send(ZygoteEnded { language, packages, reason, again_in });
        }
        self.changed.notify_one();
    }
}

/// Why none was made.
enum NotMade {
    /// There is nothing to copy yet, or nothing to load: nobody needs to be told.
    Yet,
    Because(&'static str),
}

/// Has those made and retired that are due, until the launcher is gone. `root` is the directory of all packages.
pub(crate) async fn keep(maker: Arc<Maker>, root: PathBuf) {
    let link = Arc::clone(&maker.link);
    let packages = &link.zygotes.packages;
    loop {
        let next = packages.state().next(Instant::now());
        match next {
            Next::Make(zygote, lock) => {
                let interpreter = link.zygotes.interpreter();
                match make(&maker, &root, zygote, lock).await {
                    Ok(()) => packages.state().made(zygote, interpreter, Instant::now()),
                    Err(NotMade::Yet) => packages.state().postponed(zygote, Instant::now()),
                    Err(NotMade::Because(reason)) => {
                        let failed = packages.state().failed(zygote, Instant::now());
                        packages.tell(failed, reason);
                    }
                }
            }
            Next::Retire(zygote) => {
                if !link.tell(&ToLauncher::Retire { zygote }).await {
                    return;
                }
            }
            Next::Wait(until) => tokio::select! {
                () = packages.changed.notified() => {}
                () = tokio::time::sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
                () = link.lost() => return,
            },
        }
    }
}

async fn make(maker: &Maker, root: &Path, zygote: u32, lock: Lock) -> Result<(), NotMade> {
    let distributions = distributions(root, lock.tenant, lock.packages).ok_or(NotMade::Yet)?;
    let spec = SandboxSpec {
        tenant: lock.tenant,
        language: Some(Language::Python),
        resources: Resources::default(),
        isolation: lock.isolation,
        packages: Some(lock.packages),
    };
    validate(&spec, &maker.host).map_err(|_| NotMade::Yet)?;
    let shared = maker.link.zygotes.serving(spec.language).ok_or(NotMade::Yet)?;
    let id = SandboxId::generate();
    let sandbox = maker.make_stem(id, spec.clone(), shared).await;
    let sandbox =
        sandbox.map_err(|_| NotMade::Because("the sandbox in which to load its packages could not be made"))?;
    let late = NotMade::Because("it did not load its packages in time");
    let loaded = tokio::time::timeout(DEADLINE, load(&maker.link, &sandbox, zygote, distributions)).await;
    // What is not wanted is ended, whether it is there by now or not. What is has no need of its sandbox.
    let loaded = loaded.unwrap_or(Err(late));
    if loaded.is_err() {
        drop(maker.link.zygotes.packages.outcome().take());
        maker.link.tell(&ToLauncher::Retire { zygote }).await;
    }
    Box::new(sandbox).destroy(DestroyReason::Finished).await;
    loaded?;
    // It stood still as one that waits does. Whether its copies wait shows in one.
    let copy = maker.make_with(SandboxId::generate(), spec, Some(zygote), None).await;
    let copy = copy.map_err(|_| NotMade::Because("the sandbox for a copy of it could not be made"))?;
    let waits = copy.origin() == Origin::Zygote;
    Box::new(copy).destroy(DestroyReason::Finished).await;
    if waits {
        return Ok(());
    }
    maker.link.tell(&ToLauncher::Retire { zygote }).await;
    Err(NotMade::Because("its copies do not wait for a call"))
}

async fn load(link: &Link, sandbox: &ProcessSandbox, zygote: u32, distributions: Vec<String>) -> Result<(), NotMade> {
    // Its runner was not forked: the launcher may do better later.
    if sandbox.origin() != Origin::Zygote {
        return Err(NotMade::Yet);
    }
    let runner = sandbox.prepare(distributions).await.map_err(|_| NotMade::Because("its runner ended early"))?;
    let outcome = link.zygotes.packages.expect(zygote);
    let hatch = ToLauncher::Hatch {
        zygote,
        language: Language::Python.as_str().to_owned(),
        sandbox: Some(*sandbox.id().as_bytes()),
    };
    if !link.tell(&hatch).await {
        return Err(NotMade::Yet);
    }
    match outcome.await {
        Ok(Ok(())) if runner.has_printed() => Err(NotMade::Because("a package prints as it is loaded")),
        Ok(Ok(())) => Ok(()),
        Ok(Err(cause)) => {
            let counters = link.usage(*sandbox.id().as_bytes()).await.unwrap_or_default();
            if counters.oom_kills.is_some_and(|kills| kills > 0) {
                return Err(NotMade::Because(reason(ZygoteEnd::OutOfMemory)));
            }
            // The runner says it better, where it ended by itself.
            let has_ended = matches!(cause, ZygoteEnd::Unfit { reason: Unfit::Gone } | ZygoteEnd::Exited { .. });
            let code = if has_ended { runner.exit_code(sandbox).await } else { None };
            Err(NotMade::Because(code.and_then(unloaded).unwrap_or(reason(cause))))
        }
        Err(_) => Err(NotMade::Yet),
    }
}

/// What the runner's exit codes mean (`runtimes/python/prepare.py`).
const fn unloaded(code: u8) -> Option<&'static str> {
    match code {
        81 => Some("a package cannot be imported there"),
        82 => Some("a package changes the interpreter or its environment as it is loaded"),
        83 => Some("a package starts a thread or a process as it is loaded"),
        84 => Some("a package leaves a file open or memory shared as it is loaded"),
        _ => None,
    }
}

/// The distributions of a lock, which is our own text; `None` where there are none.
fn distributions(root: &Path, tenant: TenantId, packages: PackagesId) -> Option<Vec<String>> {
    let mut text = String::new();
    let file = File::open(root.join(packages.directory(tenant)).join(LOCK_FILE)).ok()?;
    file.take(LONGEST_LOCK).read_to_string(&mut text).ok()?;
    let names = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once("=="));
    let names: Vec<_> = names.map(|(name, _)| name.to_owned()).take(MOST_DISTRIBUTIONS).collect();
    (!names.is_empty()).then_some(names)
}
