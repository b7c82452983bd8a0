//! The gateway as a router: every route behind every check.

use crate::middleware::{Measure, protect};
use crate::state::{GatewayParts, Shared, State};
use crate::stream::Watchers;
use crate::{Access, routes};
use axum::Router;
use bytes::Bytes;
use faas_routes::Reserved;
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// How many modules may be read at once, each of which may be 16 MiB.
const MODULE_READS: usize = 4;

/// The paths that belong to the system: no route of a user may match a request that it answers.
#[must_use]
pub fn reserved_routes() -> Reserved {
    let endpoints = routes::endpoints();
    Reserved::new(endpoints.iter().map(|endpoint| (endpoint.method.as_str(), endpoint.path)))
}

/// The HTTP interface of one platform.
#[derive(Clone)]
pub struct Gateway {
    state: Shared,
    access: Access,
}

impl Gateway {
    /// Of these parts.
    #[must_use]
    pub fn new(parts: GatewayParts) -> Self {
        let GatewayParts { orchestrator, access, limits, defaults, metrics, modules } = parts;
        let limits_answer = routes::limits_answer(&limits, &defaults, orchestrator.settings());
        let cursor_key = routes::cursor_key(orchestrator.settings().node);
        let state = State {
            orchestrator,
            limits,
            defaults,
            metrics,
            watchers: Watchers::new(limits.all_streams()),
            modules,
            module_reads: Semaphore::new(MODULE_READS),
            cursor_key,
            reserved: reserved_routes(),
            // Texts and numbers always serialise.
            limits_answer: Bytes::from(serde_json::to_vec(&limits_answer).unwrap_or_default()),
            document: OnceLock::new(),
            page: OnceLock::new(),
        };
        Self { state: Arc::new(state), access }
    }

    /// Every route behind every check.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for endpoint in routes::endpoints() {
            for path in endpoint.paths() {
                router = router.route(path, endpoint.handler.clone());
            }
        }
        let router = router.fallback(routes::user_route).with_state(Arc::clone(&self.state));
        let templates = routes::endpoints().into_iter().flat_map(|endpoint| endpoint.paths());
        let measure = Measure::new(&self.state.metrics, templates);
        protect(router, self.access.clone(), self.state.limits, measure)
    }
}
