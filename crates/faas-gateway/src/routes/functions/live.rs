//! Which version a function's name and its aliases mean.

use super::path::{key, parameter};
use super::{answer, etag};
use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::routes::query::{Parameters, refused};
use crate::routes::{Endpoint, RawBody, Tenant};
use crate::state::Shared;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::ETAG;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use faas_api_model::{AliasBody, AliasesAnswer, RollbackBody};
use faas_orchestrator::FunctionError;
use faas_store_api::StoredFunction;
use faas_types::{AliasName, ErrorCode, FunctionRef, VersionSelector};
use serde_json::json;

const ALIASES: &str = "/api/v1/functions/{function}/aliases";
const ALIAS: &str = "/api/v1/functions/{function}/aliases/{alias}";

/// What a change of which version is meant may be refused with.
const CHANGES: [ErrorCode; 4] =
    [ErrorCode::FunctionNotFound, ErrorCode::NoSource, ErrorCode::FunctionChanged, ErrorCode::StorageUnavailable];

pub(super) fn endpoints() -> Vec<Endpoint> {
    let alias = || Parameter::path("alias", "The alias.", json!({"type": "string", "minLength": 1}));
    let rollback = Operation::new("rollbackFunction", "Let an earlier version be the live one")
        .parameter(parameter())
        .parameter(etag::parameter())
        .optional_body("RollbackRequest")
        .json(200, "The version is live.", "Function")
        .refuses(CHANGES)
        .refuses([ErrorCode::RouteTaken])
        .misses([ErrorCode::VersionNotFound]);
    let list = Operation::new("listAliases", "The aliases of a function")
        .parameter(parameter())
        .json(200, "The aliases.", "Aliases")
        .refuses([
            ErrorCode::FunctionNotFound,
            ErrorCode::NoSource,
            ErrorCode::UnknownField,
            ErrorCode::StorageUnavailable,
        ]);
    let set = Operation::new("setAlias", "Let an alias mean a version")
        .parameters([parameter(), alias(), etag::parameter()])
        .body("AliasRequest")
        .json(200, "All aliases.", "Aliases")
        .refuses(CHANGES)
        .misses([ErrorCode::VersionNotFound]);
    let remove = Operation::new("removeAlias", "Let an alias mean nothing any more")
        .parameters([parameter(), alias(), etag::parameter()])
        .json(200, "All that are left.", "Aliases")
        .refuses(CHANGES)
        .refuses([ErrorCode::VersionNotFound, ErrorCode::UnknownField]);
    vec![
        Endpoint::post("/api/v1/functions/{function}/rollback", roll_back, rollback),
        Endpoint::get(ALIASES, list_aliases, list),
        Endpoint::put(ALIAS, set_alias, set),
        Endpoint::delete(ALIAS, remove_alias, remove),
    ]
}

async fn roll_back(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let function = key(&function)?;
    let mut expected = etag::expected(&headers)?;
    let (asked, _paid) = body.json_or_nothing(&headers)?.read(|bytes| Ok(RollbackBody::from_json(bytes)?)).await?;
    let functions = state.orchestrator.functions();
    let version = match asked.version {
        Some(version) => version,
        None => {
            let current = functions.function(tenant, &function).await?;
            // Which one is the one before must not change on the way.
            expected = expected.or(Some(current.seen()));
            match current.live.checked_sub(1).filter(|before| *before > 0) {
                Some(before) => VersionSelector::Number(before),
                None => {
                    let detail = format!("{} has no version before its live one, which is 1", current.name);
                    return Err(ApiError::new(ErrorCode::VersionNotFound, detail).in_body());
                }
            }
        }
    };
    let view = functions.go_live(tenant, &FunctionRef { function, version }, expected).await.map_err(in_body)?;
    Ok(answer::shown(StatusCode::OK, &view))
}

async fn list_aliases(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    Ok(aliases(&*state.orchestrator.functions().function(tenant, &key(&function)?).await?))
}

async fn set_alias(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path((function, alias)): Path<(String, String)>,
    parameters: Parameters,
    headers: HeaderMap,
    body: crate::routes::JsonBody,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let (function, alias, expected) = (key(&function)?, name_of(&alias)?, etag::expected(&headers)?);
    let (version, _paid) = body.read(|bytes| Ok(AliasBody::from_json(bytes)?)).await?;
    let changed = state.orchestrator.functions().set_alias(tenant, &function, expected, alias, Some(version)).await;
    let changed = changed.map_err(in_body)?;
    Ok(aliases(&changed))
}

async fn remove_alias(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path((function, alias)): Path<(String, String)>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let (function, alias, expected) = (key(&function)?, name_of(&alias)?, etag::expected(&headers)?);
    let changed = state.orchestrator.functions().set_alias(tenant, &function, expected, alias, None).await?;
    Ok(aliases(&changed))
}

/// A version that is not there was named in the body.
fn in_body(error: FunctionError) -> ApiError {
    let is_version = matches!(error, FunctionError::NoVersion { .. });
    let error = ApiError::from(error);
    if is_version { error.in_body().field("version") } else { error }
}

fn name_of(text: &str) -> Result<AliasName, ApiError> {
    text.parse().map_err(|error: faas_types::NameError| refused("alias", text, &error.to_string()))
}

fn aliases(function: &StoredFunction) -> Response {
    let answer = AliasesAnswer { aliases: function.aliases.clone() };
    ([(ETAG, etag::tag(function))], Json(answer)).into_response()
}
