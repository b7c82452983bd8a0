//! Streams of executions: SSE, or WebSocket where the request asks for an upgrade.

use super::body::JsonBody;
use super::create::{SUBMISSION, key_parameter};
use super::query::{Parameters, last_event_id, refused};
use super::read::id_parameter;
use super::refusal::{id_of, unknown};
use super::submission::{Order, watched};
use super::{Endpoint, Tenant, idempotency};
use crate::ApiError;
use crate::budget::Lease;
use crate::openapi::{Operation, Parameter};
use crate::server::Intake;
use crate::state::{Shared, State as Gateway};
use crate::stream::{Meter, Seat, Session, Upgrade, close_with, draining, events, first_text};
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use faas_api_model::ExecuteBody;
use faas_orchestrator::{Stdin, Submitted, Wait};
use faas_types::{ErrorCode, ExecutionId, TenantId};
use serde_json::json;

/// The longest frame of a socket that only watches.
const WATCHER_FRAME: usize = 64 * 1024;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let one = watching("streamExecution").parameter(id_parameter()).parameters(resume());
    let by_query = |id| {
        watching(id)
            .parameters([Parameter::query(
                "execution_id",
                "The execution to watch. A WebSocket without it sends an ExecutionRequest as its first text frame, \
                 then standard input as binary frames of at most websocket_input_bytes (GET /api/v1/limits; a \
                 longer one closes the socket with 1009) and ClientFrame as text.",
                json!({"type": "string"}),
            )])
            .parameters(resume())
    };
    let posted = |id| {
        Operation::new(id, "Run and answer with what happens, as it happens")
            .parameter(key_parameter())
            .body("ExecutionRequest")
            .events(200, "What it says, as it says it.", "StreamEvent")
            .refuses(SUBMISSION)
            .refuses([ErrorCode::NoSource])
            .misses([ErrorCode::FunctionNotFound, ErrorCode::VersionNotFound])
    };
    vec![
        Endpoint::get("/api/v1/executions/{id}/stream", watch_one, one),
        Endpoint::get("/api/v1/execute/stream", watch_by_query, by_query("watchOrExecute")),
        Endpoint::get("/execute/stream", watch_by_query, by_query("watchOrExecuteShort")),
        Endpoint::post("/api/v1/execute/stream", execute, posted("executeStreaming")),
        Endpoint::post("/execute/stream", execute, posted("executeStreamingShort")),
    ]
}

fn watching(id: &'static str) -> Operation {
    Operation::new(id, "What an execution says, from any point")
        .events(200, "What it says, as it says it.", "StreamEvent")
        .websocket()
        .refuses([
            ErrorCode::ExecutionNotFound,
            ErrorCode::UnknownField,
            ErrorCode::AtCapacity,
            ErrorCode::StorageUnavailable,
        ])
}

fn resume() -> [Parameter; 2] {
    [
        Parameter::query(
            "from",
            "The first seq that is wanted; 1 where absent.",
            json!({"type": "integer", "minimum": 0}),
        ),
        Parameter::header(
            "Last-Event-ID",
            "The last seq that was seen; from wins.",
            json!({"type": "string", "pattern": "^[0-9]{1,19}$"}),
        ),
    ]
}

