//! Pages in what waits in the store as there is room for it.

use crate::end::{self, Ending, Pauses, RowIs};
use crate::house::House;
use crate::live::Live;
use crate::queue::{Job, Keeping, Load, PAGE, before};
use crate::request::from_row;
use crate::stdin::Input;
use crate::{NotStarted, StoredRequestError};
use faas_store_api::QueuedExecution;
use faas_types::ExecutionId;
use std::sync::{Arc, Weak};
use tokio::sync::Notify;

/// Requests above this together are parsed apart from the tasks that serve everybody.
const MANY_BYTES: usize = 1024 * 1024;

/// Loads whenever it is woken and there is room, as long as the orchestrator is there.
pub(crate) async fn run(house: Weak<House>, wake: Arc<Notify>) {
    let mut pauses = Pauses::new();
    loop {
        let Some(house) = house.upgrade() else { return };
        match load(&house).await {
            Loaded::Page => pauses = Pauses::new(),
            Loaded::Nothing => {
                drop(house);
                wake.notified().await;
            }
            Loaded::Failed => {
                drop(house);
                pauses.pause().await;
            }
        }
    }
}

enum Loaded {
    /// A page; there may be more.
    Page,
    /// There is nothing, or no room.
    Nothing,
    /// The store failed.
    Failed,
}

async fn load(house: &Arc<House>) -> Loaded {
    let began = house.state().begin_load();
    let Some(load) = began else { return Loaded::Nothing };
    let Some((Read { jobs, unreadable }, last)) = fetch(house, load).await else {
        house.state().end_load(load, None);
        return Loaded::Failed;
    };
    house.state().end_load(load, Some((jobs, last)));
    for (live, error) in unreadable {
        let live = house.state().no_longer_awaited(live.id).unwrap_or(live);
        let why = NotStarted::Unreadable { reason: error.reason };
        let record = why.end(live.record());
        live.set_not_started(&Arc::new(why));
        end::conclude(house, &live, Ending::Row(RowIs::Queued), record).await;
    }
    house.dispatch();
    Loaded::Page
}

/// Reads rows, with the last one's id; `None` where that fails.
async fn fetch(house: &House, load: Load) -> Option<(Read, Option<ExecutionId>)> {
    let (after, limit) = match load {
        Load::After(after) => (after, PAGE),
        Load::Parked(_, id) => (before(id), 1),
    };
    let mut rows = house.noted_failure(house.store.queued(after, limit).await).ok()?;
    // A store may cut a page short, so only one without rows is the end.
    let last = rows.last().map(|row| row.record.id);
    if let Load::Parked(_, id) = load {
        rows.retain(|row| row.record.id == id);
    }
    let bytes: usize = rows.iter().map(|row| row.request.len()).sum();
    let read = if bytes > MANY_BYTES {
        // It fails where the runtime is ending.
        tokio::task::spawn_blocking(move || read(rows)).await.ok()?
    } else {
        read(rows)
    };
    Some((read, last))
}

/// What rows say.
struct Read {
    jobs: Vec<Job>,
    /// Those that cannot be run.
    unreadable: Vec<(Arc<Live>, StoredRequestError)>,
}

fn read(rows: Vec<QueuedExecution>) -> Read {
    let (mut jobs, mut unreadable) = (Vec::new(), Vec::new());
    for row in rows {
        let QueuedExecution { tenant, record, request, .. } = row;
        let live = Arc::new(Live::stored(tenant, record));
        let bytes = request.len();
        match from_row(request) {
            Ok((request, stdin)) => {
                let input = Input::Bytes(stdin);
                jobs.push(Job { live, request, input, keeping: Keeping::Queued, bytes });
            }
            Err(error) => unreadable.push((live, error)),
        }
    }
    Read { jobs, unreadable }
}
