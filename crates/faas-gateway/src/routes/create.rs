//! `POST /api/v1/executions`, and its older names.

use super::body::JsonBody;
use super::query::Parameters;
use super::submission::{Order, submit_attached};
use super::{Endpoint, Tenant, idempotency, refusal};
use crate::ApiError;
use crate::budget::Lease;
use crate::openapi::{Operation, Parameter};
use crate::state::{Shared, State as Gateway};
use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use faas_api_model::ExecuteBody;
use faas_orchestrator::{Submitted, Wait};
use faas_store_api::Idempotency;
use faas_types::{ErrorCode, ExecutionRecord, TenantId};

/// The path of an execution.
pub(super) const EXECUTIONS: &str = "/api/v1/executions";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post(EXECUTIONS, create, operation("createExecution")),
        Endpoint::post("/api/v1/execute", create, operation("execute")),
        Endpoint::post("/execute", create, operation("executeShort")),
    ]
}

/// What submitting may be refused with.
pub(crate) const SUBMISSION: [ErrorCode; 20] = [
    ErrorCode::CodeEmpty,
    ErrorCode::CodeTooLarge,
    ErrorCode::NotText,
    ErrorCode::FileRefused,
    ErrorCode::UnknownLanguage,
    ErrorCode::RuntimeMissing,
    ErrorCode::CommandNotFound,
    ErrorCode::IsolationUnavailable,
    ErrorCode::LimitNotEnforceable,
    ErrorCode::ResourcesAboveHost,
    ErrorCode::VerbUnsupported,
    ErrorCode::FieldUnsupported,
    ErrorCode::IdempotencyConflict,
    ErrorCode::AtCapacity,
    ErrorCode::QueueFull,
    ErrorCode::FunctionBusy,
    ErrorCode::FunctionFailing,
    ErrorCode::SandboxAssemblyFailed,
    ErrorCode::SandboxLost,
    ErrorCode::StorageUnavailable,
];

pub(crate) fn key_parameter() -> Parameter {
    idempotency::parameter(
        "The same key with the same request is done once, under whichever path; with another request it is refused. \
         A request with a key that waits goes on when its caller goes away, unless on_disconnect says cancel.",
    )
}

fn operation(id: &'static str) -> Operation {
    Operation::new(id, "Run code or a command in a fresh sandbox")
        .parameter(key_parameter())
        .body("ExecutionRequest")
        .json(200, "It ended, well or not: status says how.", "Execution")
        .accepted("It is kept and will run (wait false).", "Execution")
        .refuses(SUBMISSION)
        .refuses([ErrorCode::LauncherLost])
        .refuses([ErrorCode::NoSource])
        .misses([ErrorCode::FunctionNotFound, ErrorCode::VersionNotFound])
}

async fn create(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let key = idempotency::key(&headers)?;
    let ((key, body), paid) = body
        .read(|bytes| {
            Ok((key.map(|key| key.of(&idempotency::Operation::Execute, bytes)), ExecuteBody::from_json(bytes)?))
        })
        .await?;
    answer(&state, tenant, body, key, paid).await
}

/// Runs what a body asks for, and answers with its end, or that it is kept.
pub(super) async fn answer(
    state: &Gateway,
    tenant: TenantId,
    body: ExecuteBody,
    key: Option<Idempotency>,
    paid: Option<Lease>,
) -> Result<Response, ApiError> {
    let wait = body.wait.unwrap_or(true);
    if !wait && body.on_disconnect == Some(faas_api_model::OnDisconnect::Cancel) {
        let detail = "on_disconnect cancel is refused: with wait false nobody stays connected; leave it out";
        return Err(ApiError::new(ErrorCode::InvalidField, detail).field("on_disconnect"));
    }
    let order = Order::new(state, tenant, body, key, paid).await?;
    if wait {
        return submit_attached(state, order).await.map(|record| Json(record).into_response());
    }
    detach(state, order).await.map(|record| {
        let location = format!("{EXECUTIONS}/{}", record.id);
        (StatusCode::ACCEPTED, [(LOCATION, location)], Json(record)).into_response()
    })
}

async fn detach(state: &Gateway, order: Order) -> Result<ExecutionRecord, ApiError> {
    let tenant = order.tenant;
    let id = match order.submit(state, Wait::Detached).await? {
        Submitted::Queued(record) => return Ok(*record),
        Submitted::Attached(attached) => attached.id,
        Submitted::Repeat(id) => id,
    };
    state.orchestrator.get(tenant, id).await?.ok_or_else(|| refusal::unknown(id))
}
