//! What all tasks of one orchestrator share, and how they are started and ended.

mod slot;

use crate::driver;
use crate::events::{EventKind, Events, Seldom};
use crate::function::{Cache, Called, Routes, Sourceless};
use crate::lane::Lane;
use crate::live::{CancelReason, End, Live};
use crate::queue::State;
use crate::settings::Settings;
use crate::shared::Pool;
use crate::standing::Standing;
use crate::starts::Starts;
use crate::stats::{Calls, Totals};
use crate::submit::purpose_of;
use crate::warm::{Purpose, Served, Unneeded, Warm};
use crate::warmth::Warmth;
use crate::{ExecutionRequest, Logs, SubmitError, end};
use faas_build::Builder;
use faas_executor_api::{CallError, DestroyReason, Executor, Verb};
use faas_store_api::{Lease, Store, StoreError, StoredFunction};
use faas_types::{Contract, ErrorKind, ExecutionState, FunctionId, FunctionKey, Mode, Scaling, TenantId, Timestamp};
pub(crate) use slot::Slot;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

/// How long a row is held without a sign of life.
const LEASE: Duration = Duration::from_secs(30);

/// Changes of functions that are under way at once, each with the source it brings.
const CHANGES: usize = 32;
/// Those of them that install dependencies, which may take minutes: they have places of their own, so that others
/// can be made meanwhile.
const INSTALLS: usize = 4;

/// What all tasks of one orchestrator share.
pub(crate) struct House {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) builder: Option<Arc<Builder>>,
    pub(crate) logs: Logs,
    pub(crate) settings: Settings,
    pub(crate) epoch: u64,
    pub(crate) totals: Totals,
    pub(crate) calls: Calls,
    pub(crate) warm: Arc<Warm>,
    pub(crate) warmth: Arc<Warmth>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) starts: Starts,
    pub(crate) lane: Lane,
    /// Instances that answer several calls at once.
    pub(crate) shared: Arc<Pool>,
    /// Functions that were called.
    pub(crate) functions: Cache,
    /// Those of which nothing but the name is there.
    pub(crate) sourceless: Sourceless,
    /// Where they are called by HTTP.
    pub(crate) routes: Routes,
    /// Places for changes of them.
    pub(crate) changes: Arc<Semaphore>,
    /// Places for those that install dependencies.
    pub(crate) installs: Arc<Semaphore>,
    pub(crate) events: Events,
    pub(crate) began: Instant,
    /// Wakes the loader.
    pub(crate) load: Arc<Notify>,
    /// What has to end before the process may.
    pub(crate) busy: watch::Sender<usize>,
    /// Ends that the store has not taken.
    pub(crate) unwritten: watch::Sender<u64>,
    /// Whether everything is to come to its end.
    pub(crate) stopping: watch::Sender<bool>,
    store_fails: AtomicBool,
    queue_full: AtomicBool,
    full_noted: Seldom,
    retired_noted: Seldom,
    ahead_noted: Seldom,
    state: Mutex<State>,
    tasks: Mutex<JoinSet<()>>,
    runtime: Handle,
}

/// Whether calls may share a program.
fn shares(executor: &dyn Executor) -> bool {
    [Verb::Share, Verb::Stay].into_iter().all(|verb| executor.capabilities().offers(verb))
}

impl House {
    pub(crate) fn new(parts: crate::Parts, epoch: u64, stored: u64) -> Self {
        let crate::Parts { executor, store, builder, logs, settings } = parts;
        let totals = Totals::default();
        totals.stored.store(stored, Ordering::Relaxed);
        let standing = Arc::<Standing>::default();
        let shares = shares(executor.as_ref());
        let warmth = Arc::new(Warmth::new(settings.warm));
        Self {
            executor,
            store,
            builder,
            logs,
            settings,
            epoch,
            totals,
            calls: Calls::default(),
            warm: Arc::new(Warm::new(settings.warm, Arc::clone(&standing), Arc::clone(&warmth))),
            warmth,
            standing,
            starts: Starts::default(),
            lane: Lane::new(settings.concurrency),
            shared: Arc::default(),
            functions: Cache::default(),
            sourceless: Sourceless::default(),
            routes: Routes::default(),
            changes: Arc::new(Semaphore::new(CHANGES)),
            installs: Arc::new(Semaphore::new(INSTALLS)),
            events: Events::new(),
            began: Instant::now(),
            load: Arc::new(Notify::new()),
            busy: watch::Sender::new(0),
            unwritten: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
            store_fails: AtomicBool::new(false),
            queue_full: AtomicBool::new(false),
            full_noted: Seldom::default(),
            retired_noted: Seldom::default(),
            ahead_noted: Seldom::default(),
            state: Mutex::new(State::new(settings.concurrency, settings.queue, stored, shares)),
            tasks: Mutex::new(JoinSet::new()),
            runtime: Handle::current(),
        }
    }

