//! Why the executor does not start.

use faas_types::ErrorCode;

/// Why the launcher was not started, or cannot work here.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The launcher looked at this host and cannot make sandboxes on it.
    #[error("sandboxes cannot be made here: {reason}; fix: {fix}")]
    Refused {
        /// What is in the way.
        reason: String,
        /// The next step.
        fix: String,
    },
    /// Starting the launcher's process failed.
    #[error("the launcher could not be started: {0}")]
    Spawn(#[source] std::io::Error),
    /// The launcher ended or spoke nonsense before it was ready.
    #[error("the launcher ended before it was ready: {0}")]
    Lost(String),
    /// Giving up privileges was asked of a process that has threads, which would keep theirs.
    #[error("privileges can only be given up while the process has one thread; it has {threads}")]
    Threads {
        /// How many it has.
        threads: usize,
    },
    /// Giving up privileges failed; the process must exit.
    #[error("giving up privileges failed: {0}")]
    Privileges(#[source] std::io::Error),
    /// Root's launchers share one directory, so that no two use the same host uids.
    #[error("root's launchers keep their state in /run/faas, so that no two use the same host uids; {} is refused: unset FAAS_RUNTIME_DIR and --runtime-dir", .given.display())]
    RootRuntimeDir {
        /// The directory as given.
        given: std::path::PathBuf,
    },
    /// No place for the launcher's state.
    #[error(
        "no directory for the launcher's state: set FAAS_RUNTIME_DIR to an absolute path that only this user can write"
    )]
    NoRuntimeDir,
}

impl StartError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Refused { .. } => ErrorCode::IsolationUnavailable,
            Self::Spawn(_) | Self::Lost(_) => ErrorCode::LauncherLost,
            Self::Threads { .. } | Self::Privileges(_) => ErrorCode::SandboxAssemblyFailed,
            Self::RootRuntimeDir { .. } | Self::NoRuntimeDir => ErrorCode::ConfigInvalid,
        }
    }
}

/// Why an ordinary user was not given cgroups.
#[derive(Debug, thiserror::Error)]
pub enum DelegateError {
    /// Only real root can.
    #[error("only root can give cgroups to a user; run it with sudo")]
    NotRoot,
    /// No such user.
    #[error("no user named {name:?}; give a name from /etc/passwd or a number")]
    UnknownUser {
        /// The name as given.
        name: String,
    },
    /// The cgroup file systems refused.
    #[error("making the user's cgroups failed: {0}")]
    Io(#[from] std::io::Error),
}
