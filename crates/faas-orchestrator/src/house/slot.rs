//! The slot of a call, and how far that is with its instance: whether it took one, has one started, or is served.
//!
//! Invariants: a slot that is dropped is free again, however its task ended; what is told of a call is told once, in
//! that order. The house's dispatch makes it, the driver holds it.

use super::House;
use crate::function::Called;
use crate::live::Live;
use crate::queue::{Stage, Took};
use crate::warm::Served;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A slot of an execution that runs. Dropping it frees it and leaves the execution to the next life;
/// [`Slot::pass_on`] is how a driver ends that came to its end, and lets the next one begin. A task that
/// is torn down, with its runtime maybe, must not.
pub(crate) struct Slot {
    house: Arc<House>,
    /// `None` once it has no execution any more.
    live: Option<Arc<Live>>,
    /// The version it is a call of.
    served: Option<Served>,
    stint: Mutex<Stint>,
}

/// What is known of a call with its instance.
struct Stint {
    stage: Stage,
    since: Instant,
    /// Of processors; whether the instance is left to the next one.
    left: Option<(Option<Duration>, bool)>,
}

impl Stint {
    fn new(stage: Stage) -> Self {
        Self { stage, since: Instant::now(), left: None }
    }
}

impl Slot {
    /// The one of a call that has its turn.
    pub(super) fn of(house: Arc<House>, live: Option<Arc<Live>>, served: Option<Served>, stage: Stage) -> Self {
        Self { house, live, served, stint: Mutex::new(Stint::new(stage)) }
    }

    /// One for an instance that is made ahead of its calls; none where somebody is in its way.
    pub(crate) fn ahead(house: &Arc<House>, called: Option<&Called>) -> Option<Self> {
        let called = called?;
        let sandboxes = house.warm.changes().sandboxes();
        let is_taken = house.state().take_ahead(called, sandboxes);
        is_taken.then(|| {
            house.show_busy();
            Self::of(Arc::clone(house), None, Some(called.served()), Stage::Starts)
        })
    }

    fn stint(&self) -> MutexGuard<'_, Stint> {
        // It is changed whole, so a panic elsewhere is no reason to give up.
        self.stint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was changed, and what it was.
    fn moves(&self, to: Stage) -> Option<(Served, Stage, Duration)> {
        let served = self.served?;
        let mut stint = self.stint();
        if stint.stage == Stage::Apart || stint.stage == to {
            return None;
        }
        let Stint { stage, since, .. } = std::mem::replace(&mut *stint, Stint::new(to));
        self.house.state().moves(served, stage, to);
        Some((served, stage, since.elapsed()))
    }

    /// An instance is started for its call: it found none.
    pub(crate) fn starts(&self) {
        self.moves(Stage::Starts);
    }

    /// Its call has its instance.
    pub(crate) fn serves(&self) {
        if let Some((served, Stage::Starts, time)) = self.moves(Stage::Serves) {
            self.house.state().started(served, time);
            // Others may be waiting for what that took.
            self.house.dispatch();
        }
    }

    /// Its call is over, which took so much of processors; the next one finds its instance, or not.
    pub(crate) fn leaves(&self, cpu: Option<Duration>, is_kept: bool) {
        self.stint().left = Some((cpu, is_kept));
    }

    pub(crate) fn pass_on(self) {
        let house = Arc::clone(&self.house);
        drop(self);
        house.dispatch();
        house.standing.look();
    }

    /// The same for one whose execution waits again.
    pub(crate) fn give_up(mut self) {
        self.live = None;
        self.pass_on();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let live = self.live.take();
        let (stage, took) = {
            let Stint { stage, since, left } = &*self.stint();
            let took = |(cpu, is_kept)| Took { time: since.elapsed(), cpu, is_kept };
            (*stage, left.filter(|_| *stage == Stage::Serves).map(took))
        };
        let mut state = self.house.state();
        state.release(self.served, stage, took);
        if let Some(live) = live.as_ref().filter(|live| live.is_open()) {
            state.live.remove(&live.id);
        }
        drop(state);
        // Its readers would wait for ever.
        if let Some(live) = live {
            live.stop();
        }
        self.house.show_busy();
    }
}
