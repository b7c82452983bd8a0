//! The store in memory keeps the contract, and its own bound.

use async_trait::async_trait;
use faas_store_api::conformance::StoreFactory;
use faas_store_api::{ExecutionStore as _, Filter, Journaled, ListQuery, MemoryStore, Retention, Store};
use faas_types::{Contract, ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, NodeId, TenantId};

struct Memory;

#[async_trait]
impl StoreFactory for Memory {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(MemoryStore::default())
    }

    fn is_durable(&self) -> bool {
        false
    }
}

faas_store_api::store_conformance_suite!(Memory; flavor = "multi_thread");

#[tokio::test]
async fn history_is_bounded_by_itself() {
    let store = MemoryStore::new(Retention { rows: 3, bytes: 1 << 20 });
    let node = NodeId::generate();
    let mut ids = Vec::new();
    for _ in 0..10 {
        let record = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Command, "process").ended(
            ExecutionState::Failed,
            ErrorKind::Platform,
            "for the test",
        );
        ids.push(record.id);
        store.journal(Journaled { tenant: TenantId::LOCAL, node, record: &record }).expect("memory");
    }
    let query = ListQuery { filter: Filter::default(), cursor: None, limit: 200 };
    let kept = store.list(TenantId::LOCAL, &query).await.expect("memory").items;
    let kept: Vec<_> = kept.iter().map(|record| record.id).collect();
    ids.reverse();
    assert_eq!(kept, ids[..3]);
}
