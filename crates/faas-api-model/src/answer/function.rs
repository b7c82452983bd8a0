//! Functions as answers show them.

use faas_types::{AliasName, FunctionId, FunctionName, Timestamp, VersionId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A function with one of its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionAnswer {
    /// Its id.
    pub id: FunctionId,
    /// Its name.
    pub name: FunctionName,
    /// The number of the version that is shown.
    pub version: u32,
    /// That version's id.
    pub version_id: VersionId,
    /// The number of the version that its name alone means.
    pub live: u32,
    /// The number of its newest version.
    pub newest: u32,
    /// What `If-Match` of a change is compared with, without its quotes.
    pub etag: String,
    /// Versions by the names of aliases.
    pub aliases: BTreeMap<AliasName, u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// When the version that is shown was made.
    pub deployed_at: Timestamp,
    /// What its dependencies led to: a line for each package with its version and its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// What the version is: the members of a function's body. In lists without its source.
    #[serde(flatten)]
    pub definition: Map<String, Value>,
}

/// What a change of a function says while it installs dependencies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressEvent {
    /// What is being done: `resolving`, `fetching`, `building` or `unpacking`.
    pub phase: String,
    /// A line that a tool said, or that was said of it.
    pub line: String,
}

/// A page of functions, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionPage {
    /// The functions, each with its live version, without its source.
    pub items: Vec<FunctionAnswer>,
    /// What `cursor` of the next request is; `null` at the end.
    pub next_cursor: Option<String>,
    /// What is declared and is no function, on every page.
    #[serde(default)]
    pub not_deployed: Vec<NotDeployedAnswer>,
}

/// A function that is declared and that nobody can call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotDeployedAnswer {
    /// Its name.
    pub name: FunctionName,
    /// Why: `no_source`.
    pub status: String,
    /// The same in words, with what to do.
    pub detail: String,
}

/// One version of a function, without its source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionAnswer {
    /// Its number, counted from 1.
    pub version: u32,
    /// Its id.
    pub version_id: VersionId,
    /// Whether the function's name alone means it.
    pub live: bool,
    /// The aliases that mean it.
    pub aliases: Vec<AliasName>,
    /// When it was made.
    pub deployed_at: Timestamp,
    /// What it is, without its source.
    #[serde(flatten)]
    pub definition: Map<String, Value>,
}

/// A page of versions, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionPage {
    /// The versions.
    pub items: Vec<VersionAnswer>,
    /// What `cursor` of the next request is; `null` at the end.
    pub next_cursor: Option<String>,
}

/// The aliases of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasesAnswer {
    /// Versions by the names of aliases.
    pub aliases: BTreeMap<AliasName, u32>,
}

/// Why a function called through HTTP gave no answer, or not the rest of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCall {
    /// One line on what went wrong.
    pub error: String,
    /// The cause.
    pub error_kind: String,
    /// The execution, whose log says more.
    pub execution_id: String,
}
