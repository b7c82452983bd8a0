//! What is measured, in one registry per platform.

use super::labels::{self, Method};
use crate::names;
use prometheus::core::Collector;
use prometheus::{Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The type of what [`Metrics::render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of request latencies in seconds. Most answers take well below a millisecond.
const REQUEST_BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// How many executions have ended so far, by how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// Well.
    pub succeeded: u64,
    /// As failures.
    pub failed: u64,
    /// Because they were cancelled.
    pub cancelled: u64,
}

/// A cheap handle of one platform's measurements. Clones share them; two platforms of one process do not.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    executions: IntCounterVec,
    log_lines_dropped: IntCounter,
    /// Two who bring the totals up to date at once would count the difference twice.
    totals: Arc<Mutex<()>>,
    queued: Gauge,
    running: Gauge,
}

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::new(),
            requests: well_named(IntCounterVec::new(
                Opts::new(names::HTTP_REQUESTS, "Answered requests by route, method and class of status"),
                &["route", "method", "status"],
            )),
            request_duration: well_named(HistogramVec::new(
                HistogramOpts::new(names::HTTP_REQUEST_DURATION, "Seconds from a request's head to its answer's head")
                    .buckets(REQUEST_BUCKETS.to_vec()),
                &["route"],
            )),
            executions: well_named(IntCounterVec::new(
                Opts::new(names::EXECUTIONS, "Ended executions by how they ended"),
                &["end"],
            )),
            log_lines_dropped: well_named(IntCounter::new(
                names::LOG_LINES_DROPPED,
                "Log lines dropped because stderr was not read as fast as they came",
            )),
            totals: Arc::default(),
            queued: well_named(Gauge::new(names::EXECUTIONS_QUEUED, "Executions waiting for a sandbox")),
            running: well_named(Gauge::new(names::EXECUTIONS_RUNNING, "Executions that have a sandbox")),
        };
        metrics.register(metrics.requests.clone());
        metrics.register(metrics.request_duration.clone());
        metrics.register(metrics.executions.clone());
        metrics.register(metrics.log_lines_dropped.clone());
        metrics.register(metrics.queued.clone());
        metrics.register(metrics.running.clone());
        metrics
    }

    /// A request was answered. `route` is the template (`/api/v1/executions/{id}`), never the path;
    /// [`UNMATCHED_ROUTE`](super::UNMATCHED_ROUTE) where there is none.
    pub fn request(&self, route: &'static str, method: impl Into<Method>, status: u16, latency: Duration) {
        let method = method.into().as_str();
        self.requests.with_label_values(&[route, method, labels::status_class(status)]).inc();
        self.request_duration.with_label_values(&[route]).observe(latency.as_secs_f64());
    }

    /// How many executions have ended so far: totals, not a difference. The caller reads them just before
    /// rendering; a total that is below the last one changes nothing.
    pub fn ended(&self, ended: Ended) {
        let _alone = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let Ended { succeeded, failed, cancelled } = ended;
        for (end, total) in [("succeeded", succeeded), ("failed", failed), ("cancelled", cancelled)] {
            let counter = self.executions.with_label_values(&[end]);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    /// How many executions wait and run at this moment. The caller reads them just before rendering.
    pub fn gauges(&self, queued: u32, running: u32) {
        self.queued.set(f64::from(queued));
        self.running.set(f64::from(running));
    }

    /// Prometheus text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        {
            let _alone = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
            let counter = &self.log_lines_dropped;
            counter.inc_by(crate::log::dropped().saturating_sub(counter.get()));
        }
        let mut text = String::new();
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics cannot be rendered in full");
        }
        text
    }

    fn register(&self, collector: impl Collector + 'static) {
        well_named(self.registry.register(Box::new(collector)));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What can only fail for a name that is malformed or given twice.
#[expect(clippy::expect_used, reason = "all names are constants of this crate, and every test of it makes them all")]
fn well_named<T>(made: prometheus::Result<T>) -> T {
    made.expect("metric names are well-formed and distinct")
}
