//! What every request passes before and after its route, outermost first: request id, panic guard,
//! log line and metrics; what was refused below HTTP; the length of the path; canonical path; Host and
//! Origin; credentials; the body.
//!
//! Invariant: routing and every decision here see the same form of the path, because any other form
//! is refused before anything else is decided.

mod body;
mod measure;
mod observe;
mod path;
mod site;
mod spoofed;

pub use measure::Measure;

use crate::access::{Access, Caller};
use crate::budget::Budget;
use crate::limits::HttpLimits;
use crate::problem::ApiError;
use crate::server::{Endpoints, Refused, bytes};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use faas_types::ErrorCode;
use std::sync::Arc;

/// What the checks need.
#[derive(Debug)]
struct Checks {
    access: Access,
    limits: HttpLimits,
    budget: Budget,
    measure: Measure,
}

/// The routes behind every check. What no route takes is the router's own fallback's.
pub fn protect(router: Router, access: Access, limits: HttpLimits, measure: Measure) -> Router {
    let checks = Arc::new(Checks { access, limits, budget: Budget::new(&limits), measure });
    router
        .method_not_allowed_fallback(method_not_allowed)
        // One layer, because each one that the router wraps costs every request some allocations.
        .layer((from_fn_with_state(checks, guard), DefaultBodyLimit::disable()))
}

async fn guard(State(checks): State<Arc<Checks>>, request: Request, next: Next) -> Response {
    observe::observe(request, &checks.measure, |request| check(&checks, request, next)).await
}

/// What a path is answered that nothing is served at.
pub async fn not_found() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "no route of that path; GET /api/v1/openapi.json lists them")
}

async fn method_not_allowed(method: Method) -> ApiError {
    ApiError::new(
        ErrorCode::MethodNotAllowed,
        format!("this path does not take {method}; the allow header names the methods it takes"),
    )
}

async fn check(checks: &Checks, mut request: Request, next: Next) -> Response {
    let caller = match admit(checks, &mut request) {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    let warning = caller.warning.clone();
    request.extensions_mut().insert(caller);
    let mut response = body::bounded(request, next, &checks.limits, &checks.budget).await;
    if let Some(warning) = warning {
        response.headers_mut().insert(axum::http::header::WARNING, warning);
    }
    response
}

/// Everything that is decided by the head alone.
fn admit(checks: &Checks, request: &mut Request) -> Result<Caller, ApiError> {
    if let Some(Refused(refusal)) = request.extensions().get() {
        return Err(refusal.clone());
    }
    let longest = checks.limits.path_bytes.as_bytes();
    if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > bytes(checks.limits.path_bytes)) {
        let detail = format!("the path with its query is longer than {longest} bytes");
        return Err(ApiError::new(ErrorCode::UriTooLong, detail).limit(longest));
    }
    path::canonical(request.uri().path())?;
    let local = request.extensions().get::<Endpoints>().copied().unwrap_or_default().local;
    site::own(request, local)?;
    spoofed::remove(request.headers_mut());
    checks.access.decide(request.headers())
}
