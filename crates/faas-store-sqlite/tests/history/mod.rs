//! History as the tests read and write it.

use crate::common::{NODE, new};
use faas_store_api::{ExecutionStore, Filter, Journaled, ListQuery, StoreError};
use faas_types::{ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, TenantId};

/// The record of an end.
pub(crate) fn ended() -> ExecutionRecord {
    new().record.ended(ExecutionState::Failed, ErrorKind::UserError, "for the test")
}

/// It, to be journaled.
pub(crate) fn entry(record: &ExecutionRecord) -> Journaled<'_> {
    Journaled { tenant: TenantId::LOCAL, node: NODE, record }
}

/// What the store has, oldest first.
pub(crate) async fn all(store: &dyn ExecutionStore) -> Result<Vec<ExecutionId>, StoreError> {
    let mut query = ListQuery { filter: Filter::default(), cursor: None, limit: 200 };
    let mut all = Vec::new();
    loop {
        let page = store.list(TenantId::LOCAL, &query).await?;
        all.extend(page.items.iter().map(|record| record.id));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => {
                all.reverse();
                return Ok(all);
            }
        }
    }
}
