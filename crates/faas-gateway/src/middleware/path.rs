//! One path, one spelling: what [`path_fault`] finds is answered before anything is routed.

use crate::problem::ApiError;
use faas_routes::path_fault;
use faas_types::ErrorCode;

/// Accepts a path in its one spelling.
pub(super) fn canonical(path: &str) -> Result<(), ApiError> {
    match path_fault(path) {
        None => Ok(()),
        Some(fault) => Err(ApiError::new(ErrorCode::PathNotCanonical, format!("the path {fault}")).field("path")),
    }
}
