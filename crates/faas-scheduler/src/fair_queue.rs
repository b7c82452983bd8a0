//! A bounded queue that is fair between its keys.
//!
//! Invariants: never more than the bound wait; the keys with something waiting take turns, so a key
//! waits for at most one item of every other key; within a key the order is that of arrival.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The queue has no room; the item comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

/// A bounded queue, round-robin over keys and first in, first out within one.
#[derive(Debug)]
pub struct FairQueue<K, T> {
    bound: usize,
    length: usize,
    /// Keys with something waiting, the next one first. Each stands here once.
    turns: VecDeque<K>,
    waiting: HashMap<K, VecDeque<T>>,
}

impl<K: Clone + Eq + Hash, T> FairQueue<K, T> {
    /// An empty queue for at most `bound` items.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { bound, length: 0, turns: VecDeque::new(), waiting: HashMap::new() }
    }

    /// How many wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many more may wait.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.bound.saturating_sub(self.length)
    }

    /// Adds an item behind those of its key.
    ///
    /// # Errors
    /// There is no room.
    pub fn push(&mut self, key: K, item: T) -> Result<(), Full<T>> {
        if self.room() == 0 {
            return Err(Full(item));
        }
        let items = self.waiting.entry(key.clone()).or_default();
        if items.is_empty() {
            self.turns.push_back(key);
        }
        items.push_back(item);
        self.length += 1;
        Ok(())
    }

    /// Puts back an item that was taken, behind those of its key that came before it. It has room whatever came
    /// meanwhile.
    pub fn put_back(&mut self, key: K, item: T, came_before: impl Fn(&T, &T) -> bool) {
        let items = self.waiting.entry(key.clone()).or_default();
        if items.is_empty() {
            self.turns.push_back(key);
        }
        let place = items.partition_point(|waiting| came_before(waiting, &item));
        items.insert(place, item);
        self.length += 1;
    }

    /// Whether any item is such a one.
    pub fn any(&self, is_such: impl Fn(&T) -> bool) -> bool {
        self.waiting.values().flatten().any(is_such)
    }

    /// Takes the oldest item of the key whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        self.pop_where(|_| true)
    }

    /// Takes the oldest item that may go, of the first key in turn that has one. The others keep their places.
    pub fn pop_where(&mut self, mut may_go: impl FnMut(&T) -> bool) -> Option<T> {
        let mut place_of = |key: &K| self.waiting.get(key)?.iter().position(&mut may_go);
        let (turn, place) =
            self.turns.iter().enumerate().find_map(|(turn, key)| place_of(key).map(|place| (turn, place)))?;
        let key = self.turns.remove(turn)?;
        let items = self.waiting.get_mut(&key)?;
        let item = items.remove(place)?;
        self.length -= 1;
        if items.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        Some(item)
    }

    /// Takes the oldest item of a key that is wanted.
    pub fn remove(&mut self, key: &K, mut wanted: impl FnMut(&T) -> bool) -> Option<T> {
        let items = self.waiting.get_mut(key)?;
        let place = items.iter().position(&mut wanted)?;
        let item = items.remove(place)?;
        self.length -= 1;
        if items.is_empty() {
            self.waiting.remove(key);
            self.turns.retain(|turn| turn != key);
        }
        Some(item)
    }

    /// Takes everything, in the order in which it would have had its turn.
    pub fn take_all(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.pop()).collect()
    }
}
