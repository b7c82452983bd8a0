//! Which lane takes the next sandbox.
//!
//! A lane is something that holds sandboxes and can be sampled: on one host a launcher with its group of processors,
//! later a node; nothing here knows the difference. Invariants: no lane holds more than its capacity; what was placed
//! counts until samples can show it, so that a herd that comes between two samples spreads; equal lanes are chosen
//! in a fixed order, so that the same calls lead to the same places. The orchestrator's upkeep samples, its drivers
//! place.

#[cfg(test)]
mod tests;

use crate::score::{KEPT, Parts, Sample, Smoothed, Weights};

/// How a lane is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Policy {
    /// The lowest score.
    Score(Weights),
    /// The next one that has room.
    RoundRobin,
}

impl Default for Policy {
    fn default() -> Self {
        Self::Score(Weights::default())
    }
}

/// Something that was placed, until [`Lanes::end`]. It cannot be ended twice.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what was placed takes room until it is given back"]
pub struct Placement<I> {
    lane: I,
    /// Which one of those that had this name.
    birth: u64,
    /// How often the lane had been sampled.
    samples: u64,
}

impl<I> Placement<I> {
    /// Where it was placed.
    pub const fn lane(&self) -> &I {
        &self.lane
    }
}

/// What is known of a lane, for statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaneState<'lanes, I> {
    /// Its name.
    pub id: &'lanes I,
    /// How many it may hold.
    pub capacity: u32,
    /// How many it holds.
    pub in_use: u32,
    /// Its smoothed samples; `None` before the first.
    pub shares: Option<Parts>,
    /// How it is compared, what was placed since included; `None` where lanes take turns.
    pub score: Option<f64>,
}

#[derive(Debug)]
struct Lane<I> {
    id: I,
    birth: u64,
    capacity: u32,
    in_use: u32,
    smoothed: Smoothed,
    samples: u64,
    /// How many of those in use the smoothed samples do not show yet. A sample shows 30 % of what they do not show, so
    /// as much of each is left here.
    unseen: f64,
}

impl<I> Lane<I> {
    const fn has_room(&self) -> bool {
        self.in_use < self.capacity
    }

    /// A share of the capacity.
    fn share(&self, of: f64) -> f64 {
        of / f64::from(self.capacity.max(1))
    }

    /// The score of what is seen, and for each that is not yet its part of the capacity, of every resource.
    fn score(&self, weights: Weights) -> f64 {
        self.smoothed.shares().map_or(0.0, |shares| weights.score(shares)) + self.share(self.unseen)
    }
}

/// The lanes there are, in the order in which they came.
#[derive(Debug)]
pub struct Lanes<I> {
    policy: Policy,
    lanes: Vec<Lane<I>>,
    /// Where the next turn begins.
    turn: usize,
    births: u64,
}

impl<I: Clone + Eq> Lanes<I> {
    /// None yet.
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self { policy, lanes: Vec::new(), turn: 0, births: 0 }
    }

    /// Adds a lane, or changes how many it may hold. One that holds more than that takes none until it has room.
    pub fn set(&mut self, id: I, capacity: u32) {
        if let Some(lane) = self.lane(&id) {
            lane.capacity = capacity;
            return;
        }
        let birth = self.births;
        self.births += 1;
        let smoothed = Smoothed::default();
        self.lanes.push(Lane { id, birth, capacity, in_use: 0, smoothed, samples: 0, unseen: 0.0 });
    }

    /// Forgets a lane. Whether there was one.
    pub fn remove(&mut self, id: &I) -> bool {
        let Some(place) = self.lanes.iter().position(|lane| lane.id == *id) else { return false };
        self.lanes.remove(place);
        if place < self.turn {
            self.turn -= 1;
        }
        true
    }

    /// Adds what was measured of a lane, [`crate::SAMPLE_EVERY`] after the last time. Nothing where there is no such
    /// lane any more.
    pub fn sample(&mut self, id: &I, sample: Sample) {
        let Some(lane) = self.lane(id) else { return };
        lane.smoothed.add(sample);
        // The first sample is taken whole.
        lane.unseen = if lane.samples == 0 { 0.0 } else { lane.unseen * KEPT };
        lane.samples += 1;
    }

    /// Takes room for one in the lane that is best. `None` where every lane is full.
    pub fn place(&mut self) -> Option<Placement<I>> {
        let place = match self.policy {
            Policy::Score(weights) => self.lowest(weights),
            Policy::RoundRobin => self.next_in_turn(),
        }?;
        self.turn = place + 1;
        let lane = self.lanes.get_mut(place)?;
        lane.in_use += 1;
        lane.unseen += 1.0;
        Some(Placement { lane: lane.id.clone(), birth: lane.birth, samples: lane.samples })
    }

    /// Gives back what one took. Nothing where its lane was removed.
    pub fn end(&mut self, placement: Placement<I>) {
        let Placement { lane: id, birth, samples } = placement;
        let Some(lane) = self.lane(&id).filter(|lane| lane.birth == birth) else { return };
        lane.in_use = lane.in_use.saturating_sub(1);
        let shown = i32::try_from(lane.samples.saturating_sub(samples)).unwrap_or(i32::MAX);
        let unseen = if samples == 0 && shown > 0 { 0.0 } else { KEPT.powi(shown) };
        lane.unseen = if lane.in_use == 0 { 0.0 } else { (lane.unseen - unseen).max(0.0) };
    }

    /// What is known of every lane.
    pub fn states(&self) -> impl Iterator<Item = LaneState<'_, I>> {
        self.lanes.iter().map(|lane| LaneState {
            id: &lane.id,
            capacity: lane.capacity,
            in_use: lane.in_use,
            shares: lane.smoothed.shares(),
            score: match self.policy {
                Policy::Score(weights) => Some(lane.score(weights)),
                Policy::RoundRobin => None,
            },
        })
    }

    fn lane(&mut self, id: &I) -> Option<&mut Lane<I>> {
        self.lanes.iter_mut().find(|lane| lane.id == *id)
    }

    /// The lowest score; among equal ones the emptiest for its size, then the first.
    fn lowest(&self, weights: Weights) -> Option<usize> {
        let with_room = self.lanes.iter().enumerate().filter(|(_, lane)| lane.has_room());
        let rank = |lane: &Lane<I>| (lane.score(weights), lane.share(f64::from(lane.in_use)));
        let best = with_room.min_by(|(_, one), (_, other)| {
            let (one, other) = (rank(one), rank(other));
            one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
        });
        best.map(|(place, _)| place)
    }

    /// The first with room from the turn on.
    fn next_in_turn(&self) -> Option<usize> {
        let places = (self.turn..self.lanes.len()).chain(0..self.turn.min(self.lanes.len()));
        places.into_iter().find(|place| self.lanes.get(*place).is_some_and(Lane::has_room))
    }
}
