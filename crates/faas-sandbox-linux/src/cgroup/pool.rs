//! Cgroups made ahead of time.
//!
//! Making one in four hierarchies and writing its limits costs about 0.3 ms, so some are ready for
//! the limits that were asked for last. Each is used once: a used one would start with the pages
//! and counters of its predecessor.

use super::leaf::{Leaf, Limits};
use super::tree::Tree;
use rustix::io::Errno;

/// For how many limits cgroups are ready: functions that differ in theirs are called in turn.
const KINDS: usize = 4;

/// Cgroups that nobody was in yet. Owned by the launcher's one thread.
#[derive(Debug, Default)]
pub struct LeafPool {
    /// At most [`KINDS`], those that were asked for last first.
    kinds: Vec<Kind>,
    made: u64,
}

/// Those of the same limits.
#[derive(Debug)]
struct Kind {
    limits: Limits,
    ready: Vec<Leaf>,
}

impl LeafPool {
    /// A cgroup with these limits that nobody was in yet.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn take(&mut self, tree: &Tree, limits: &Limits) -> Result<Leaf, Errno> {
        let found = self.kinds.iter().position(|kind| kind.limits == *limits);
        let mut kind = match found {
            Some(index) => self.kinds.remove(index),
            None => Kind { limits: *limits, ready: Vec::new() },
        };
        let ready = kind.ready.pop();
        self.kinds.insert(0, kind);
        for leaf in self.kinds.drain(KINDS.min(self.kinds.len())..).flat_map(|kind| kind.ready) {
            // Nobody was in it, so nothing keeps it busy.
            let _ = tree.remove_leaf(&leaf);
        }
        match ready {
            Some(leaf) => Ok(leaf),
            None => self.make(tree, limits),
        }
    }

    /// Makes one for the limits asked for last of which fewer than `wanted` are ready, or fewer than half of that
    /// where others were asked for since. Called while there is nothing else to do; `true` when one was made.
    pub fn prepare(&mut self, tree: &Tree, wanted: usize) -> bool {
        let lacks = |(index, kind): &(usize, &Kind)| kind.ready.len() < if *index == 0 { wanted } else { wanted / 2 };
        let Some((index, limits)) = self.kinds.iter().enumerate().find(lacks).map(|(index, kind)| (index, kind.limits))
        else {
            return false;
        };
        // Whoever needs one gets the error.
        let Ok(leaf) = self.make(tree, &limits) else { return false };
        if let Some(kind) = self.kinds.get_mut(index) {
            kind.ready.push(leaf);
        }
        true
    }

    fn make(&mut self, tree: &Tree, limits: &Limits) -> Result<Leaf, Errno> {
        self.made += 1;
        tree.create(&format!("s{}", self.made), limits)
    }
}
