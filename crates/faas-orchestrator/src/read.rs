//! Looking at executions: one, many, or one as it goes on.

use crate::live::{Canceller, Live};
use crate::record::shown;
use crate::{Orchestrator, Watch};
use faas_store_api::{Cursor, Filter, ListQuery, Page, StoreError};
use faas_types::{ExecutionId, ExecutionRecord, ExecutionState, TenantId};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

impl Orchestrator {
    /// One execution, with the beginning of what it has written; `None` when the tenant has none of this
    /// id.
    ///
    /// # Errors
    /// The store failed.
    pub async fn get(&self, tenant: TenantId, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError> {
        if let Some(live) = self.find(tenant, id) {
            return Ok(Some(live.record_with_output().await));
        }
        let Some(record) = self.house.noted_failure(self.house.store.get(tenant, id).await)? else { return Ok(None) };
        let log = self.house.logs.open(id).map_err(unreadable)?;
        Ok(Some(shown(record, log).await))
    }

    /// A page of a tenant's executions, newest first, without output.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(&self, tenant: TenantId, query: &ListQuery) -> Result<Page, StoreError> {
        // Looked at first: what ends meanwhile is then in at least one of the two.
        let mut live: HashMap<_, _> = self.live_of(tenant);
        let stored = self.house.noted_failure(self.house.store.list(tenant, query).await)?;
        let next = stored.next;
        let last = stored.items.last().map(|record| record.id);
        let on_page = |id: ExecutionId| {
            query.cursor.is_none_or(|cursor| id < cursor.after) && (next.is_none() || last.is_none_or(|last| id > last))
        };
        // What is known here is newer, unless the store has its end.
        let mut items: Vec<ExecutionRecord> = Vec::new();
        for record in stored.items {
            items.push(match live.remove(&record.id) {
                Some(newer) if !record.status.is_terminal() => newer,
                Some(_) | None => record,
            });
        }
        items.extend(live.into_values().filter(|record| on_page(record.id)));
        items.retain(|record| matches(&query.filter, record));
        items.sort_unstable_by_key(|record| std::cmp::Reverse(record.id));
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        if items.len() > limit {
            items.truncate(limit);
            let next = items.last().map(|record| Cursor { after: record.id });
            return Ok(Page { items, next });
        }
        Ok(Page { items, next })
    }

    /// Reads an execution as it goes on, or as it went; `from` is the first number wanted. `None` when the
    /// tenant has none of this id.
    ///
    /// # Errors
    /// The store failed, or the log of an execution that ended cannot be opened.
    pub async fn watch(&self, tenant: TenantId, id: ExecutionId, from: u64) -> Result<Option<Watch>, StoreError> {
        let mut awaited = None;
        loop {
            if let Some(live) = self.find(tenant, id) {
                return Ok(Some(self.watch_of(live, from)));
            }
            let record = self.house.noted_failure(self.house.store.get(tenant, id).await)?;
            let Some(record) = record else { return Ok(None) };
            if record.status.is_terminal() {
                let log = self.house.logs.open(id).map_err(unreadable)?;
                return Ok(Some(self.watch_of(Arc::new(Live::ended(tenant, record, log)), from)));
            }
            // Looked at again after it was announced: it may have had its turn in between.
            match awaited.take() {
                Some(live) => return Ok(Some(self.watch_of(live, from))),
                None => awaited = Some(self.await_stored(tenant, record)),
            }
        }
    }

    /// Announces a reader of an execution that stands in the store only.
    fn await_stored(&self, tenant: TenantId, record: ExecutionRecord) -> Arc<Live> {
        let mut state = self.house.state();
        let live = state.await_stored(record.id, || Live::stored(tenant, record));
        if state.is_draining() {
            live.stop();
        }
        live
    }

    fn watch_of(&self, live: Arc<Live>, from: u64) -> Watch {
        Watch::new(Canceller { live, house: Arc::downgrade(&self.house) }, from)
    }

    /// One of the tenant's that has not ended, or whose end is not written yet.
    pub(crate) fn find(&self, tenant: TenantId, id: ExecutionId) -> Option<Arc<Live>> {
        self.house.state().live.get(&id).filter(|live| live.tenant == tenant).cloned()
    }

    fn live_of(&self, tenant: TenantId) -> HashMap<ExecutionId, ExecutionRecord> {
        let live: Vec<_> = self.house.state().live.values().filter(|live| live.tenant == tenant).cloned().collect();
        live.into_iter().map(|live| (live.id, live.record())).collect()
    }
}

fn matches(filter: &Filter, record: &ExecutionRecord) -> bool {
    filter.status.is_none_or(|status: ExecutionState| record.status == status)
        && filter.function.as_ref().is_none_or(|function| record.function.as_ref() == Some(function))
        && filter.label.as_ref().is_none_or(|(name, value)| record.labels.get(name) == Some(value))
}

fn unreadable(error: io::Error) -> StoreError {
    StoreError::Unavailable { reason: format!("its log cannot be opened: {error}") }
}
