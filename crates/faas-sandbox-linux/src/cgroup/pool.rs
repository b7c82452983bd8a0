//! Cgroups made ahead of time.
//!
//! Making one in four hierarchies and writing its limits costs about 0.3 ms, so some are ready for
//! the limits that were asked for last. Each is used once: a used one would start with the pages
//! and counters of its predecessor.

use super::leaf::{Leaf, Limits};
use super::tree::Tree;
use rustix::io::Errno;

/// Cgroups that nobody was in yet. Owned by the launcher's one thread.
#[derive(Debug, Default)]
pub struct LeafPool {
    ready: Vec<Leaf>,
    limits: Option<Limits>,
    made: u64,
}

impl LeafPool {
    /// A cgroup with these limits that nobody was in yet.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn take(&mut self, tree: &Tree, limits: &Limits) -> Result<Leaf, Errno> {
        if self.limits.as_ref() != Some(limits) {
            self.limits = Some(*limits);
            for leaf in self.ready.drain(..) {
                // Nobody was in it, so nothing keeps it busy.
                let _ = tree.remove_leaf(&leaf);
            }
        }
        match self.ready.pop() {
            Some(leaf) => Ok(leaf),
            None => self.make(tree, limits),
        }
    }

    /// Makes one for the limits asked for last if fewer than `wanted` are ready. Called while there
    /// is nothing else to do; `true` when one was made.
    pub fn prepare(&mut self, tree: &Tree, wanted: usize) -> bool {
        let Some(limits) = self.limits.filter(|_| self.ready.len() < wanted) else { return false };
        match self.make(tree, &limits) {
            Ok(leaf) => {
                self.ready.push(leaf);
                true
            }
            // Whoever needs one gets the error.
            Err(_) => false,
        }
    }

    fn make(&mut self, tree: &Tree, limits: &Limits) -> Result<Leaf, Errno> {
        self.made += 1;
        tree.create(&format!("s{}", self.made), limits)
    }
}
