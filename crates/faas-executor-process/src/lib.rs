//! Layer 3: the process executor.
//!
//! Sandboxes of Linux namespaces, cgroups, seccomp and landlock. This crate is the unprivileged
//! half: it starts the launcher ([`Launcher`], before any thread exists), asks it for sandboxes, and
//! then talks to each sandbox's init and runner on sockets of its own. Nothing here needs a
//! privilege, and nothing of a tenant passes through the launcher.

mod call;
mod capabilities;
mod create;
mod error;
mod link;
mod maker;
mod meter;
mod output;
mod packets;
mod pipes;
mod recycle;
mod sandbox;
mod share;
mod start;
mod stock;
mod validate;
mod zygotes;

pub use create::{ProcessExecutor, WithoutSpares};
pub use error::{DelegateError, StartError};
pub use faas_sandbox_linux::slot::{MOST_SANDBOXES, SLOT_UIDS, UIDS_PER_SLOT, is_server_uid};
pub use start::{Launcher, Settings, delegate, undelegate};
pub use stock::SpareLimits;
pub use zygotes::ZygoteEnded;
