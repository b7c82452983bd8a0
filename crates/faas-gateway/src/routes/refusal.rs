//! Failures of what is below the gateway, as answers.

use crate::ApiError;
use faas_api_model::BodyError;
use faas_orchestrator::SubmitError;
use faas_store_api::StoreError;
use faas_types::{ErrorCode, ExecutionId};

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let answer = Self::new(error.code(), error.to_string());
        match error.field_name() {
            Some(field) => answer.field(field),
            None => answer,
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        let mut answer = Self::new(error.code(), error.to_string());
        if let SubmitError::QueueFull { queue: limit } | SubmitError::FunctionBusy { max: limit } = &error {
            answer = answer.limit(u64::from(*limit));
        }
        match error.field() {
            Some(field) => answer.field(field),
            None => answer,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// The execution a path names. What is no id names none.
pub(crate) fn id_of(text: &str) -> Result<ExecutionId, ApiError> {
    text.parse()
        .map_err(|error| ApiError::new(ErrorCode::ExecutionNotFound, format!("there is no such execution: {error}")))
}

/// There is no such execution, or it is another tenant's.
pub(crate) fn unknown(id: ExecutionId) -> ApiError {
    ApiError::new(ErrorCode::ExecutionNotFound, format!("there is no execution {id}; its history may have been pruned"))
}
