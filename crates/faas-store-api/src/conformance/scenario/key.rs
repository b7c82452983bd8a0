//! Idempotency keys.

use crate::conformance::StoreFactory;
use crate::conformance::trial::{OTHER_TENANT, Trial, held, lease, new, succeeded};
use crate::{Idempotency, InsertError, Insertion, NewExecution, Retention};

fn keyed(key: &str, digest: u8) -> NewExecution {
    NewExecution { idempotency: Some(Idempotency { key: key.to_owned(), digest: [digest; 32] }), ..new() }
}

/// The same key: the first execution for the same request, a refusal for another; also after a restart.
pub async fn a_key_repeats_or_conflicts(factory: &dyn StoreFactory) {
    let mut trial = Trial::new("a_key_repeats_or_conflicts", factory).await;
    let first = trial.accept(keyed("order-1", 1)).await;
    for _ in 0..2 {
        let repeated = keyed("order-1", 1);
        let id = repeated.record.id;
        trial.equal(&trial.insert(repeated).await, &Ok(Insertion::Repeat(first)), "the same key and request");
        trial.equal(&trial.get(id).await, &None, "what a repetition inserts");
        let conflict = trial.insert(keyed("order-1", 2)).await;
        trial.equal(&conflict, &Err(InsertError::KeyConflict), "the same key with another request");
        trial.restart().await;
    }
    trial.accept(keyed("order-2", 1)).await;

    let racers: Vec<_> = (0..20)
        .map(|_| {
            let store = std::sync::Arc::clone(trial.store());
            tokio::spawn(async move { store.insert(keyed("race", 9)).await })
        })
        .collect();
    let mut inserted = 0;
    for racer in racers {
        match trial.within("a racer", racer).await {
            Ok(Ok(Insertion::New)) => inserted += 1,
            Ok(Ok(Insertion::Repeat(_))) => {}
            other => trial.fail(format!("a racer got {other:?}")),
        }
    }
    trial.equal(&inserted, &1, "how many of twenty racers with one key were accepted");
}

/// Two tenants may use the same key.
pub async fn a_key_belongs_to_one_tenant(factory: &dyn StoreFactory) {
    let trial = Trial::new("a_key_belongs_to_one_tenant", factory).await;
    trial.accept(keyed("same", 1)).await;
    trial.accept(NewExecution { tenant: OTHER_TENANT, ..keyed("same", 2) }).await;
}

/// A key answers while its execution is kept, ended or not, and is free when that is forgotten.
pub async fn a_key_survives_the_end_and_goes_with_the_row(factory: &dyn StoreFactory) {
    let trial = Trial::new("a_key_survives_the_end_and_goes_with_the_row", factory).await;
    let mut first = keyed("once", 1);
    first.lease = Some(lease(1));
    first.record.status = faas_types::ExecutionState::Starting;
    let record = first.record.clone();
    let id = trial.accept(first).await;
    trial.holds(trial.finish(held(1), succeeded(record)).await, "the end was not written");
    trial.equal(&trial.insert(keyed("once", 1)).await, &Ok(Insertion::Repeat(id)), "the key after the end");
    let pruned = trial.ok("prune", trial.store().prune(Retention { rows: 0, bytes: 0 }, 10)).await;
    trial.equal(&pruned, &vec![id], "what is pruned");
    trial.accept(keyed("once", 2)).await;
}
