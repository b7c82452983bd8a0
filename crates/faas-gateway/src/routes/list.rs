//! `GET /api/v1/executions`.

use super::create::EXECUTIONS;
use super::query::{Parameters, refused};
use super::{Endpoint, Tenant, cursor};
use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::state::Shared;
use axum::Json;
use axum::extract::State;
use faas_api_model::{ExecutionPage, check_label};
use faas_store_api::{Filter, ListQuery};
use faas_types::{ErrorCode, ExecutionState};
use serde_json::json;

const DEFAULT_LIMIT: u32 = 50;
/// The most items of a page.
pub(super) const MAX_LIMIT: u32 = 200;
const MAX_FUNCTION: usize = 128;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let statuses: Vec<&str> = ExecutionState::ALL.into_iter().map(ExecutionState::as_str).collect();
    let parameters = [
        limit_parameter(),
        Parameter::query(
            "cursor",
            "next_cursor of the page before.",
            json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
        ),
        Parameter::query("status", "Only those that stand here.", json!({"type": "string", "enum": statuses})),
        Parameter::query(
            "label",
            "Only those with this label: NAME=VALUE.",
            json!({"type": "string", "pattern": "^[A-Za-z0-9._/-]{1,63}=[^\\u0000-\\u001f\\u007f-\\u009f]{0,256}$"}),
        ),
        Parameter::query(
            "function",
            "Only calls of this function.",
            json!({"type": "string", "minLength": 1, "maxLength": MAX_FUNCTION}),
        ),
    ];
    let operation = Operation::new("listExecutions", "List executions, newest first, without their output")
        .parameters(parameters)
        .json(200, "A page.", "ExecutionPage")
        .refuses([ErrorCode::UnknownField, ErrorCode::StorageUnavailable]);
    vec![Endpoint::get(EXECUTIONS, list, operation)]
}

async fn list(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
) -> Result<Json<ExecutionPage>, ApiError> {
    parameters.only(&["limit", "cursor", "status", "label", "function"])?;
    let limit = limit_of(&parameters)?;
    let cursor = parameters.get("cursor").map(|text| cursor::open(&state.cursor_key, text)).transpose()?;
    let status = parameters.parse("status", "queued, starting, running, succeeded, failed, cancelled")?;
    let filter = Filter {
        status,
        function: parameters.get("function").map(function).transpose()?,
        label: parameters.get("label").map(label).transpose()?,
    };
    let page = state.orchestrator.list(tenant, &ListQuery { filter, cursor, limit }).await?;
    let next_cursor = page.next.map(|next| cursor::seal(&state.cursor_key, next));
    Ok(Json(ExecutionPage { items: page.items, next_cursor }))
}

pub(super) fn limit_parameter() -> Parameter {
    let schema = json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT});
    Parameter::query("limit", "How many at most.", schema)
}

/// How many items a page may have.
pub(super) fn limit_of(parameters: &Parameters) -> Result<u32, ApiError> {
    parameters.get("limit").map_or(Ok(DEFAULT_LIMIT), limit)
}

/// Digits only: `parse` alone would take a sign.
fn limit(text: &str) -> Result<u32, ApiError> {
    Some(text)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<u32>().ok())
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| refused("limit", text, "1 to 200").limit(u64::from(MAX_LIMIT)))
}

fn function(text: &str) -> Result<String, ApiError> {
    let fits = (1..=MAX_FUNCTION).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(refused("function", text, "a function's name or id")) }
}

fn label(text: &str) -> Result<(String, String), ApiError> {
    text.split_once('=')
        .filter(|(name, value)| check_label(name, value).is_ok())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| refused("label", text, "NAME=VALUE, compared as it is"))
}
