//! Taking queued executions, ending them, and late ends.

use crate::conformance::StoreFactory;
use crate::conformance::trial::{NODE, OTHER_NODE, Trial, held, lease, new, succeeded};
use crate::{Expected, Retention};
use faas_types::{ErrorKind, ExecutionId, ExecutionState, Timestamp};
use std::sync::Arc;

/// However many try at once, one gets it.
pub async fn one_of_fifty_claimers_wins(factory: &dyn StoreFactory) {
    let trial = Trial::new("one_of_fifty_claimers_wins", factory).await;
    for _ in 0..5 {
        let id = trial.accept(new()).await;
        let claimers: Vec<_> = (0..50)
            .map(|_| {
                let store = Arc::clone(trial.store());
                tokio::spawn(async move { store.claim(id, lease(1)).await })
            })
            .collect();
        let mut won = Vec::new();
        for claimer in claimers {
            match trial.within("a claimer", claimer).await {
                Ok(Ok(attempt)) => won.extend(attempt),
                other => trial.fail(format!("a claimer got {other:?}")),
            }
        }
        trial.equal(&won, &vec![1], "the attempts of the winners");
        trial.equal(&trial.record(id).await.status, &ExecutionState::Starting, "its status");
    }
}

/// What runs, has ended or never was cannot be claimed.
pub async fn only_a_queued_execution_is_claimed(factory: &dyn StoreFactory) {
    let trial = Trial::new("only_a_queued_execution_is_claimed", factory).await;
    trial.equal(&trial.claim(ExecutionId::generate(), 1).await, &None, "a claim of nothing");
    let id = trial.accept(new()).await;
    trial.equal(&trial.claim(id, 1).await, &Some(1), "the first claim");
    trial.equal(&trial.claim(id, 1).await, &None, "the second claim");
    trial.equal(&trial.ok("queued", trial.store().queued(None, 10)).await, &Vec::new(), "what is queued");
    trial.ok("renew", trial.store().renew(NODE, 1, Timestamp::now())).await;
    let record = trial.record(id).await;
    trial.holds(trial.finish(held(1), succeeded(record)).await, "the end was not written");
    trial.equal(&trial.claim(id, 1).await, &None, "a claim after the end");
}

/// Exactly one end is written, and it is the first.
pub async fn an_end_is_written_once(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("an_end_is_written_once", factory).await;
    let id = trial.accept(new()).await;
    let queued = trial.record(id).await;
    trial.holds(!trial.finish(held(1), succeeded(queued.clone())).await, "an end by a holder of a queued one");
    trial.claim(id, 1).await;
    let end = succeeded(trial.record(id).await);
    trial.holds(!trial.finish(Expected::Queued, end.clone()).await, "an end as queued of a held one");
    let elsewhere = Expected::Held { node: OTHER_NODE, epoch: 1 };
    trial.holds(!trial.finish(elsewhere, end.clone()).await, "an end by another node");
    trial.holds(trial.finish(held(1), end.clone()).await, "the end was not written");
    let late = queued.ended(ExecutionState::Cancelled, ErrorKind::Cancelled, "too late");
    for expected in [held(1), Expected::Queued] {
        trial.holds(!trial.finish(expected, late.clone()).await, "a second end was written");
    }
    trial.restart().await;
    trial.equal(&trial.record(id).await, &end, "the record after the restart");
    let unknown = succeeded(crate::conformance::trial::record());
    trial.holds(!trial.finish(held(1), unknown).await, "the end of an unknown execution was written");
}

/// The life before cannot end what the next life has taken.
pub async fn a_late_end_of_an_earlier_life_is_refused(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("a_late_end_of_an_earlier_life_is_refused", factory).await;
    let id = trial.accept(new()).await;
    let waiting = trial.accept(new()).await;
    trial.claim(id, 1).await;
    let late = succeeded(trial.record(id).await);
    trial.restart().await;
    trial.ok("recover", trial.store().recover(NODE, 2)).await;
    trial.equal(&trial.ok("last_epoch", trial.store().last_epoch(NODE)).await, &2, "the last epoch");
    trial.holds(!trial.finish(held(1), late).await, "the earlier life ended it");
    trial.is_lost(id).await;
    trial.equal(&trial.claim(waiting, 2).await, &Some(1), "the new life's claim");
    let record = trial.record(waiting).await;
    trial.holds(!trial.finish(held(1), succeeded(record.clone())).await, "the earlier life ended the new one's");
    trial.holds(trial.finish(held(2), succeeded(record)).await, "the new life's end was not written");
}

/// A queued execution is cancelled without having been claimed, and then cannot be claimed.
pub async fn queued_executions_end_before_they_begin(factory: &dyn StoreFactory) {
    let trial = Trial::new("queued_executions_end_before_they_begin", factory).await;
    let id = trial.accept(new()).await;
    let cancelled = trial.record(id).await.ended(ExecutionState::Cancelled, ErrorKind::Cancelled, "cancelled");
    trial.holds(trial.finish(Expected::Queued, cancelled.clone()).await, "the cancellation was not written");
    trial.equal(&trial.claim(id, 1).await, &None, "a claim of a cancelled one");
    trial.equal(&trial.record(id).await, &cancelled, "its record");
    trial.equal(&trial.ok("queued", trial.store().queued(None, 10)).await, &Vec::new(), "what is queued");
    let pruned = trial.ok("prune", trial.store().prune(Retention { rows: 0, bytes: 0 }, 10)).await;
    trial.equal(&pruned, &vec![id], "what is pruned");
}
