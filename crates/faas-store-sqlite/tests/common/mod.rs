//! Executions for the tests of the store on disk.

use faas_store_api::NewExecution;
use faas_types::{Contract, ExecutionId, ExecutionRecord, NodeId, TenantId};

pub(crate) const NODE: NodeId = NodeId::from_bytes([7; 16]);

/// An execution to be queued.
pub(crate) fn new() -> NewExecution {
    let record = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Command, "process");
    NewExecution {
        tenant: TenantId::LOCAL,
        node: NODE,
        request: vec![b'x'; 1000],
        not_before: record.created_at,
        record,
        lease: None,
        idempotency: None,
    }
}
