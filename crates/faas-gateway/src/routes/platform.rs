//! What the platform is, offers, bounds and does.

use super::idempotency::MAX_KEY;
use super::list::MAX_LIMIT;
use super::query::Parameters;
use super::{Endpoint, Tenant};
use crate::openapi::Operation;
use crate::state::{Defaults, Shared, State as Gateway};
use crate::stream::{MAX_INPUT, MAX_WATCHERS, SILENCE, patience};
use crate::{ApiError, HttpLimits};
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use faas_api_model::{
    CapabilitiesAnswer, FunctionStatsAnswer, HealthAnswer, KeptAnswer, LaneAnswer, LatencyAnswer, LimitsAnswer,
    MAX_ENTRIES, MAX_INPUT_BYTES, MAX_LABELS, RuntimeAnswer, SparesAnswer, StatsAnswer,
};
use faas_executor_api::{Capabilities, MAX_ARGUMENT_BYTES, MAX_CODE_BYTES, SpareStats, Verb};
use faas_orchestrator::{
    CallStats, FunctionStats, INLINE_BYTES, KeepReason, KeptWorker, LONGEST_TIMEOUT, LaneStats, Latency, Readiness,
    Settings,
};
use faas_telemetry::Ended;
use faas_types::{ByteSize, Contract, ErrorCode, FunctionName, Mode, TenantId};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let health = Operation::new("getHealth", "Whether the server lives").json(200, "It does.", "Health");
    let ready = Operation::new("getReady", "Whether the server takes executions")
        .json(200, "It does.", "Health")
        .refuses([ErrorCode::StorageUnavailable]);
    let limits = Operation::new("getLimits", "Every limit").json(200, "By name.", "Limits");
    let capabilities =
        Operation::new("getCapabilities", "What can be asked of this server").json(200, "By name.", "Capabilities");
    let stats = Operation::new("getStats", "What the platform does and has done").json(200, "Numbers.", "Stats");
    let metrics =
        Operation::new("getMetrics", "Measurements for Prometheus").typed(200, "Text format 0.0.4.", "text/plain");
    let strict = [ErrorCode::UnknownField];
    vec![
        Endpoint::get("/health", get_health, health),
        Endpoint::get("/ready", get_ready, ready),
        Endpoint::get("/api/v1/limits", get_limits, limits.refuses(strict)),
        Endpoint::get("/api/v1/capabilities", get_capabilities, capabilities.refuses(strict)),
        Endpoint::get("/api/v1/stats", get_stats, stats.refuses(strict)),
        Endpoint::get("/metrics", get_metrics, metrics),
    ]
}

