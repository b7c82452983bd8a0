//! `/functions`, `/invoke/{name}`, `/stats`, `/instances`: what seed 001 prints.
//!
//! The same operations as the canonical routes; only names of fields and of lists are the seed's.

use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::routes::{
    Asked, Endpoint, FromSeed, JsonBody, Parameters, RawBody, Tenant, function_key_parameter, function_page,
    function_stats, idempotency, stats_answer,
};
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use faas_api_model::{
    FunctionAnswer, FunctionBody, FunctionStatsAnswer, InstanceAnswer, SeedFunctionBody, StatsAnswer,
};
use faas_types::{ErrorCode, InstanceId};
use serde_json::{Value, json};

/// What a function's body may be refused with.
const DEFINITION: [ErrorCode; 14] = [
    ErrorCode::CodeEmpty,
    ErrorCode::CodeTooLarge,
    ErrorCode::NotText,
    ErrorCode::UnknownLanguage,
    ErrorCode::RuntimeMissing,
    ErrorCode::IsolationUnavailable,
    ErrorCode::LimitNotEnforceable,
    ErrorCode::ResourcesAboveHost,
    ErrorCode::FieldUnsupported,
    ErrorCode::StorageUnavailable,
    ErrorCode::DependencyNotFound,
    ErrorCode::DependencyRefused,
    ErrorCode::BuildFailed,
    ErrorCode::SandboxAssemblyFailed,
];

/// What may be missing where a function is looked for.
const FUNCTION: [ErrorCode; 4] =
    [ErrorCode::FunctionNotFound, ErrorCode::NoSource, ErrorCode::VersionNotFound, ErrorCode::StorageUnavailable];

pub(super) fn endpoints() -> Vec<Endpoint> {
    let name = || Parameter::path("id", "The function's name.", json!({"type": "string", "minLength": 1}));
    let list = Operation::new("seedListFunctions", "List functions")
        .parameters(function_page::parameters())
        .json(200, "A page.", "SeedFunctionPage")
        .refuses([ErrorCode::UnknownField, ErrorCode::StorageUnavailable]);
    let create = Operation::new("seedCreateFunction", "Make a function")
        .parameter(function_key_parameter())
        .body("SeedFunctionRequest")
        .json(201, "It is there.", "Function")
        .refuses(DEFINITION)
        .refuses([ErrorCode::FunctionExists, ErrorCode::IdempotencyConflict]);
    let get = Operation::new("seedGetFunction", "One function")
        .parameter(name())
        .json(200, "The function.", "Function")
        .refuses(FUNCTION)
        .refuses([ErrorCode::UnknownField]);
    let update = Operation::new("seedUpdateFunction", "Change a function")
        .parameter(name())
        .body("SeedFunctionRequest")
        .json(200, "The new version is live.", "Function")
        .refuses(DEFINITION)
        .refuses([
            ErrorCode::FunctionNotFound,
            ErrorCode::NoSource,
            ErrorCode::FunctionChanged,
            ErrorCode::TooManyVersions,
        ]);
    let delete = Operation::new("seedDeleteFunction", "Delete a function")
        .parameter(name())
        .empty("It is gone.")
        .refuses(FUNCTION)
        .refuses([ErrorCode::UnknownField]);
    let invoke = Operation::new("seedInvoke", "Ask a function; the answer is its own")
        .parameter(name())
        .passes_on("FailedCall")
        .refuses(crate::routes::SUBMISSION)
        .refuses(FUNCTION)
        .refuses([ErrorCode::LauncherLost]);
    let stats = Operation::new("seedGetStats", "What the platform does and has done").json(200, "Numbers.", "Stats");
    let of_function = Operation::new("seedGetFunctionStats", "What a function does and has done")
        .parameter(name())
        .json(200, "Numbers.", "FunctionStats")
        .refuses(FUNCTION)
        .refuses([ErrorCode::UnknownField]);
    let instances = Operation::new("seedListInstances", "List warm instances")
        .json(200, "All of them.", "SeedInstancePage")
        .refuses([ErrorCode::UnknownField]);
    let stop = Operation::new("seedStopInstance", "End a warm instance")
        .parameter(Parameter::path("id", "The instance's id.", json!({"type": "string"})))
        .empty("It ends.")
        .refuses([ErrorCode::InstanceNotFound, ErrorCode::UnknownField]);
    vec![
        Endpoint::get("/functions", list_functions, list),
        Endpoint::post("/functions", create_function, create),
        Endpoint::get("/functions/{id}", get_function, get),
        Endpoint::put("/functions/{id}", update_function, update),
        Endpoint::delete("/functions/{id}", delete_function, delete),
        Endpoint::post("/invoke/{id}", invoke_function, invoke),
        Endpoint::get("/stats", get_stats, stats.refuses([ErrorCode::UnknownField])),
        Endpoint::get("/stats/functions/{id}", get_function_stats, of_function),
        Endpoint::get("/instances", list_instances, instances),
        Endpoint::delete("/instances/{id}", stop_instance, stop),
    ]
}

