//! Accepting executions and reading them back.

use crate::conformance::StoreFactory;
use crate::conformance::trial::{OTHER_TENANT, TENANT, Trial, begun, lease, new, record, succeeded, with};
use crate::{Counts, Filter, InsertError, Insertion, Store, StoreError};
use faas_types::{ExecutionId, ExecutionState};
use std::sync::Arc;
use std::time::Duration;

/// What was accepted is read back as it was, also by the next server, and by its tenant only.
pub async fn an_inserted_execution_is_read_back(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("an_inserted_execution_is_read_back", factory).await;
    let mut record = record();
    record.labels.insert("team".to_owned(), "blue".to_owned());
    record.function = Some("resize".to_owned());
    record.result = Some(serde_json::json!({"text": "é\u{0}\u{1f600}", "number": 1.5}));
    let mut first = with(record.clone());
    first.request = vec![0, 255, 0, 10];
    first.not_before = record.created_at.plus(Duration::from_secs(5));
    let not_before = first.not_before;
    let id = trial.accept(first).await;

    for life in 0..2 {
        trial.equal(&trial.record(id).await, &record, "the record");
        let foreign = trial.ok("get", trial.store().get(OTHER_TENANT, id)).await;
        trial.equal(&foreign, &None, "what another tenant sees");
        trial.equal(&trial.get(ExecutionId::generate()).await, &None, "what nobody inserted");
        let queued = trial.ok("queued", trial.store().queued(None, 10)).await;
        trial.equal(&queued.len(), &1, "how many are queued");
        let first = &queued[0];
        trial.equal(&first.record, &record, "the queued record");
        trial.equal(&first.request, &vec![0, 255, 0, 10], "the request");
        trial.equal(&(first.tenant, first.attempt), &(TENANT, 0), "tenant and attempt");
        trial.equal(&first.not_before, &not_before, "not_before");
        if life == 0 {
            trial.restart().await;
        }
    }
}

/// An id is inserted once.
pub async fn inserting_twice_is_refused(factory: &dyn StoreFactory) {
    let trial = Trial::new("inserting_twice_is_refused", factory).await;
    let only = new();
    trial.accept(only.clone()).await;
    let again = trial.insert(only.clone()).await;
    let refused = matches!(again, Err(InsertError::Store(StoreError::Unavailable { .. })));
    trial.holds(refused, format!("the second insertion gave {again:?}"));
    trial.equal(&trial.record(only.record.id).await, &only.record, "the first one's record");
    trial.accept(new()).await;
}

/// A failing insertion fails alone, whoever inserts at the same moment.
pub async fn a_refused_insertion_takes_nothing_with_it(factory: &dyn StoreFactory) {
    let trial = Trial::new("a_refused_insertion_takes_nothing_with_it", factory).await;
    let wanted: Vec<_> = (0..20).map(|_| new()).collect();
    let inserters: Vec<_> = wanted
        .iter()
        .flat_map(|new| [new.clone(), new.clone()])
        .map(|new| {
            let store = Arc::clone(trial.store());
            tokio::spawn(async move { store.insert(new).await })
        })
        .collect();
    let mut inserted = 0;
    for inserter in inserters {
        match trial.within("an inserter", inserter).await {
            Ok(Ok(Insertion::New)) => inserted += 1,
            Ok(Err(InsertError::Store(StoreError::Unavailable { .. }))) => {}
            other => trial.fail(format!("an inserter got {other:?}")),
        }
    }
    trial.equal(&inserted, &20, "how many of twenty executions, each inserted twice, were accepted");
    for new in wanted {
        trial.equal(&trial.record(new.record.id).await, &new.record, "one of them");
    }
}

/// A row is in the queue or held by somebody from its first moment.
pub async fn a_row_begins_queued_or_held(factory: &dyn StoreFactory) {
    let trial = Trial::new("a_row_begins_queued_or_held", factory).await;
    let mut queued_and_held = new();
    queued_and_held.lease = Some(lease(1));
    let mut ended_and_held = with(succeeded(record()));
    ended_and_held.lease = Some(lease(1));
    for wrong in [queued_and_held, ended_and_held, with(begun(record())), with(succeeded(record()))] {
        let id = wrong.record.id;
        let refused = trial.insert(wrong).await;
        trial.holds(matches!(refused, Err(InsertError::Store(_))), format!("an insertion gave {refused:?}"));
        trial.equal(&trial.get(id).await, &None, "what was refused");
    }
}

