//! Why a platform or an execution was not started. Once an execution is started it ends in a record,
//! never in one of these.

use crate::DataError;
use faas_orchestrator::{NotStarted, SubmitError};
use faas_types::ErrorCode;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a platform was not started.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The launcher cannot work.
    #[error(transparent)]
    Launcher(#[from] crate::StartError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The package indexes of the host are set wrongly.
    #[error(transparent)]
    Index(#[from] faas_build::IndexError),
    /// The installed packages cannot be used.
    #[error(transparent)]
    Packages(#[from] faas_build::BuildError),
    /// What an earlier life left could not be dealt with.
    #[error(transparent)]
    Orchestrator(#[from] faas_orchestrator::StartError),
    /// The disk of its state takes nothing.
    #[error(
        "{cause}; {free} bytes are free on the disk of {directory:?}: {next}, then start again: what was accepted is kept"
    )]
    Disk {
        /// What could not be done.
        cause: Box<Self>,
        /// The directory.
        directory: PathBuf,
        /// The free space, in bytes.
        free: u64,
        /// The next step.
        next: &'static str,
    },
}

impl PlatformError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Launcher(error) => error.code(),
            Self::Index(_) => ErrorCode::ConfigInvalid,
            Self::Packages(error) => error.code(),
            Self::Data(_) | Self::Disk { .. } | Self::Orchestrator(faas_orchestrator::StartError::Store(_)) => {
                ErrorCode::StorageUnavailable
            }
            Self::Orchestrator(faas_orchestrator::StartError::Executor(_)) => ErrorCode::LauncherLost,
        }
    }
}

/// Why an execution was not started. Nothing of it ran and nothing of its sandbox is left.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// It was not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// It was accepted and its program could not be started; its record says so, too.
    #[error("{why}")]
    NotStarted {
        /// Why.
        why: Arc<NotStarted>,
        /// The stable code.
        code: ErrorCode,
    },
    /// The platform is stopping.
    #[error("the platform is stopping and takes no new execution; start it again and retry")]
    Stopping,
}

impl ExecuteError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Submit(error) => error.code(),
            Self::NotStarted { code, .. } => *code,
            Self::Stopping => ErrorCode::Stopping,
        }
    }
}
