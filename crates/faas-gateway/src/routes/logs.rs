//! `GET /api/v1/executions/{id}/logs`: everything that was written and kept, as it was written.

use super::query::Parameters;
use super::read::id_parameter;
use super::refusal::{id_of, unknown};
use super::{Endpoint, Tenant};
use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::state::Shared;
use crate::stream::{Output, plain};
use axum::extract::{Path, State};
use axum::response::Response;
use faas_orchestrator::StreamName;
use faas_types::ErrorCode;
use serde_json::json;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let parameters = [
        Parameter::query(
            "follow",
            "true goes on until the execution ends.",
            json!({"type": "string", "enum": ["true", "false"]}),
        ),
        Parameter::query(
            "stream",
            "Only what was written there.",
            json!({"type": "string", "enum": ["stdout", "stderr"]}),
        ),
    ];
    let operation = Operation::new("getExecutionLogs", "An execution's output as it was written")
        .parameter(id_parameter())
        .parameters(parameters)
        .typed(200, "The bytes, both streams in the order they were read.", "text/plain")
        .refuses([
            ErrorCode::ExecutionNotFound,
            ErrorCode::UnknownField,
            ErrorCode::AtCapacity,
            ErrorCode::StorageUnavailable,
        ]);
    vec![Endpoint::get("/api/v1/executions/{id}/logs", logs, operation)]
}

async fn logs(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    parameters.only(&["follow", "stream"])?;
    let follow = parameters.parse::<bool>("follow", "true, false")?.unwrap_or(false);
    let only = match parameters.get("stream") {
        None => None,
        Some("stdout") => Some(StreamName::Stdout),
        Some("stderr") => Some(StreamName::Stderr),
        Some(other) => return Err(super::query::refused("stream", other, "stdout, stderr")),
    };
    let id = id_of(&id)?;
    let seat = state.watchers.seat()?;
    let watch = state.orchestrator.watch(tenant, id, 1).await?.ok_or_else(|| unknown(id))?;
    let place = state.watchers.enter(seat, id)?;
    Ok(plain(Output { watch, _place: place, only, follow }, state.limits.write_timeout))
}
