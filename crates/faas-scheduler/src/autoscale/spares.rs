//! How many spares of each key are kept ready.
//!
//! A key is what spares can be made for: an exact spec without its tenant. Invariants: what is wanted of all keys fits
//! the memory budget, as far as the sizes are known, and is no more than there may be; lower bounds are honoured as long as they fit it; a key never
//! wants more than its upper bound. See [`super::demand`] for how a number changes, [`super::budget`] for who goes
//! short.

#[cfg(test)]
mod tests;

use super::budget::{Budget, Claim, share};
use super::costs::Costs;
use super::demand::{Asked, Bounds, Demand};
use super::recent::Recent;
use faas_types::ByteSize;
use std::time::{Duration, Instant};
use thiserror::Error;

/// What holds for all keys.
#[derive(Debug, Clone, Copy)]
pub struct SpareSettings {
    /// How many keys are known; the one that was called longest ago is forgotten for a new one.
    pub keys: usize,
    /// What all spares together may take.
    pub budget: ByteSize,
    /// How many there may be of all keys together.
    pub most: u32,
    /// Of a key that has none of its own.
    pub bounds: Bounds,
    /// What making one is taken to cost until it was measured.
    pub start: Duration,
    /// What one is taken to take until it was measured.
    pub memory: ByteSize,
}

/// Why so many are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// So many calls come while one is made, with a margin.
    Arrivals {
        /// In a second.
        per_second: f64,
        /// What making one takes.
        start: Duration,
    },
    /// Its calls are so rare that a spare would be given up before the next one.
    Rare,
    /// The lower bound; fewer would do.
    Min {
        /// By its arrivals.
        asked: u32,
    },
    /// The upper bound; it asks for more.
    Most {
        /// By its arrivals.
        asked: u32,
    },
    /// Fewer would do, but not for long enough yet.
    Calming {
        /// By its arrivals.
        asked: u32,
    },
    /// There are too few for all, or too little memory, and they save more elsewhere.
    Short {
        /// With enough for all.
        asked: u32,
    },
}

/// How many spares of a key there should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target<K> {
    /// Of which key.
    pub key: K,
    /// How many.
    pub wanted: u32,
    /// Why.
    pub reason: Reason,
}

/// As many keys as are known have a lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{keys} keys have a lower bound of spares, which is as many as are known; set the min of one of them to 0")]
pub struct TooManyBounds {
    /// How many.
    pub keys: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Spares<K> {
    settings: SpareSettings,
    keys: Recent<K, Demand>,
}

impl<K: Clone + Ord> Spares<K> {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new(settings: SpareSettings) -> Self {
        Self { settings, keys: Recent::new(settings.keys) }
    }

    /// Gives a key bounds of its own. One with a lower bound is not forgotten.
    ///
    /// # Errors
    /// All keys that may be known have a lower bound.
    pub fn bound(&mut self, key: &K, bounds: Bounds) -> Result<(), TooManyBounds> {
        let keys = self.settings.keys;
        let demand = self.touch(key).ok_or(TooManyBounds { keys })?;
        demand.set_bounds(bounds);
        self.keys.pin(key, bounds.min() > 0);
        Ok(())
    }

    /// A call came that takes a spare, or would have.
    pub fn arrived(&mut self, now: Instant, key: &K) {
        // Where every known key has a lower bound there is no room for one more.
        if let Some(demand) = self.touch(key) {
            demand.arrived(now);
        }
    }

    /// One was made, and this is what it took from when it was wanted: how long a call waits that finds none.
    pub fn started(&mut self, key: &K, time: Duration) {
        if let Some(demand) = self.keys.get_mut(key) {
            demand.costs.started(time);
        }
    }

    /// What one takes while it waits.
    pub fn weighed(&mut self, key: &K, memory: ByteSize) {
        if let Some(demand) = self.keys.get_mut(key) {
            demand.costs.weighed(memory);
        }
    }

    /// How many there should be of every known key, by key. Of one that is not among them there should be none.
    pub fn decide(&mut self, now: Instant) -> Vec<Target<K>> {
        let asked: Vec<_> = self.keys.iter_mut().map(|(_, demand)| demand.decide(now)).collect();
        let claims: Vec<_> =
            self.keys.iter().zip(&asked).map(|((_, demand), asked)| claim(demand, asked, now)).collect();
        let granted = share(Budget { bytes: self.settings.budget.as_bytes(), most: self.settings.most }, &claims);
        let decided = self.keys.iter_mut().zip(asked).zip(granted);
        let target = |(((key, demand), asked), granted): (((&K, &mut Demand), Asked), u32)| {
            demand.granted = granted;
            Target { key: key.clone(), wanted: granted, reason: reason(demand, &asked) }
        };
        decided.map(target).collect()
    }

    fn touch(&mut self, key: &K) -> Option<&mut Demand> {
        let SpareSettings { bounds, start, memory, .. } = self.settings;
        self.keys.touch(key, || Demand::new(bounds, Costs::assumed(start, memory)))
    }
}

fn claim(demand: &Demand, asked: &Asked, now: Instant) -> Claim {
    let steady = demand.steady(now);
    Claim {
        wanted: asked.wanted,
        min: demand.bounds().min(),
        had: demand.granted,
        memory: demand.costs.memory(),
        while_made: steady * demand.costs.start(),
        worth: steady * demand.costs.milliseconds_per_mib(),
    }
}

fn reason(demand: &Demand, asked: &Asked) -> Reason {
    let Asked { asked, wanted, per_second, is_rare } = *asked;
    let bounds = demand.bounds();
    if demand.granted < wanted {
        Reason::Short { asked: wanted }
    } else if wanted > asked.max(bounds.min()) {
        Reason::Calming { asked }
    } else if asked > bounds.most() {
        Reason::Most { asked }
    } else if asked < bounds.min() {
        Reason::Min { asked }
    } else if is_rare {
        Reason::Rare
    } else {
        Reason::Arrivals { per_second, start: demand.costs.start_time() }
    }
}
