//! How often each version of a function runs, and how many callers wait for it.
//!
//! Invariants: a version that runs as often as it may has its calls left where they wait; its callers take at
//! most half of the places of all callers, so that it cannot keep others out.

use super::Refused;
use crate::function::Called;
use crate::warm::Served;
use faas_types::{FunctionId, Scaling};
use std::collections::HashMap;

/// See the module. What neither runs nor is waited for is not here.
#[derive(Debug)]
pub(super) struct BusyFunctions {
    busy: HashMap<Served, Busy>,
    /// Those of all functions together.
    slots: u32,
    /// Whether instances answer several calls at once, where their version asks for it.
    shares: bool,
}

#[derive(Debug, Default)]
struct Busy {
    running: u32,
    /// Callers, those included that were taken in and do not stand in the queue yet.
    waiting: usize,
}

impl BusyFunctions {
    pub(super) fn new(slots: u32, shares: bool) -> Self {
        Self { busy: HashMap::new(), slots, shares }
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

    /// A call runs.
    pub(super) fn run(&mut self, served: Option<Served>) {
        if let Some(served) = served {
            self.busy.entry(served).or_default().running += 1;
        }
    }

    /// A call runs no more.
    pub(super) fn end(&mut self, served: Option<Served>) {
        self.change(served, |busy| busy.running = busy.running.saturating_sub(1));
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
