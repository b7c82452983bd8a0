//! Functions that the configuration file declares: found, and deployed when a server starts.
//!
//! Two steps, for the second has given up every privilege: [`DeclaredSources::read`] reads what only the one
//! who started the server may read, and [`Platform::deploy`](crate::Platform::deploy) makes functions of it.
//!
//! Invariants: a start with the same file and the same sources makes no new version; what cannot be deployed
//! is an event and leaves the live version as it is; no function is deleted because a file leaves it out.

mod deploy;
mod error;
mod shared;
mod source;

pub use error::NotDeployed;
pub use shared::SharedSources;
pub use source::DeclaredSources;
