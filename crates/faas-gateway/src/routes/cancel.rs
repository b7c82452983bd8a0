//! `POST /api/v1/executions/{id}/cancel`.

use super::read::id_parameter;
use super::refusal::{id_of, unknown};
use super::{Endpoint, Tenant, query::Parameters};
use crate::ApiError;
use crate::openapi::Operation;
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use faas_orchestrator::Cancelled;
use faas_types::ErrorCode;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let operation = Operation::new("cancelExecution", "Cancel an execution, wherever it stands")
        .parameter(id_parameter())
        .accepted("It is or will be cancelled, unless its own end is first.", "Execution")
        .refuses([
            ErrorCode::ExecutionNotFound,
            ErrorCode::ExecutionFinished,
            ErrorCode::UnknownField,
            ErrorCode::StorageUnavailable,
        ]);
    vec![Endpoint::post("/api/v1/executions/{id}/cancel", cancel, operation)]
}

async fn cancel(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let id = id_of(&id)?;
    match state.orchestrator.cancel(tenant, id).await? {
        Cancelled::Requested(record) => {
            let location = format!("/api/v1/executions/{id}");
            Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(record)).into_response())
        }
        Cancelled::Finished(record) => {
            let detail = format!("{id} has ended already: it {}", record.status);
            Err(ApiError::new(ErrorCode::ExecutionFinished, detail))
        }
        Cancelled::Unknown => Err(unknown(id)),
    }
}
