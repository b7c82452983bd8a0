//! Every route of the API: its handler, and beside it what the document says about it.

mod body;
mod cancel;
mod create;
mod cursor;
mod documents;
mod endpoint;
mod events;
mod functions;
pub(crate) mod idempotency;
mod list;
mod logs;
mod platform;
mod query;
mod read;
mod refusal;
mod streams;
mod submission;
mod table;
mod tenant;

pub(crate) use body::{JsonBody, RawBody};
pub(crate) use create::SUBMISSION;
pub(crate) use create::key_parameter;
pub(crate) use cursor::key as cursor_key;
pub(crate) use endpoint::Endpoint;
pub(crate) use functions::{
    Asked, FromSeed, key_parameter as function_key_parameter, page as function_page, user_route,
};
pub(crate) use platform::{function_stats, limits as limits_answer, stats as stats_answer};
pub(crate) use query::Parameters;
pub(crate) use submission::{Order, submit_attached};
pub(crate) use table::endpoints;
pub(crate) use tenant::Tenant;
