//! What exists on this host that a sandbox could have left behind.
//!
//! [`Observer::observe`] lists it as plain [`Item`]s; what a test started is what was added between two
//! observations. Reads only, from `/proc`, `/sys` and a few directories; as root it sees everything, as
//! an ordinary user what that user may see.
//!
//! Invariant: an item's name holds what tells it from its successor (a pid comes with its start time),
//! so that an item in two observations is one and the same thing.

mod cgroups;
mod directories;
mod mounts;
mod namespaces;
mod observer;
mod processes;

pub use mounts::{Mount, mounts};
pub use observer::{Item, Kind, Observer, State};
pub use processes::{Process, descendants, processes};
