//! Errors of the contract, one enum per operation. A failing guest is never one of these.

use crate::Verb;
use faas_types::{ErrorCode, Language, LimitKind, PackagesId, ResourcesError};

/// Why a spec cannot be honoured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The limits themselves are wrong.
    #[error(transparent)]
    Resources(#[from] ResourcesError),
    /// The host has less than what was asked for.
    #[error("{field} {asked} is above what this host has ({available}); ask for at most {available}")]
    AboveHost {
        /// The field's name.
        field: &'static str,
        /// What was asked for.
        asked: String,
        /// What the host has.
        available: String,
    },
    /// The isolation level needs layers or limits this host does not give.
    #[error("strict isolation needs {}, which this host does not give here; fix: {fix}; or run with `--isolation standard`, which lists what is missing", .missing.join(", "))]
    Isolation {
        /// Names of the missing layers and limits.
        missing: Vec<String>,
        /// The one command that fixes it.
        fix: String,
    },
    /// A limit cannot be enforced at the value asked for.
    #[error("{} cannot be limited on this host: {reason}", .limit.as_str())]
    NotEnforced {
        /// Which limit.
        limit: LimitKind,
        /// Why.
        reason: String,
    },
    /// The language's interpreter is not on this host.
    #[error("no {language} interpreter at {looked_at}; install it: {install}")]
    RuntimeMissing {
        /// The language.
        language: Language,
        /// Where it was looked for.
        looked_at: String,
        /// The command that installs it.
        install: String,
    },
    /// This executor has no packages to give.
    #[error("this executor gives sandboxes no packages; give it a directory of packages, or ask for none")]
    PackagesNotOffered,
    /// The tenant has no such packages.
    #[error("there are no packages {packages}; deploy the function again, which installs them")]
    PackagesMissing {
        /// The packages asked for.
        packages: PackagesId,
    },
}

impl SpecError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Resources(_) => ErrorCode::InvalidField,
            Self::AboveHost { .. } => ErrorCode::ResourcesAboveHost,
            Self::Isolation { .. } => ErrorCode::IsolationUnavailable,
            Self::NotEnforced { .. } => ErrorCode::LimitNotEnforceable,
            Self::RuntimeMissing { .. } => ErrorCode::RuntimeMissing,
            Self::PackagesNotOffered => ErrorCode::FieldUnsupported,
            Self::PackagesMissing { .. } => ErrorCode::RuntimeMissing,
        }
    }
}

/// Why a sandbox was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The spec does not pass validation.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The backend does not offer the verb (`restore`, `branch`).
    #[error("this executor does not offer {0}")]
    Unsupported(Verb),
    /// Every sandbox the host may run at once is in use.
    #[error("all {limit} sandboxes of this platform are in use; retry, or raise max_sandboxes")]
    AtCapacity {
        /// How many may run at once.
        limit: u32,
    },
    /// A step of the assembly failed.
    #[error("assembling the sandbox failed at {step}: {cause}")]
    Assembly {
        /// The step's name.
        step: String,
        /// The kernel's answer.
        cause: String,
    },
    /// The process that assembles sandboxes is gone.
    #[error("the launcher is gone; restart this process")]
    LauncherLost,
}

impl CreateError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Spec(spec) => spec.code(),
            Self::Unsupported(_) => ErrorCode::VerbUnsupported,
            Self::AtCapacity { .. } => ErrorCode::AtCapacity,
            Self::Assembly { .. } => ErrorCode::SandboxAssemblyFailed,
            Self::LauncherLost => ErrorCode::LauncherLost,
        }
    }
}

/// Why a call could not be made. Once it is running it ends in a `Done`, never in one of these.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The sandbox does not offer the verb.
    #[error("this sandbox does not offer {0}")]
    Unsupported(Verb),
    /// A field of the call is malformed.
    #[error("{field} is refused: {reason}; accepted: {accepted}")]
    Invalid {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// A file to be passed in is refused, or does not fit.
    #[error("file {path:?} is refused: {reason}")]
    File {
        /// The file's path as given.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The program does not exist in the sandbox or cannot be executed.
    #[error("command {program:?} cannot be run: {reason}")]
    NotFound {
        /// The program as given.
        program: String,
        /// The kernel's answer.
        reason: String,
    },
    /// The sandbox was gone before it was asked: nothing ran, and another sandbox may be asked the same.
    #[error("the sandbox is gone: {reason}")]
    Unreached {
        /// What is known.
        reason: String,
    },
    /// The sandbox was poisoned or is gone.
    #[error("the sandbox is gone: {reason}")]
    Lost {
        /// What is known.
        reason: String,
    },
}

impl CallError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unsupported(_) => ErrorCode::VerbUnsupported,
            Self::Invalid { .. } => ErrorCode::InvalidField,
            Self::File { .. } => ErrorCode::FileRefused,
            Self::NotFound { .. } => ErrorCode::CommandNotFound,
            Self::Unreached { .. } | Self::Lost { .. } => ErrorCode::SandboxLost,
        }
    }
}

/// Why an earlier run's leftovers could not be dealt with.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The process that owns them is gone.
    #[error("the launcher is gone; restart this process")]
    LauncherLost,
}
