//! The end of an orchestrator: nothing that was accepted is lost.

use crate::house::{Ground, TENANT, attached, bounded, command, house_on, started};
use faas_orchestrator::{EventKind, SubmitError, Submitted, Watched};
use faas_store_api::Idempotency;
use faas_types::{ErrorKind, ExecutionState};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn what_waits_in_the_store_stays_there_and_runs_in_the_next_life() {
    let ground = Ground::new();
    let house = house_on(&ground, 1, 4).await;
    let mut running = house.attach(command("fake wait-for-signal")).await;
    started(&mut running.watch).await;
    let caller = house.attach(command("fake print 6162 00 0")).await;
    let kept = house.detach(command("fake print 6b 00 0")).await;
    let mut watching = house.watch(kept).await;

    let draining = tokio::spawn({
        let orchestrator = house.orchestrator.clone();
        async move { orchestrator.drain(Duration::from_secs(30)).await }
    });
    let mut events = house.orchestrator.events();
    if !events.recent(0).iter().any(|event| event.kind == EventKind::Draining) {
        assert_eq!(bounded(events.next()).await.map(|event| event.kind), Some(EventKind::Draining));
    }
    let error = house.attach_as(TENANT, command("fake nothing")).await.expect_err("stopping");
    assert!(matches!(error, SubmitError::Stopping), "{error}");
    // The readers of what stays are told by the end of what they read.
    assert_eq!(bounded(watching.next()).await, None);
    let open = bounded(house.watch(kept).await.complete()).await;
    assert_eq!(open.status, ExecutionState::Queued);

    // What runs is not hurried within the patience, and callers that wait still have their turn.
    running.watch.canceller().cancel();
    assert_eq!(bounded(caller.watch.complete()).await.stdout, "ab");
    bounded(draining).await.expect("drained");
    assert_eq!(house.stored(kept).await.expect("it is there").status, ExecutionState::Queued);
    house.shut_down().await;
    drop((house, running));

    let house = house_on(&ground, 1, 4).await;
    let record = house.end(kept).await;
    assert_eq!((record.status, record.stdout.as_str()), (ExecutionState::Succeeded, "k"));
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_the_patience_is_cancelled() {
    let ground = Ground::new();
    let house = house_on(&ground, 2, 4).await;
    let mut first = house.attach(command("fake sleep")).await;
    started(&mut first.watch).await;
    let kept = house.detach(command("fake sleep")).await;
    let mut second = house.watch(kept).await;
    started(&mut second).await;
    let waiting = house.attach(command("fake nothing")).await;
    let before = tokio::time::Instant::now();
    house.orchestrator.drain(Duration::from_secs(30)).await;
    assert_eq!(before.elapsed().as_secs(), 30);
    for watch in [first.watch, second, waiting.watch] {
        let record = bounded(watch.complete()).await;
        assert_eq!((record.status, record.error_kind), (ExecutionState::Cancelled, Some(ErrorKind::Cancelled)));
        assert!(record.error.as_deref().is_some_and(|error| error.contains("stopping")), "{record:?}");
        let stored = house.stored(record.id).await.expect("it is there");
        assert_eq!(stored.status, ExecutionState::Cancelled);
    }
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_the_ends_of_what_never_began() {
    let ground = Ground::new();
    let house = house_on(&ground, 1, 4).await;
    let mut running = house.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    let mut submission = attached(command("fake nothing"));
    submission.idempotency = Some(Idempotency { key: "key".to_owned(), digest: [0; 32] });
    let Ok(Submitted::Attached(waiting)) = house.orchestrator.submit(submission).await else { panic!() };
    house.store.finishing.send_replace(false);
    let draining = tokio::spawn({
        let orchestrator = house.orchestrator.clone();
        async move { orchestrator.drain(Duration::ZERO).await }
    });
    bounded(running.watch.complete()).await;
    house.no_sandbox_is_left().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!draining.is_finished(), "its row still says that it begins");
    house.store.finishing.send_replace(true);
    bounded(draining).await.expect("drained");
    let stored = house.stored(waiting.id).await.expect("it is there");
    assert_eq!(stored.status, ExecutionState::Cancelled);
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_what_is_on_its_way_into_the_store() {
    let ground = Ground::new();
    let house = std::sync::Arc::new(house_on(&ground, 1, 4).await);
    house.store.inserting.send_replace(false);
    let submission = tokio::spawn({
        let house = house.clone();
        async move { house.detach(command("fake nothing")).await }
    });
    let id = house.first_in_store().await;
    let draining = tokio::spawn({
        let orchestrator = house.orchestrator.clone();
        async move { orchestrator.drain(Duration::ZERO).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(house.orchestrator.readiness().draining);
    assert!(!draining.is_finished(), "its row is there and its caller knows nothing of it");
    house.store.inserting.send_replace(true);
    assert_eq!(bounded(submission).await.expect("it is told so"), id);
    bounded(draining).await.expect("drained");
    assert_eq!(house.stored(id).await.expect("it is there").status, ExecutionState::Queued);
    house.shut_down().await;
}

#[tokio::test]
async fn dropping_every_handle_ends_everything_at_once() {
    let ground = Ground::new();
    let house = house_on(&ground, 2, 4).await;
    let mut running = house.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    let waiting = house.detach(command("fake sleep")).await;
    let mut waiting = house.watch(waiting).await;
    started(&mut waiting).await;
    let executor = house.executor.clone();
    drop(house);
    bounded(async {
        while executor.live() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // A reader that is still there learns that no more comes.
    while let Some(watched) = bounded(waiting.next()).await {
        assert!(matches!(watched, Watched::Output { .. }), "{watched:?}");
    }
}
