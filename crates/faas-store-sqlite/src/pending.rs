//! A journaled entry that waits for its import.

use crate::error::Failure;
use crate::row;
use faas_types::{ExecutionId, ExecutionRecord, ExecutionState, NodeId, TenantId};
use std::collections::BTreeMap;

/// What the import needs of an entry, its record as JSON.
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
    pub(crate) json: String,
}

impl Pending {
    pub(crate) fn new(tenant: TenantId, node: NodeId, record: &ExecutionRecord, json: String) -> Self {
        Self {
            tenant,
            node,
            id: record.id,
            status: record.status,
            created_at: record.created_at.as_micros(),
            ended_at: row::ended_at(record),
            function: record.function.clone(),
            labels: record.labels.clone(),
            json,
        }
    }

    /// The record as it was journaled.
    pub(crate) fn record(&self) -> Result<ExecutionRecord, Failure> {
        Ok(serde_json::from_str(&self.json)?)
    }
}
