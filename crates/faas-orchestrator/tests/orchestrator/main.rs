//! The orchestrator on the fake executor and the store in memory.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod cancelling;
mod deadline;
mod draining;
mod durable;
mod failing_store;
mod functions;
mod house;
mod life_cycle;
mod listing;
mod odd;
mod packages;
mod queueing;
mod running;
mod shared;
mod warm;
mod watching;
