//! `/api/v1/functions/{function}/http`: a function as an HTTP server.

use super::path::{version_parameter, which};
use super::respond::{Asked, respond};
use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::routes::create::SUBMISSION;
use crate::routes::{Endpoint, RawBody, Tenant};
use crate::state::Shared;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use faas_types::ErrorCode;
use serde_json::json;
use std::collections::HashMap;

/// Everything that is passed on, with the ids of its operations. HEAD is a GET without a body.
const METHODS: [(Method, &str, &str); 6] = [
    (Method::GET, "getThroughFunction", "getThroughFunctionAt"),
    (Method::POST, "postThroughFunction", "postThroughFunctionAt"),
    (Method::PUT, "putThroughFunction", "putThroughFunctionAt"),
    (Method::PATCH, "patchThroughFunction", "patchThroughFunctionAt"),
    (Method::DELETE, "deleteThroughFunction", "deleteThroughFunctionAt"),
    (Method::OPTIONS, "optionsThroughFunction", "optionsThroughFunctionAt"),
];

pub(super) fn endpoints() -> Vec<Endpoint> {
    let operation = |id| {
        Operation::new(id, "Ask a function over HTTP; the answer is its own")
            .parameter(version_parameter())
            .passes_on("FailedCall")
            .refuses(SUBMISSION)
            .refuses([
                ErrorCode::LauncherLost,
                ErrorCode::FunctionNotFound,
                ErrorCode::NoSource,
                ErrorCode::VersionNotFound,
            ])
    };
    let rest =
        || Parameter::path("path", "The path the function is asked; none is its root.", json!({"type": "string"}));
    let mut endpoints = Vec::new();
    for (method, here, below) in METHODS {
        let path = "/api/v1/functions/{function}/http";
        endpoints.push(Endpoint::with(method.clone(), path, ask, operation(here)));
        let root = "/api/v1/functions/{function}/http/";
        let path = "/api/v1/functions/{function}/http/{*path}";
        endpoints.push(Endpoint::with(method, path, ask, operation(below).parameter(rest())).also(root));
    }
    endpoints
}

async fn ask(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(place): Path<HashMap<String, String>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, ApiError> {
    let function = place.get("function").map(String::as_str).unwrap_or_default();
    let which = which(function)?;
    let version = state.orchestrator.functions().resolve(tenant, &which).await?;
    // As it was sent: what is encoded stays so.
    let path = uri.path().splitn(6, '/').nth(5).and_then(|rest| rest.strip_prefix("http")).unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    respond(&state, tenant, &version, Asked { method: &method, path, uri: &uri, headers: &headers, body }).await
}
