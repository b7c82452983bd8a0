//! What the adapters of seeds do with functions: the operations of the canonical routes, and nothing else.

use super::respond::{Asked, respond};
use super::{answer, path, write};
use crate::ApiError;
use crate::state::State;
use axum::response::Response;
use faas_api_model::{FunctionAnswer, FunctionBody};
use faas_orchestrator::FunctionView;
use faas_store_api::Idempotency;
use faas_types::TenantId;
use serde_json::Value;

/// The operations for adapters.
pub(crate) struct FromSeed<'a> {
    pub(crate) state: &'a State,
    pub(crate) tenant: TenantId,
}

impl FromSeed<'_> {
    /// Makes a function; once, where there is a key.
    pub(crate) async fn create(&self, body: FunctionBody, key: Option<Idempotency>) -> Result<FunctionView, ApiError> {
        write::create(self.state, self.tenant, body, None, key, None).await
    }

    /// Changes what is live by a merge patch.
    pub(crate) async fn update(&self, function: &str, patch: &Value) -> Result<FunctionView, ApiError> {
        write::update(self.state, self.tenant, &path::key(function)?, None, patch, None, None).await
    }

    /// Shows a function.
    pub(crate) async fn get(&self, function: &str) -> Result<FunctionView, ApiError> {
        Ok(self.state.orchestrator.functions().view(self.tenant, &path::which(function)?).await?)
    }

    /// Deletes a function.
    pub(crate) async fn delete(&self, function: &str) -> Result<(), ApiError> {
        self.state.orchestrator.functions().delete(self.tenant, &path::key(function)?, None).await?;
        Ok(())
    }

    /// Asks a function, and gives its answer.
    pub(crate) async fn ask(&self, function: &str, asked: Asked<'_>) -> Result<Response, ApiError> {
        let version = self.state.orchestrator.functions().resolve(self.tenant, &path::which(function)?).await?;
        respond(self.state, self.tenant, &version, asked).await
    }

    /// How a function is shown.
    pub(crate) fn shown(view: &FunctionView, with_source: bool) -> FunctionAnswer {
        answer::function(view, with_source)
    }
}
