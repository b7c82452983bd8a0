//! What happened on the platform.

use faas_types::{ExecutionId, Timestamp};
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformEventAnswer {
    /// Its number; grows by one with each event since the server began.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What, one word.
    pub kind: String,
    /// Which execution it is about.
    pub execution_id: Option<ExecutionId>,
    /// More about it.
    pub detail: String,
}

/// The last events, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPage {
    /// The events.
    pub items: Vec<PlatformEventAnswer>,
}