async fn watch_one(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
    parameters: Parameters,
    headers: HeaderMap,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, ApiError> {
    parameters.only(&["from"])?;
    let from = from(&parameters, &headers)?;
    watch(state, tenant, id_of(&id)?, from, upgrade).await
}

async fn watch_by_query(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
    headers: HeaderMap,
    intake: Option<Extension<Intake>>,
    lease: Option<Extension<Lease>>,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, ApiError> {
    parameters.only(&["execution_id", "from"])?;
    let from = from(&parameters, &headers)?;
    match (parameters.get("execution_id"), upgrade) {
        (Some(id), upgrade) => watch(state, tenant, id_of(id)?, from, upgrade).await,
        (None, Some(upgrade)) => {
            if headers.contains_key(idempotency::HEADER) {
                let detail = "Idempotency-Key is not supported on a WebSocket; POST the request instead";
                return Err(ApiError::new(ErrorCode::FieldUnsupported, detail).field("Idempotency-Key"));
            }
            let largest = usize::try_from(state.limits.body_bytes.as_bytes()).unwrap_or(usize::MAX);
            let upgrade = upgrade.max_message_size(largest).max_frame_size(largest);
            let seat = state.watchers.seat()?;
            let meter = Meter::new(intake.map(|Extension(intake)| intake), lease.map(|Extension(lease)| lease));
            Ok(upgrade.on_upgrade(move |socket| converse(state, tenant, socket, seat, meter)))
        }
        (None, None) => {
            Err(refused("execution_id", "", "an execution's id; or a WebSocket; or POST with an execution request"))
        }
    }
}

/// The first seq that is wanted.
fn from(parameters: &Parameters, headers: &HeaderMap) -> Result<u64, ApiError> {
    let last = last_event_id(headers)?;
    let asked = parameters.number("from")?;
    Ok(asked.or_else(|| last.map(|last| last.saturating_add(1))).unwrap_or(1).max(1))
}

async fn watch(
    state: Shared,
    tenant: TenantId,
    id: ExecutionId,
    from: u64,
    upgrade: Option<WebSocketUpgrade>,
) -> Result<Response, ApiError> {
    let seat = state.watchers.seat()?;
    let watch = state.orchestrator.watch(tenant, id, from).await?.ok_or_else(|| unknown(id))?;
    let place = state.watchers.enter(seat, id)?;
    let write_timeout = state.limits.write_timeout;
    let Some(upgrade) = upgrade else { return Ok(events(watch, place, from, write_timeout)) };
    let upgrade = upgrade.max_message_size(WATCHER_FRAME).max_frame_size(WATCHER_FRAME);
    let session = Session { watch, place, input: None, stdin: None, from, write_timeout, meter: Meter::default() };
    Ok(upgrade.on_upgrade(|socket| session.run(socket)))
}

async fn execute(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let key = idempotency::key(&headers)?;
    let ((key, body), paid) = body
        .read(|bytes| Ok((key.map(|key| key.of(&idempotency::Operation::Execute, bytes)), streamed(bytes)?)))
        .await?;
    let seat = state.watchers.seat()?;
    let (id, watch) = watched(&state, Order::new(&state, tenant, body, key, paid).await?).await?;
    let place = state.watchers.enter(seat, id)?;
    Ok(events(watch, place, 1, state.limits.write_timeout))
}

fn streamed(body: &[u8]) -> Result<ExecuteBody, ApiError> {
    let body = ExecuteBody::from_json(body)?;
    if body.wait == Some(false) {
        let detail =
            "wait false is refused: a stream waits; send it to /api/v1/executions, or with on_disconnect detach";
        return Err(ApiError::new(ErrorCode::InvalidField, detail).field("wait"));
    }
    Ok(body)
}

/// A socket that brings its request.
async fn converse(state: Shared, tenant: TenantId, mut socket: WebSocket, seat: Seat, meter: Meter) {
    match accept(&state, tenant, &mut socket, seat, meter).await {
        Ok(session) => session.run(socket).await,
        Err(error) => close_with(socket, &error).await,
    }
}

async fn accept(
    state: &Gateway,
    tenant: TenantId,
    socket: &mut WebSocket,
    seat: Seat,
    mut meter: Meter,
) -> Result<Session, ApiError> {
    let text = tokio::select! {
        text = first_text(socket, state.limits.body_timeout) => text.map_err(|error| meter.refused().unwrap_or(error))?,
        () = draining(&state.orchestrator) => {
            return Err(ApiError::new(ErrorCode::Stopping, "the server is stopping and takes nothing new"));
        }
    };
    let (body, paid) = JsonBody::of_message(text, meter.next()).read(streamed).await?;
    let held = paid.clone();
    let mut order = Order::new(state, tenant, body, None, paid).await?;
    // Open in every case, so that signals reach the program; what the request itself gives goes first.
    let stdin = match std::mem::replace(&mut order.stdin, Stdin::Open) {
        Stdin::Bytes(bytes) => Some((bytes, held)),
        Stdin::Closed | Stdin::Open => None,
    };
    let Submitted::Attached(attached) = order.submit(state, Wait::Attached).await? else {
        return Err(ApiError::new(ErrorCode::Internal, "an execution without a key was taken for another"));
    };
    let place = state.watchers.enter(seat, attached.id)?;
    let write_timeout = state.limits.write_timeout;
    Ok(Session { watch: attached.watch, place, input: attached.input, stdin, from: 1, write_timeout, meter })
}
