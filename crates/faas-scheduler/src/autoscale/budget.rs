//! Who gets how much of the memory budget: whose next spare saves the most milliseconds per MiB.
//!
//! Invariants: what is granted fits the budget, and is no more than there may be of all together; lower bounds come first, and one of each key before the second of any;
//! nobody gets more than it wants; the same claims are granted the same. [`super::Spares`] calls it.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A spare that is there counts for so many of one that is not, so that two keys of about the same worth do not take
/// each other's place again and again: giving up one and making the other costs two starts.
const STAYS: f64 = 2.0;

/// What one key claims.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) wanted: u32,
    /// How many of them are its lower bound.
    pub(super) min: u32,
    /// How many it was granted last.
    pub(super) had: u32,
    /// Bytes of one; not 0.
    pub(super) memory: u64,
    /// Calls while one is made: how many of its spares are on their way at a time.
    pub(super) while_made: f64,
    /// Milliseconds saved in a second for each MiB, where every call finds a spare.
    pub(super) worth: f64,
}

/// The next spare of a key.
#[derive(Debug)]
struct Next<'claims> {
    claim: &'claims Claim,
    place: usize,
    /// How many it has.
    granted: u32,
    /// How likely it is that so many are on their way, and that so many or more are: only then does a call get as far
    /// as the next one. By Poisson's distribution, as for independent calls.
    exactly: f64,
    at_least: f64,
}

impl<'claims> Next<'claims> {
    fn first(place: usize, claim: &'claims Claim) -> Self {
        Self { claim, place, granted: 0, exactly: (-claim.while_made).exp(), at_least: 1.0 }
    }

    fn is_min(&self) -> bool {
        self.granted < self.claim.min
    }

    fn worth(&self) -> f64 {
        let stays = if self.granted < self.claim.had { STAYS } else { 1.0 };
        self.claim.worth * self.at_least * stays
    }

    fn count(&mut self) {
        self.granted += 1;
        self.at_least = (self.at_least - self.exactly).max(0.0);
        self.exactly *= self.claim.while_made / f64::from(self.granted);
    }
}

impl Ord for Next<'_> {
    /// The greater one is granted first.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_number = || if self.is_min() { other.granted.cmp(&self.granted) } else { Ordering::Equal };
        let by_worth = || self.worth().total_cmp(&other.worth());
        let by_place = || other.place.cmp(&self.place);
        self.is_min().cmp(&other.is_min()).then_with(by_number).then_with(by_worth).then_with(by_place)
    }
}

impl PartialOrd for Next<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Next<'_> {}

/// What there is for all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) bytes: u64,
    pub(super) most: u32,
}

/// How many each claim gets, in their order.
pub(super) fn share(budget: Budget, claims: &[Claim]) -> Vec<u32> {
    let mut granted = vec![0; claims.len()];
    let Budget { bytes: mut left, mut most } = budget;
    let wanted = claims.iter().enumerate().filter(|(_, claim)| claim.wanted > 0);
    let mut next: BinaryHeap<_> = wanted.map(|(place, claim)| Next::first(place, claim)).collect();
    while let Some(mut best) = next.pop().filter(|_| most > 0) {
        // One that does not fit has no further one that does.
        let Some(rest) = left.checked_sub(best.claim.memory) else { continue };
        left = rest;
        most -= 1;
        best.count();
        if let Some(granted) = granted.get_mut(best.place) {
            *granted = best.granted;
        }
        if best.granted < best.claim.wanted {
            next.push(best);
        }
    }
    granted
}
