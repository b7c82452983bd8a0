//! What waits of one key: its lines, which take turns.
//!
//! Invariant: a line with something waiting stands in the turns once, and no other does. [`super::FairQueue`] holds
//! one of these for each key.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// See the module.
#[derive(Debug)]
pub(super) struct Lines<L, T> {
    /// The next one first.
    turns: VecDeque<L>,
    waiting: HashMap<L, VecDeque<T>>,
}

impl<L, T> Default for Lines<L, T> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), waiting: HashMap::new() }
    }
}

impl<L: Clone + Eq + Hash, T> Lines<L, T> {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Adds an item behind those of its line that came before it.
    pub(super) fn insert(&mut self, line: L, item: T, came_before: impl Fn(&T, &T) -> bool) {
        if !self.waiting.contains_key(&line) {
            self.turns.push_back(line.clone());
        }
        let items = self.waiting.entry(line).or_default();
        let place = items.partition_point(|waiting| came_before(waiting, &item));
        items.insert(place, item);
    }

    /// Whether the oldest item of any line is such a one.
    pub(super) fn any(&self, is_such: impl Fn(&T) -> bool) -> bool {
        self.waiting.values().any(|items| items.front().is_some_and(&is_such))
    }

    /// The place in the turns of the first line whose oldest item may go.
    pub(super) fn place_of(&self, mut may_go: impl FnMut(&T) -> bool) -> Option<usize> {
        let mut front_may_go = |line: &L| self.waiting.get(line).and_then(VecDeque::front).is_some_and(&mut may_go);
        self.turns.iter().position(&mut front_may_go)
    }

    /// Takes the oldest item of the line at a place in the turns, which then goes behind all others.
    pub(super) fn take(&mut self, place: usize) -> Option<T> {
        let line = self.turns.remove(place)?;
        let items = self.waiting.get_mut(&line)?;
        let item = items.pop_front()?;
        if items.is_empty() {
            self.waiting.remove(&line);
        } else {
            self.turns.push_back(line);
        }
        Some(item)
    }

    /// Takes the oldest wanted item of the first line that has one.
    pub(super) fn remove(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Option<T> {
        for turn in 0..self.turns.len() {
            let line = self.turns.get(turn)?;
            let items = self.waiting.get_mut(line)?;
            let Some(place) = items.iter().position(&mut wanted) else { continue };
            let item = items.remove(place);
            if items.is_empty() {
                self.waiting.remove(line);
                self.turns.remove(turn);
            }
            return item;
        }
        None
    }
}
