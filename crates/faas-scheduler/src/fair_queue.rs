//! A bounded queue that is fair between its keys, and within a key between its lines.
//!
//! A key is a tenant, a line one version of one of its functions, or everything it runs that is no function.
//! Invariants: never more than the bound wait; the keys with something waiting take turns, so a key waits for at
//! most one item of every other key; within a key its lines do the same; within a line the order is that of arrival.

mod lines;
#[cfg(test)]
mod tests;

use lines::Lines;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The queue has no room; the item comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

/// A bounded queue, round-robin over keys and over the lines of each, first in, first out within a line.
#[derive(Debug)]
pub struct FairQueue<K, L, T> {
    bound: usize,
    length: usize,
    /// Keys with something waiting, the next one first. Each stands here once.
    turns: VecDeque<K>,
    waiting: HashMap<K, Lines<L, T>>,
}

impl<K: Clone + Eq + Hash, L: Clone + Eq + Hash, T> FairQueue<K, L, T> {
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

    /// Adds an item behind those of its line.
    ///
    /// # Errors
    /// There is no room.
    pub fn push(&mut self, key: K, line: L, item: T) -> Result<(), Full<T>> {
        if self.room() == 0 {
            return Err(Full(item));
        }
        self.lines(key).insert(line, item, |_, _| true);
        Ok(())
    }

    /// Puts back an item that was taken, behind those of its line that came before it. It has room whatever came
    /// meanwhile.
    pub fn put_back(&mut self, key: K, line: L, item: T, came_before: impl Fn(&T, &T) -> bool) {
        self.lines(key).insert(line, item, came_before);
    }

    /// The lines of a key that gets one more item.
    fn lines(&mut self, key: K) -> &mut Lines<L, T> {
        self.length += 1;
        if !self.waiting.contains_key(&key) {
            self.turns.push_back(key.clone());
        }
        self.waiting.entry(key).or_default()
    }

    /// Whether any item is such a one. As in [`Self::pop_where`], the oldest of a line speaks for all of it.
    pub fn any(&self, is_such: impl Fn(&T) -> bool) -> bool {
        self.waiting.values().any(|lines| lines.any(&is_such))
    }

    /// Takes the oldest item of the line whose turn it is, of the key whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        self.pop_where(|_| true)
    }

    /// Takes the oldest item of the first line in turn that may go, of the first key in turn that has one. The others
    /// keep their places. Only the oldest item of each line is asked about, so the items of a line have to be such
    /// that all of them may go or none: then a long line costs no more than a short one.
    pub fn pop_where(&mut self, mut may_go: impl FnMut(&T) -> bool) -> Option<T> {
        let mut place_of = |key: &K| self.waiting.get(key)?.place_of(&mut may_go);
        let (turn, place) =
            self.turns.iter().enumerate().find_map(|(turn, key)| place_of(key).map(|place| (turn, place)))?;
        let key = self.turns.remove(turn)?;
        let lines = self.waiting.get_mut(&key)?;
        let item = lines.take(place)?;
        self.length -= 1;
        if lines.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        Some(item)
    }

    /// Takes the oldest wanted item of the first line of a key that has one. Nobody's turn changes by it.
    pub fn remove(&mut self, key: &K, wanted: impl FnMut(&T) -> bool) -> Option<T> {
        let lines = self.waiting.get_mut(key)?;
        let item = lines.remove(wanted)?;
        self.length -= 1;
        if lines.is_empty() {
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
