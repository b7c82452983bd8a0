//! How functions are shown.

use super::definition::body;
use super::etag;
use axum::Json;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use faas_api_model::{FunctionAnswer, VersionAnswer};
use faas_orchestrator::{FunctionSpec, FunctionView, Version};
use faas_store_api::StoredFunction;
use serde_json::{Map, Value};

/// A function with one of its versions.
pub(super) fn function(view: &FunctionView, with_source: bool) -> FunctionAnswer {
    let FunctionView { function, version } = view;
    FunctionAnswer {
        id: function.id,
        name: function.name.clone(),
        version: version.number,
        version_id: version.id,
        live: function.live,
        newest: function.newest,
        etag: function.seen().to_string(),
        aliases: function.aliases.clone(),
        created_at: function.created_at,
        updated_at: function.updated_at,
        deployed_at: version.created_at,
        lock: version.spec.packages.as_ref().filter(|_| with_source).map(|packages| packages.lock.clone()),
        definition: definition(&version.spec, with_source),
    }
}

/// One version of a function.
pub(super) fn version(function: &StoredFunction, version: &Version) -> VersionAnswer {
    let means = |(alias, number): (&faas_types::AliasName, &u32)| (*number == version.number).then(|| alias.clone());
    VersionAnswer {
        version: version.number,
        version_id: version.id,
        live: function.live == version.number,
        aliases: function.aliases.iter().filter_map(means).collect(),
        deployed_at: version.created_at,
        definition: definition(&version.spec, false),
    }
}

/// The members of a function's body.
pub(super) fn definition(spec: &FunctionSpec, with_source: bool) -> Map<String, Value> {
    match serde_json::to_value(body(spec, with_source)) {
        Ok(Value::Object(members)) => members,
        // A body always has the form of an object.
        Ok(_) | Err(_) => Map::new(),
    }
}

/// The answer that shows a function whole, with its etag.
pub(super) fn shown(status: StatusCode, view: &FunctionView) -> Response {
    (status, [(ETAG, etag::tag(&view.function))], Json(function(view, true))).into_response()
}
