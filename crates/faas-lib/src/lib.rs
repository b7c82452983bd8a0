//! Layer 6: the composition root. Embeds the platform; knows no HTTP.
//!
//! The only crate that names a concrete executor. The order of a process that embeds it:
//! [`Bootstrap::start`] before any thread exists, [`Bootstrap::become_unprivileged`], then inside a
//! tokio runtime [`Bootstrap::into_platform`], [`Platform::start`] as often as wanted, and
//! [`Platform::shutdown`], which returns when nothing of any execution is left.

mod bootstrap;
pub mod contract;
mod driver;
mod error;
mod execution;
mod platform;
mod record;
mod request;
mod timestamp;

pub use bootstrap::{Bootstrap, DelegateError, Host, StartError, delegate, undelegate};
pub use error::ExecuteError;
pub use execution::{Canceller, Execution, ExecutionEvent};
pub use faas_executor_api::{CallError, Capabilities, FileIn, InputClosed, InputItem, InputSink, MAX_CODE_BYTES};
pub use platform::Platform;
pub use record::{ExecutionRecord, ExecutionStatus, StartRecord, UsageRecord};
pub use request::{ExecutionRequest, RequestError, Work};
pub use timestamp::Timestamp;
