//! What an orchestrator does at present and has done.

mod calls;
mod histogram;

pub(crate) use calls::Calls;
pub use calls::{CallStats, Latency};

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What an orchestrator does at present and has done since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Executions that wait, those that stand only in the store included.
    pub queued: u64,
    /// Slots in use: sandboxes that exist or are being made or torn down, and one for each call where several are
    /// in one sandbox.
    pub running: u64,
    /// How many of those there may be.
    pub concurrency: u32,
    /// How many callers may wait, with at most [`crate::WAITING_BYTES`] of requests and input together.
    pub queue: u32,
    /// Executions that ended well.
    pub succeeded: u64,
    /// Executions that failed.
    pub failed: u64,
    /// Executions that were cancelled.
    pub cancelled: u64,
    /// Executions that were refused because the queue was full.
    pub refused: u64,
    /// Warm sandboxes that wait for an execution.
    pub warm: u64,
    /// Executions that began in a warm sandbox.
    pub warm_starts: u64,
    /// Sandboxes that were to be kept and could not be made as new.
    pub retired: u64,
    /// Ends that the store has not taken yet.
    pub unwritten: u64,
    /// Bytes of the logs of ended executions.
    pub log_bytes: u64,
    /// How long it has been there.
    pub uptime: Duration,
}

/// Whether new executions can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// It takes nothing new and ends.
    pub draining: bool,
    /// The store failed, and has written nothing since.
    pub store_fails: bool,
}

/// What has been counted.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) refused: AtomicU64,
    pub(crate) warm_starts: AtomicU64,
    pub(crate) retired: AtomicU64,
    /// Rows that stand queued in the store.
    pub(crate) stored: AtomicU64,
}

impl Totals {
    /// A queued row is queued no more.
    pub(crate) fn row_taken(&self) {
        // Never below zero: another node's row is not counted here.
        let _ = self.stored.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rows| rows.checked_sub(1));
    }
}
