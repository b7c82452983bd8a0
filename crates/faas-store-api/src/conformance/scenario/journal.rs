//! The journal of synchronous executions.

use crate::conformance::StoreFactory;
use crate::conformance::trial::{NODE, OTHER_TENANT, TENANT, Trial, begun, record, succeeded};
use crate::{Filter, Retention};
use faas_types::ExecutionState;

/// Readers see an entry as soon as they ask.
pub async fn journaled_entries_are_seen_at_once(factory: &dyn StoreFactory) {
    let trial = Trial::new("journaled_entries_are_seen_at_once", factory).await;
    for _ in 0..50 {
        let mark = begun(record());
        trial.journal(mark.clone());
        trial.equal(&trial.record(mark.id).await.status, &ExecutionState::Starting, "the status of a mark");
        let foreign = trial.ok("get", trial.store().get(OTHER_TENANT, mark.id)).await;
        trial.equal(&foreign, &None, "what another tenant sees");
        let end = succeeded(mark);
        trial.journal(end.clone());
        trial.equal(&trial.record(end.id).await, &end, "the record");
    }
    let mark = begun(record());
    trial.journal(mark.clone());
    let running = Filter { status: Some(ExecutionState::Starting), ..Filter::default() };
    trial.equal(&trial.listed(TENANT, running.clone(), 10).await, &vec![mark.id], "the list of what runs");
    trial.journal(succeeded(mark));
    trial.equal(&trial.listed(TENANT, running, 10).await, &Vec::new(), "the list after the end");
    trial.equal(&trial.listed(TENANT, Filter::default(), 10).await.len(), &51, "how many are listed");
}

/// A mark with its record is history after a restart; the record stays as it was, whatever follows.
pub async fn journaled_ends_are_history(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("journaled_ends_are_history", factory).await;
    let mut ends = Vec::new();
    for number in 0..40 {
        let mark = begun(record());
        if number % 2 == 0 {
            trial.journal(mark.clone());
        }
        let end = succeeded(mark);
        trial.journal(end.clone());
        ends.push(end);
    }
    trial.restart().await;
    let recovered = trial.ok("recover", trial.store().recover(NODE, 2)).await;
    trial.equal(&recovered, &crate::Recovered::default(), "what is recovered");
    for end in &ends {
        trial.journal(begun(end.clone()));
        trial.journal(crate::Recovered::lost_record(begun(end.clone())));
        trial.equal(&trial.record(end.id).await, end, "a record after its restart and a second end");
    }
    trial.equal(&trial.listed(TENANT, Filter::default(), 7).await.len(), &40, "how many are listed");
    for end in &ends {
        trial.equal(&trial.record(end.id).await, end, "a record after a second end was written down");
    }
    let pruned = trial.ok("prune", trial.store().prune(Retention { rows: 0, bytes: 0 }, 100)).await;
    let ids: Vec<_> = ends.iter().map(|end| end.id).collect();
    trial.equal(&pruned, &ids, "what is pruned");
}

/// A mark whose record never came ends as lost, whether or not it had been read before.
pub async fn journal_marks_without_records_end_as_lost(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("journal_marks_without_records_end_as_lost", factory).await;
    let (seen, unseen) = (begun(record()), begun(record()));
    trial.journal(seen.clone());
    trial.listed(TENANT, Filter::default(), 10).await;
    trial.journal(unseen.clone());
    trial.restart().await;
    let mut recovered = trial.ok("recover", trial.store().recover(NODE, 2)).await;
    recovered.lost.sort();
    trial.equal(&recovered.lost, &vec![seen.id, unseen.id], "what was lost");
    trial.is_lost(seen.id).await;
    trial.is_lost(unseen.id).await;
    if trial.is_durable() {
        trial.restart().await;
        let again = trial.ok("recover", trial.store().recover(NODE, 3)).await;
        trial.equal(&again.lost, &Vec::new(), "what is lost a second time");
    }
    let mark = begun(record());
    trial.journal(mark.clone());
    trial.journal(succeeded(mark.clone()));
    trial.equal(&trial.record(mark.id).await.status, &ExecutionState::Succeeded, "one of the new life");
}
