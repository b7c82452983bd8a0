//! HTTP: routes, limits, streaming, local mode, compatibility; the only crate that knows our routes.

mod access;
mod budget;
mod compat;
mod docs;
mod limits;
mod middleware;
mod modules;
mod openapi;
mod problem;
mod router;
mod routes;
mod server;
mod state;
mod stream;

pub use access::{Access, Caller};
pub use limits::HttpLimits;
pub use middleware::{Measure, not_found, protect};
pub use modules::{ModuleSource, Modules};
pub use problem::{ApiError, PROBLEM_JSON, status_of};
pub use router::{Gateway, reserved_routes};
pub use server::{BindError, DRAIN_GRACE, Server, bind_address};
pub use state::{Defaults, GatewayParts};
