//! Whether the server lives, and whether it takes work.

use serde::{Deserialize, Serialize};

/// The answer of `/health` and `/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthAnswer {
    /// `ok`, or `ready`.
    pub status: String,
    /// The server's version.
    pub version: String,
}
