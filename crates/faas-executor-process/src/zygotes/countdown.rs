//! When something that ended is tried again: ever later while it goes on ending.

use std::time::Duration;
use tokio::time::Instant;

/// After the first that ended, doubled for each that ended in a row, and at most.
pub(super) const REST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Countdown {
    /// How many ended in a row.
    ended: u32,
    rests: Option<Instant>,
}

impl Countdown {
    /// One ended: how long there is none.
    pub(super) fn rest(&mut self, now: Instant) -> Duration {
        self.ended = self.ended.saturating_add(1);
        let rest = REST.saturating_mul(1 << (self.ended - 1).min(16)).min(LONGEST);
        self.rests = Some(now + rest);
        rest
    }

    /// It could not be tried.
    pub(super) fn wait(&mut self, now: Instant) {
        self.rests = Some(now + REST);
    }

    /// One was of use.
    pub(super) const fn worked(&mut self) {
        self.ended = 0;
    }

    /// Until when none is made; it may be over.
    pub(super) const fn until(&self) -> Option<Instant> {
        self.rests
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.rests.is_none_or(|until| until <= now)
    }
}
