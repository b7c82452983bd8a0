//! Routes of functions: `POST:/api/hello`, `ANY:/files/*path`. Pure: no I/O, no HTTP library, no tenant.
//!
//! Invariants: a route has one written form, and what a canonical path cannot reach is no route; of the
//! routes that match a path the most exact one that takes the method is found; two routes that could not
//! be told apart are never in one table; a route that could match a path of the system is refused by name.
//! The edges that take routes from people and the gateway that answers requests call it.

mod decode;
mod lookup;
mod method;
mod path;
mod reserved;
mod route;
mod segment;
mod table;

pub use lookup::{Lookup, Match, Parameters};
pub use method::{Method, MethodPattern, MethodSet};
pub use path::fault as path_fault;
pub use reserved::Reserved;
pub use route::{Route, RouteError};
pub use segment::Segment;
pub use table::{Collision, Table};
