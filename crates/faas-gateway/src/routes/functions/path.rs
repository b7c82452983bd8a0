//! The function a path names.

use crate::ApiError;
use crate::openapi::Parameter;
use faas_orchestrator::FunctionError;
use faas_types::{ErrorCode, FunctionKey, FunctionRef, VersionSelector};
use serde_json::json;

/// The path's own parameter, where a version may be named.
pub(super) fn version_parameter() -> Parameter {
    let description = "A name or an id, and behind an @ the number of a version or an alias; the live one without.";
    Parameter::path("function", description, json!({"type": "string", "minLength": 1}))
}

/// The path's own parameter, where no version is meant.
pub(super) fn parameter() -> Parameter {
    Parameter::path("function", "A name or an id.", json!({"type": "string", "minLength": 1}))
}

/// What no function can be called names none.
pub(super) fn which(text: &str) -> Result<FunctionRef, ApiError> {
    text.parse()
        .map_err(|error| ApiError::new(ErrorCode::FunctionNotFound, format!("there is no such function: {error}")))
}

/// A function, not one of its versions.
pub(super) fn key(text: &str) -> Result<FunctionKey, ApiError> {
    match which(text)? {
        FunctionRef { function, version: VersionSelector::Live } => Ok(function),
        FunctionRef { version: VersionSelector::Number(_) | VersionSelector::Alias(_), .. } => {
            let detail = "a version never changes; name the function without one";
            Err(ApiError::new(ErrorCode::InvalidField, detail).field("function"))
        }
    }
}

impl From<FunctionError> for ApiError {
    fn from(error: FunctionError) -> Self {
        let mut answer = Self::new(error.code(), error.to_string());
        answer.log = error.log().map(str::to_owned);
        match error.field() {
            Some(field) => answer.field(field),
            None => answer,
        }
    }
}