    /// Every method of the state leaves it whole, so a panic elsewhere is no reason to give up.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a task that ends with the orchestrator.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        // Also where the last caller goes away outside of the runtime.
        tasks.spawn_on(task, &self.runtime);
    }

    /// Begins what may begin. Called after every change of what waits or runs.
    pub(crate) fn dispatch(self: &Arc<Self>) {
        loop {
            let idle = |served| self.warm.idle(served);
            let next = {
                let mut state = self.state();
                state.take_next(&idle).map(|job| (state.first_stage(&job), job))
            };
            let Some((stage, job)) = next else { break };
            let (live, served) = (Some(Arc::clone(&job.live)), job.served());
            let slot = Slot::of(Arc::clone(self), live, served, stage);
            // In its place at once: what is spawned is moved several times.
            self.spawn(Box::pin(driver::drive(Arc::clone(self), job, slot)));
        }
        self.set_alarm();
        self.show_busy();
        if self.state().wants_load() {
            self.load.notify_one();
        }
    }

    /// Sees to it that those are asked again that wait for an instance.
    fn set_alarm(self: &Arc<Self>) {
        let due = self.state().set_alarm();
        if let Some(due) = due {
            let house = Arc::clone(self);
            self.spawn(async move {
                tokio::time::sleep_until(due).await;
                house.state().rang(due);
                house.dispatch();
            });
        }
    }

    /// Ends warm sandboxes until there is a place for everything that has a slot. Who calls it has one, and
    /// makes a sandbox afterwards.
    pub(crate) async fn make_room(self: &Arc<Self>) {
        let concurrency = usize::try_from(self.settings.concurrency).unwrap_or(usize::MAX);
        let mut changes = self.warm.changes();
        loop {
            let room = concurrency.saturating_sub(self.state().running());
            self.end_warm(self.warm.evict(room));
            if changes.sandboxes() <= room {
                return;
            }
            changes.next().await;
        }
    }

    /// Ends sandboxes that were taken out of the warm ones, apart from whoever they were in the way of: that
    /// one may be cancelled.
    pub(crate) fn end_warm(self: &Arc<Self>, unneeded: Unneeded) {
        for sandbox in unneeded {
            let (warm, standing) = (Arc::clone(&self.warm), Arc::clone(&self.standing));
            self.spawn(async move {
                sandbox.destroy(DestroyReason::Finished).await;
                warm.ended();
                standing.look();
            });
        }
    }

    /// Ends the warm sandboxes of versions that neither a function's name nor an alias of it means any more.
    pub(crate) fn retire_instances(self: &Arc<Self>, function: &StoredFunction) {
        self.end_warm(self.warm.retire(|id, number| id == function.id && !function.means(number)));
    }

    /// Whether a warm sandbox of this purpose may be found: of a function only where its name or an alias of
    /// it means the version, or a row of the routes file is it.
    pub(crate) fn is_wanted(&self, purpose: &Purpose) -> bool {
        let Some((id, number)) = purpose.called else { return true };
        let function = self.functions.function(purpose.spec.tenant, &FunctionKey::Id(id));
        if function.is_none() && self.standing.least((id, number)) > 0 {
            return true;
        }
        function.map_or_else(|| self.routes.has_row_of(id), |function| function.means(number))
    }

    /// Whether the program of a call is to stay for the next one: state between calls is a handler's, and only
    /// calls of the same version find it.
    pub(crate) fn stays(&self, tenant: TenantId, request: &ExecutionRequest) -> bool {
        let is_offered = |called: &Called| called.scaling.concurrency == 1 || self.shares(&called.scaling);
        request.mode == Mode::Cached
            && request.contract() == Contract::Handler
            && request.function.as_ref().is_some_and(is_offered)
            && self.executor.capabilities().offers(Verb::Stay)
            && self.warm.keeps()
            && self.is_wanted(&purpose_of(tenant, request))
    }

    /// Whether calls of a version share its instances. It may have been deployed where more was offered: then each
    /// has a sandbox for itself.
    pub(crate) fn shares(&self, scaling: &Scaling) -> bool {
        scaling.concurrency > 1 && shares(self.executor.as_ref())
    }

    /// Ends the warm sandboxes of a purpose that nobody may find.
    pub(crate) fn end_unwanted(self: &Arc<Self>, purpose: &Purpose) {
        if !self.is_wanted(purpose) {
            self.end_warm(self.warm.retire(|id, number| purpose.called == Some((id, number))));
        }
    }

    /// The program of a version ended before it was loaded.
    pub(crate) fn start_failed(&self, served: Served, name: &str, began: Instant, why: &str) {
        if self.starts.failed(served, began, Instant::now(), why) {
            let detail = format!("{name}@{} cannot be loaded and is put off: {why}", served.1);
            self.events.note(EventKind::FunctionFailing, None, detail);
        }
    }

    /// Ends the warm sandboxes of a function that is gone.
    pub(crate) fn retire_function(self: &Arc<Self>, function: FunctionId) {
        self.standing.forget(function);
        self.starts.forget(function);
        self.end_warm(self.warm.retire(|id, _| id == function));
    }

    /// Tells whoever waits for the end how much is left.
    pub(crate) fn show_busy(&self) {
        // Under the lock, so that an older number never comes after a newer one.
        let state = self.state();
        self.busy.send_replace(state.busy());
    }

    /// Asks for an execution's end, in whatever state it is.
    pub(crate) fn cancel(self: &Arc<Self>, live: &Arc<Live>, reason: CancelReason) {
        if live.progress().borrow().end != End::Open {
            return;
        }
        live.ask_to_end(reason);
        let waiting = self.state().withdraw(live);
        if let Some(job) = waiting {
            let record = live.record().ended(ExecutionState::Cancelled, ErrorKind::Cancelled, reason.message());
            let house = Arc::clone(self);
            self.spawn(async move {
                end::conclude(&house, &job.live, job.keeping.before_start(), record).await;
                house.state().withdrawn();
                house.show_busy();
            });
            self.dispatch();
        }
    }

    pub(crate) fn lease(&self) -> Lease {
        Lease { node: self.settings.node, epoch: self.epoch, until: Timestamp::now().plus(LEASE) }
    }

    /// How often leases are renewed: a store may be away for most of one.
    pub(crate) const fn renewal() -> Duration {
        Duration::from_secs(LEASE.as_secs() / 3)
    }

    /// Notes when the store begins to fail and when it works again.
    pub(crate) fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        let fails = result.is_err();
        if self.store_fails.swap(fails, Ordering::Relaxed) != fails {
            match &result {
                Ok(_) => self.events.note(EventKind::StoreRecovered, None, "the store can be used again"),
                Err(error) => self.events.note(EventKind::StoreFailed, None, error.to_string()),
            }
        }
        result
    }

    /// As [`Self::noted`] for what can go well where the rest fails: a full disk can be read, and the
    /// journal does not wait for a disk that cannot sync.
    pub(crate) fn noted_failure<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() { self.noted(result) } else { result }
    }

    /// Whether the store failed last.
    pub(crate) fn store_fails(&self) -> bool {
        self.store_fails.load(Ordering::Relaxed)
    }

    /// Notes when the queue becomes full, and counts who was turned away. One that is full every other
    /// moment is said once in a while.
    pub(crate) fn note_full(&self, full: Option<&SubmitError>) {
        if full.is_some() {
            self.totals.refused.fetch_add(1, Ordering::Relaxed);
        }
        let became = self.queue_full.swap(full.is_some(), Ordering::Relaxed) != full.is_some();
        let Some(error) = full.filter(|_| became) else { return };
        if self.full_noted.is_due(self.began) {
            self.events.note(EventKind::QueueFull, None, error.to_string());
        }
    }

    /// Says once in a while why an instance cannot be made ahead of its calls.
    pub(crate) fn note_not_ahead(&self, called: &Called, why: &str) {
        if self.ahead_noted.is_due(self.began) {
            let detail = format!("no instance of {}@{} can be made: {why}", called.name, called.number);
            self.events.note(EventKind::InstancesMissing, None, detail);
        }
    }

    /// Counts a sandbox that could not be made as new, and says once in a while why: a function may leave
    /// something each time.
    pub(crate) fn note_retired(&self, why: &CallError) {
        self.totals.retired.fetch_add(1, Ordering::Relaxed);
        if self.retired_noted.is_due(self.began) {
            self.events.note(EventKind::SandboxRetired, None, why.to_string());
        }
    }

    /// Why nothing more may be taken in: the store takes fewer ends than there are.
    pub(crate) fn overdue(&self) -> Option<StoreError> {
        let unwritten = *self.unwritten.borrow();
        let most = u64::from(self.settings.concurrency).saturating_add(u64::from(self.settings.queue));
        let reason = || format!("{unwritten} executions have ended whose ends it has not taken yet");
        (unwritten > most).then(|| StoreError::Unavailable { reason: reason() })
    }

    /// Ends every task at once; what they owned is dropped.
    pub(crate) fn abort(&self) {
        let open = self.state().close();
        self.stopping.send_replace(true);
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        drop(self.warm.close());
        for live in open {
            live.stop();
        }
    }
}
