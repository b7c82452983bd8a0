//! What a sandbox sees of the file system.
//!
//! The launcher builds the minimal root once ([`Template`]) and leaves the host's: its own root is an
//! empty one that holds the sandboxes' root, the host's `/proc`, and nothing else. Every sandbox
//! gets a copy of that, adds its own `/proc` ([`procfs`]) and writable areas ([`areas`]) to the
//! sandboxes' root and pivots into it ([`pivot`]), which leaves the host's `/proc` behind too.

pub mod areas;
pub mod pivot;
pub mod procfs;
mod template;

pub(crate) use template::{READABLE, WRITABLE};
pub use template::{RunnerFile, Template, TemplateError, private_mounts};

/// The sandboxes' root inside the launcher's.
pub(crate) const SANDBOX_ROOT: &str = "/sandbox";
/// The null device inside the launcher's root.
pub(crate) const NULL_DEVICE: &str = "/sandbox/dev/null";
/// Where user code starts and files are passed in.
pub const WORKSPACE: &str = "/workspace";
/// Where programs that no runner holds are put.
pub const CODE: &str = "/code";
/// Where the runners are.
pub const RUNNERS: &str = "/opt/faas";
