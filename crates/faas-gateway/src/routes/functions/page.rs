//! A page of functions, under whichever path it is asked for.

use super::answer;
use crate::ApiError;
use crate::openapi::Parameter;
use crate::routes::query::{Parameters, refused};
use crate::routes::{cursor, list};
use crate::state::State;
use faas_api_model::{FunctionPage, NotDeployedAnswer};
use faas_types::{ErrorCode, FunctionId, TenantId};
use serde_json::json;

/// What chooses a page.
pub(crate) fn parameters() -> [Parameter; 2] {
    let schema = json!({"type": "string", "pattern": "^[0-9a-f]+$"});
    [list::limit_parameter(), Parameter::query("cursor", "next_cursor of the page before.", schema)]
}

/// Reads it.
pub(crate) async fn read(state: &State, tenant: TenantId, parameters: &Parameters) -> Result<FunctionPage, ApiError> {
    parameters.only(&["limit", "cursor"])?;
    let limit = list::limit_of(parameters)?;
    let before = match parameters.get("cursor") {
        None => None,
        Some(text) => Some(cursor::open_text(&state.cursor_key, text).and_then(|text| id_of(&text))?),
    };
    let (views, next) = state.orchestrator.functions().list(tenant, before, limit).await?;
    let next_cursor = next.map(|last| cursor::seal_text(&state.cursor_key, &last.to_string()));
    let items = views.iter().map(|view| answer::function(view, false)).collect();
    let sourceless = state.orchestrator.functions().sourceless(tenant).into_iter();
    let not_deployed = sourceless.map(|(name, detail)| NotDeployedAnswer {
        name,
        status: ErrorCode::NoSource.as_str().to_owned(),
        detail,
    });
    Ok(FunctionPage { items, next_cursor, not_deployed: not_deployed.collect() })
}

fn id_of(text: &str) -> Result<FunctionId, ApiError> {
    text.parse().map_err(|_| refused("cursor", text, "next_cursor of an earlier page, unchanged"))
}