fn healthy(status: &str) -> Json<HealthAnswer> {
    Json(HealthAnswer { status: status.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}

async fn get_health() -> Json<HealthAnswer> {
    healthy("ok")
}

async fn get_ready(State(state): State<Shared>) -> Result<Json<HealthAnswer>, ApiError> {
    let Readiness { draining, store_fails } = state.orchestrator.readiness();
    if draining {
        return Err(ApiError::new(ErrorCode::Stopping, "the server is stopping and takes nothing new"));
    }
    if store_fails {
        let detail = "the store cannot be used at present; GET /api/v1/events has the cause";
        return Err(ApiError::new(ErrorCode::StorageUnavailable, detail));
    }
    Ok(healthy("ready"))
}

async fn get_metrics(State(state): State<Shared>) -> Response {
    let stats = state.orchestrator.stats();
    let gauge = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    state.metrics.gauges(gauge(stats.queued), gauge(stats.running));
    state.metrics.ended(Ended { succeeded: stats.succeeded, failed: stats.failed, cancelled: stats.cancelled });
    ([(CONTENT_TYPE, faas_telemetry::CONTENT_TYPE)], state.metrics.render()).into_response()
}

async fn get_stats(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
) -> Result<Json<StatsAnswer>, ApiError> {
    parameters.only(&[])?;
    Ok(Json(stats(&state, tenant)))
}

/// What the platform does and has done, and what it has ready for a tenant.
pub(crate) fn stats(state: &Gateway, tenant: TenantId) -> StatsAnswer {
    let (stats, calls) = (state.orchestrator.stats(), state.orchestrator.calls());
    let (deployed, rows) = state.orchestrator.functions().routes();
    StatsAnswer {
        queued: stats.queued,
        running: stats.running,
        concurrency: u64::from(stats.concurrency),
        queue_limit: u64::from(stats.queue),
        ended: named([("succeeded", stats.succeeded), ("failed", stats.failed), ("cancelled", stats.cancelled)]),
        errors: errors(&calls),
        cold_starts: calls.cold_starts,
        latency: calls.latency.map(latency),
        routes: named([("deployed", count(deployed)), ("file", count(rows))]),
        refused: stats.refused,
        warm: stats.warm,
        warm_starts: stats.warm_starts,
        retired: stats.retired,
        log_bytes: stats.log_bytes,
        spares: state.orchestrator.spares(tenant).iter().map(spares).collect(),
        kept: state.orchestrator.kept_workers(tenant).iter().map(kept).collect(),
        lanes: state.orchestrator.lanes().iter().map(lane).collect(),
        uptime_ms: milliseconds(stats.uptime),
    }
}

fn lane(stats: &LaneStats) -> LaneAnswer {
    let LaneStats { name, capacity, in_use, shares, score } = stats;
    LaneAnswer {
        lane: (*name).to_owned(),
        capacity: *capacity,
        in_use: *in_use,
        cpu_percent: shares.map(|shares| percent(shares.cpu)),
        memory_percent: shares.map(|shares| percent(shares.memory)),
        io_percent: shares.map(|shares| percent(shares.io)),
        score_percent: score.map(percent),
    }
}

fn kept(worker: &KeptWorker) -> KeptAnswer {
    let KeptWorker { function, kept } = worker;
    let (reason, returns_percent) = match kept.reason {
        KeepReason::Returns { share } => ("returns", Some(percent(share))),
        KeepReason::New { .. } => ("new", None),
        KeepReason::Memory => ("memory", None),
    };
    KeptAnswer {
        function: function.to_string(),
        version: kept.version,
        keep_ms: milliseconds(kept.keep_for),
        reason: reason.to_owned(),
        returns_percent,
    }
}

/// A share from 0 to 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from a float ends at the bounds")]
fn percent(share: f64) -> u32 {
    (share * 100.0).round() as u32
}

fn spares(stats: &SpareStats) -> SparesAnswer {
    let SpareStats { spec, wanted, reason, ready, made, used, unused, took, memory } = stats;
    SparesAnswer {
        language: spec.language,
        memory_limit_bytes: spec.resources.memory.as_bytes(),
        packages: spec.packages.map(|packages| packages.to_string()),
        wanted: u64::from(*wanted),
        reason: (*reason).to_owned(),
        ready: u64::from(*ready),
        made: *made,
        used: *used,
        unused: *unused,
        start_us: took.map(microseconds),
        memory_bytes: memory.map(ByteSize::as_bytes),
    }
}

/// What a function does and has done.
pub(crate) fn function_stats(function: &FunctionName, stats: &FunctionStats) -> FunctionStatsAnswer {
    let FunctionStats { running, waiting, warm, calls } = stats;
    let failed = calls.failed.values().sum();
    FunctionStatsAnswer {
        function: function.to_string(),
        running: u64::from(*running),
        waiting: count(*waiting),
        warm: count(*warm),
        ended: named([("succeeded", calls.succeeded), ("failed", failed), ("cancelled", calls.cancelled)]),
        errors: errors(calls),
        cold_starts: calls.cold_starts,
        warm_starts: calls.warm_starts,
        latency: calls.latency.map(latency),
    }
}

fn errors(calls: &CallStats) -> BTreeMap<String, u64> {
    calls.failed.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn latency(latency: Latency) -> LatencyAnswer {
    LatencyAnswer {
        p50_us: microseconds(latency.p50),
        p95_us: microseconds(latency.p95),
        p99_us: microseconds(latency.p99),
    }
}

async fn get_capabilities(
    State(state): State<Shared>,
    _: Tenant,
    parameters: Parameters,
) -> Result<Json<CapabilitiesAnswer>, ApiError> {
    parameters.only(&[])?;
    let capabilities = state.orchestrator.capabilities();
    let runtime = |runtime: &faas_executor_api::RuntimeInfo| RuntimeAnswer {
        language: runtime.language,
        path: runtime.path.clone(),
    };
    Ok(Json(CapabilitiesAnswer {
        executor: capabilities.kind.as_str().to_owned(),
        verbs: capabilities.verbs.iter().map(ToString::to_string).collect(),
        isolation: capabilities.report.clone(),
        runtimes: capabilities.runtimes.iter().map(runtime).collect(),
        modes: modes(capabilities).map(|mode| mode.as_str().to_owned()).collect(),
        contracts: Contract::ALL.iter().map(ToString::to_string).collect(),
    }))
}

/// The modes of executions that this executor can honour.
fn modes(capabilities: &Capabilities) -> impl Iterator<Item = Mode> {
    std::iter::once(Mode::Ephemeral).chain(capabilities.offers(Verb::Recycle).then_some(Mode::Cached))
}

async fn get_limits(State(state): State<Shared>, _: Tenant, parameters: Parameters) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    Ok(([(CONTENT_TYPE, "application/json")], state.limits_answer.clone()).into_response())
}

/// Every limit. They hold as long as the gateway does.
pub(crate) fn limits(http: &HttpLimits, defaults: &Defaults, settings: &Settings) -> LimitsAnswer {
    LimitsAnswer {
        http: named([
            ("connections", u64::from(http.connections)),
            ("header_timeout_ms", milliseconds(http.header_timeout)),
            ("header_bytes", http.header_bytes.as_bytes()),
            ("headers", u64::from(http.headers)),
            ("path_bytes", http.path_bytes.as_bytes()),
            ("body_bytes", http.body_bytes.as_bytes()),
            ("all_bodies_bytes", http.all_bodies().as_bytes()),
            ("body_timeout_ms", milliseconds(http.body_timeout)),
            ("body_bytes_per_second", http.body_rate.as_bytes()),
            ("write_timeout_ms", milliseconds(http.write_timeout)),
            ("idle_timeout_ms", milliseconds(http.idle_timeout)),
            ("http2_streams", u64::from(http.streams)),
            ("drain_timeout_ms", milliseconds(http.drain_timeout)),
            ("page_items", u64::from(MAX_LIMIT)),
            ("streams", u64::from(http.all_streams())),
            ("websocket_input_bytes", count(MAX_INPUT)),
            ("watchers_per_execution", u64::from(MAX_WATCHERS)),
            ("reader_patience_ms", milliseconds(patience(http.write_timeout))),
            ("websocket_silence_ms", milliseconds(SILENCE)),
            ("idempotency_key_bytes", count(MAX_KEY)),
        ]),
        execution: named([
            ("code_bytes", count(MAX_CODE_BYTES)),
            ("argument_and_env_bytes", count(MAX_ARGUMENT_BYTES)),
            ("input_bytes", count(MAX_INPUT_BYTES)),
            ("entries", count(MAX_ENTRIES)),
            ("labels", count(MAX_LABELS)),
            ("timeout_ms", milliseconds(LONGEST_TIMEOUT)),
            ("inline_output_bytes", count(INLINE_BYTES)),
        ]),
        defaults: named([
            ("cpu_milli", u64::from(defaults.resources.cpu.as_milli())),
            ("memory_bytes", defaults.resources.memory.as_bytes()),
            ("disk_bytes", defaults.resources.disk.as_bytes()),
            ("pids", u64::from(defaults.resources.pids)),
            ("timeout_ms", milliseconds(defaults.timeout)),
            ("argv_json_timeout_ms", milliseconds(defaults.argv_json_timeout)),
            ("output_bytes", defaults.output.bytes.as_bytes()),
        ]),
        platform: named([
            ("concurrency", u64::from(settings.concurrency)),
            ("queue", u64::from(settings.queue)),
            ("warm_sandboxes", u64::from(settings.warm.sandboxes)),
            ("warm_ttl_ms", milliseconds(settings.warm.ttl)),
            ("cold_start_timeout_ms", milliseconds(settings.cold_start_timeout)),
            ("history_rows", settings.retention.rows),
            ("history_bytes", settings.retention.bytes),
            ("log_bytes", settings.log_retention_bytes),
        ]),
    }
}

fn named<const N: usize>(pairs: [(&str, u64); N]) -> BTreeMap<String, u64> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
