//! Making, changing and deleting functions.

use super::form::{Sent, SentFunction};
use super::path::{key, parameter};
use super::{FUNCTION, FUNCTIONS, answer, definition, etag};
use crate::ApiError;
use crate::openapi::{Operation, Parameter};
use crate::routes::query::Parameters;
use crate::routes::{Endpoint, Tenant, idempotency};
use crate::state::{Shared, State as Gateway};
use crate::stream::Told;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use faas_api_model::{FunctionBody, merge, read_patch};
use faas_executor_api::FileIn;
use faas_orchestrator::{FunctionError, FunctionView, Functions, Progress};
use faas_store_api::{Idempotency, Seen};
use faas_types::{ErrorCode, FunctionKey, FunctionRef, TenantId, VersionSelector};
use serde_json::{Value, json};
use std::borrow::Cow;

/// How often a change is tried anew that met another one, where its caller names no etag.
const TRIES: usize = 16;

/// What a function's body may be refused with.
pub(super) const DEFINITION: [ErrorCode; 16] = [
    ErrorCode::CodeEmpty,
    ErrorCode::CodeTooLarge,
    ErrorCode::NotText,
    ErrorCode::FileRefused,
    ErrorCode::UnknownLanguage,
    ErrorCode::RuntimeMissing,
    ErrorCode::IsolationUnavailable,
    ErrorCode::LimitNotEnforceable,
    ErrorCode::ResourcesAboveHost,
    ErrorCode::FieldUnsupported,
    ErrorCode::RouteTaken,
    ErrorCode::DependencyNotFound,
    ErrorCode::DependencyRefused,
    ErrorCode::BuildFailed,
    ErrorCode::SandboxAssemblyFailed,
    ErrorCode::StorageUnavailable,
];

/// The header with a key against making a function twice.
pub(crate) fn key_parameter() -> Parameter {
    idempotency::parameter(
        "The same key with the same request makes one function, and every further time is answered as the first \
         one was, until the function is deleted; with another request it is refused.",
    )
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    let create = Operation::new("createFunction", "Make a function; its first version is live at once")
        .parameter(key_parameter())
        .body_or_form("FunctionRequest")
        .parameter(accept_parameter())
        .created("It is there.", "Function")
        .events(200, "It becomes, as it does so.", "ChangeEvent")
        .refuses(DEFINITION)
        .refuses([ErrorCode::FunctionExists, ErrorCode::IdempotencyConflict]);
    let update = Operation::new("updateFunction", "Change a function; the change is a new version, live at once")
        .parameter(parameter())
        .parameter(etag::parameter())
        .body_or_form("FunctionPatch")
        .parameter(accept_parameter())
        .json(200, "The new version is live.", "Function")
        .events(200, "Or, as it becomes so.", "ChangeEvent")
        .refuses(DEFINITION)
        .refuses([
            ErrorCode::FunctionNotFound,
            ErrorCode::NoSource,
            ErrorCode::FunctionChanged,
            ErrorCode::TooManyVersions,
        ]);
    let delete = Operation::new("deleteFunction", "Delete a function with all its versions; calls that run go on")
        .parameter(parameter())
        .parameter(etag::parameter())
        .empty("It is gone.")
        .refuses([
            ErrorCode::FunctionNotFound,
            ErrorCode::NoSource,
            ErrorCode::FunctionChanged,
            ErrorCode::UnknownField,
            ErrorCode::StorageUnavailable,
        ]);
    vec![
        Endpoint::post(FUNCTIONS, create_function, create),
        Endpoint::put(FUNCTION, update_function, update),
        Endpoint::delete(FUNCTION, delete_function, delete),
    ]
}

fn accept_parameter() -> Parameter {
    let description = "With text/event-stream the change says what it does while it installs dependencies; what is \
                       refused before that is answered with its own status all the same.";
    Parameter::header("Accept", description, json!({"type": "string"}))
}

/// Whether the caller wants to hear what a change does.
fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        let kind = kind.split(';').next().unwrap_or(kind).trim();
        kind.eq_ignore_ascii_case("text/event-stream")
    })
}

