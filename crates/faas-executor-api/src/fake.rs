//! An executor without processes, for the tests of everything above this layer.
//!
//! [`FakeExecutor`] keeps the contract honestly: its sandboxes interpret a tiny language (see
//! `instruction`), and memory, processes, disk, output and deadlines are simulated exactly. What its
//! host offers is chosen with [`FakeHost`], so that callers meet refusals too. [`FakeGuest`] writes
//! its programs for the conformance suite; a sandbox finds them as `/usr/bin/fake`.
//!
//! Invariant: a sandbox runs at most one program at a time (which may answer several calls, each a task), and nothing
//! of it runs once `destroy` returned.

mod console;
mod disk;
mod executor;
mod guest;
mod host;
mod instruction;
mod machine;
mod program;
mod run;
mod sandbox;
mod shared;
mod sharing;
mod state;

pub use executor::FakeExecutor;
pub use guest::FakeGuest;
pub use host::FakeHost;
