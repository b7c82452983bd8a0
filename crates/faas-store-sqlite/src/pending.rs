//! A journaled entry that waits for its import.

use crate::error::Failure;
use crate::journal::frame;
use crate::row;
use faas_types::{ExecutionId, ExecutionRecord, ExecutionState, NodeId, TenantId};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A record as it was journaled.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Json(String),
    /// As [`frame`] has it. Its JSON is made when it is wanted: most marks are replaced before.
    Mark(Vec<u8>),
}

/// What the import needs of an entry.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) tenant: TenantId,
    pub(crate) node: NodeId,
    pub(crate) id: ExecutionId,
    pub(crate) status: ExecutionState,
    /// When it began, in microseconds since 1970.
    pub(crate) created_at: u64,
    /// When it ended, in microseconds since 1970; `None` for a mark.
    pub(crate) ended_at: Option<u64>,
    pub(crate) function: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) content: Content,
}

impl Pending {
    pub(crate) fn new(tenant: TenantId, node: NodeId, record: &ExecutionRecord, content: Content) -> Self {
        Self {
            tenant,
            node,
            id: record.id,
            status: record.status,
            created_at: record.created_at.as_micros(),
            ended_at: row::ended_at(record),
            function: record.function.clone(),
            labels: record.labels.clone(),
            content,
        }
    }

    /// The record as it was journaled.
    pub(crate) fn record(&self) -> Result<ExecutionRecord, Failure> {
        match &self.content {
            Content::Json(json) => Ok(serde_json::from_str(json)?),
            Content::Mark(mark) => {
                frame::read_mark(mark).ok_or_else(|| Failure::corrupt(format!("the mark of {} is none", self.id)))
            }
        }
    }

    /// The record as a row has it.
    pub(crate) fn json(&self) -> Result<Cow<'_, str>, Failure> {
        match &self.content {
            Content::Json(json) => Ok(Cow::Borrowed(json)),
            Content::Mark(_) => Ok(Cow::Owned(serde_json::to_string(&self.record()?)?)),
        }
    }
}
