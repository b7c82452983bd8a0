//! Where values come from, and a value together with where it came from.

use crate::Key;
use std::collections::BTreeMap;
use std::fmt;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// No layer gave one.
    Default,
    /// The configuration file.
    File {
        /// Its path, for messages.
        path: String,
    },
    /// An environment variable.
    Env {
        /// Its name.
        name: &'static str,
    },
    /// A command line flag.
    Flag {
        /// Its name with dashes.
        name: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path } => write!(f, "file {path}"),
            Self::Env { name } => write!(f, "env {name}"),
            Self::Flag { name } => write!(f, "flag {name}"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// The configuration file as read by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its path, for messages.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl ConfigFile {
    /// The largest file that is read.
    pub const MAX_BYTES: usize = 4 << 20;

    /// Whether its name says that it is YAML; every other file is TOML.
    pub(crate) fn is_yaml(&self) -> bool {
        [".yaml", ".yml"].iter().any(|ending| self.path.ends_with(ending))
    }
}

/// Values given on the command line, as written there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    values: BTreeMap<Key, String>,
}

impl Flags {
    /// Adds a flag when it was given.
    #[must_use]
    pub fn with(mut self, key: Key, text: Option<&str>) -> Self {
        if let Some(text) = text {
            self.values.insert(key, text.to_owned());
        }
        self
    }

    pub(crate) fn get(&self, key: Key) -> Option<&str> {
        self.values.get(&key).map(String::as_str)
    }
}
