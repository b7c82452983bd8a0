//! Showing functions and their versions.

use super::path::{key, parameter, version_parameter, which};
use super::{FUNCTION, FUNCTIONS, answer, etag, page};
use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::routes::query::{Parameters, refused};
use crate::routes::{Endpoint, Tenant, cursor, function_stats, list};
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::ETAG;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use faas_api_model::{FunctionPage, FunctionStatsAnswer, VersionPage};
use faas_types::ErrorCode;
use serde_json::json;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let known = Parameter::header(
        "If-None-Match",
        "The etag that is known; the answer is 304 when it is still the one.",
        json!({"type": "string"}),
    );
    let all =
        Operation::new("listFunctions", "List functions, newest first, each with its live version, without source")
            .parameters(page::parameters())
            .json(200, "A page.", "FunctionPage")
            .refuses([ErrorCode::UnknownField, ErrorCode::StorageUnavailable]);
    let one = Operation::new("getFunction", "One function with one of its versions")
        .parameter(version_parameter())
        .parameter(known)
        .json(200, "The function.", "Function")
        .unchanged()
        .refuses([
            ErrorCode::FunctionNotFound,
            ErrorCode::NoSource,
            ErrorCode::VersionNotFound,
            ErrorCode::UnknownField,
            ErrorCode::StorageUnavailable,
        ]);
    let versions = Operation::new("listVersions", "List the versions of a function, newest first, without source")
        .parameter(parameter())
        .parameters(page::parameters())
        .json(200, "A page.", "VersionPage")
        .refuses([
            ErrorCode::FunctionNotFound,
            ErrorCode::NoSource,
            ErrorCode::UnknownField,
            ErrorCode::StorageUnavailable,
        ]);
    let stats = Operation::new("getFunctionStats", "What a function does and has done since the server began")
        .parameter(parameter())
        .json(200, "Numbers.", "FunctionStats")
        .refuses([
            ErrorCode::FunctionNotFound,
            ErrorCode::NoSource,
            ErrorCode::UnknownField,
            ErrorCode::StorageUnavailable,
        ]);
    vec![
        Endpoint::get("/api/v1/functions/{function}/stats", get_stats, stats),
        Endpoint::get(FUNCTIONS, list_functions, all),
        Endpoint::get(FUNCTION, get_function, one),
        Endpoint::get("/api/v1/functions/{function}/versions", list_versions, versions),
    ]
}

async fn list_functions(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
) -> Result<Json<FunctionPage>, ApiError> {
    page::read(&state, tenant, &parameters).await.map(Json)
}

async fn get_function(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let view = state.orchestrator.functions().view(tenant, &which(&function)?).await?;
    if etag::is_known(&headers, &view.function) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag::tag(&view.function))]).into_response());
    }
    Ok(answer::shown(StatusCode::OK, &view))
}

async fn get_stats(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
) -> Result<Json<FunctionStatsAnswer>, ApiError> {
    parameters.only(&[])?;
    let key = key(&function)?;
    let functions = state.orchestrator.functions();
    let name = functions.function(tenant, &key).await?.name.clone();
    Ok(Json(function_stats(&name, &functions.stats(tenant, &key).await?)))
}

async fn list_versions(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
) -> Result<Json<VersionPage>, ApiError> {
    parameters.only(&["limit", "cursor"])?;
    let limit = list::limit_of(&parameters)?;
    let before = match parameters.get("cursor") {
        None => None,
        Some(text) => {
            let number = cursor::open_text(&state.cursor_key, text)?;
            let refused = |_| refused("cursor", text, "next_cursor of an earlier page, unchanged");
            Some(number.parse::<u32>().map_err(refused)?)
        }
    };
    let functions = state.orchestrator.functions();
    let (function, versions) = functions.versions(tenant, &key(&function)?, before, limit).await?;
    let last = versions.last().map(|version| version.number).filter(|number| *number > 1);
    let next_cursor = last.map(|number| cursor::seal_text(&state.cursor_key, &number.to_string()));
    let items = versions.iter().map(|version| answer::version(&function, version)).collect();
    Ok(Json(VersionPage { items, next_cursor }))
}
