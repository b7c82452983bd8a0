//! Bodies of requests: read strictly, with errors that name the field.

mod client_frame;
mod content;
mod entries;
mod error;
mod execute;
mod function;
mod input;
mod invoke;
mod labels;
mod live;
mod object;
mod resources;
mod scalar;
mod seed_001;
#[cfg(test)]
mod tests;

pub use client_frame::ClientFrame;
pub use content::{Content, FileBody};
pub use entries::MAX_ENTRIES;
pub use error::BodyError;
pub use execute::{ExecuteBody, OnDisconnect};
pub use function::{FunctionBody, RouteAuth, ScalingBody, merge, read_patch};
pub use input::MAX_INPUT_BYTES;
pub use invoke::InvokeBody;
pub use labels::{MAX_LABELS, check_label};
pub use live::{AliasBody, RollbackBody};
pub use seed_001::SeedFunctionBody;
