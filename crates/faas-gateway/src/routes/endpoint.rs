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
    /// Another path that is the same: what a wildcard of `path` would match if it could be empty.
    pub(crate) also: Option<&'static str>,
    pub(crate) handler: MethodRouter<Shared>,
    pub(crate) operation: Operation,
}

impl Endpoint {
    pub(crate) fn get<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>, operation: Operation) -> Self {
        Self::with(Method::GET, path, handler, operation)
    }

    pub(crate) fn post<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>, operation: Operation) -> Self {
        Self::with(Method::POST, path, handler, operation)
    }

    pub(crate) fn put<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>, operation: Operation) -> Self {
        Self::with(Method::PUT, path, handler, operation)
    }

    pub(crate) fn delete<T: 'static>(
        path: &'static str,
        handler: impl Handler<T, Shared>,
        operation: Operation,
    ) -> Self {
        Self::with(Method::DELETE, path, handler, operation)
    }

    /// One of the methods that have a filter.
    pub(crate) fn with<T: 'static>(
        method: Method,
        path: &'static str,
        handler: impl Handler<T, Shared>,
        operation: Operation,
    ) -> Self {
        // GET is the filter of what has none, of which there is no route.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self { method, path, also: None, handler: on(filter, handler), operation }
    }

    /// The same endpoint at another path, too.
    pub(crate) const fn also(mut self, path: &'static str) -> Self {
        self.also = Some(path);
        self
    }

    /// Where it is.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.path).chain(self.also)
    }

    /// The path as OpenAPI writes it, which knows no wildcards.
    pub(crate) fn template(&self) -> String {
        self.path.replace("{*", "{")
    }
}
