//! Who waits and what runs: everything about the present that one lock guards.
//!
//! Two queues take turns: of executions that a caller waits for, and of those that stand in the store.
//! The second holds only as much as fits a bound in memory; the rest stays in the store, *behind*, and is
//! paged in by the loader. So a long backlog neither turns callers away nor makes them wait for all of it. In each of
//! them tenants take turns, and so do a tenant's functions; a version's calls all may run or none.

mod busy;
mod parked;
mod scale;
mod stored;
#[cfg(test)]
mod tests;

use crate::ExecutionRequest;
use crate::function::Called;
use crate::live::Live;
use crate::stdin::Input;
use crate::warm::Served;
use busy::BusyFunctions;
pub(crate) use busy::Stage;
use faas_scheduler::FairQueue;
use faas_types::{ExecutionId, FunctionId, TenantId};
use parked::Parked;
pub(crate) use scale::Took;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
pub(crate) use stored::{Load, PAGE, before};
use tokio::time::Instant;

/// Executions of the store that wait in memory.
const STORED_IN_MEMORY: usize = 256;
/// Bytes of their requests.
const STORED_BYTES_IN_MEMORY: usize = 64 * 1024 * 1024;
/// Bytes of the requests and inputs of callers that wait, together. One alone may have more.
pub const WAITING_BYTES: usize = 256 * 1024 * 1024;

/// Where an execution is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// In the journal, when it begins and when it ends.
    Journal,
    /// In a row that was held from the beginning.
    Held,
    /// In a queued row, which has to be claimed before it begins.
    Queued,
}

/// An execution that waits for a sandbox.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) live: Arc<Live>,
    pub(crate) request: ExecutionRequest,
    pub(crate) input: Input,
    pub(crate) keeping: Keeping,
    /// What it takes in memory while it waits.
    pub(crate) bytes: usize,
}

impl Job {
    pub(crate) fn served(&self) -> Option<Served> {
        self.request.function.as_ref().map(Called::served)
    }

    /// Lets everybody who deals with the execution know which function's call it is.
    fn name_function(&self) {
        if let Some((function, _)) = self.served() {
            self.live.set_function(function);
        }
    }
}

/// Why no caller is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As many wait as may.
    Full,
    /// What waits is as large as may be.
    TooLarge,
    /// As many wait for the function as may, while it runs as often as it may.
    FunctionFull {
        max: u32,
    },
    Stopping,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct State {
    /// Slots in use: sandboxes that exist, are being made or torn down.
    running: usize,
    concurrency: usize,
    callers_bound: usize,
    /// Callers that were taken in and do not stand in the queue yet.
    expected: usize,
    /// Bytes of callers that wait or are expected.
    callers_bytes: usize,
    /// Those that are on their way into the store.
    accepting: usize,
    /// Those that were withdrawn and whose end is not written yet.
    ending: usize,
    /// How often functions run and are waited for.
    busy_functions: BusyFunctions,
    /// When those are to be asked again that wait for an instance, and when that is going to be done.
    due: Option<Instant>,
    alarm: Option<Instant>,
    callers: FairQueue<TenantId, Option<Served>, Job>,
    stored: FairQueue<TenantId, Option<Served>, Job>,
    stored_bytes: usize,
    parked: Parked,
    /// Whether the loader read one of them last.
    parked_turn: bool,
    /// The store fails, so that none of its executions begins until [`Self::resume`].
    put_off: bool,
    callers_turn: bool,
    /// Rows that are in the store only stand after this one.
    behind_after: Option<ExecutionId>,
    behind: bool,
    /// A page is being read; the earliest that was left behind meanwhile, which may not be on it.
    loading: bool,
    missed: Option<ExecutionId>,
    /// Those that ended in the store meanwhile, which may be on it.
    gone: HashSet<ExecutionId>,
    draining: bool,
    closed: bool,
    /// Everything that has not ended, or whose end is not written yet.
    pub(crate) live: HashMap<ExecutionId, Arc<Live>>,
    /// Those that somebody watches while they stand in the store only.
    awaited: HashMap<ExecutionId, Weak<Live>>,
}

