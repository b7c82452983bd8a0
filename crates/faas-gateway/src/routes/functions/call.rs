//! `POST /api/v1/functions/{function}/invoke`: a call as an execution.

use super::path::{version_parameter, which};
use crate::ApiError;
use crate::openapi::Operation;
use crate::routes::create::{SUBMISSION, answer, key_parameter};
use crate::routes::query::Parameters;
use crate::routes::{Endpoint, RawBody, Tenant, idempotency};
use crate::state::Shared;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use faas_api_model::ExecuteBody;
use faas_types::ErrorCode;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let operation = Operation::new("invokeFunction", "Call a function; the answer is the execution")
        .parameter(version_parameter())
        .parameter(key_parameter())
        .optional_body("CallRequest")
        .json(200, "It ended, well or not: status says how.", "Execution")
        .accepted("It is kept and will run (wait false).", "Execution")
        .refuses(SUBMISSION)
        .refuses([
            ErrorCode::LauncherLost,
            ErrorCode::FunctionNotFound,
            ErrorCode::NoSource,
            ErrorCode::VersionNotFound,
        ]);
    vec![Endpoint::post("/api/v1/functions/{function}/invoke", invoke, operation)]
}

async fn invoke(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let which = which(&function)?;
    let key = idempotency::key(&headers)?;
    let named = which.clone();
    let read = move |bytes: &[u8]| {
        let operation = idempotency::Operation::Call(function);
        Ok((key.map(|key| key.of(&operation, bytes)), ExecuteBody::call_from_json(named, bytes)?))
    };
    // What the path names is looked for first, so that it is the path's.
    state.orchestrator.functions().resolve(tenant, &which).await?;
    let ((key, body), paid) = body.json_or_nothing(&headers)?.read(read).await?;
    answer(&state, tenant, body, key, paid).await
}
