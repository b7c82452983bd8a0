//! Counts requests by route template.
//!
//! Invariant: a label is a path the gateway serves or the one word for all others, so no request adds a
//! time series.

use faas_telemetry::{Metrics, UNMATCHED_ROUTE};
use std::collections::HashMap;
use std::time::Duration;

/// What is measured of every request.
#[derive(Debug)]
pub struct Measure {
    metrics: Metrics,
    templates: HashMap<&'static str, &'static str>,
}

impl Measure {
    /// By these templates of paths.
    #[must_use]
    pub fn new(metrics: &Metrics, templates: impl IntoIterator<Item = &'static str>) -> Self {
        let templates = templates.into_iter().map(|template| (template, template)).collect();
        Self { metrics: metrics.clone(), templates }
    }

    /// A request was answered.
    pub(super) fn request(&self, template: &str, method: &str, status: u16, latency: Duration) {
        let template = self.templates.get(template).copied().unwrap_or(UNMATCHED_ROUTE);
        self.metrics.request(template, method, status, latency);
    }
}
