//! The life-cycle policy of a sandbox.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What becomes of the sandbox an execution runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A new sandbox per execution; nothing of it runs on or is reused.
    #[default]
    Ephemeral,
    /// A warm sandbox of the same tenant and environment is reused.
    Cached,
    /// The initialised state is saved.
    Checkpointed,
    /// It continues from a snapshot.
    Branched,
    /// It runs in an instance that lives on.
    Persistent,
}

impl Mode {
    /// Every mode, in the order the documentation lists them.
    pub const ALL: [Self; 5] = [Self::Ephemeral, Self::Cached, Self::Checkpointed, Self::Branched, Self::Persistent];

    /// The name used in requests, records and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ephemeral => "ephemeral",
            Self::Cached => "cached",
            Self::Checkpointed => "checkpointed",
            Self::Branched => "branched",
            Self::Persistent => "persistent",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A mode nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode {name:?}; accepted: ephemeral, cached, checkpointed, branched, persistent")]
pub struct UnknownMode {
    /// The name as given.
    pub name: String,
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name).ok_or_else(|| UnknownMode { name: name.to_owned() })
    }
}
