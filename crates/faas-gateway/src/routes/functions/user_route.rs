//! A path that is not the system's: a function's, or nobody's.

use super::respond::{Asked, respond};
use crate::ApiError;
use crate::middleware::not_found;
use crate::problem::status_of;
use crate::routes::{RawBody, Tenant};
use crate::state::Shared;
use axum::extract::State;
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use faas_orchestrator::{Access, Routed};
use faas_types::ErrorCode;

/// Asks the function that a path leads to.
pub(crate) async fn user_route(
    State(state): State<Shared>,
    Tenant(caller): Tenant,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, ApiError> {
    let Some(wanted) = faas_routes::Method::from_name(method.as_str()) else { return Err(not_found().await) };
    match state.orchestrator.functions().route(wanted, uri.path()).await? {
        Routed::Version(tenant, version) if tenant == caller || version.spec.access == Access::Public => {
            let path = uri.path();
            respond(&state, tenant, &version, Asked { method: &method, path, uri: &uri, headers: &headers, body }).await
        }
        Routed::Version(..) | Routed::Unknown => Err(not_found().await),
        Routed::Refused(code, detail) => Err(unavailable(code, detail)),
        Routed::OtherMethods(methods) => {
            let allowed = methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
            let detail = format!("this path does not take {method}; it takes {allowed}");
            let mut response = ApiError::new(ErrorCode::MethodNotAllowed, detail).into_response();
            if let Ok(allowed) = HeaderValue::try_from(allowed) {
                response.headers_mut().insert(ALLOW, allowed);
            }
            Ok(response)
        }
    }
}

/// What a route leads to cannot be called here: for whoever asks that is the server's matter.
fn unavailable(code: ErrorCode, detail: String) -> ApiError {
    let error = ApiError::new(code, detail);
    if status_of(code).is_client_error() { error.at_server() } else { error }
}
