//! Why an execution was not started. Once it is started it ends in a record, never in one of these.

use crate::RequestError;
use faas_executor_api::{CallError, CreateError, SpecError};
use faas_types::ErrorCode;

/// Why an execution was not started. Nothing of it ran and nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The request itself is wrong.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// This host cannot honour it.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No sandbox was made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The sandbox could not make the call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The platform is stopping.
    #[error("the platform is stopping and takes no new execution; start it again and retry")]
    Stopping,
}

impl ExecuteError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Request(error) => error.code(),
            Self::Spec(error) => error.code(),
            Self::Create(error) => error.code(),
            Self::Call(error) => error.code(),
            Self::Stopping => ErrorCode::LauncherLost,
        }
    }
}
