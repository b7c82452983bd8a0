//! What is known by key, of so many keys: the one that was used longest ago is forgotten for a new one.
//!
//! Invariants: never more keys than the bound; one that is pinned is not forgotten; every operation takes time
//! logarithmic in the bound, because strangers choose the keys. [`super::Spares`] and [`super::KeepAlive`] hold one.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    most: usize,
    known: BTreeMap<K, Known<V>>,
    /// Those that are not pinned, by when they were used.
    order: BTreeMap<u64, K>,
    uses: u64,
}

#[derive(Debug)]
struct Known<V> {
    used: u64,
    pinned: bool,
    value: V,
}

impl<K: Clone + Ord, V> Recent<K, V> {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, known: BTreeMap::new(), order: BTreeMap::new(), uses: 0 }
    }

    /// The value of a key that is used now, which is made where it is not known. `None` where all others are pinned.
    pub(super) fn touch(&mut self, key: &K, make: impl FnOnce() -> V) -> Option<&mut V> {
        self.uses += 1;
        let used = self.uses;
        if let Some(known) = self.known.get_mut(key) {
            let before = std::mem::replace(&mut known.used, used);
            if let Some(key) = self.order.remove(&before) {
                self.order.insert(used, key);
            }
        } else {
            if self.known.len() >= self.most {
                let (_, oldest) = self.order.pop_first()?;
                self.known.remove(&oldest);
            }
            self.order.insert(used, key.clone());
            self.known.insert(key.clone(), Known { used, pinned: false, value: make() });
        }
        self.get_mut(key)
    }

    /// Lets a known key be forgotten, or not.
    pub(super) fn pin(&mut self, key: &K, pinned: bool) {
        let Some(known) = self.known.get_mut(key) else { return };
        known.pinned = pinned;
        if pinned {
            self.order.remove(&known.used);
        } else {
            self.order.insert(known.used, key.clone());
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.known.get(key).map(|known| &known.value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.known.get_mut(key).map(|known| &mut known.value)
    }

    /// All of them, by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.known.iter().map(|(key, known)| (key, &known.value))
    }

    /// All of them, by key.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.known.iter_mut().map(|(key, known)| (key, &mut known.value))
    }
}
