//! Instances as answers show them.

use serde::{Deserialize, Serialize};

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceAnswer {
    /// Its id.
    pub id: String,
    /// `worker`: a warm sandbox of the platform's own.
    pub kind: String,
    /// `running`.
    pub status: String,
    /// The function it serves.
    pub function: Option<String>,
    /// That function's version.
    pub version: Option<u32>,
    /// How long it waits for its next call before it ends, in milliseconds.
    pub expires_in_ms: u64,
}
