//! Layer 6: the composition root. Embeds the platform; knows no HTTP.
//!
//! The only crate that names a concrete executor, store or routes file. The order of a process that embeds it:
//! [`Bootstrap::start`] before any thread exists, [`Bootstrap::become_unprivileged`], then inside a
//! tokio runtime [`Bootstrap::into_platform`], which forgets everything with the process, or
//! [`Bootstrap::into_server`], which keeps it in a data directory. Either gives a [`Platform`]:
//! [`Platform::orchestrator`] is what a gateway serves, [`Platform::start`] runs one execution,
//! [`Platform::watch_routes`] serves the routes file, and [`Platform::shutdown`] returns when nothing of any execution is left.

mod bootstrap;
mod data;
mod declared;
mod disk;
mod error;
mod execution;
mod modules;
mod platform;
mod routes_file;
mod source;

pub use bootstrap::{
    Bootstrap, DelegateError, Host, SLOT_UIDS, StartError, UIDS_PER_SLOT, delegate, is_server_uid, undelegate,
};
pub use data::DataError;
pub use declared::{DeclaredSources, NotDeployed, SharedSources};
pub use error::{ExecuteError, PlatformError};
pub use execution::{Execution, ExecutionEvent};
pub use faas_executor_api::{CallError, Capabilities, FileIn, InputClosed, InputItem, InputSink, MAX_CODE_BYTES};
pub use faas_orchestrator::{
    Canceller, ExecutionRequest, NotStarted, Orchestrator, RequestError, SubmitError, Work, contract,
};
pub use faas_routes_file::CreateError;
pub use faas_types::{ExecutionRecord, ExecutionState, StartRecord, Timestamp, UsageRecord};
pub use modules::{FunctionModules, ModuleFiles, ModuleRefused};
pub use platform::Platform;
pub use routes_file::{RoutesError, RoutesSettings, RoutesWatch, create_routes_file};
