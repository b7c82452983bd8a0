//! `GET /api/v1/events`: what happened to the platform.

use super::query::Parameters;
use super::{Endpoint, Tenant};
use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::state::Shared;
use crate::stream::{follow_events, platform_event};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use faas_api_model::EventPage;
use faas_types::ErrorCode;
use serde_json::json;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let parameters = [
        Parameter::query("after", "Only events after this number.", json!({"type": "integer", "minimum": 0})),
        Parameter::query(
            "follow",
            "true answers SSE and goes on until the platform drains.",
            json!({"type": "string", "enum": ["true", "false"]}),
        ),
        Parameter::header(
            "Last-Event-ID",
            "Another name of after, for SSE.",
            json!({"type": "string", "pattern": "^[0-9]{1,19}$"}),
        ),
    ];
    let operation = Operation::new("listEvents", "What happened to the platform")
        .parameters(parameters)
        .json(200, "What is kept, oldest first.", "EventPage")
        .events(200, "With follow: those to come too.", "PlatformEvent")
        .refuses([ErrorCode::UnknownField, ErrorCode::AtCapacity]);
    vec![Endpoint::get("/api/v1/events", list, operation)]
}

async fn list(
    State(state): State<Shared>,
    _: Tenant,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    parameters.only(&["after", "follow"])?;
    let after = parameters.number("after")?;
    let last = super::query::last_event_id(&headers)?;
    let after = after.or(last).unwrap_or(0);
    if parameters.parse::<bool>("follow", "true, false")?.unwrap_or(false) {
        let seat = state.watchers.seat()?;
        return Ok(follow_events(&state.orchestrator, after, seat, state.limits.write_timeout));
    }
    let feed = state.orchestrator.events();
    Ok(Json(EventPage { items: feed.recent(after).into_iter().map(platform_event).collect() }).into_response())
}
