//! What the platform offers, bounds and has done.

use faas_types::{IsolationReport, Language};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Every limit, by the name errors and documentation use. Times in milliseconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsAnswer {
    /// What one connection and one request may take.
    pub http: BTreeMap<String, u64>,
    /// What one execution may take.
    pub execution: BTreeMap<String, u64>,
    /// What an execution gets that does not ask.
    pub defaults: BTreeMap<String, u64>,
    /// What the platform runs and keeps at once.
    pub platform: BTreeMap<String, u64>,
}

/// An interpreter of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeAnswer {
    /// The language it runs.
    pub language: Language,
    /// Its path inside a sandbox.
    pub path: String,
}

/// What can be asked of this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilitiesAnswer {
    /// The executor.
    pub executor: String,
    /// What its sandboxes can do.
    pub verbs: Vec<String>,
    /// The isolation a sandbox gets here at best.
    pub isolation: IsolationReport,
    /// The interpreters found.
    pub runtimes: Vec<RuntimeAnswer>,
    /// The accepted modes.
    pub modes: Vec<String>,
    /// The accepted contracts.
    pub contracts: Vec<String>,
}

/// How long executions took, from their acceptance to their end; each value within an eighth above the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyAnswer {
    /// Half took no longer.
    pub p50_us: u64,
    /// 95 of 100 took no longer.
    pub p95_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
}

/// What a function does and has done since the server began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionStatsAnswer {
    /// Its name.
    pub function: String,
    /// Calls that run.
    pub running: u64,
    /// Callers that wait.
    pub waiting: u64,
    /// Sandboxes that wait for a call.
    pub warm: u64,
    /// Ended calls, by status.
    pub ended: BTreeMap<String, u64>,
    /// Failed calls, by cause.
    pub errors: BTreeMap<String, u64>,
    /// Calls that began in a sandbox of their own.
    pub cold_starts: u64,
    /// Calls that began in a warm one.
    pub warm_starts: u64,
    /// How long calls took; `null` where none ended.
    pub latency: Option<LatencyAnswer>,
}

/// What the platform does and has done since it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsAnswer {
    /// Executions that wait.
    pub queued: u64,
    /// Executions that run.
    pub running: u64,
    /// How many may run at once.
    pub concurrency: u64,
    /// How many may wait.
    pub queue_limit: u64,
    /// Executions turned away because the queue was full.
    pub refused: u64,
    /// Used sandboxes that wait for an execution in mode `cached`.
    pub warm: u64,
    /// Executions that began in one of them.
    pub warm_starts: u64,
    /// Sandboxes that were to be kept and could not be made as new.
    pub retired: u64,
    /// Bytes of output of ended executions that are kept.
    pub log_bytes: u64,
    /// Ended executions since the server began, by status.
    pub ended: BTreeMap<String, u64>,
    /// Failed executions since the server began, by cause.
    pub errors: BTreeMap<String, u64>,
    /// Executions that began in a sandbox of their own.
    pub cold_starts: u64,
    /// How long executions took; `null` where none ended.
    pub latency: Option<LatencyAnswer>,
    /// Routes that lead to functions: deployed ones, and those of the routes file.
    pub routes: BTreeMap<String, u64>,
    /// Sandboxes that are made before anybody asks, of each kind that this tenant asked for last.
    #[serde(default)]
    pub spares: Vec<SparesAnswer>,
    /// For how long instances of this tenant's functions are kept that wait for a call, where the platform decides.
    #[serde(default)]
    pub kept: Vec<KeptAnswer>,
    /// How loaded the lanes are that sandboxes are made in.
    #[serde(default)]
    pub lanes: Vec<LaneAnswer>,
    /// Milliseconds since the server began.
    pub uptime_ms: u64,
}

/// How loaded a lane is: a part of a host or a host, in which sandboxes are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneAnswer {
    /// Its name.
    pub lane: String,
    /// How many sandboxes it may hold.
    pub capacity: u32,
    /// How many it holds.
    pub in_use: u32,
    /// The part of its processors in use, smoothed; `null` before the first samples.
    pub cpu_percent: Option<u32>,
    /// The part of its memory.
    pub memory_percent: Option<u32>,
    /// The part of the time in which something waited for input or output.
    pub io_percent: Option<u32>,
    /// The three, weighted; a sandbox goes where it is lowest.
    pub score_percent: Option<u32>,
}

/// For how long an instance of a version is kept after its last call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The function.
    pub function: String,
    /// The number of its version.
    pub version: u32,
    /// Milliseconds.
    pub keep_ms: u64,
    /// Why.
    pub reason: String,
    /// Of 100 calls so many come within that time after the one before; `null` where too little is known.
    pub returns_percent: Option<u32>,
}

/// Sandboxes of one kind that are made before anybody asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparesAnswer {
    /// Their language; `null` for plain commands.
    pub language: Option<Language>,
    /// The memory that each may use.
    pub memory_limit_bytes: u64,
    /// The packages in them.
    pub packages: Option<String>,
    /// How many there are to be.
    pub wanted: u64,
    /// Why so many.
    pub reason: String,
    /// How many there are.
    pub ready: u64,
    /// How many were made.
    pub made: u64,
    /// How many of those were handed over.
    pub used: u64,
    /// How many ended without.
    pub unused: u64,
    /// How long it took to make the last one; `null` where none was.
    pub start_us: Option<u64>,
    /// The memory that it took until it waited; `null` where that was not measured.
    pub memory_bytes: Option<u64>,
}
