//! Why an operation on functions failed. Nothing has changed then, unless the platform is stopping.

use crate::RequestError;
use faas_build::{BuildError, DependencyError};
use faas_executor_api::SpecError;
use faas_routes::RouteError;
use faas_store_api::{ChangeError, CreateFunctionError, Seen, StoreError};
use faas_types::{AliasName, ErrorCode, FunctionId, FunctionKey, FunctionName, FunctionRef, Language, ScalingError};

/// Why an operation on functions failed. Nothing has changed then, unless it is `Stopping`.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The tenant has none.
    #[error("there is no function {which}; list what there is, or deploy it")]
    Unknown {
        /// As it was asked for.
        which: String,
    },
    /// It is declared, and there is no source of it.
    #[error("{why}; then start the server again, or deploy the function here")]
    NoSource {
        /// Where its source was looked for.
        why: String,
    },
    /// The function has no such version.
    #[error("there is no version {which}; its versions are 1 to {newest}")]
    NoVersion {
        /// As it was asked for.
        which: FunctionRef,
        /// The newest.
        newest: u32,
    },
    /// The function has no such alias.
    #[error("{function} has no alias {alias}; list its aliases")]
    NoAlias {
        /// The function as it was asked for.
        function: FunctionKey,
        /// The alias.
        alias: AliasName,
    },
    /// The tenant has one of that name.
    #[error("there is a function {name} already; update it, delete it first, or take another name")]
    Exists {
        /// The name.
        name: FunctionName,
    },
    /// The caller's key belongs to another request.
    #[error("this Idempotency-Key was used with another request; use a new key for a new request")]
    KeyConflict,
    /// It has changed since the caller saw it.
    #[error("the function has changed meanwhile: its etag is now \"{now}\"; read it again")]
    Changed {
        /// What it is now.
        now: Seen,
    },
    /// It has as many versions, or aliases, as may be.
    #[error("the function has as many versions or aliases as may be; remove aliases, or delete it and deploy it again")]
    TooMany,
    /// What it is to be is wrong.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Its scaling is wrong.
    #[error(transparent)]
    Scaling(ScalingError),
    /// This host cannot honour it.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The language's interpreter is not on this host.
    #[error("{language} is not installed on this host; apt-get install {}, and see faas doctor", language.package())]
    RuntimeMissing {
        /// The language.
        language: Language,
    },
    /// The host has another version of it.
    #[error("runtime {wanted} is not on this host, which has {found}; leave the version out, or install it")]
    RuntimeVersion {
        /// The runtime asked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// One of its routes is none.
    #[error(transparent)]
    Route(RouteError),
    /// One of its routes is another function's.
    #[error("the route {route} collides with {with}, which leads to {name}; change its path, or remove the other one")]
    RouteTaken {
        /// The route.
        route: String,
        /// The one it collides with.
        with: String,
        /// The function that has it.
        name: FunctionName,
    },
    /// One of its routes is another tenant's, of whose functions nothing is said.
    #[error("the route {route} is taken by another tenant; change its path")]
    RouteOfAnother {
        /// The route.
        route: String,
    },
    /// As many changes of functions are under way as may be.
    #[error("as many changes of functions are under way as may be; retry later")]
    Crowded,
    /// The platform is stopping.
    #[error("the platform is stopping; the change was made or was not: look when it is back")]
    Stopping,
    /// Its dependencies are not what is accepted.
    #[error(transparent)]
    Dependencies(DependencyError),
    /// Its dependencies could not be installed.
    #[error(transparent)]
    Build(Box<BuildError>),
    /// Nothing here installs dependencies.
    #[error("dependencies are not installed here; leave them out, or put them among the files")]
    NoBuilds,
    /// What is kept of a version cannot be read.
    #[error("what is kept of the function cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FunctionError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown { .. } => ErrorCode::FunctionNotFound,
            Self::NoSource { .. } => ErrorCode::NoSource,
            Self::NoVersion { .. } | Self::NoAlias { .. } => ErrorCode::VersionNotFound,
            Self::Exists { .. } => ErrorCode::FunctionExists,
            Self::KeyConflict => ErrorCode::IdempotencyConflict,
            Self::Changed { .. } => ErrorCode::FunctionChanged,
            Self::TooMany => ErrorCode::TooManyVersions,
            Self::Request(error) => error.code(),
            Self::Scaling(_) => ErrorCode::InvalidField,
            Self::Spec(error) => error.code(),
            Self::RuntimeMissing { .. } | Self::RuntimeVersion { .. } => ErrorCode::RuntimeMissing,
            Self::Dependencies(error) => error.code(),
            Self::Build(error) => error.code(),
            Self::NoBuilds => ErrorCode::FieldUnsupported,
            Self::Route(_) => ErrorCode::InvalidField,
            Self::RouteTaken { .. } | Self::RouteOfAnother { .. } => ErrorCode::RouteTaken,
            Self::Crowded => ErrorCode::AtCapacity,
            Self::Stopping => ErrorCode::Stopping,
            Self::Unreadable { .. } => ErrorCode::StorageUnavailable,
            Self::Store(error) => error.code(),
        }
    }

    /// The field of the function that is to blame, where one is.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::Request(error) => error.field(),
            Self::Scaling(_) => Some("scaling"),
            Self::Route(_) | Self::RouteTaken { .. } | Self::RouteOfAnother { .. } => Some("routes"),
            Self::Dependencies(error) => Some(error.field()),
            Self::Build(error) => Some(error.field()),
            Self::NoBuilds => Some("dependencies"),
            Self::RuntimeMissing { .. } | Self::RuntimeVersion { .. } => Some("runtime"),
            Self::Unknown { .. }
            | Self::NoSource { .. }
            | Self::NoVersion { .. }
            | Self::NoAlias { .. }
            | Self::Exists { .. }
            | Self::KeyConflict
            | Self::Changed { .. }
            | Self::TooMany
            | Self::Spec(_)
            | Self::Crowded
            | Self::Stopping
            | Self::Unreadable { .. }
            | Self::Store(_) => None,
        }
    }

    /// What the tools said that should have installed its dependencies.
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        match self {
            Self::Build(error) => error.log(),
            _ => None,
        }
    }

    /// From what a store says of a change of this function.
    pub(super) fn of_change(error: ChangeError, which: &FunctionRef, function: FunctionId) -> Self {
        match error {
            ChangeError::Unknown => Self::Unknown { which: which.function.to_string() },
            ChangeError::Stale { revision } => Self::Changed { now: Seen { function, revision } },
            ChangeError::NoVersion { newest, .. } => Self::NoVersion { which: which.clone(), newest },
            ChangeError::NoAlias { alias } => Self::NoAlias { function: which.function.clone(), alias },
            ChangeError::TooMany => Self::TooMany,
            ChangeError::Store(error) => Self::Store(error),
        }
    }

    /// From what a store says of the making of a function.
    pub(super) fn of_creation(error: CreateFunctionError, name: &FunctionName) -> Self {
        match error {
            CreateFunctionError::Taken => Self::Exists { name: name.clone() },
            CreateFunctionError::KeyConflict => Self::KeyConflict,
            CreateFunctionError::Store(error) => Self::Store(error),
        }
    }
}
