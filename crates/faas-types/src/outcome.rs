//! How an execution ended, and what it used.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Which limit ended or marked an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitHit {
    /// Output passed its limit and the caller had asked to kill.
    Output,
}

/// How a run of guest code ended. A failing guest is one of these, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The program ended by itself with this code (0 to 255).
    Exited {
        /// The program's exit code.
        code: u8,
    },
    /// A signal ended the program.
    Signaled {
        /// The signal's number.
        signal: u8,
    },
    /// The deadline passed; the whole tree was killed.
    TimedOut,
    /// The memory limit was reached and the kernel killed the program.
    OutOfMemory,
    /// Another limit ended it.
    LimitExceeded {
        /// Which one.
        limit: LimitHit,
    },
    /// Somebody asked for it to stop.
    Cancelled,
    /// The sandbox ended before its program did, and no limit explains it.
    SandboxLost,
}

/// The closed set of causes in the API's `error_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The user's program failed.
    UserError,
    /// The deadline passed.
    Timeout,
    /// The memory limit was reached.
    Oom,
    /// Another limit was reached.
    Limit,
    /// Cancelled by the caller.
    Cancelled,
    /// The sandbox went away.
    SandboxLost,
    /// The platform failed.
    Platform,
}

impl ErrorKind {
    /// The name used in records and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserError => "user_error",
            Self::Timeout => "timeout",
            Self::Oom => "oom",
            Self::Limit => "limit",
            Self::Cancelled => "cancelled",
            Self::SandboxLost => "sandbox_lost",
            Self::Platform => "platform",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Outcome {
    /// The API's error kind; `None` when the program ended with code 0.
    #[must_use]
    pub const fn error_kind(self) -> Option<ErrorKind> {
        match self {
            Self::Exited { code: 0 } => None,
            Self::Exited { .. } | Self::Signaled { .. } => Some(ErrorKind::UserError),
            Self::TimedOut => Some(ErrorKind::Timeout),
            Self::OutOfMemory => Some(ErrorKind::Oom),
            Self::LimitExceeded { .. } => Some(ErrorKind::Limit),
            Self::Cancelled => Some(ErrorKind::Cancelled),
            Self::SandboxLost => Some(ErrorKind::SandboxLost),
        }
    }
}

/// What one run used. Taken from the kernel's accounting, never from what the guest says.
/// A field the host cannot measure is `None`, never a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time of the whole sandbox, in microseconds.
    pub cpu_us: Option<u64>,
    /// Highest memory of the whole sandbox, in bytes.
    pub memory_peak_bytes: Option<u64>,
}

/// What became of a run's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutputStats {
    /// Bytes the program wrote to stdout, discarded ones included.
    pub stdout_bytes: u64,
    /// Bytes the program wrote to stderr, discarded ones included.
    pub stderr_bytes: u64,
    /// Whether stdout passed the limit and was cut.
    pub stdout_truncated: bool,
    /// Whether stderr passed the limit and was cut.
    pub stderr_truncated: bool,
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, LimitHit, Outcome};

    #[test]
    fn every_ending_but_code_zero_has_an_error_kind() {
        let table = [
            (Outcome::Exited { code: 0 }, None),
            (Outcome::Exited { code: 1 }, Some("user_error")),
            (Outcome::Exited { code: 255 }, Some("user_error")),
            (Outcome::Signaled { signal: 9 }, Some("user_error")),
            (Outcome::TimedOut, Some("timeout")),
            (Outcome::OutOfMemory, Some("oom")),
            (Outcome::LimitExceeded { limit: LimitHit::Output }, Some("limit")),
            (Outcome::Cancelled, Some("cancelled")),
            (Outcome::SandboxLost, Some("sandbox_lost")),
        ];
        for (outcome, kind) in table {
            assert_eq!(outcome.error_kind().map(ErrorKind::as_str), kind, "{outcome:?}");
        }
    }

    #[test]
    fn json_uses_the_documented_names() {
        let kinds = [
            ErrorKind::UserError,
            ErrorKind::Timeout,
            ErrorKind::Oom,
            ErrorKind::Limit,
            ErrorKind::Cancelled,
            ErrorKind::SandboxLost,
            ErrorKind::Platform,
        ];
        for kind in kinds {
            assert_eq!(serde_json::to_value(kind).expect("a name"), kind.as_str());
        }
    }
}
