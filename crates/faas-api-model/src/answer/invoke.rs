//! Answers of `POST /functions/{id}/invoke`.

use serde::{Deserialize, Serialize};

/// A command ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvokeAnswer {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// One line on what went wrong; `null` when nothing did.
    pub error: Option<String>,
}

/// No command ran, or what became of it is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvokeRefusal {
    /// One line on why.
    pub error: String,
}
