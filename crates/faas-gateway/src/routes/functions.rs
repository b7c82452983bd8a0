//! `/api/v1/functions`: made, changed, shown and called.

mod answer;
mod call;
mod definition;
mod etag;
mod live;
mod path;
mod read;
mod respond;
mod web;
mod write;

use super::Endpoint;

pub(super) use definition::call_of;

/// The path of all functions, and of one.
const FUNCTIONS: &str = "/api/v1/functions";
const FUNCTION: &str = "/api/v1/functions/{function}";

pub(super) fn endpoints() -> Vec<Endpoint> {
    [write::endpoints(), read::endpoints(), live::endpoints(), call::endpoints(), web::endpoints()]
        .into_iter()
        .flatten()
        .collect()
}
