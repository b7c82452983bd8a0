//! Lists.

use faas_types::ExecutionRecord;
use serde::{Deserialize, Serialize};

/// A page of executions, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionPage {
    /// The executions, without their output.
    pub items: Vec<ExecutionRecord>,
    /// What `cursor` of the next request is; `null` at the end.
    pub next_cursor: Option<String>,
}
