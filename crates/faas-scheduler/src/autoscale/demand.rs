//! How many spares one key asks for: what arrives while a spare is made, and a margin; raised at once, lowered slowly.
//!
//! Invariants: the number is within the key's bounds; it falls by one in [`LOWER_EVERY`] at most, and only when fewer
//! sufficed for [`CALM`]; calls that come evenly ask for the same number at every moment. [`super::Spares`] holds one
//! for each key.

use super::costs::{Costs, whole};
use super::rate::Rate;
use std::time::{Duration, Instant};
use thiserror::Error;

/// What comes now is seen within a second, what goes on within half a minute: a spare is made in milliseconds, so a
/// rise has to be seen at once, and a pause of some seconds is none.
const NOW: Duration = Duration::from_secs(1);
const GOES_ON: Duration = Duration::from_secs(30);
/// How long fewer have to suffice before one is given up, and how often one is: making and ending a spare costs as
/// much as a cold start, so one that is wanted again within a minute is not given up.
const CALM: Duration = Duration::from_secs(30);
const LOWER_EVERY: Duration = Duration::from_secs(10);
/// Calls that come less often than every [`CALM`] get no spare: it would be given up before the next one. So many per
/// second does [`GOES_ON`] read after a call where one comes every 30 s: 1/30 divided by 1 - 1/e.
const RARE: f64 = 0.052_732;
/// How many standard deviations more than the mean may come while a spare is made: of 100 such times, 97 or more have
/// no more calls than that.
const MARGIN: f64 = 2.0;

/// How few and how many spares of a key there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    min: u32,
    most: u32,
}

/// Why something is no pair of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("min {min} is above most {most}; give a min that is not above most")]
pub struct BoundsError {
    /// The lower one.
    pub min: u32,
    /// The upper one.
    pub most: u32,
}

impl Bounds {
    /// At least `min`, whoever calls, and at most `most`.
    ///
    /// # Errors
    /// The lower one is above the upper one.
    pub const fn new(min: u32, most: u32) -> Result<Self, BoundsError> {
        if min > most { Err(BoundsError { min, most }) } else { Ok(Self { min, most }) }
    }

    /// At most `most`, and none where nobody calls.
    #[must_use]
    pub const fn up_to(most: u32) -> Self {
        Self { min: 0, most }
    }

    /// The lower one.
    #[must_use]
    pub const fn min(self) -> u32 {
        self.min
    }

    /// The upper one.
    #[must_use]
    pub const fn most(self) -> u32 {
        self.most
    }
}

/// What was asked for, and what is wanted after the bounds and the calm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asked {
    /// By the arrivals alone.
    pub(super) asked: u32,
    pub(super) wanted: u32,
    /// Calls in a second.
    pub(super) per_second: f64,
    pub(super) is_rare: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Demand {
    bounds: Bounds,
    pub(super) costs: Costs,
    now: Rate,
    goes_on: Rate,
    /// The highest that [`Self::now`] read since the last decision, each time before a call was added: what a call
    /// adds itself would make of a single one a rate of one per second.
    busiest: f64,
    /// What [`Self::goes_on`] read after the last call, and when.
    after_call: Option<(f64, Instant)>,
    wanted: u32,
    fewer_since: Option<Instant>,
    lowered: Option<Instant>,
    /// How many it got from the memory budget last.
    pub(super) granted: u32,
}

impl Demand {
    pub(super) const fn new(bounds: Bounds, costs: Costs) -> Self {
        Self {
            bounds,
            costs,
            now: Rate::new(NOW),
            goes_on: Rate::new(GOES_ON),
            busiest: 0.0,
            after_call: None,
            wanted: 0,
            fewer_since: None,
            lowered: None,
            granted: 0,
        }
    }

    pub(super) const fn bounds(&self) -> Bounds {
        self.bounds
    }

    pub(super) const fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// A call came.
    pub(super) fn arrived(&mut self, now: Instant) {
        self.busiest = self.busiest.max(self.now.per_second(now));
        self.now.add(now);
        self.goes_on.add(now);
        self.after_call = Some((self.goes_on.per_second(now), now));
    }

    /// How many calls come in a second as far as it goes on: what was read after the last one, because between two
    /// calls that come evenly any reading falls.
    pub(super) fn steady(&self, now: Instant) -> f64 {
        match self.after_call {
            Some((read, at)) if now.saturating_duration_since(at) <= CALM => read,
            _ => self.goes_on.per_second(now),
        }
    }

    /// What is wanted from now on.
    pub(super) fn decide(&mut self, now: Instant) -> Asked {
        let steady = self.steady(now);
        let per_second = steady.max(std::mem::take(&mut self.busiest));
        let is_rare = steady < RARE;
        let while_made = per_second * self.costs.start();
        let asked = if is_rare { 0 } else { whole(while_made + MARGIN * while_made.sqrt()) };
        self.settle(now, asked.clamp(self.bounds.min, self.bounds.most));
        Asked { asked, wanted: self.wanted, per_second, is_rare }
    }

    /// Up at once; down by one, when fewer sufficed for long enough.
    fn settle(&mut self, now: Instant, asked: u32) {
        self.wanted = self.wanted.clamp(self.bounds.min, self.bounds.most);
        if asked >= self.wanted {
            self.wanted = asked;
            self.fewer_since = None;
            self.lowered = None;
            return;
        }
        let since = *self.fewer_since.get_or_insert(now);
        let is_calm = now.saturating_duration_since(since) >= CALM;
        let is_due = self.lowered.is_none_or(|at| now.saturating_duration_since(at) >= LOWER_EVERY);
        if is_calm && is_due {
            self.wanted -= 1;
            self.lowered = Some(now);
        }
    }
}