/// The refusal in the seed's names.
fn renamed(mut error: ApiError) -> ApiError {
    if let Some((field, name)) =
        error.field.as_deref().and_then(|field| Some((field, SeedFunctionBody::name_of(field)?)))
    {
        error.detail = error.detail.replacen(field, &name, 1);
        error.field = Some(name);
    }
    error
}

async fn list_functions(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    let page = function_page::read(&state, tenant, &parameters).await?;
    let (next_cursor, not_deployed) = (page.next_cursor, page.not_deployed);
    Ok(Json(json!({
        "items": page.items, "next_cursor": next_cursor, "not_deployed": not_deployed, "functions": page.items,
    })))
}

async fn create_function(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<(StatusCode, Json<FunctionAnswer>), ApiError> {
    parameters.only(&[])?;
    let key = idempotency::key(&headers)?;
    let read = |bytes: &[u8]| {
        let body = SeedFunctionBody::from_json(bytes)?.to_string();
        Ok((
            key.map(|key| key.of(&idempotency::Operation::MakeFunction, bytes)),
            FunctionBody::from_json(body.as_bytes())?,
        ))
    };
    let ((key, body), _paid) = body.read(read).await.map_err(renamed)?;
    let view = FromSeed { state: &state, tenant }.create(body, key).await.map_err(renamed)?;
    Ok((StatusCode::CREATED, Json(FromSeed::shown(&view, true))))
}

async fn get_function(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
) -> Result<Json<FunctionAnswer>, ApiError> {
    parameters.only(&[])?;
    let view = FromSeed { state: &state, tenant }.get(&function).await?;
    Ok(Json(FromSeed::shown(&view, true)))
}

async fn update_function(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
    body: JsonBody,
) -> Result<Json<FunctionAnswer>, ApiError> {
    parameters.only(&[])?;
    let read = |bytes: &[u8]| {
        let patch = SeedFunctionBody::from_json(bytes)?;
        FunctionBody::from_json(patch.to_string().as_bytes())?;
        Ok(patch)
    };
    let (patch, _paid) = body.read(read).await.map_err(renamed)?;
    let view = FromSeed { state: &state, tenant }.update(&function, &patch).await.map_err(renamed)?;
    Ok(Json(FromSeed::shown(&view, true)))
}

async fn delete_function(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
) -> Result<StatusCode, ApiError> {
    parameters.only(&[])?;
    FromSeed { state: &state, tenant }.delete(&function).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn invoke_function(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, ApiError> {
    let asked = Asked { method: &method, path: uri.path(), uri: &uri, headers: &headers, body };
    FromSeed { state: &state, tenant }.ask(&function, asked).await
}

async fn get_stats(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
) -> Result<Json<StatsAnswer>, ApiError> {
    parameters.only(&[])?;
    Ok(Json(stats_answer(&state, tenant)))
}

async fn get_function_stats(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
) -> Result<Json<FunctionStatsAnswer>, ApiError> {
    parameters.only(&[])?;
    let function = FromSeed { state: &state, tenant }.get(&function).await?.function;
    let stats = state.orchestrator.functions().stats(tenant, &faas_types::FunctionKey::Id(function.id)).await?;
    Ok(Json(function_stats(&function.name, &stats)))
}

async fn list_instances(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
) -> Result<Json<Value>, ApiError> {
    parameters.only(&[])?;
    let instance = |worker: faas_orchestrator::Worker| InstanceAnswer {
        id: worker.id.to_string(),
        kind: "worker".to_owned(),
        status: "running".to_owned(),
        version: worker.function.as_ref().map(|(_, number)| *number),
        function: worker.function.map(|(name, _)| name.to_string()),
        expires_in_ms: u64::try_from(worker.expires_in.as_millis()).unwrap_or(u64::MAX),
    };
    let items: Vec<InstanceAnswer> = state.orchestrator.workers(tenant).into_iter().map(instance).collect();
    Ok(Json(json!({"items": items, "next_cursor": null, "instances": items})))
}

async fn stop_instance(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let ended = id.parse::<InstanceId>().is_ok_and(|id| state.orchestrator.end_worker(tenant, id));
    if ended {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let shown: String = id.chars().take(64).collect();
    let detail = format!("there is no instance {shown:?} that waits for a call; GET /instances lists those that do");
    Err(ApiError::new(ErrorCode::InstanceNotFound, detail))
}
