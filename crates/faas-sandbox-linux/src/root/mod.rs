//! What a sandbox sees of the file system.
//!
//! The launcher builds the minimal root once ([`Template`]) and leaves the host's: its own root is an
//! empty one that holds the sandboxes' root, the host's `/proc`, installed packages, and nothing else.
//! Every sandbox gets a copy of that, adds its own `/proc` ([`procfs`]), writable areas ([`areas`]) and
//! packages ([`packages`]) to the sandboxes' root and pivots into it ([`pivot`]), which leaves the rest
//! behind.

pub mod areas;
pub mod packages;
pub mod pivot;
pub mod procfs;
mod template;

pub(crate) use template::{READABLE, WRITABLE};
pub use template::{RunnerFile, Template, TemplateError, private_mounts};

/// The packages of every tenant inside the launcher's root.
pub(crate) const PACKAGES_ROOT: &str = "/packages";
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
/// How Python's runner is started, behind its interpreter: isolated from files and variables of the program's, without
/// `site`, which the runner stands in for, and UTF-8 whatever the environment says.
pub const PYTHON_RUNNER: [&str; 5] = ["-I", "-S", "-X", "utf8", "/opt/faas/start.py"];
