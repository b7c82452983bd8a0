//! Functions: named, versioned code, and what a call of one asks to be run.
//!
//! A [`FunctionSpec`] is what one version is. The registry ([`Functions`]) keeps them in the store and what is
//! called in memory; a [`Version`] makes the [`ExecutionRequest`](crate::ExecutionRequest) of a call, which
//! goes the way of every execution.

mod cache;
mod change;
mod error;
mod registry;
mod routes;
mod sourceless;
mod spec;
mod used;
mod version;

pub use error::FunctionError;
pub use registry::{FunctionStats, FunctionView, Functions};
pub use routes::{Routed, RowTarget};
pub use spec::{Access, FunctionSpec, Packages};
pub use version::{CallInput, Called, Version};

pub(crate) use cache::Cache;
pub(crate) use change::load_routes;
pub(crate) use routes::Routes;
pub(crate) use sourceless::Sourceless;
pub(crate) use used::packages_in_use;
