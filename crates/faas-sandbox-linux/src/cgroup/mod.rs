//! Limits and accounting of a sandbox as a whole, on cgroup v1 and v2.
//!
//! A [`Tree`] is what one launcher may use: a directory of its own in each hierarchy, named after
//! its slot. A [`Leaf`] is one sandbox in it. Directories are held by descriptor, because the
//! launcher's root has no cgroup file system.
//!
//! Invariant: every directory below a tree's own directory is ours, and so is every process in it.

mod dynamic;
mod files;
mod find;
mod leaf;
mod meters;
mod pool;
mod reconcile;
mod tree;

pub use dynamic::{CheapMoves, favor_dynamic_moves};
pub(crate) use find::user_directory;
pub use find::{Found, find};
pub use leaf::{Leaf, LeafCounters, Limits};
pub use meters::Meters;
pub use pool::LeafPool;
pub use reconcile::{remove_path, remove_tree};
pub use tree::{Controller, Tree, Version};
