//! How loaded a lane is, as one number: the lower, the better.
//!
//! The score is seed 004's: processor, memory and IO, weighted and smoothed. Invariants: every part and every score is
//! from 0 to 1, whatever was measured and however the weights were written; the same samples give the same score.
//! [`crate::Lanes`] calls it; the orchestrator's upkeep brings the samples.

#[cfg(test)]
mod tests;

use std::time::Duration;
use thiserror::Error;

/// How often a lane is to be sampled: as often as seed 004's workers send their metrics.
pub const SAMPLE_EVERY: Duration = Duration::from_millis(500);

/// What the older value keeps when a sample is added: seed 004 keeps 70 % of it and takes 30 % of the new one.
pub(crate) const KEPT: f64 = 0.7;

/// One number for each resource, by name so that none is taken for another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Of the processors.
    pub cpu: f64,
    /// Of the memory.
    pub memory: f64,
    /// Of the time in which something waited for input or output.
    pub io: f64,
}

impl Parts {
    /// The first of them that is not such a number.
    fn first_not(self, is_such: impl Fn(f64) -> bool) -> Option<(&'static str, f64)> {
        [("cpu", self.cpu), ("memory", self.memory), ("io", self.io)].into_iter().find(|(_, given)| !is_such(*given))
    }

    fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { cpu: change(self.cpu), memory: change(self.memory), io: change(self.io) }
    }
}

/// Why something is no sample.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{part} of a sample is {given}; give the share in use, from 0 to 1")]
pub struct SampleError {
    /// Which part.
    pub part: &'static str,
    /// What it was.
    pub given: f64,
}

/// What a lane had in use when it was looked at: shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample(Parts);

impl Sample {
    /// Shares that were measured. One above 1 counts as 1, because the counters of one share are read one after the
    /// other.
    ///
    /// # Errors
    /// One is negative or no number.
    pub fn new(shares: Parts) -> Result<Self, SampleError> {
        match shares.first_not(|share| share.is_finite() && share >= 0.0) {
            Some((part, given)) => Err(SampleError { part, given }),
            None => Ok(Self(shares.map(|share| share.min(1.0)))),
        }
    }
}

/// Why something is no set of weights.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum WeightsError {
    /// One of them is negative or no number.
    #[error("weight {part} is {given}; give a finite number that is not negative")]
    NotAWeight {
        /// Which.
        part: &'static str,
        /// What it was.
        given: f64,
    },
    /// All of them are 0.
    #[error("weights cpu, memory and io are all 0; give at least one of them a number above 0")]
    AllZero,
}

/// How much each resource counts. Only their ratios matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights(Parts);

impl Weights {
    /// Weights in any unit: their sum need not be 1.
    ///
    /// # Errors
    /// One is negative or not finite, or all are 0.
    pub fn new(weights: Parts) -> Result<Self, WeightsError> {
        if let Some((part, given)) = weights.first_not(|weight| weight.is_finite() && weight >= 0.0) {
            return Err(WeightsError::NotAWeight { part, given });
        }
        let largest = weights.cpu.max(weights.memory).max(weights.io);
        if largest <= 0.0 {
            return Err(WeightsError::AllZero);
        }
        // By the largest first: the sum of what is given may be infinite.
        let scaled = weights.map(|weight| weight / largest);
        let sum = scaled.cpu + scaled.memory + scaled.io;
        Ok(Self(scaled.map(|weight| weight / sum)))
    }

    /// The score of these shares, from 0 to 1.
    #[must_use]
    pub fn score(self, shares: Parts) -> f64 {
        let Self(weights) = self;
        weights.cpu * shares.cpu + weights.memory * shares.memory + weights.io * shares.io
    }
}

impl Default for Weights {
    /// Seed 004's: 0.5, 0.3 and 0.2.
    fn default() -> Self {
        Self(Parts { cpu: 0.5, memory: 0.3, io: 0.2 })
    }
}

/// Samples, smoothed. The first one is taken as it is: a lane that was busy when it appeared is busy.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Smoothed(Option<Parts>);

impl Smoothed {
    /// Adds the next sample.
    pub fn add(&mut self, Sample(new): Sample) {
        let mix = |old: f64, new: f64| KEPT * old + (1.0 - KEPT) * new;
        self.0 = Some(self.0.map_or(new, |old| Parts {
            cpu: mix(old.cpu, new.cpu),
            memory: mix(old.memory, new.memory),
            io: mix(old.io, new.io),
        }));
    }

    /// The smoothed shares; `None` before the first sample.
    #[must_use]
    pub const fn shares(self) -> Option<Parts> {
        self.0
    }
}
