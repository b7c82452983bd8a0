//! `POST /functions/{id}/invoke`: runs the command of the body.
//!
//! The id is for the caller's own logs and selects nothing. What a command did, its failure included,
//! is 200 with `error`; what kept it from running, or leaves unknown what became of it, is
//! `{"error"}` with a status.

use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::routes::idempotency::{self, Key};
use crate::routes::{Endpoint, JsonBody, Order, Parameters, Tenant, key_parameter, submit_attached};
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use faas_api_model::{ExecuteBody, InvokeAnswer, InvokeBody, InvokeRefusal};
use faas_types::{ErrorCode, ErrorKind, ExecutionRecord, TenantId};
use serde_json::json;

const MAX_ID: usize = 128;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let operation = Operation::new("invokeCommand", "Run a command in a fresh sandbox")
        .parameter(Parameter::path(
            "id",
            "For the caller's own logs; selects nothing.",
            json!({"type": "string", "minLength": 1, "maxLength": MAX_ID}),
        ))
        .parameter(key_parameter())
        .body("InvokeRequest")
        .json(200, "It ran; error says what went wrong.", "InvokeAnswer")
        .refusal("InvokeRefusal")
        .refuses([
            ErrorCode::IsolationUnavailable,
            ErrorCode::LimitNotEnforceable,
            ErrorCode::ResourcesAboveHost,
            ErrorCode::VerbUnsupported,
            ErrorCode::IdempotencyConflict,
            ErrorCode::AtCapacity,
            ErrorCode::QueueFull,
            ErrorCode::SandboxAssemblyFailed,
            ErrorCode::SandboxLost,
            ErrorCode::StorageUnavailable,
        ])
        .refused_with(504, "The command took too long and was ended.");
    vec![Endpoint::post("/functions/{id}/invoke", invoke, operation)]
}

async fn invoke(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
    parameters: Result<Parameters, ApiError>,
    headers: HeaderMap,
    body: Result<JsonBody, ApiError>,
) -> Response {
    let asked = || parameters.and_then(|parameters| parameters.only(&[])).and_then(|()| idempotency::key(&headers));
    match run(&state, tenant, id, asked(), body).await {
        Ok(record) => answer(record),
        Err(error) => refused(&error),
    }
}

async fn run(
    state: &Shared,
    tenant: TenantId,
    id: String,
    key: Result<Option<Key>, ApiError>,
    body: Result<JsonBody, ApiError>,
) -> Result<ExecutionRecord, ApiError> {
    if id.len() > MAX_ID {
        return Err(ApiError::new(ErrorCode::InvalidField, "the function's id is above 128 bytes").field("id"));
    }
    let key = key?;
    let read = |bytes: &[u8]| {
        let key = key.map(|key| key.of(&idempotency::Operation::Invoke(id), bytes));
        Ok((key, InvokeBody::from_json(bytes)?))
    };
    let ((key, InvokeBody { command, env, payload, .. }), paid) = body?.read(read).await?;
    let body = ExecuteBody { command: Some(command), env, stdin: Some(payload), ..ExecuteBody::default() };
    submit_attached(state, Order::new(state, tenant, body, key, paid).await?).await
}

fn answer(record: ExecutionRecord) -> Response {
    let lost = |status: StatusCode, record: ExecutionRecord| {
        let error = record.error.unwrap_or_else(|| "the execution failed".to_owned());
        (status, Json(InvokeRefusal { error })).into_response()
    };
    match record.error_kind {
        Some(ErrorKind::Timeout) => lost(StatusCode::GATEWAY_TIMEOUT, record),
        Some(ErrorKind::SandboxLost) => lost(StatusCode::BAD_GATEWAY, record),
        Some(ErrorKind::Platform) => lost(StatusCode::INTERNAL_SERVER_ERROR, record),
        None | Some(ErrorKind::UserError | ErrorKind::Oom | ErrorKind::Limit | ErrorKind::Cancelled) => {
            let ExecutionRecord { stdout, stderr, error, .. } = record;
            Json(InvokeAnswer { stdout, stderr, error }).into_response()
        }
    }
}

/// A command that is not there has run and failed, as this seed sees it.
fn refused(error: &ApiError) -> Response {
    if error.code == ErrorCode::CommandNotFound {
        let answer = InvokeAnswer { stdout: String::new(), stderr: String::new(), error: Some(error.detail.clone()) };
        return Json(answer).into_response();
    }
    let mut response = (error.status(), Json(InvokeRefusal { error: error.detail.clone() })).into_response();
    if error.status() == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = error.retry_after_ms.unwrap_or(1000).div_ceil(1000).max(1);
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
