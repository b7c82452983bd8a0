//! A store that keeps everything in memory and forgets it with the process: for embedding, and for
//! tests of what stands above a store.
//!
//! Invariants: every ended row is in `ended` and counted in `ended_bytes`, no other is; every key in
//! `keys` belongs to a row. Leases do not run out: nobody but this process could take over.

mod functions;

use crate::{
    Counts, ExecutionStore, Expected, Filter, Finished, Idempotency, InsertError, Insertion, Journaled, Lease,
    ListQuery, NewExecution, Page, QUEUED_PAGE_BYTES, QueuedExecution, Recovered, Retention, StoreError,
};
use async_trait::async_trait;
use faas_types::{ExecutionId, ExecutionRecord, ExecutionState, NodeId, TenantId, Timestamp};
use functions::Functions;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is kept when nothing else is said.
const DEFAULT_RETENTION: Retention = Retention { rows: 10_000, bytes: 64 << 20 };

/// Executions in memory. What has ended is forgotten by itself beyond the retention.
pub struct MemoryStore {
    keep: Retention,
    rows: Mutex<Rows>,
    functions: Mutex<Functions>,
}

#[derive(Default)]
struct Rows {
    rows: BTreeMap<ExecutionId, Row>,
    keys: HashMap<(TenantId, String), ExecutionId>,
    ended: BTreeSet<(Timestamp, ExecutionId)>,
    ended_bytes: u64,
    epochs: HashMap<NodeId, u64>,
}

struct Row {
    tenant: TenantId,
    record: ExecutionRecord,
    /// Whose it is while it runs: a node and its life.
    held: Option<(NodeId, u64)>,
    attempt: u32,
    not_before: Timestamp,
    request: Vec<u8>,
    idempotency: Option<Idempotency>,
}

impl MemoryStore {
    /// An empty store that keeps so much of what has ended.
    #[must_use]
    pub fn new(keep: Retention) -> Self {
        Self { keep, rows: Mutex::default(), functions: Mutex::default() }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn functions(&self) -> MutexGuard<'_, Functions> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    /// Keeps 10,000 ended executions in at most 64 MiB.
    fn default() -> Self {
        Self::new(DEFAULT_RETENTION)
    }
}

fn size(record: &ExecutionRecord) -> u64 {
    serde_json::to_vec(record).map_or(0, |json| json.len() as u64)
}

fn ended_at(record: &ExecutionRecord) -> Timestamp {
    record.finished_at.unwrap_or(record.created_at)
}

impl Filter {
    fn accepts(&self, record: &ExecutionRecord) -> bool {
        self.status.is_none_or(|status| record.status == status)
            && self.function.as_ref().is_none_or(|function| record.function.as_ref() == Some(function))
            && self.label.as_ref().is_none_or(|(name, value)| record.labels.get(name) == Some(value))
    }
}

impl Rows {
    /// Replaces the record of a row that has not ended by its end.
    fn end(&mut self, record: ExecutionRecord) {
        let Some(row) = self.rows.get_mut(&record.id) else { return };
        self.ended.insert((ended_at(&record), record.id));
        self.ended_bytes += size(&record);
        row.record = record;
        row.held = None;
        row.request = Vec::new();
    }

    fn prune(&mut self, keep: Retention, limit: u32) -> Vec<ExecutionId> {
        let mut pruned = Vec::new();
        while pruned.len() < limit as usize
            && (self.ended.len() as u64 > keep.rows || self.ended_bytes > keep.bytes)
            && let Some((_, id)) = self.ended.pop_first()
        {
            if let Some(row) = self.rows.remove(&id) {
                self.ended_bytes = self.ended_bytes.saturating_sub(size(&row.record));
                if let Some(idempotency) = row.idempotency {
                    self.keys.remove(&(row.tenant, idempotency.key));
                }
            }
            pruned.push(id);
        }
        pruned
    }

    fn journal(&mut self, entry: Journaled<'_>) {
        let Journaled { tenant, node, record } = entry;
        let record = record.clone().without_output();
        let epoch = self.epochs.get(&node).copied().unwrap_or_default();
        let id = record.id;
        let row = self.rows.entry(id).or_insert_with(|| Row {
            tenant,
            record: record.clone(),
            held: Some((node, epoch)),
            attempt: 1,
            not_before: record.created_at,
            request: Vec::new(),
            idempotency: None,
        });
        let known = self.ended.contains(&(ended_at(&row.record), id));
        if record.status.is_terminal() && !known {
            self.end(record);
        }
    }
}

#[async_trait]
impl ExecutionStore for MemoryStore {
    async fn recover(&self, node: NodeId, epoch: u64) -> Result<Recovered, StoreError> {
        let mut rows = self.rows();
        let begun = |row: &&Row| row.held.is_some_and(|(holder, life)| holder == node && life < epoch);
        let lost: Vec<_> = rows.rows.values().filter(begun).map(|row| row.record.clone()).collect();
        let last = rows.epochs.entry(node).or_default();
        *last = epoch.max(*last);
        let mut recovered = Recovered::default();
        for record in lost {
            recovered.lost.push(record.id);
            rows.end(Recovered::lost_record(record));
        }
        let queued = rows.rows.values().filter(|row| row.record.status == ExecutionState::Queued).count();
        recovered.queued = queued as u64;
        Ok(recovered)
    }

