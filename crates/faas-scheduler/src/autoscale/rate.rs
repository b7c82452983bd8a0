//! How often something happens, with an exponentially fading memory.
//!
//! Invariant: what happened at the same moments reads the same. [`super::demand`] holds one for what just happens and
//! one for what goes on.

use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// In how many seconds two thirds are forgotten.
    over: f64,
    per_second: f64,
    at: Option<Instant>,
}

impl Rate {
    pub(super) const fn new(over: Duration) -> Self {
        Self { over: over.as_secs_f64(), per_second: 0.0, at: None }
    }

    /// It happened.
    pub(super) fn add(&mut self, now: Instant) {
        self.per_second = self.per_second(now) + 1.0 / self.over;
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }

    /// How often it happens.
    pub(super) fn per_second(&self, now: Instant) -> f64 {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.per_second * (-since.as_secs_f64() / self.over).exp()
    }
}
