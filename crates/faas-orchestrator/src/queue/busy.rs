//! How often each version of a function runs, and how many callers wait for it.
//!
//! Where an instance takes one call at a time, it counts too how many are on their way to a call's instance, and asks
//! [`Scale`] whether a call that finds none free is to have one started.
//!
//! Invariants: a version that runs as often as it may has its calls left where they wait; its callers take at
//! most half of the places of all callers, so that it cannot keep others out.

use super::Refused;
use super::scale::{Scale, Took};
use crate::ExecutionRequest;
use crate::function::Called;
use crate::warm::Served;
use faas_scheduler::Crowd;
use faas_types::{FunctionId, Mode, Scaling};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// See the module. What neither runs nor is waited for is not here.
#[derive(Debug)]
pub(super) struct BusyFunctions {
    busy: HashMap<Served, Busy>,
    /// Those of all functions together.
    slots: u32,
    /// Whether instances answer several calls at once, where their version asks for it.
    shares: bool,
    scale: Scale,
}

/// How far a call that runs is with its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It asks for none of those that calls leave to each other, one at a time.
    Apart,
    /// It has not looked yet whether there is one.
    Takes,
    /// One is started for it, or ahead of any call.
    Starts,
    Serves,
}

#[derive(Debug, Default)]
struct Busy {
    running: u32,
    /// Callers, those included that were taken in and do not stand in the queue yet.
    waiting: usize,
    /// Of those that run.
    taking: u32,
    starting: u32,
    /// When one of them began last, or the first came that waits.
    began: Option<Instant>,
}

impl Busy {
    const fn counted(&mut self, stage: Stage) -> Option<&mut u32> {
        match stage {
            Stage::Takes => Some(&mut self.taking),
            Stage::Starts => Some(&mut self.starting),
            Stage::Apart | Stage::Serves => None,
        }
    }
}

impl BusyFunctions {
    pub(super) fn new(slots: u32, shares: bool) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { busy: HashMap::new(), slots, shares, scale: Scale::new(processors) }
    }

    /// How often a version may run.
    const fn most(&self, scaling: &Scaling) -> u32 {
        if self.shares { scaling.most_calls() } else { scaling.max }
    }

    /// A caller is taken in, where it may wait.
    pub(super) fn wait(&mut self, called: Option<&Called>, all_places: usize) -> Result<(), Refused> {
        let Some(called) = called else { return Ok(()) };
        // It runs in no more slots than there are.
        let max = self.most(&called.scaling).min(self.slots);
        let busy = self.busy.entry(called.served()).or_default();
        let at_once = usize::try_from(busy.running).unwrap_or(usize::MAX).saturating_add(busy.waiting);
        let may_run = usize::try_from(max).unwrap_or(usize::MAX);
        if at_once >= may_run && busy.waiting >= (all_places / 2).max(1) {
            return Err(Refused::FunctionFull { max });
        }
        if busy.waiting == 0 {
            busy.began = Some(Instant::now());
        }
        busy.waiting += 1;
        Ok(())
    }

    /// A caller waits no more, because it runs or went away.
    pub(super) fn wait_no_more(&mut self, served: Option<Served>) {
        self.change(served, |busy| busy.waiting = busy.waiting.saturating_sub(1));
    }

    /// Whether a call may run now.
    pub(super) fn may_run(&self, called: Option<&Called>) -> bool {
        called.is_none_or(|called| {
            self.busy.get(&called.served()).is_none_or(|busy| busy.running < self.most(&called.scaling))
        })
    }

    /// How far a call is that begins to run.
    pub(super) fn first_stage(&self, request: &ExecutionRequest) -> Stage {
        let is_one = |called: &Called| called.scaling.concurrency == 1 || !self.shares;
        let returns = request.mode == Mode::Cached && request.function.as_ref().is_some_and(is_one);
        if returns { Stage::Takes } else { Stage::Apart }
    }

    /// Whether a call is to begin now, where `idle` says how many instances of its version wait, if any are kept. Where
    /// it is to wait for one, `again` is no later than when that is to be asked again.
    pub(super) fn may_begin(
        &self,
        request: &ExecutionRequest,
        idle: &dyn Fn(Served) -> Option<usize>,
        slots: usize,
        again: &mut Option<Duration>,
    ) -> bool {
        let called = request.function.as_ref();
        if !self.may_run(called) {
            return false;
        }
        let Some(called) = called.filter(|_| self.first_stage(request) == Stage::Takes) else { return true };
        let Some(idle) = idle(called.served()) else { return true };
        match self.begins(called, idle, slots) {
            Ok(()) => true,
            Err(after) => {
                *again = Some(again.map_or(after, |before| before.min(after)));
                false
            }
        }
    }

    /// Whether a call of a version that may run is to begin now, where so many of its instances wait and so many slots
    /// are free; or how long it is to be waited until that is asked again.
    fn begins(&self, called: &Called, idle: usize, slots: usize) -> Result<(), Duration> {
        let served = called.served();
        let Some(busy) = self.busy.get(&served).filter(|busy| busy.running > 0) else { return Ok(()) };
        let small = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let idle = small(idle);
        if idle > busy.taking {
            return Ok(());
        }
        let starting = busy.starting.saturating_add(busy.taking - idle);
        let crowd = Crowd {
            waiting: small(busy.waiting).max(1),
            stalled: busy.began.map_or(Duration::ZERO, |began| began.elapsed()),
            serving: busy.running.saturating_sub(starting),
            starting,
            room: self.most(&called.scaling).saturating_sub(busy.running).min(small(slots)),
        };
        self.scale.decide(served, crowd)
    }

    /// A call runs.
    pub(super) fn run(&mut self, served: Option<Served>, stage: Stage) {
        let Some(served) = served else { return };
        let busy = self.busy.entry(served).or_default();
        busy.running += 1;
        busy.began = Some(Instant::now());
        if let Some(count) = busy.counted(stage) {
            *count += 1;
        }
    }

    /// One that runs is further.
    pub(super) fn moves(&mut self, served: Served, from: Stage, to: Stage) {
        let Some(busy) = self.busy.get_mut(&served) else { return };
        if let Some(count) = busy.counted(from) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = busy.counted(to) {
            *count += 1;
        }
    }

    /// An instance was started within that time.
    pub(super) fn started(&mut self, served: Served, time: Duration) {
        self.scale.started(served, time);
    }

    /// A call runs no more.
    pub(super) fn end(&mut self, served: Option<Served>, stage: Stage, took: Option<Took>) {
        if let (Some(served), Some(took)) = (served, took) {
            self.scale.served(served, took);
        }
        self.change(served, |busy| {
            busy.running = busy.running.saturating_sub(1);
            if let Some(count) = busy.counted(stage) {
                *count = count.saturating_sub(1);
            }
        });
    }

    fn change(&mut self, served: Option<Served>, change: impl FnOnce(&mut Busy)) {
        let Some(served) = served else { return };
        if let Some(busy) = self.busy.get_mut(&served) {
            change(busy);
            if busy.running == 0 && busy.waiting == 0 {
                self.busy.remove(&served);
            }
        }
    }

    /// How often a version runs.
    pub(super) fn running(&self, served: Served) -> u32 {
        self.busy.get(&served).map_or(0, |busy| busy.running)
    }

    /// How often a function runs, and how many callers wait for it.
    pub(super) fn of(&self, function: FunctionId) -> (u32, usize) {
        let of = self.busy.iter().filter(|((id, _), _)| *id == function);
        of.fold((0, 0), |(running, waiting), (_, busy)| (running + busy.running, waiting + busy.waiting))
    }
}
