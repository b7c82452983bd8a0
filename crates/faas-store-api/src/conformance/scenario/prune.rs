//! Forgetting.

use crate::conformance::StoreFactory;
use crate::conformance::trial::{TENANT, Trial, held, new, record, succeeded};
use crate::{Filter, Retention};
use faas_types::{ExecutionId, ExecutionRecord};
use std::time::Duration;

/// Ten executions that ended one after another, in the reverse of the order in which they began.
async fn ten_ended(trial: &Trial<'_>) -> Vec<ExecutionRecord> {
    let begun: Vec<_> = (0..10).map(|_| record()).collect();
    let mut ended = Vec::new();
    for (number, record) in begun.into_iter().rev().enumerate() {
        let mut record = succeeded(record);
        let late = Duration::from_secs(1 + number as u64);
        record.finished_at = record.finished_at.map(|moment| moment.plus(late));
        trial.journal(record.clone());
        ended.push(record);
    }
    ended
}

fn ids(records: &[ExecutionRecord]) -> Vec<ExecutionId> {
    records.iter().map(|record| record.id).collect()
}

/// Beyond the rows, what ended first goes first, at most so many at a time.
pub async fn pruning_goes_by_rows(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("pruning_goes_by_rows", factory).await;
    let ended = ten_ended(&trial).await;
    let keep = |rows| Retention { rows, bytes: u64::MAX };
    trial.equal(&trial.ok("prune", trial.store().prune(keep(10), 100)).await, &Vec::new(), "pruned at the bound");
    trial.equal(&trial.ok("prune", trial.store().prune(keep(4), 2)).await, &ids(&ended[..2]), "the first two");
    trial.equal(&trial.ok("prune", trial.store().prune(keep(4), 100)).await, &ids(&ended[2..6]), "the rest");
    trial.equal(&trial.ok("prune", trial.store().prune(keep(4), 100)).await, &Vec::new(), "pruned again");
    trial.restart().await;
    let mut kept = ids(&ended[6..]);
    kept.sort();
    kept.reverse();
    trial.equal(&trial.listed(TENANT, Filter::default(), 100).await, &kept, "what is kept");
    trial.equal(&trial.get(ended[0].id).await, &None, "a pruned one");
    trial.equal(&trial.ok("counts", trial.store().counts()).await.ended, &4, "how many have ended");
}

/// Beyond the bytes of their records, what ended first goes first.
pub async fn pruning_goes_by_bytes(factory: &dyn StoreFactory) {
    let trial = Trial::new("pruning_goes_by_bytes", factory).await;
    let ended = ten_ended(&trial).await;
    let size = |record| match serde_json::to_vec(record) {
        Ok(json) => json.len() as u64,
        Err(error) => trial.fail(format!("a record is no JSON: {error}")),
    };
    let all: u64 = ended.iter().map(size).sum();
    let keep = |bytes| Retention { rows: u64::MAX, bytes };
    trial.equal(&trial.ok("prune", trial.store().prune(keep(all), 100)).await, &Vec::new(), "pruned at the bound");
    let pruned = trial.ok("prune", trial.store().prune(keep(all - 1), 100)).await;
    trial.equal(&pruned, &ids(&ended[..1]), "pruned for one byte");
    let last: u64 = ended[7..].iter().map(size).sum();
    let pruned = trial.ok("prune", trial.store().prune(keep(last), 100)).await;
    trial.equal(&pruned, &ids(&ended[1..7]), "pruned to the last three");
    let pruned = trial.ok("prune", trial.store().prune(keep(0), 100)).await;
    trial.equal(&pruned, &ids(&ended[7..]), "pruned to nothing");
}

/// What waits or runs is never forgotten.
pub async fn only_what_has_ended_is_pruned(factory: &dyn StoreFactory) {
    let trial = Trial::new("only_what_has_ended_is_pruned", factory).await;
    let nothing = Retention { rows: 0, bytes: 0 };
    let queued = trial.accept(new()).await;
    let running = trial.accept(new()).await;
    trial.claim(running, 1).await;
    trial.journal(crate::conformance::trial::begun(record()));
    trial.equal(&trial.ok("prune", trial.store().prune(nothing, 100)).await, &Vec::new(), "pruned at first");
    let end = succeeded(trial.record(running).await);
    trial.finish(held(1), end).await;
    trial.equal(&trial.ok("prune", trial.store().prune(nothing, 100)).await, &vec![running], "pruned after an end");
    trial.record(queued).await;
}
