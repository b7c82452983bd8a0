//! The OpenAPI document and the page that shows it.

use super::{Endpoint, endpoints as endpoints_of_all};
use crate::openapi::Operation;
use crate::state::{Shared, State as Gateway};
use crate::{docs, openapi};
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

/// Nothing is loaded and nothing runs: the page is text and its own style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let document = Operation::new("getDocument", "This document").typed(200, "OpenAPI 3.1.", "application/json");
    let page = Operation::new("getDocs", "This document, to read").typed(200, "A page.", "text/html");
    vec![Endpoint::get("/api/v1/openapi.json", get_document, document), Endpoint::get("/docs", get_page, page)]
}

async fn get_document(State(state): State<Shared>) -> Response {
    ([(CONTENT_TYPE, "application/json")], document(&state)).into_response()
}

async fn get_page(State(state): State<Shared>) -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)];
    let page = state.page.get_or_init(|| Bytes::from(docs::page(&openapi::document(&endpoints_of_all()))));
    (headers, page.clone()).into_response()
}

fn document(state: &Gateway) -> Bytes {
    let document = || Bytes::from(openapi::document(&endpoints_of_all()).to_string());
    state.document.get_or_init(document).clone()
}
