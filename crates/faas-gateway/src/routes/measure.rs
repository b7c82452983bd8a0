//! Counts requests by route template.
//!
//! Invariant: a label is a path of the table of endpoints or the one word for all others, so no
//! request adds a time series.

use super::endpoints;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use faas_telemetry::{Metrics, UNMATCHED_ROUTE};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::Instant;

#[derive(Clone)]
struct Measure {
    metrics: Metrics,
    templates: Arc<HashMap<&'static str, &'static str>>,
}

/// The same router, counted.
pub(crate) fn measured(router: Router, metrics: &Metrics) -> Router {
    let templates = endpoints().iter().map(|endpoint| (endpoint.path, endpoint.path)).collect();
    let measure = Measure { metrics: metrics.clone(), templates: Arc::new(templates) };
    router.layer(from_fn_with_state(measure, count))
}

async fn count(State(measure): State<Measure>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let template = request
        .extensions()
        .get::<MatchedPath>()
        .and_then(|path| measure.templates.get(path.as_str()).copied())
        .unwrap_or(UNMATCHED_ROUTE);
    let method = request.method().clone();
    let response = next.run(request).await;
    measure.metrics.request(template, method.as_str(), response.status().as_u16(), began.elapsed());
    response
}