async fn create_function(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    parameters: Parameters,
    headers: HeaderMap,
    body: SentFunction,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let key = idempotency::key(&headers)?;
    let read = |json: &[u8], archive: Option<&[u8]>| {
        let key = key.map(|key| key.of(&idempotency::Operation::MakeFunction, &identity(json, archive)));
        Ok((key, FunctionBody::from_json(json)?))
    };
    let Sent { body: (key, body), source, paid } = body.read(read).await?;
    if wants_events(&headers) {
        let write_timeout = state.limits.write_timeout;
        let told = Told::new(|progress| async move {
            let view = create(&state, tenant, body, source, key, Some(progress)).await;
            drop(paid);
            view.map(|view| answer::function(&view, true))
        });
        return told.respond(write_timeout).await;
    }
    let view = create(&state, tenant, body, source, key, None).await?;
    drop(paid);
    let location = format!("{FUNCTIONS}/{}", view.function.name);
    let mut response = answer::shown(StatusCode::CREATED, &view);
    if let Ok(location) = location.parse() {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// What makes a request the same as another one. No JSON goes on behind its end, so neither is the other's; the
/// boundary of a form is another one each time it is sent.
fn identity<'a>(json: &'a [u8], archive: Option<&[u8]>) -> Cow<'a, [u8]> {
    archive.map_or(Cow::Borrowed(json), |archive| [json, b"\n", blake3::hash(archive).as_bytes()].concat().into())
}

/// Makes a function of a body, and of the source that was uploaded with it.
pub(super) async fn create(
    state: &Gateway,
    tenant: TenantId,
    mut body: FunctionBody,
    source: Option<Vec<FileIn>>,
    key: Option<Idempotency>,
    progress: Option<Progress>,
) -> Result<FunctionView, ApiError> {
    let name = body.name.take().ok_or_else(|| {
        let detail = "name is missing; accepted: 1 to 63 letters, digits, - and _, a letter or a digit first";
        ApiError::new(ErrorCode::InvalidField, detail).field("name")
    })?;
    let spec = definition::spec(state, tenant, body, source).await?;
    let functions = functions(state, progress);
    Ok(match key {
        Some(key) => functions.create_once(tenant, name, spec, key).await?,
        None => functions.create(tenant, name, spec).await?,
    })
}

fn functions(state: &Gateway, progress: Option<Progress>) -> Functions {
    let functions = state.orchestrator.functions();
    match progress {
        Some(progress) => functions.telling(progress),
        None => functions,
    }
}

async fn update_function(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
    headers: HeaderMap,
    body: SentFunction,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let key = key(&function)?;
    let expected = etag::expected(&headers)?;
    let Sent { body: patch, source, paid } = body.read(|json, _| Ok(read_patch(json)?)).await?;
    if wants_events(&headers) {
        let write_timeout = state.limits.write_timeout;
        let told = Told::new(|progress| async move {
            let view = update(&state, tenant, &key, expected, &patch, source, Some(progress)).await;
            drop((patch, paid));
            view.map(|view| answer::function(&view, true))
        });
        return told.respond(write_timeout).await;
    }
    let view = update(&state, tenant, &key, expected, &patch, source, None).await?;
    drop(paid);
    Ok(answer::shown(StatusCode::OK, &view))
}

/// Changes a function by a patch of what is live, and by the source that was uploaded with it, which stands in
/// place of all there was. Of several at once that name no etag each is made upon the one before.
pub(super) async fn update(
    state: &Gateway,
    tenant: TenantId,
    key: &FunctionKey,
    expected: Option<Seen>,
    patch: &Value,
    source: Option<Vec<FileIn>>,
    progress: Option<Progress>,
) -> Result<FunctionView, ApiError> {
    let functions = functions(state, progress);
    let live = FunctionRef { function: key.clone(), version: VersionSelector::Live };
    let mut tries = 0;
    loop {
        let current = functions.view(tenant, &live).await?;
        if patch.get("name").is_some_and(|name| name.as_str() != Some(current.function.name.as_str())) {
            let detail = "a function keeps its name; deploy it under the new one, then delete this one";
            return Err(ApiError::new(ErrorCode::InvalidField, detail).field("name"));
        }
        let was = &current.version.spec;
        let mut shown = answer::definition(was, source.is_none());
        // Which file is run stays said where it was said.
        if source.is_some() && was.main != was.runtime.language.main_file() {
            shown.insert("main".to_owned(), Value::from(was.main.as_str()));
        }
        let merged = merge(Value::Object(shown), patch.clone()).to_string();
        let merged = FunctionBody::from_json(merged.as_bytes())?;
        let spec = definition::spec(state, tenant, merged, source.clone()).await?;
        let seen = expected.unwrap_or_else(|| current.function.seen());
        // The one that was read, not one that has its name by now.
        let read = FunctionKey::Id(current.function.id);
        match functions.deploy(tenant, &read, Some(seen), spec).await {
            Err(FunctionError::Changed { .. }) if expected.is_none() && tries < TRIES => tries += 1,
            answer => return Ok(answer?),
        }
    }
}

async fn delete_function(
    State(state): State<Shared>,
    Tenant(tenant): Tenant,
    Path(function): Path<String>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    parameters.only(&[])?;
    let expected = etag::expected(&headers)?;
    state.orchestrator.functions().delete(tenant, &key(&function)?, expected).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
