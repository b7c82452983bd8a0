//! Whose request it is.

use crate::{ApiError, Caller};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use faas_types::{ErrorCode, TenantId};

/// The tenant the middleware found. A request that came past it has none and is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tenant(pub(crate) TenantId);

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Caller>().map(|caller| Self(caller.tenant)).ok_or_else(|| {
            ApiError::new(ErrorCode::Unauthorized, "no credentials; send Authorization: Bearer KEY, or X-API-Key")
        })
    }
}
