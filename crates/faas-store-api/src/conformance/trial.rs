//! What the scenarios share: bounded waits, failures that carry the scenario's name, executions to
//! write.

use super::StoreFactory;
use crate::{Expected, Filter, Finished, InsertError, Insertion, Journaled, Lease, ListQuery, NewExecution, Store};
use faas_types::{Contract, ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, Language, NodeId};
use faas_types::{TenantId, Timestamp};
use std::fmt::{Debug, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long any one step may take on an ordinary machine; generous, since it only bounds failures.
const STEP: Duration = Duration::from_secs(30);

/// The node of the scenarios.
pub(super) const NODE: NodeId = NodeId::from_bytes([7; 16]);
/// Another node.
pub(super) const OTHER_NODE: NodeId = NodeId::from_bytes([8; 16]);
/// The tenant of the scenarios.
pub(super) const TENANT: TenantId = TenantId::from_bytes([1; 16]);
/// Another tenant.
pub(super) const OTHER_TENANT: TenantId = TenantId::from_bytes([2; 16]);

/// One scenario on one place.
pub(super) struct Trial<'a> {
    name: &'static str,
    factory: &'a dyn StoreFactory,
    store: Option<Arc<dyn Store>>,
}

impl<'a> Trial<'a> {
    /// Opens the place and begins the node's life 1.
    pub(super) async fn new(name: &'static str, factory: &'a dyn StoreFactory) -> Self {
        let mut trial = Self { name, factory, store: None };
        let store = trial.within("open", factory.open()).await;
        trial.store = Some(Arc::from(store));
        let recovered = trial.ok("the first recover", trial.store().recover(NODE, 1)).await;
        trial.equal(&recovered, &crate::Recovered::default(), "what an empty store recovers");
        trial
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        match &self.store {
            Some(store) => store,
            None => self.fail("there is no store"),
        }
    }

    /// The end of the server without a farewell, and its next start: a durable store is dropped and
    /// its place opened again.
    pub(super) async fn restart(&mut self) {
        if self.factory.is_durable() {
            drop(self.store.take());
            let store = self.within("reopen", self.factory.open()).await;
            self.store = Some(Arc::from(store));
        }
    }

    pub(super) fn is_durable(&self) -> bool {
        self.factory.is_durable()
    }

    pub(super) fn fail(&self, what: impl Display) -> ! {
        panic!("{}: {what}", self.name)
    }

    pub(super) fn holds(&self, condition: bool, what: impl Display) {
        if !condition {
            self.fail(what);
        }
    }

    pub(super) fn equal<T: PartialEq + Debug + ?Sized>(&self, actual: &T, expected: &T, what: &str) {
        if actual != expected {
            self.fail(format!("{what}: got {actual:?}, expected {expected:?}"));
        }
    }

    pub(super) async fn within<T>(&self, step: &str, future: impl Future<Output = T>) -> T {
        match tokio::time::timeout(STEP, future).await {
            Ok(output) => output,
            Err(_) => self.fail(format!("{step} took longer than {STEP:?}")),
        }
    }

    pub(super) async fn ok<T, E: Display>(&self, step: &str, future: impl Future<Output = Result<T, E>>) -> T {
        match self.within(step, future).await {
            Ok(value) => value,
            Err(error) => self.fail(format!("{step} failed: {error}")),
        }
    }

    pub(super) async fn insert(&self, new: NewExecution) -> Result<Insertion, InsertError> {
        self.within("insert", self.store().insert(new)).await
    }

    /// Inserts what must be new.
    pub(super) async fn accept(&self, new: NewExecution) -> ExecutionId {
        let id = new.record.id;
        let inserted = self.ok("insert", self.store().insert(new)).await;
        self.equal(&inserted, &Insertion::New, "what an insertion gives");
        id
    }

    pub(super) async fn claim(&self, id: ExecutionId, epoch: u64) -> Option<u32> {
        self.ok("claim", self.store().claim(id, lease(epoch))).await
    }

    pub(super) async fn finish(&self, expected: Expected, record: ExecutionRecord) -> bool {
        self.ok("finish", self.store().finish(Finished { expected, record })).await
    }

    pub(super) fn journal(&self, record: ExecutionRecord) {
        if let Err(error) = self.store().journal(Journaled { tenant: TENANT, node: NODE, record: &record }) {
            self.fail(format!("journal failed: {error}"));
        }
    }

    pub(super) async fn get(&self, id: ExecutionId) -> Option<ExecutionRecord> {
        self.ok("get", self.store().get(TENANT, id)).await
    }

    /// A record that must be there.
    pub(super) async fn record(&self, id: ExecutionId) -> ExecutionRecord {
        match self.get(id).await {
            Some(record) => record,
            None => self.fail(format!("{id} is not there")),
        }
    }

    /// The ids of everything that is listed under a filter, a page of `limit` at a time.
    pub(super) async fn listed(&self, tenant: TenantId, filter: Filter, limit: u32) -> Vec<ExecutionId> {
        let mut query = ListQuery { filter, cursor: None, limit };
        let mut ids = Vec::new();
        loop {
            let page = self.ok("list", self.store().list(tenant, &query)).await;
            self.holds(page.items.len() <= limit as usize, format!("a page of {limit} has {}", page.items.len()));
            ids.extend(page.items.iter().map(|record| record.id));
            match page.next {
                Some(next) => query.cursor = Some(next),
                None => return ids,
            }
        }
    }

    /// The execution must have ended as one whose node ended before it.
    pub(super) async fn is_lost(&self, id: ExecutionId) {
        let record = self.record(id).await;
        let end = (record.status, record.error_kind);
        self.equal(&end, &(ExecutionState::Failed, Some(ErrorKind::SandboxLost)), "the end of what was held");
        self.holds(record.finished_at.is_some(), "a lost execution has no finished_at");
    }
}

/// The right of one of the node's lives.
pub(super) fn lease(epoch: u64) -> Lease {
    Lease { node: NODE, epoch, until: Timestamp::now().plus(Duration::from_secs(60)) }
}

/// Held by one of the node's lives.
pub(super) fn held(epoch: u64) -> Expected {
    Expected::Held { node: NODE, epoch }
}

/// An accepted execution with something in it.
pub(super) fn record() -> ExecutionRecord {
    let id = ExecutionId::generate();
    ExecutionRecord::queued(id, Some(Language::Python), Contract::Script, "process")
}

/// An execution to be queued.
pub(super) fn new() -> NewExecution {
    with(record())
}

/// This execution, to be queued.
pub(super) fn with(record: ExecutionRecord) -> NewExecution {
    NewExecution {
        tenant: TENANT,
        node: NODE,
        request: record.id.as_bytes().to_vec(),
        not_before: record.created_at,
        record,
        lease: None,
        idempotency: None,
    }
}

/// The same with its program begun.
pub(super) fn begun(mut record: ExecutionRecord) -> ExecutionRecord {
    record.status = ExecutionState::Starting;
    record.started_at = Some(Timestamp::now());
    record
}

/// The same, ended well.
pub(super) fn succeeded(mut record: ExecutionRecord) -> ExecutionRecord {
    record.status = ExecutionState::Succeeded;
    record.exit_code = Some(0);
    record.finished_at = Some(Timestamp::now());
    record
}