impl State {
    /// With so many slots and places for callers, and rows in the store; instances answer several calls at once,
    /// where their version asks for it, or not.
    pub(crate) fn new(concurrency: u32, queue: u32, stored: u64, shares: bool) -> Self {
        let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let slots = concurrency;
        let (concurrency, callers_bound) = (size(concurrency), size(queue));
        Self {
            running: 0,
            concurrency,
            callers_bound,
            expected: 0,
            callers_bytes: 0,
            accepting: 0,
            ending: 0,
            busy_functions: BusyFunctions::new(slots, shares),
            due: None,
            alarm: None,
            callers: FairQueue::new(concurrency.saturating_add(callers_bound)),
            stored: FairQueue::new(STORED_IN_MEMORY),
            stored_bytes: 0,
            parked: Parked::default(),
            parked_turn: false,
            put_off: false,
            callers_turn: true,
            behind_after: None,
            behind: stored > 0,
            loading: false,
            missed: None,
            gone: HashSet::new(),
            draining: false,
            closed: false,
            live: HashMap::new(),
            awaited: HashMap::new(),
        }
    }

    pub(crate) const fn running(&self) -> usize {
        self.running
    }

    pub(crate) const fn callers_waiting(&self) -> usize {
        self.callers.len().saturating_add(self.expected)
    }

    const fn occupied(&self) -> usize {
        self.running.saturating_add(self.callers_waiting())
    }

    /// How often a function runs, and how many callers wait for it.
    pub(crate) fn function(&self, function: FunctionId) -> (u32, usize) {
        self.busy_functions.of(function)
    }

    /// How often a version runs.
    pub(crate) fn running_of(&self, served: Served) -> u32 {
        self.busy_functions.running(served)
    }

    /// What has to end before the process may.
    pub(crate) const fn busy(&self) -> usize {
        self.occupied().saturating_add(self.ending).saturating_add(self.accepting)
    }

    /// Takes a caller in, for whom [`Self::arrive`] or [`Self::stay_away`] follows.
    pub(crate) fn expect(&mut self, bytes: usize, function: Option<&Called>) -> Result<(), Refused> {
        if self.draining {
            return Err(Refused::Stopping);
        }
        if self.occupied() >= self.concurrency.saturating_add(self.callers_bound) {
            return Err(Refused::Full);
        }
        let sum = self.callers_bytes.saturating_add(bytes);
        if sum > WAITING_BYTES && self.callers_bytes > 0 {
            return Err(Refused::TooLarge);
        }
        self.busy_functions.wait(function, self.callers_bound)?;
        self.callers_bytes = sum;
        self.expected += 1;
        Ok(())
    }

    /// A caller that was taken in does not come.
    pub(crate) fn stay_away(&mut self, bytes: usize, served: Option<Served>) {
        self.no_longer_expected(bytes);
        self.busy_functions.wait_no_more(served);
    }

    const fn no_longer_expected(&mut self, bytes: usize) {
        self.expected = self.expected.saturating_sub(1);
        self.callers_bytes = self.callers_bytes.saturating_sub(bytes);
    }

    /// Queues a caller's execution that was expected with so many bytes, and says what everybody knows
    /// it as: somebody may have found its row before it arrived.
    pub(crate) fn arrive(&mut self, mut job: Job) -> Result<Arc<Live>, Refused> {
        let bytes = job.bytes;
        self.no_longer_expected(bytes);
        if self.closed {
            self.busy_functions.wait_no_more(job.served());
            return Err(Refused::Stopping);
        }
        if let Some(known) = self.no_longer_awaited(job.live.id) {
            known.found(job.live.record());
            job.live = known;
        }
        job.name_function();
        let live = Arc::clone(&job.live);
        self.callers.push(live.tenant, job.served(), job).map_err(|_| Refused::Full)?;
        self.callers_bytes = self.callers_bytes.saturating_add(bytes);
        self.live.insert(live.id, Arc::clone(&live));
        Ok(live)
    }

