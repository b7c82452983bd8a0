//! `GET /api/v1/executions/{id}`.

use super::refusal::{id_of, unknown};
use super::{Endpoint, Tenant, query::Parameters};
use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use faas_types::{ErrorCode, ExecutionRecord};
use serde_json::json;

/// The path's own parameter.
pub(super) fn id_parameter() -> Parameter {
    Parameter::path("id", "The execution's id.", json!({"type": "string"}))
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    let operation = Operation::new("getExecution", "One execution, with the beginning of its output")
        .parameter(id_parameter())
        .json(200, "The execution.", "Execution")
        .refuses([ErrorCode::ExecutionNotFound, ErrorCode::UnknownField, ErrorCode::StorageUnavailable]);
    vec![Endpoint::get("/api/v1/executions/{id}", read, operation)]
}

async fn read(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<ExecutionRecord>, ApiError> {
    parameters.only(&[])?;
    let id = id_of(&id)?;
    state.orchestrator.get(tenant, id).await?.map(Json).ok_or_else(|| unknown(id))
}
