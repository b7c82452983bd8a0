//! The contract of a store of executions.

use crate::{
    Counts, Finished, InsertError, Insertion, Journaled, Lease, ListQuery, NewExecution, Page, QueuedExecution,
    Recovered, Retention, StoreError,
};
use async_trait::async_trait;
use faas_types::{ExecutionId, ExecutionRecord, NodeId, TenantId, Timestamp};

/// Bytes of requests on one page of [`ExecutionStore::queued`].
pub const QUEUED_PAGE_BYTES: usize = 8 << 20;

/// Keeps executions. What a method promises holds when it has returned, and through `kill -9` and the
/// loss of power unless it says otherwise. Dropping a method's future may leave it done or not done.
#[async_trait]
pub trait ExecutionStore: Send + Sync + 'static {
    /// Begins a new life of a node: everything an earlier life of it held ends as `sandbox_lost`,
    /// marks in the journal without a record included. Called once, before anything else.
    ///
    /// # Errors
    /// The store failed.
    async fn recover(&self, node: NodeId, epoch: u64) -> Result<Recovered, StoreError>;

    /// The greatest epoch any life of the node has used; 0 before its first.
    ///
    /// # Errors
    /// The store failed.
    async fn last_epoch(&self, node: NodeId) -> Result<u64, StoreError>;

    /// Accepts an execution.
    ///
    /// # Errors
    /// The key is taken by another request, or the store failed and nothing is kept.
    async fn insert(&self, new: NewExecution) -> Result<Insertion, InsertError>;

    /// Queued executions of any node, oldest first, after the given one: at most `limit`, and at most
    /// [`QUEUED_PAGE_BYTES`] of requests unless the first alone has more. So a page with fewer than
    /// `limit` need not be the last; an empty one says that there are no more.
    ///
    /// One whose record or request cannot be read is given with what is known of it and without its
    /// request, so that the caller can end it.
    ///
    /// Tenants do not take turns here: one tenant's executions come after all older ones of the others.
    ///
    /// # Errors
    /// The store failed.
    async fn queued(&self, after: Option<ExecutionId>, limit: u32) -> Result<Vec<QueuedExecution>, StoreError>;

    /// Takes a queued execution: its status becomes `starting`, its attempt grows by one. `None` when
    /// it is not queued any more; else the attempt, counted from 1.
    ///
    /// # Errors
    /// The store failed, and the execution must not be run.
    async fn claim(&self, id: ExecutionId, lease: Lease) -> Result<Option<u32>, StoreError>;

    /// Prolongs every lease this life of the node holds.
    ///
    /// # Errors
    /// The store failed.
    async fn renew(&self, node: NodeId, epoch: u64, until: Timestamp) -> Result<(), StoreError>;

    /// Ends an execution. `false` when its row is not what was expected: somebody else ended it.
    ///
    /// # Errors
    /// The store failed; may be repeated.
    async fn finish(&self, finished: Finished) -> Result<bool, StoreError>;

    /// Notes a synchronous execution. Returns once the entry survives the end of this process; the
    /// loss of power may cost the last 50 ms of them. Readers see it at the latest when they ask.
    ///
    /// # Errors
    /// The store failed.
    fn journal(&self, entry: Journaled<'_>) -> Result<(), StoreError>;

    /// One execution of a tenant, without output. When its record cannot be read, what is known of it
    /// without, and its `error` says so.
    ///
    /// # Errors
    /// The store failed.
    async fn get(&self, tenant: TenantId, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError>;

    /// A page of a tenant's executions, newest first, each as [`get`](Self::get) gives it. What cannot
    /// be read at all is left out.
    ///
    /// # Errors
    /// The store failed.
    async fn list(&self, tenant: TenantId, query: &ListQuery) -> Result<Page, StoreError>;

    /// How many executions of all tenants stand where.
    ///
    /// # Errors
    /// The store failed.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Forgets the executions that ended first beyond what is to be kept, at most `limit` of them, and
    /// says which, in that order. What has not ended is never forgotten.
    ///
    /// # Errors
    /// The store failed.
    async fn prune(&self, keep: Retention, limit: u32) -> Result<Vec<ExecutionId>, StoreError>;

    /// Writes down everything that is on its way and closes. Nothing is called afterwards.
    async fn close(&self);
}

/// Everything the platform remembers.
pub trait Store: ExecutionStore + crate::FunctionStore {}

impl<S: ExecutionStore + crate::FunctionStore> Store for S {}
