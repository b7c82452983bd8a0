//! Why a configuration is refused.

use crate::Origin;
use faas_types::{ErrorCode, ResourcesError};

/// Why a configuration is refused. Every message names the key, where it stands, and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not what its name says it is.
    #[error("configuration file {path} is not valid {form}: {reason}")]
    Syntax {
        /// The file's path.
        path: String,
        /// TOML or YAML.
        form: &'static str,
        /// The parser's answer, with line and column.
        reason: String,
    },
    /// A key nobody knows.
    #[error("unknown key {key:?} ({origin}){}; accepted: {accepted}", nearest_text(.nearest.as_deref()))]
    UnknownKey {
        /// The key as given.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The nearest known key.
        nearest: Option<String>,
        /// Every known key.
        accepted: String,
    },
    /// An environment variable that looks like one of ours and is none.
    #[error("unknown environment variable {name}; did you mean {nearest}? correct it or unset it")]
    UnknownVariable {
        /// Its name.
        name: String,
        /// The nearest known one.
        nearest: String,
    },
    /// A value that is not what the key takes.
    #[error("{key} {given:?} ({origin}) is refused; accepted: {accepted}")]
    Value {
        /// The key's dotted name.
        key: &'static str,
        /// The value as given.
        given: String,
        /// Where it stands.
        origin: Origin,
        /// What is accepted.
        accepted: &'static str,
    },
    /// A function of the file, or something about all of them, that is not accepted.
    #[error("{place} {given:?} ({origin}) is refused; accepted: {accepted}")]
    Function {
        /// The dotted place in the file.
        place: String,
        /// The value as given, cut when long.
        given: String,
        /// Where it stands.
        origin: Origin,
        /// What is accepted.
        accepted: &'static str,
    },
    /// A file that is no configuration by its size alone.
    #[error(
        "configuration file {path} is above the limit of {} bytes (4Mi); keep sources in files of their own, beneath system.function_storage_path",
        crate::ConfigFile::MAX_BYTES
    )]
    TooLarge {
        /// The file's path.
        path: String,
    },
    /// A value that asks for a part of the platform that this build does not have.
    #[error("{key} {given:?} ({origin}) is not in this build; it has: {available}; change it or unset it")]
    NotBuilt {
        /// The key's dotted name.
        key: &'static str,
        /// The value as given, without what may be secret.
        given: String,
        /// Where it stands.
        origin: Origin,
        /// What this build has instead.
        available: &'static str,
    },
    /// Two variables that mean one key and differ.
    #[error("{first} and {second} both set {key} and differ; unset one of them")]
    Conflict {
        /// The key's dotted name.
        key: &'static str,
        /// One of the variables.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// Values that are fine alone and not together.
    #[error("{cause} (memory: {memory}; disk: {disk})")]
    Resources {
        /// What is wrong.
        cause: ResourcesError,
        /// Where the memory limit came from.
        memory: Origin,
        /// Where the disk limit came from.
        disk: Origin,
    },
}

impl ConfigError {
    /// The stable code: a flag is a field of a request, everything else is configuration.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Value { origin: Origin::Flag { .. }, .. }
            | Self::NotBuilt { origin: Origin::Flag { .. }, .. }
            | Self::Resources { memory: Origin::Flag { .. }, .. }
            | Self::Resources { disk: Origin::Flag { .. }, .. } => ErrorCode::InvalidField,
            Self::Syntax { .. }
            | Self::UnknownKey { .. }
            | Self::UnknownVariable { .. }
            | Self::Value { .. }
            | Self::Function { .. }
            | Self::TooLarge { .. }
            | Self::NotBuilt { .. }
            | Self::Conflict { .. }
            | Self::Resources { .. } => ErrorCode::ConfigInvalid,
        }
    }
}

fn nearest_text(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}