    /// Lets one on its way into the store, which [`Self::accepted`] ends: it may be there although nobody
    /// has heard of it.
    pub(crate) const fn accept(&mut self) -> Result<(), Refused> {
        if self.draining {
            return Err(Refused::Stopping);
        }
        self.accepting += 1;
        Ok(())
    }

    /// One is in the store, or will not be.
    pub(crate) const fn accepted(&mut self) {
        self.accepting = self.accepting.saturating_sub(1);
    }

    /// The next execution that may begin; it then has a slot. `idle` says how many instances of a version wait, where
    /// any are kept.
    pub(crate) fn take_next(&mut self, idle: &dyn Fn(Served) -> Option<usize>) -> Option<Job> {
        if self.closed || self.running >= self.concurrency {
            return None;
        }
        let job = if self.callers_turn {
            self.pop_caller(idle).or_else(|| self.pop_stored(idle))
        } else {
            self.pop_stored(idle).or_else(|| self.pop_caller(idle))
        }?;
        self.callers_turn = job.keeping == Keeping::Queued;
        self.running += 1;
        let stage = self.busy_functions.first_stage(&job.request);
        self.busy_functions.run(job.served(), stage);
        Some(job)
    }

    /// How far a call is that was just taken.
    pub(crate) fn first_stage(&self, job: &Job) -> Stage {
        self.busy_functions.first_stage(&job.request)
    }

    /// Notes that somebody is to be asked again after so long.
    fn ask_again(&mut self, after: Option<Duration>) {
        if let Some(at) = after.and_then(|after| Instant::now().checked_add(after)) {
            self.due = Some(self.due.map_or(at, |due| due.min(at)));
        }
    }

    /// When somebody is to be asked again, where nobody sees to that yet; [`Self::rang`] follows.
    pub(crate) fn set_alarm(&mut self) -> Option<Instant> {
        let due = self.due.take().filter(|due| self.alarm.is_none_or(|alarm| *due < alarm))?;
        self.alarm = Some(due);
        Some(due)
    }

    /// That moment has come.
    pub(crate) fn rang(&mut self, at: Instant) {
        self.alarm.take_if(|alarm| *alarm == at);
    }

    /// A call that runs is further with its instance.
    pub(crate) fn moves(&mut self, served: Served, from: Stage, to: Stage) {
        self.busy_functions.moves(served, from, to);
    }

    /// An instance of a version was started within that time.
    pub(crate) fn started(&mut self, served: Served, time: Duration) {
        self.busy_functions.started(served, time);
    }

    /// Takes a slot for an instance that is made ahead of its calls, where nobody is in its way: with so many
    /// sandboxes that wait for a call or are being ended.
    pub(crate) fn take_ahead(&mut self, called: &Called, sandboxes: usize) -> bool {
        let has_room = self.running.saturating_add(sandboxes) < self.concurrency;
        let is_free =
            has_room && !self.draining && !self.somebody_can_run() && self.busy_functions.may_run(Some(called));
        if is_free {
            self.running += 1;
            self.busy_functions.run(Some(called.served()), Stage::Starts);
        }
        is_free
    }

    /// Whether something waits that a place is all it needs.
    fn somebody_can_run(&self) -> bool {
        let can_run = |job: &Job| self.busy_functions.may_run(job.request.function.as_ref());
        self.callers.any(can_run) || (!self.put_off && self.stored.any(can_run))
    }

    /// Whether those are to give their places up that nobody waits for.
    pub(crate) fn wants_places_back(&self) -> bool {
        self.draining || (self.running >= self.concurrency && self.somebody_can_run())
    }

