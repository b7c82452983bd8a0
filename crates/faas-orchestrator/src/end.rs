//! The end of an execution: written down, then shown, then written again until it is.

use crate::house::House;
use crate::live::Live;
use crate::queue::Keeping;
use faas_store_api::{Expected, Finished, Journaled, StoreError};
use faas_types::ExecutionRecord;
use std::sync::Arc;
use std::time::Duration;

/// Between two tries to write an end: the first pause and the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How an end is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nowhere: its caller is told that nothing was accepted.
    Nowhere,
    /// Into the journal, which knows nothing of it: what is not written there is missed by nobody, so it
    /// is not kept in memory until it is.
    Unmarked,
    /// Into the journal, where its mark stands.
    Marked,
    /// On its row.
    Row(RowIs),
}

/// What the row of an execution that ends must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowIs {
    Queued,
    Held,
}

impl Keeping {
    /// How the end of one that never had its turn is written.
    pub(crate) const fn before_start(self) -> Ending {
        match self {
            Self::Journal => Ending::Unmarked,
            Self::Held => Ending::Row(RowIs::Held),
            Self::Queued => Ending::Row(RowIs::Queued),
        }
    }

    /// How the end of one that had its turn is written.
    pub(crate) const fn after_start(self) -> Ending {
        match self {
            Self::Journal => Ending::Marked,
            Self::Held | Self::Queued => Ending::Row(RowIs::Held),
        }
    }
}

/// Waits a little longer each time.
pub(crate) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(crate) const fn new() -> Self {
        Self { next: PAUSE }
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = self.next.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Ends an execution with a terminal record. Readers have it once the store was asked to keep it; while
/// the store fails it is kept in memory, which answers meanwhile.
pub(crate) async fn conclude(house: &Arc<House>, live: &Arc<Live>, ending: Ending, record: ExecutionRecord) {
    let record = record.without_output();
    let written = write(house, live, ending, &record).await;
    let log = live.log();
    let outgrown = log.is_some_and(|(file, _)| house.logs.keep(live.id, &file));
    let repeated = written.is_err() && matches!(ending, Ending::Marked | Ending::Row(_));
    // Those who wait for an end find it gone from here: counted and, unless it is kept here, forgotten.
    if repeated {
        house.unwritten.send_modify(|count| *count += 1);
    } else {
        house.state().live.remove(&live.id);
    }
    // One that somebody else ended was counted there.
    if !matches!(written, Ok(false)) {
        house.calls.count(live.function(), &record);
    }
    let unwritten = repeated.then(|| record.clone());
    live.end(record);
    if let Some(record) = unwritten {
        house.spawn(repeat(Arc::clone(house), Arc::clone(live), ending, record));
    }
    if outgrown {
        house.logs.evict_apart();
    }
}

async fn repeat(house: Arc<House>, live: Arc<Live>, ending: Ending, record: ExecutionRecord) {
    let mut pauses = Pauses::new();
    loop {
        pauses.pause().await;
        if write(&house, &live, ending, &record).await.is_ok() {
            break;
        }
    }
    house.state().live.remove(&live.id);
    house.unwritten.send_modify(|count| *count -= 1);
}

/// Writes an end. `false` for a row that somebody else ended meanwhile, which stays as it is.
async fn write(house: &House, live: &Live, ending: Ending, record: &ExecutionRecord) -> Result<bool, StoreError> {
    let node = house.settings.node;
    match ending {
        Ending::Nowhere => Ok(true),
        Ending::Unmarked | Ending::Marked => {
            let end = Journaled { tenant: live.tenant, node, record };
            house.noted_failure(house.store.journal(end)).map(|()| true)
        }
        Ending::Row(RowIs::Queued) => finish_queued(house, record).await,
        Ending::Row(RowIs::Held) => {
            let expected = Expected::Held { node, epoch: house.epoch };
            house.noted(house.store.finish(Finished { expected, record: record.clone() }).await)
        }
    }
}

/// Ends a row that is queued. `false` when it is not queued any more.
pub(crate) async fn finish_queued(house: &House, record: &ExecutionRecord) -> Result<bool, StoreError> {
    let finished = Finished { expected: Expected::Queued, record: record.clone() };
    let ours = house.noted(house.store.finish(finished).await)?;
    if ours {
        house.totals.row_taken();
    }
    Ok(ours)
}
