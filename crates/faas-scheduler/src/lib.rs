//! Layer 4: who runs next. Pure: no clock, no I/O, nothing asynchronous.
//!
//! [`FairQueue`] is the queue of executions that wait for a sandbox; `faas-orchestrator` holds it.

mod fair_queue;

pub use fair_queue::{FairQueue, Full};
