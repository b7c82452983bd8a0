//! What goes into a store and comes out of it, beside the record itself.

use crate::StoreError;
use faas_types::{ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, NodeId, TenantId, Timestamp};

/// An execution to be kept. Its record's status says where it begins: `queued`, or `starting` when
/// the inserter runs it at once, and then with a lease.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExecution {
    /// Whose it is.
    pub tenant: TenantId,
    /// The node that accepted it.
    pub node: NodeId,
    /// What is known of it. Its `id` and `created_at` are the row's.
    pub record: ExecutionRecord,
    /// What is to run, in the orchestrator's own form. Dropped when the execution ends.
    pub request: Vec<u8>,
    /// Not to be started before this moment.
    pub not_before: Timestamp,
    /// Held from the beginning, by an inserter that runs it at once.
    pub lease: Option<Lease>,
    /// The client's key against doing it twice.
    pub idempotency: Option<Idempotency>,
}

impl NewExecution {
    /// Why it cannot be kept: a row that is neither in the queue nor held by anybody would stay for ever.
    #[must_use]
    pub fn refusal(&self) -> Option<StoreError> {
        let fits = match self.record.status {
            ExecutionState::Queued => self.lease.is_none(),
            ExecutionState::Starting => self.lease.is_some(),
            ExecutionState::Running
            | ExecutionState::Succeeded
            | ExecutionState::Failed
            | ExecutionState::Cancelled => false,
        };
        let (id, status) = (self.record.id, self.record.status);
        let reason = || format!("{id} is {status}; insert it queued without a lease or starting with one");
        (!fits).then(|| StoreError::Unavailable { reason: reason() })
    }
}

/// A client's key, and what it was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key as given; unique within a tenant while its execution is kept.
    pub key: String,
    /// A digest of the request it came with.
    pub digest: [u8; 32],
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insertion {
    /// It is there now, and survives.
    New,
    /// The same key with the same digest was used before, for this execution; nothing was inserted.
    Repeat(ExecutionId),
}

/// A node's right to run an execution. `epoch` grows with each start of the node, so that what an
/// earlier life began cannot be ended by it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The node.
    pub node: NodeId,
    /// Its life.
    pub epoch: u64,
    /// When the right ends unless it is renewed.
    pub until: Timestamp,
}

/// A queued execution as read back.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedExecution {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its record, status `queued`.
    pub record: ExecutionRecord,
    /// What is to run, as inserted; empty when it or the record cannot be read.
    pub request: Vec<u8>,
    /// Not to be started before this moment.
    pub not_before: Timestamp,
    /// How often it was started before.
    pub attempt: u32,
}

/// What a row must be for an end to be written on it. Anything else is a late end: a no-op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Queued.
    Queued,
    /// Held by this life of this node.
    Held {
        /// The node.
        node: NodeId,
        /// Its life.
        epoch: u64,
    },
}

/// The end of an execution that has a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// What the row must be.
    pub expected: Expected,
    /// The record, its status terminal, without output.
    pub record: ExecutionRecord,
}

/// What a synchronous execution leaves in the journal: a mark when its program may have begun, and its
/// record. A mark without a record is, after a crash, an execution that ended as `sandbox_lost`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Journaled<'a> {
    /// Whose it is.
    pub tenant: TenantId,
    /// The node that ran it.
    pub node: NodeId,
    /// The record: status `starting` for a mark, terminal for an end. Its output is not kept.
    pub record: &'a ExecutionRecord,
}

/// What was found when a node came back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recovered {
    /// How many executions wait.
    pub queued: u64,
    /// What an earlier life of the node had begun and not ended. Each now ended as `sandbox_lost`.
    pub lost: Vec<ExecutionId>,
    /// What an earlier life left behind that could not be read any more and is lost, one line each.
    pub dropped: Vec<String>,
}

impl Recovered {
    /// How an execution ends whose node ended before it did: the same words from every store.
    #[must_use]
    pub fn lost_record(record: ExecutionRecord) -> ExecutionRecord {
        record.ended(ExecutionState::Failed, ErrorKind::SandboxLost, "the server ended before this execution did")
    }
}
