//! A node comes back.

use crate::conformance::StoreFactory;
use crate::conformance::trial::{NODE, OTHER_NODE, Trial, begun, held, lease, new, record, succeeded, with};
use crate::{Lease, NewExecution, QUEUED_PAGE_BYTES, Retention};
use faas_types::ExecutionState;

/// Queued executions wait on, with their requests and their attempts.
pub async fn queued_executions_stay_queued(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("queued_executions_stay_queued", factory).await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(trial.accept(new()).await);
    }
    trial.claim(ids.remove(3), 1).await;
    trial.restart().await;
    let recovered = trial.ok("recover", trial.store().recover(NODE, 2)).await;
    trial.equal(&recovered.queued, &6, "how many wait");
    let queued = trial.ok("queued", trial.store().queued(None, 100)).await;
    let found: Vec<_> = queued.iter().map(|row| row.record.id).collect();
    trial.equal(&found, &ids, "what waits");
    let whole = queued.iter().all(|row| row.request == row.record.id.as_bytes() && row.attempt == 0);
    trial.holds(whole, "a request or an attempt changed");
}

/// What the life before held has ended as lost; what another node holds has not.
pub async fn held_executions_end_as_lost(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("held_executions_end_as_lost", factory).await;
    trial.equal(&trial.ok("last_epoch", trial.store().last_epoch(OTHER_NODE)).await, &0, "an unknown node's epoch");
    let claimed = trial.accept(new()).await;
    trial.claim(claimed, 1).await;
    let mut direct = with(begun(record()));
    direct.lease = Some(lease(1));
    let direct = trial.accept(direct).await;
    let ended = trial.accept(new()).await;
    trial.claim(ended, 1).await;
    let end = succeeded(trial.record(ended).await);
    trial.finish(held(1), end.clone()).await;
    let elsewhere = trial.accept(new()).await;
    let foreign = Lease { node: OTHER_NODE, ..lease(1) };
    trial.ok("claim", trial.store().claim(elsewhere, foreign)).await;

    trial.restart().await;
    let mut recovered = trial.ok("recover", trial.store().recover(NODE, 2)).await;
    recovered.lost.sort();
    trial.equal(&recovered.lost, &vec![claimed, direct], "what was lost");
    trial.is_lost(claimed).await;
    trial.is_lost(direct).await;
    trial.equal(&trial.record(ended).await, &end, "what had ended");
    trial.equal(&trial.record(elsewhere).await.status, &ExecutionState::Starting, "what another node holds");
    let again = trial.ok("recover", trial.store().recover(NODE, 3)).await;
    trial.equal(&again.lost, &Vec::new(), "what is lost a second time");
    let pruned = trial.ok("prune", trial.store().prune(Retention { rows: 0, bytes: 0 }, 100)).await;
    trial.equal(&pruned.len(), &3, "how many have ended");
}

/// Pages of the queue give every queued execution once, oldest first.
pub async fn queued_executions_are_paged_in_order(factory: &dyn StoreFactory) {
    let trial = Trial::new("queued_executions_are_paged_in_order", factory).await;
    let mut ids = Vec::new();
    for number in 0..25 {
        let id = trial.accept(new()).await;
        if number % 5 == 4 {
            trial.claim(id, 1).await;
        } else {
            ids.push(id);
        }
    }
    for limit in [1, 3, 20, 100] {
        let mut found = Vec::new();
        loop {
            let page = trial.ok("queued", trial.store().queued(found.last().copied(), limit)).await;
            trial.holds(page.len() <= limit as usize, "a page above its limit");
            if page.is_empty() {
                break;
            }
            found.extend(page.iter().map(|row| row.record.id));
        }
        trial.equal(&found, &ids, &format!("the queue in pages of {limit}"));
    }
}

/// Pages of large requests are short, and never without any.
pub async fn queued_pages_are_bounded_by_bytes(factory: &dyn StoreFactory) {
    let trial = Trial::new("queued_pages_are_bounded_by_bytes", factory).await;
    let part = QUEUED_PAGE_BYTES / 4;
    let mut ids = Vec::new();
    for bytes in [part, part, part, part, 1, QUEUED_PAGE_BYTES + 1, part, QUEUED_PAGE_BYTES + 1] {
        ids.push(trial.accept(NewExecution { request: vec![b'x'; bytes], ..new() }).await);
    }
    let (mut found, mut pages) = (Vec::new(), Vec::new());
    loop {
        let page = trial.ok("queued", trial.store().queued(found.last().copied(), 100)).await;
        if page.is_empty() {
            break;
        }
        pages.push(page.len());
        found.extend(page.iter().map(|row| row.record.id));
    }
    trial.equal(&found, &ids, "what waits");
    trial.equal(&pages, &vec![4, 1, 1, 1, 1], "how many are on each page");
}
