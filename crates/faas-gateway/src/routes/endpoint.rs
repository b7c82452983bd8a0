//! One route: where it is, what does it, what is said about it.

use crate::openapi::Operation;
use crate::state::Shared;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

/// One route. The router and the document are both made of these, so neither knows one the other
/// does not.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) handler: MethodRouter<Shared>,
    pub(crate) operation: Operation,
}

impl Endpoint {
    pub(crate) fn get<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>, operation: Operation) -> Self {
        Self { method: Method::GET, path, handler: on(MethodFilter::GET, handler), operation }
    }

    pub(crate) fn post<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>, operation: Operation) -> Self {
        Self { method: Method::POST, path, handler: on(MethodFilter::POST, handler), operation }
    }
}
