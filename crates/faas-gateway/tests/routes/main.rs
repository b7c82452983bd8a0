//! Every route over the whole router: what it does, what it refuses, and that the OpenAPI document
//! says so. Each answer of each test is held against the document.

#![expect(clippy::expect_used, reason = "a failing helper of a test fails the test")]

mod create;
mod documents;
mod functions;
mod functions_http;
mod functions_source;
mod golden;
mod harness;
mod hostile;
mod lists;
mod platform;
mod schema;
mod seed_001;
mod seed_002;
mod sockets;
mod streams;
mod user_routes;
