//! What a sandbox sees of the file system.
//!
//! The launcher builds the minimal root once ([`Template`]) and moves into it, so that the host's
//! own root does not exist in its mount namespace, nor in any copy of it. Every sandbox gets a copy
//! and adds its own `/proc` ([`procfs`]) and writable areas ([`areas`]).

pub mod areas;
pub mod procfs;
mod template;

pub(crate) use template::{READABLE, WRITABLE};
pub use template::{RunnerFile, Template, TemplateError, private_mounts};

/// Where user code starts and files are passed in.
pub const WORKSPACE: &str = "/workspace";
/// Where programs that no runner holds are put.
pub const CODE: &str = "/code";
/// Where the runners are.
pub const RUNNERS: &str = "/opt/faas";
