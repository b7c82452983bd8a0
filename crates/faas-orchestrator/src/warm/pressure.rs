//! Who goes where there are too many: the one that saves least, and last those that their function keeps.

use super::{Kept, Served, Unneeded, Waiting, Warm};
use std::collections::{HashMap, HashSet};
use tokio::time::Instant;

impl Warm {
    /// Takes out those that save least, but those that their function keeps only where no others are left.
    pub(super) fn take_out(&self, kept: &mut Kept, count: usize) -> Unneeded {
        if count == 0 {
            self.show(kept);
            return Unneeded::new();
        }
        let order = self.least_first(kept);
        let mut spare = self.spare(kept);
        let (others, held): (Vec<_>, Vec<_>) =
            order.into_iter().partition(|index| kept.waiting.get(*index).is_some_and(|one| one.is_spare(&mut spare)));
        let chosen: HashSet<usize> = others.into_iter().chain(held).take(count).collect();
        let mut index = 0;
        self.take_out_where(kept, |_| {
            index += 1;
            chosen.contains(&(index - 1))
        })
    }

    /// Their places by what they save, and of those that save as much the one that waits longest first.
    fn least_first(&self, kept: &Kept) -> Vec<usize> {
        let now = Instant::now();
        let mut beside = HashMap::<Served, u32>::new();
        let saves = |waiting: &Waiting| {
            let called = waiting.purpose.called;
            let beside = called.map_or(0, |served| {
                let beside = beside.entry(served).or_default();
                *beside += 1;
                *beside - 1
            });
            self.warmth.saves(called, beside, now.saturating_duration_since(waiting.since))
        };
        let mut order: Vec<(f64, usize)> =
            kept.waiting.iter().rev().map(saves).zip((0..kept.waiting.len()).rev()).collect();
        order.sort_by(|(one, place), (other, after)| one.total_cmp(other).then(place.cmp(after)));
        order.into_iter().map(|(_, place)| place).collect()
    }

    /// How many of each version wait that no function keeps.
    pub(super) fn spare(&self, kept: &Kept) -> HashMap<Served, usize> {
        let mut spare = kept.counts();
        for (served, count) in &mut spare {
            *count = count.saturating_sub(self.standing.least(*served));
        }
        spare
    }
}

impl Waiting {
    /// Takes it from those that no function keeps, where it is one of so many.
    pub(super) fn is_spare(&self, spare: &mut HashMap<Served, usize>) -> bool {
        match self.purpose.called.and_then(|served| spare.get_mut(&served)) {
            None => true,
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            Some(_) => false,
        }
    }
}
