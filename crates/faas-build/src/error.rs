//! Why a build ended without packages.

use crate::{DependencyError, TooLarge};
use faas_archive::ArchiveError;
use faas_executor_api::CreateError;
use faas_types::{ErrorCode, PackagesId};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Packages that are installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Their name, for a sandbox's spec.
    pub packages: PackagesId,
    /// What was resolved: one line for each package with its version and the SHA-256 of its archive.
    pub lock: String,
    /// What the tools said; empty where nothing had to be done.
    pub log: String,
    /// Whether they were there already.
    pub cached: bool,
}

/// Why there are no packages. Nothing of the attempt is left.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The dependencies are not what is accepted.
    #[error(transparent)]
    Refused(#[from] DependencyError),
    /// The index has no such package, or no version of it that fits.
    #[error(
        "{said}; check the name and the versions; one of Python's without a wheel for this host's interpreter needs allow_build"
    )]
    NotFound {
        /// The tool's own words.
        said: String,
        /// Everything the tool said.
        log: String,
    },
    /// The tool failed.
    #[error("the dependencies could not be installed: {reason}; see the log")]
    Failed {
        /// What is known, in a line.
        reason: String,
        /// Everything the tool said.
        log: String,
    },
    /// An archive is not one that can be installed.
    #[error("package {package} is refused: {reason}; use another version of it")]
    Archive {
        /// The package.
        package: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Packages would run code of theirs, which the function does not allow.
    #[error(
        "{packages} have install scripts, which run only with allow_build; set it to true, or use packages without such scripts"
    )]
    Scripts {
        /// Their names and versions.
        packages: String,
    },
    /// Something is larger than its limit.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// It took too long.
    #[error("the dependencies were not there after {} s; try again, or use fewer", .after.as_secs())]
    TimedOut {
        /// The limit.
        after: Duration,
        /// What the tool had said.
        log: String,
    },
    /// The host lacks a program, or what one of them needs.
    #[error("this host has no {tool}; install it: apt-get install {package}")]
    ToolMissing {
        /// What it lacks.
        tool: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// No sandbox could be had for the fetch.
    #[error("no sandbox for the fetch: {0}")]
    Sandbox(#[from] CreateError),
    /// The directory of packages cannot be used.
    #[error(
        "cannot use {path:?} of the installed packages: {source}; check its owner, its permissions and the free space"
    )]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BuildError {
    /// Why an archive is not read, or not unpacked to `path`.
    pub(crate) fn of_archive(package: String, path: &Path, error: ArchiveError) -> Self {
        match error {
            ArchiveError::Refused(reason) => Self::Archive { package, reason },
            ArchiveError::TooLarge(exceeded) => TooLarge::new(exceeded.what, exceeded.limit).into(),
            ArchiveError::Io(source) => Self::Io { path: path.to_owned(), source },
        }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(error) => error.code(),
            Self::NotFound { .. } => ErrorCode::DependencyNotFound,
            Self::Failed { .. } | Self::TimedOut { .. } => ErrorCode::BuildFailed,
            Self::Archive { .. } | Self::Scripts { .. } | Self::TooLarge(_) => ErrorCode::DependencyRefused,
            Self::ToolMissing { .. } => ErrorCode::RuntimeMissing,
            Self::Sandbox(error) => error.code(),
            Self::Io { .. } => ErrorCode::StorageUnavailable,
        }
    }

    /// The field of the function that is to blame.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Refused(error) => error.field(),
            Self::Scripts { .. } => "allow_build",
            Self::NotFound { .. }
            | Self::Failed { .. }
            | Self::Archive { .. }
            | Self::TooLarge(_)
            | Self::TimedOut { .. }
            | Self::ToolMissing { .. }
            | Self::Sandbox(_)
            | Self::Io { .. } => "dependencies",
        }
    }

    /// What the tools said, where they said something.
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        match self {
            Self::NotFound { log, .. } | Self::Failed { log, .. } | Self::TimedOut { log, .. } => Some(log),
            Self::Refused(_)
            | Self::Archive { .. }
            | Self::Scripts { .. }
            | Self::TooLarge(_)
            | Self::ToolMissing { .. }
            | Self::Sandbox(_)
            | Self::Io { .. } => None,
        }
    }
}