    fn pop_caller(&mut self, idle: &dyn Fn(Served) -> Option<usize>) -> Option<Job> {
        let (busy, slots) = (&self.busy_functions, self.concurrency.saturating_sub(self.running));
        let mut again = None;
        let job = self.callers.pop_where(|job| busy.may_begin(&job.request, idle, slots, &mut again));
        self.ask_again(again);
        let job = job?;
        self.busy_functions.wait_no_more(job.served());
        self.callers_bytes = self.callers_bytes.saturating_sub(job.bytes);
        Some(job)
    }

    /// A slot is free again, which had a call of this version.
    pub(crate) fn release(&mut self, served: Option<Served>, stage: Stage, took: Option<Took>) {
        self.running = self.running.saturating_sub(1);
        self.busy_functions.end(served, stage, took);
    }

    /// Takes an execution out of the queue, to be ended; [`Self::withdrawn`] follows. `None` when it does
    /// not wait there.
    pub(crate) fn withdraw(&mut self, live: &Live) -> Option<Job> {
        let job = self.take_out(live)?;
        self.ending += 1;
        Some(job)
    }

    fn take_out(&mut self, live: &Live) -> Option<Job> {
        let wanted = |job: &Job| job.live.id == live.id;
        if let Some(job) = self.callers.remove(&live.tenant, wanted) {
            self.callers_bytes = self.callers_bytes.saturating_sub(job.bytes);
            self.busy_functions.wait_no_more(job.served());
            return Some(job);
        }
        let job = self.stored.remove(&live.tenant, wanted)?;
        self.stored_bytes = self.stored_bytes.saturating_sub(job.bytes);
        self.parked.wait_no_more(job.served());
        Some(job)
    }

    /// A row that was queued has ended: it has no turn here any more. Gives what its readers know it as.
    pub(crate) fn ended_in_store(&mut self, id: ExecutionId) -> [Option<Arc<Live>>; 2] {
        if self.loading {
            self.gone.insert(id);
        }
        self.parked.remove(id);
        let live = self.live.remove(&id);
        if let Some(live) = &live {
            self.take_out(live);
        }
        [live, self.no_longer_awaited(id)]
    }

    /// The end of a withdrawn execution is written.
    pub(crate) const fn withdrawn(&mut self) {
        self.ending = self.ending.saturating_sub(1);
    }

    /// Somebody waits for an execution that stands in the store only.
    pub(crate) fn await_stored(&mut self, id: ExecutionId, make: impl FnOnce() -> Live) -> Arc<Live> {
        if let Some(live) = self.live.get(&id) {
            return Arc::clone(live);
        }
        self.awaited.retain(|_, live| live.strong_count() > 0);
        let known = self.awaited.get(&id).and_then(Weak::upgrade);
        let live = known.unwrap_or_else(|| Arc::new(make()));
        self.awaited.insert(id, Arc::downgrade(&live));
        live
    }

    /// What those know it as who wait for an execution that stood in the store only.
    pub(crate) fn no_longer_awaited(&mut self, id: ExecutionId) -> Option<Arc<Live>> {
        self.awaited.remove(&id).and_then(|live| live.upgrade())
    }

    /// From here on nobody is taken in, and what stands in the store stays there. Returns what nobody
    /// here will run.
    pub(crate) fn drain(&mut self) -> Vec<Arc<Live>> {
        self.draining = true;
        self.stored_bytes = 0;
        self.parked.clear();
        let mut left: Vec<_> = self.stored.take_all().into_iter().map(|job| job.live).collect();
        for live in &left {
            self.live.remove(&live.id);
        }
        left.extend(self.awaited.drain().filter_map(|(_, live)| live.upgrade()));
        left
    }

    pub(crate) const fn is_draining(&self) -> bool {
        self.draining
    }

    /// From here on nothing begins. Returns what has not ended.
    pub(crate) fn close(&mut self) -> Vec<Arc<Live>> {
        let mut left = self.drain();
        self.closed = true;
        self.callers_bytes = 0;
        self.callers.take_all();
        left.extend(self.live.drain().map(|(_, live)| live));
        left
    }
}
