//! `/api/v1/functions`: made, changed, shown and called.

mod answer;
mod call;
mod definition;
mod etag;
mod form;
mod live;
pub(crate) mod page;
mod path;
mod read;
mod respond;
mod seed;
mod source;
mod user_route;
mod web;
mod write;

use super::Endpoint;

pub(super) use definition::call_of;
pub(crate) use respond::Asked;
pub(crate) use seed::FromSeed;
pub(crate) use user_route::user_route;
pub(crate) use write::key_parameter;

/// The path of all functions, and of one.
const FUNCTIONS: &str = "/api/v1/functions";
const FUNCTION: &str = "/api/v1/functions/{function}";

pub(super) fn endpoints() -> Vec<Endpoint> {
    [write::endpoints(), read::endpoints(), live::endpoints(), call::endpoints(), web::endpoints()]
        .into_iter()
        .flatten()
        .collect()
}