/// Quotes, NUL bytes and SQL in names, labels and keys are data.
pub async fn hostile_text_is_only_text(factory: &dyn StoreFactory) {
    let trial = Trial::new("hostile_text_is_only_text", factory).await;
    let texts = ["'; DROP TABLE execution; --", "\"", "a\0b", "%", "_", "$.labels", "", "🦀'\\"];
    for text in texts {
        let mut record = record();
        record.function = Some(text.to_owned());
        record.labels.insert(text.to_owned(), text.to_owned());
        let mut new = with(record);
        new.idempotency = Some(crate::Idempotency { key: text.to_owned(), digest: [0; 32] });
        let id = trial.accept(new).await;
        let label = Filter { label: Some((text.to_owned(), text.to_owned())), ..Filter::default() };
        trial.equal(&trial.listed(TENANT, label, 10).await, &vec![id], "what has the label");
        let function = Filter { function: Some(text.to_owned()), ..Filter::default() };
        trial.equal(&trial.listed(TENANT, function, 10).await, &vec![id], "what calls the function");
    }
}

/// Counts are right after every step an execution can take.
pub async fn counts_follow_every_step(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("counts_follow_every_step", factory).await;
    let counts = |queued, running, ended| Counts { queued, running, ended };
    let waiting = trial.accept(new()).await;
    let claimed = trial.accept(new()).await;
    let mut direct = with(begun(record()));
    direct.lease = Some(lease(1));
    trial.accept(direct).await;
    trial.journal(begun(record()));
    trial.journal(succeeded(record()));
    trial.equal(&trial.ok("counts", trial.store().counts()).await, &counts(2, 2, 1), "counts before the claim");
    trial.claim(claimed, 1).await;
    trial.equal(&trial.ok("counts", trial.store().counts()).await, &counts(1, 3, 1), "counts after the claim");
    let record = trial.record(claimed).await;
    trial.finish(crate::conformance::trial::held(1), succeeded(record)).await;
    trial.equal(&trial.ok("counts", trial.store().counts()).await, &counts(1, 2, 2), "counts after the end");
    trial.restart().await;
    trial.ok("recover", trial.store().recover(crate::conformance::trial::NODE, 2)).await;
    trial.equal(&trial.ok("counts", trial.store().counts()).await, &counts(1, 0, 4), "counts after the restart");
    trial.equal(&trial.record(waiting).await.status, &ExecutionState::Queued, "the one that waits");
}

/// Many callers at once: everything accepted is there, and readers are not in the way.
pub async fn many_may_write_and_read_at_once(factory: &dyn StoreFactory) {
    let trial = Trial::new("many_may_write_and_read_at_once", factory).await;
    let write = |store: Arc<dyn Store>| async move {
        let mut ids = Vec::new();
        for _ in 0..20 {
            let new = new();
            let id = new.record.id;
            if store.insert(new).await == Ok(Insertion::New) && matches!(store.get(TENANT, id).await, Ok(Some(_))) {
                ids.push(id);
            }
        }
        ids
    };
    let writers: Vec<_> = (0..16).map(|_| tokio::spawn(write(Arc::clone(trial.store())))).collect();
    let mut ids = Vec::new();
    for writer in writers {
        match trial.within("a writer", writer).await {
            Ok(written) => ids.extend(written),
            Err(error) => trial.fail(format!("a writer failed: {error}")),
        }
    }
    trial.equal(&ids.len(), &320, "how many were accepted and read at once");
    ids.sort();
    ids.reverse();
    trial.equal(&trial.listed(TENANT, Filter::default(), 50).await, &ids, "what is listed");
}

/// After closing, everything is there for the next server.
pub async fn closing_writes_everything_down(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("closing_writes_everything_down", factory).await;
    let queued = trial.accept(new()).await;
    let ended = succeeded(record());
    trial.journal(ended.clone());
    trial.within("close", trial.store().close()).await;
    trial.restart().await;
    trial.equal(&trial.record(queued).await.status, &ExecutionState::Queued, "the queued one");
    trial.equal(&trial.record(ended.id).await, &ended, "the journaled one");
}
