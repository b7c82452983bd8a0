//! Values of keys that are one word of a few.

use crate::pick::Refused;

/// What makes sandboxes, of those in this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutorChoice {
    /// Linux namespaces, cgroups, seccomp and landlock: also what `platform` means.
    Process,
}

/// What the platform knows by name and this build does not have, `container` and `microvm` being families.
const NOT_BUILT: [&str; 6] = ["docker", "container", "firecracker", "qemu", "microvm", "wasm"];

impl ExecutorChoice {
    /// The name used in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        match text {
            "platform" | "auto" | "process" => Ok(Self::Process),
            other if NOT_BUILT.contains(&other) => Err(Refused::NotBuilt { available: "process" }),
            _ => Err(Refused::Malformed),
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The name used in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Text, Self::Json].into_iter().find(|format| format.as_str() == text)
    }
}
