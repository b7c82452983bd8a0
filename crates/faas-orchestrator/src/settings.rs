//! What an orchestrator is made of and how much it may hold.

use crate::{Logs, WarmSettings};
use faas_build::Builder;
use faas_executor_api::Executor;
use faas_store_api::{Retention, Store};
use faas_types::NodeId;
use std::sync::Arc;
use std::time::Duration;

/// What an orchestrator is made of.
pub struct Parts {
    /// What makes sandboxes.
    pub executor: Arc<dyn Executor>,
    /// What remembers.
    pub store: Arc<dyn Store>,
    /// What installs dependencies of functions, where anything does.
    pub builder: Option<Arc<Builder>>,
    /// Where output goes.
    pub logs: Logs,
    /// How much it may hold.
    pub settings: Settings,
}

impl Settings {
    /// How long a handler's program may take to be loaded, where nobody says otherwise.
    pub const COLD_START_TIMEOUT: Duration = Duration::from_secs(30);
}

/// How much an orchestrator may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whose rows are its own.
    pub node: NodeId,
    /// Slots: sandboxes at once, those being torn down included, and never more calls.
    pub concurrency: u32,
    /// Callers that may wait for a sandbox, with at most [`crate::WAITING_BYTES`] of requests and input
    /// together. Executions nobody waits for stand in the store instead,
    /// which is their bound.
    pub queue: u32,
    /// Sandboxes kept between executions in mode `cached`.
    pub warm: WarmSettings,
    /// How long a handler's program may take to be loaded.
    pub cold_start_timeout: Duration,
    /// How much history the store keeps.
    pub retention: Retention,
    /// Bytes of the logs of ended executions that are kept, the oldest go first.
    pub log_retention_bytes: u64,
}
