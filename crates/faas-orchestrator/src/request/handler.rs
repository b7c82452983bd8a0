//! What a handler is asked where nobody sent an HTTP request: its input is the body.

use bytes::Bytes;
use faas_executor_api::HandlerRequest;
use serde_json::Value;

/// The function that is called where nobody names another.
const ENTRY: &str = "handle";

/// A request with this input, as JSON, or without a body.
pub(super) fn asked(input: Option<Value>) -> HandlerRequest {
    let body = input.map(|input| Bytes::from(input.to_string()));
    let json = || ("content-type".to_owned(), Bytes::from_static(b"application/json"));
    HandlerRequest {
        entry: ENTRY.to_owned(),
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: body.iter().map(|_| json()).collect(),
        body: body.unwrap_or_default(),
    }
}
