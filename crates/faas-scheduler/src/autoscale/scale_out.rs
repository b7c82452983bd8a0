//! Whether a version gets another instance when a call finds none free, or waits for one that serves.
//!
//! A start pays where what waits would still wait when the new instance is there. Until then those that serve get so
//! far as their calls are short: thirty calls of a third of a millisecond are over before any start is. What is known
//! of a call's length may be wrong, so where no call that waits gets an instance for as long as a start takes, as many
//! are begun as a herd may: who waits for that long and then starts has paid twice what was needed, never more.
//!
//! Invariants: where nothing serves and nothing is being started, something is begun; no more are on their way than
//! calls wait, than there is room for, and than as many again as serve (or [`FIRST`]), so that a herd at most doubles
//! what is there in the time of a start; nothing here ends an instance, so that it cannot go to and fro. Whoever gives
//! calls to instances holds one for each version, and asks when a call finds none free, when one was started, and when
//! the time of [`Verdict::Wait`] is over.

#[cfg(test)]
mod tests;

use super::costs::{Costs, whole};
use faas_types::ByteSize;
use std::time::Duration;

/// So many may be on their way where fewer serve: the first calls of a version that sleeps for seconds are not to wait
/// for each other, and a herd of a version that is done in a millisecond is served by these.
pub const FIRST: u32 = 4;

/// Asked more often than that, it says nothing new.
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// What a version looks like when a call finds no instance free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// Calls that wait for an instance.
    pub waiting: u32,
    /// For how long none of them got an instance: since one did last, or since the first of them came.
    pub stalled: Duration,
    /// Instances that serve a call.
    pub serving: u32,
    /// Instances that are being started.
    pub starting: u32,
    /// How many more may be made: as the version's limit, the slots and the memory have it, and the processors where
    /// its calls need one all the time.
    pub room: u32,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Start so many more; at least one.
    Start(u32),
    /// None now. Where nothing happens for so long, it is to be asked again.
    Wait(Duration),
}

/// See the module.
#[derive(Debug)]
pub struct ScaleOut {
    costs: Costs,
    is_known: bool,
}

impl ScaleOut {
    /// Nothing is known yet; a start is taken to last so long until one was measured.
    #[must_use]
    pub const fn new(start: Duration) -> Self {
        Self { costs: Costs::assumed(start, ByteSize::from_bytes(0)), is_known: false }
    }

    /// A call took so long, from when it got its instance to when that was free again.
    pub fn served(&mut self, time: Duration) {
        self.is_known = true;
        self.costs.served(time);
    }

    /// A start took so long.
    pub fn started(&mut self, time: Duration) {
        self.costs.started(time);
    }

    /// How long a start takes.
    #[must_use]
    pub fn start_time(&self) -> Duration {
        self.costs.start_time()
    }

    /// How long a call takes; `None` before the first one was over.
    #[must_use]
    pub fn service_time(&self) -> Option<Duration> {
        self.is_known.then(|| self.costs.service_time())
    }

    /// Whether to start, and how many.
    #[must_use]
    pub fn decide(&self, crowd: Crowd) -> Verdict {
        let Crowd { waiting, stalled, serving, starting, room } = crowd;
        let start = self.start_time();
        let herd = waiting.min(serving.max(FIRST));
        let pays = match self.service_time() {
            _ if stalled >= start => herd,
            None => FIRST.saturating_sub(serving),
            Some(service) => pays(waiting, serving, start, service),
        };
        let least = u32::from(serving == 0);
        match pays.max(least).min(herd).saturating_sub(starting).min(room) {
            0 => Verdict::Wait(start.saturating_sub(stalled).max(start / 4).max(LEAST_WAIT)),
            more => Verdict::Start(more),
        }
    }
}

/// How many are to be on their way for what still waits when they are there: enough to serve it in as long again.
fn pays(waiting: u32, serving: u32, start: Duration, service: Duration) -> u32 {
    // The calls of one instance while another is started; without end where they take no time.
    let calls = start.as_secs_f64() / service.as_secs_f64();
    let left = f64::from(waiting) - f64::from(serving) * calls;
    if left > 0.0 { whole(left / calls.max(1.0)) } else { 0 }
}
