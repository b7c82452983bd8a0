//! A store that fails for a while.

use crate::house::{Call, House, TENANT, attached, bounded, command, detached, house, script, started};
use faas_orchestrator::{EventKind, SubmitError, Submitted, Watched};
use faas_store_api::Idempotency;
use faas_types::{ErrorCode, ErrorKind, ExecutionState};
use std::sync::atomic::Ordering;

#[tokio::test]
async fn what_cannot_be_kept_is_not_accepted() {
    let house = house(2, 2).await;
    house.store.fail(Call::Insert, 2);
    let error = house.orchestrator.submit(detached(command("fake nothing"))).await.expect_err("no store");
    assert_eq!(error.code(), ErrorCode::StorageUnavailable, "{error}");
    let mut keyed = attached(command("fake nothing"));
    keyed.idempotency = Some(Idempotency { key: "key".to_owned(), digest: [0; 32] });
    let error = house.orchestrator.submit(keyed).await.expect_err("no store");
    assert!(matches!(error, SubmitError::Store(_)), "{error}");
    let counts = faas_store_api::ExecutionStore::counts(&*house.store).await.expect("it counts");
    assert_eq!((counts.queued, counts.running, counts.ended), (0, 0, 0));
    let stats = house.orchestrator.stats();
    assert_eq!((stats.queued, stats.running), (0, 0));

    // Without a mark in the journal nothing is run.
    house.store.fail(Call::Journal, 1);
    let journaled = house.store.journaled.load(Ordering::SeqCst);
    let mut attached = house.attach(script("write made 00\n")).await;
    let Some(Watched::Complete { record, .. }) = bounded(attached.watch.next()).await else { panic!("an end") };
    assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::Platform)));
    let why = attached.watch.not_started().expect("a reason");
    assert_eq!(why.code(), Some(ErrorCode::StorageUnavailable));
    assert_eq!(record.refusal.as_deref(), Some(ErrorCode::StorageUnavailable.as_str()));
    assert!(house.orchestrator.readiness().store_fails);
    // What was refused does not turn up later.
    assert_eq!(house.store.journaled.load(Ordering::SeqCst), journaled + 1, "nothing but the mark was tried");
    assert_eq!(house.orchestrator.get(TENANT, attached.id).await.expect("the store works"), None);
    assert_eq!(*house.executor.waiting.borrow(), 0, "no sandbox was asked for");

    // It works again by itself, and both are said once.
    house.end(house.detach(command("fake nothing")).await).await;
    let events = house.orchestrator.events().recent(0);
    assert!(!house.orchestrator.readiness().store_fails);
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert!(count(EventKind::StoreFailed) >= 1 && count(EventKind::StoreRecovered) >= 1, "{events:?}");
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_is_kept_until_it_is_written_and_memory_answers_meanwhile() {
    let house = house(2, 2).await;
    house.store.fail(Call::Finish, 5);
    let id = house.detach(command("fake print 6f 00 0")).await;
    let record = house.end(id).await;
    assert_eq!(record.status, ExecutionState::Succeeded);
    assert_eq!(house.stored(id).await.expect("there").status, ExecutionState::Starting, "not written yet");
    assert_eq!(house.get(id).await, record);
    assert_eq!(house.orchestrator.stats().unwritten, 1);
    let page = faas_store_api::ListQuery { filter: faas_store_api::Filter::default(), cursor: None, limit: 10 };
    let listed = house.orchestrator.list(TENANT, &page).await.expect("listed");
    assert_eq!(listed.items[0].status, ExecutionState::Succeeded);
    all_is_written(&house).await;
    assert_eq!(house.store.finishes.load(Ordering::SeqCst), 6);
    assert_eq!(house.stored(id).await.expect("there").status, ExecutionState::Succeeded);
    assert_eq!(house.get(id).await, record);
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_for_ever_fills_no_memory() {
    let house = house(1, 2).await;
    let mut running = house.attach(command("fake wait-for-signal")).await;
    started(&mut running.watch).await;
    house.store.fail(Call::Journal, u32::MAX);
    // Withdrawn before its turn, and refused at its turn.
    let withdrawn = house.attach(command("fake nothing")).await;
    withdrawn.watch.canceller().cancel();
    assert_eq!(bounded(withdrawn.watch.complete()).await.status, ExecutionState::Cancelled);
    assert_eq!(house.orchestrator.stats().unwritten, 0);
    // Only what the journal says began is kept until its end is written.
    running.watch.canceller().cancel();
    bounded(running.watch.complete()).await;
    for _ in 0..20 {
        let refused = house.attach(command("fake nothing")).await;
        assert_eq!(bounded(refused.watch.complete()).await.refusal.as_deref(), Some("storage_unavailable"));
    }
    assert_eq!(house.orchestrator.stats().unwritten, 1);
    house.store.fail(Call::Journal, 0);
    all_is_written(&house).await;
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn ends_that_pile_up_are_the_bound_of_what_is_taken_in() {
    let house = house(1, 1).await;
    house.store.fail(Call::Finish, u32::MAX);
    for _ in 0..3 {
        house.end(house.detach(command("fake nothing")).await).await;
    }
    assert_eq!(house.orchestrator.stats().unwritten, 3);
    for submission in [attached(command("fake nothing")), detached(command("fake nothing"))] {
        let error = house.orchestrator.submit(submission).await.expect_err("too many are not written");
        assert_eq!(error.code(), ErrorCode::StorageUnavailable, "{error}");
    }
    house.store.fail(Call::Finish, 0);
    all_is_written(&house).await;
    house.end(house.detach(command("fake nothing")).await).await;
    house.shut_down().await;
}

async fn all_is_written(house: &House) {
    bounded(async {
        while house.orchestrator.stats().unwritten > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_claimed_waits_and_can_be_cancelled() {
    let house = house(1, 2).await;
    house.store.fail(Call::Claim, 6);
    let id = house.detach(command("fake nothing")).await;
    assert_eq!(house.end(id).await.status, ExecutionState::Succeeded);

    house.store.fail(Call::Claim, u32::MAX);
    let id = house.detach(command("fake nothing")).await;
    let watch = house.watch(id).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    house.orchestrator.cancel(TENANT, id).await.expect("asked");
    let record = bounded(watch.complete()).await;
    assert_eq!((record.status, record.started_at), (ExecutionState::Cancelled, None));
    assert_eq!(house.stored(id).await.expect("there").status, ExecutionState::Cancelled);
    assert_eq!(house.orchestrator.stats().queued, 0);

    // It takes no slot from who needs no row.
    let id = house.detach(command("fake nothing")).await;
    let attached = house.attach(command("fake nothing")).await;
    assert_eq!(bounded(attached.watch.complete()).await.status, ExecutionState::Succeeded);
    assert!(house.orchestrator.readiness().store_fails, "the journal says nothing about the rows");
    house.store.fail(Call::Claim, 0);
    assert_eq!(house.end(id).await.status, ExecutionState::Succeeded);
    assert!(!house.orchestrator.readiness().store_fails);

    // At the end of this life it stays where it is.
    house.store.fail(Call::Claim, u32::MAX);
    let id = house.detach(command("fake nothing")).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    house.shut_down().await;
    assert_eq!(house.stored(id).await.expect("there").status, ExecutionState::Queued);
}

#[tokio::test]
async fn a_detached_one_is_not_in_between() {
    let house = house(1, 1).await;
    let submitted = house.orchestrator.submit(detached(command("fake nothing"))).await.expect("accepted");
    let Submitted::Queued(record) = submitted else { panic!("{submitted:?}") };
    assert!(house.stored(record.id).await.is_some(), "it is in the store when the answer comes");
    house.end(record.id).await;
    house.shut_down().await;
}