    async fn last_epoch(&self, node: NodeId) -> Result<u64, StoreError> {
        Ok(self.rows().epochs.get(&node).copied().unwrap_or_default())
    }

    async fn insert(&self, new: NewExecution) -> Result<Insertion, InsertError> {
        if let Some(refusal) = new.refusal() {
            return Err(refusal.into());
        }
        let mut rows = self.rows();
        let id = new.record.id;
        if let Some(idempotency) = &new.idempotency {
            let known = rows.keys.get(&(new.tenant, idempotency.key.clone()));
            if let Some(known) = known {
                let digest = rows.rows.get(known).and_then(|row| row.idempotency.as_ref()).map(|old| old.digest);
                return if digest == Some(idempotency.digest) {
                    Ok(Insertion::Repeat(*known))
                } else {
                    Err(InsertError::KeyConflict)
                };
            }
        }
        if rows.rows.contains_key(&id) {
            return Err(StoreError::Unavailable { reason: format!("{id} is there already") }.into());
        }
        if let Some(idempotency) = &new.idempotency {
            rows.keys.insert((new.tenant, idempotency.key.clone()), id);
        }
        let row = Row {
            tenant: new.tenant,
            record: new.record.without_output(),
            held: new.lease.map(|lease| (lease.node, lease.epoch)),
            attempt: u32::from(new.lease.is_some()),
            not_before: new.not_before,
            request: new.request,
            idempotency: new.idempotency,
        };
        rows.rows.insert(id, row);
        Ok(Insertion::New)
    }

    async fn queued(&self, after: Option<ExecutionId>, limit: u32) -> Result<Vec<QueuedExecution>, StoreError> {
        let rows = self.rows();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let waiting =
            rows.rows.range((from, Bound::Unbounded)).filter(|(_, row)| row.record.status == ExecutionState::Queued);
        let mut bytes = 0;
        let on_page = waiting.take(limit as usize).enumerate().take_while(|(place, (_, row))| {
            bytes += row.request.len();
            *place == 0 || bytes <= QUEUED_PAGE_BYTES
        });
        let page = on_page.map(|(_, (_, row))| QueuedExecution {
            tenant: row.tenant,
            record: row.record.clone(),
            request: row.request.clone(),
            not_before: row.not_before,
            attempt: row.attempt,
        });
        Ok(page.collect())
    }

    async fn claim(&self, id: ExecutionId, lease: Lease) -> Result<Option<u32>, StoreError> {
        let mut rows = self.rows();
        let Some(row) = rows.rows.get_mut(&id).filter(|row| row.record.status == ExecutionState::Queued) else {
            return Ok(None);
        };
        row.record.status = ExecutionState::Starting;
        row.held = Some((lease.node, lease.epoch));
        row.attempt += 1;
        Ok(Some(row.attempt))
    }

    async fn renew(&self, _node: NodeId, _epoch: u64, _until: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn finish(&self, finished: Finished) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(row) = rows.rows.get(&finished.record.id) else { return Ok(false) };
        let is_expected = match finished.expected {
            Expected::Queued => row.record.status == ExecutionState::Queued,
            Expected::Held { node, epoch } => row.held == Some((node, epoch)),
        };
        if is_expected {
            rows.end(finished.record.without_output());
            rows.prune(self.keep, u32::MAX);
        }
        Ok(is_expected)
    }

    fn journal(&self, entry: Journaled<'_>) -> Result<(), StoreError> {
        let mut rows = self.rows();
        rows.journal(entry);
        rows.prune(self.keep, u32::MAX);
        Ok(())
    }

    async fn get(&self, tenant: TenantId, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError> {
        let rows = self.rows();
        Ok(rows.rows.get(&id).filter(|row| row.tenant == tenant).map(|row| row.record.clone()))
    }

    async fn list(&self, tenant: TenantId, query: &ListQuery) -> Result<Page, StoreError> {
        let rows = self.rows();
        let until = query.cursor.map_or(Bound::Unbounded, |cursor| Bound::Excluded(cursor.after));
        let mut wanted = rows
            .rows
            .range((Bound::Unbounded, until))
            .rev()
            .map(|(_, row)| row)
            .filter(|row| row.tenant == tenant && query.filter.accepts(&row.record));
        let items: Vec<_> = wanted.by_ref().take(query.limit as usize).map(|row| row.record.clone()).collect();
        Ok(Page::cut(items, wanted.next().is_some()))
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let rows = self.rows();
        let ended = rows.ended.len() as u64;
        let held = rows.rows.values().filter(|row| row.held.is_some()).count() as u64;
        Ok(Counts { queued: (rows.rows.len() as u64).saturating_sub(ended + held), running: held, ended })
    }

    async fn prune(&self, keep: Retention, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        Ok(self.rows().prune(keep, limit))
    }

    async fn close(&self) {}
}
