//! Cancelling in every state, by a caller or by the caller's going.

use crate::house::{attached, bounded, command, house, started};
use faas_orchestrator::{Cancelled, OnDisconnect, Submission, Submitted, Watched};
use faas_types::{ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, TenantId};

fn assert_cancelled(record: &ExecutionRecord, ran: bool) {
    assert_eq!((record.status, record.error_kind), (ExecutionState::Cancelled, Some(ErrorKind::Cancelled)));
    assert_eq!(record.started_at.is_some(), ran, "{record:?}");
    assert!(record.finished_at.is_some() && record.error.is_some());
}

#[tokio::test]
async fn one_that_waits_never_runs() {
    let house = house(1, 8).await;
    let mut running = house.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    let caller = house.attach(command("fake sleep")).await;
    let kept = house.detach(command("fake sleep")).await;
    for id in [caller.id, kept] {
        let cancelled = bounded(house.orchestrator.cancel(crate::house::TENANT, id)).await.expect("the store works");
        let Cancelled::Requested(record) = cancelled else { panic!("{cancelled:?}") };
        assert_cancelled(&record, false);
        let stored = house.stored(id).await.expect("it is in the store");
        assert_eq!(stored.status, ExecutionState::Cancelled, "at once");
    }
    assert_cancelled(&bounded(caller.watch.complete()).await, false);
    assert_cancelled(&house.end(kept).await, false);
    assert_eq!(house.orchestrator.stats().queued, 0);
    house.shut_down().await;
}

#[tokio::test]
async fn one_that_stands_in_the_store_only_never_runs() {
    let house = house(1, 1).await;
    let mut running = house.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    let mut last = None;
    for _ in 0..400 {
        last = Some(house.detach(command("fake nothing")).await);
    }
    let last = last.expect("some");
    // Somebody watches it before it is read back.
    let watch = house.watch(last).await;
    let cancelled = bounded(house.orchestrator.cancel(crate::house::TENANT, last)).await.expect("the store works");
    assert!(matches!(cancelled, Cancelled::Requested(_)), "{cancelled:?}");
    assert_cancelled(&bounded(watch.complete()).await, false);
    assert_eq!(house.orchestrator.stats().queued, 399);
    house.shut_down().await;
}

#[tokio::test]
async fn one_that_starts_leaves_no_sandbox() {
    let house = house(2, 2).await;
    house.executor.open.send_replace(false);
    let attached = house.attach(command("fake sleep")).await;
    bounded(house.executor.waiting.subscribe().wait_for(|waiting| *waiting == 1)).await.expect("it starts");
    assert_eq!(house.get(attached.id).await.status, ExecutionState::Starting);
    let cancelled = house.orchestrator.cancel(crate::house::TENANT, attached.id).await.expect("the store works");
    assert!(matches!(cancelled, Cancelled::Requested(_)), "{cancelled:?}");
    assert_cancelled(&bounded(attached.watch.complete()).await, false);
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test]
async fn one_that_runs_is_killed_and_one_that_ended_stays_ended() {
    let house = house(2, 2).await;
    let mut attached = house.attach(command("fake sleep")).await;
    started(&mut attached.watch).await;
    let id = attached.id;
    assert_eq!(house.get(id).await.status, ExecutionState::Running);
    let unknown = house.orchestrator.cancel(TenantId::generate(), id).await.expect("the store works");
    assert_eq!(unknown, Cancelled::Unknown, "another tenant's");
    let cancelled = house.orchestrator.cancel(crate::house::TENANT, id).await.expect("the store works");
    assert!(matches!(cancelled, Cancelled::Requested(_)), "{cancelled:?}");
    let record = bounded(attached.watch.complete()).await;
    assert_cancelled(&record, true);
    assert_eq!(record.stdout, "ready\n");

    let again = house.orchestrator.cancel(crate::house::TENANT, id).await.expect("the store works");
    assert!(matches!(&again, Cancelled::Finished(ended) if ended.finished_at == record.finished_at), "{again:?}");
    let nobody = house.orchestrator.cancel(crate::house::TENANT, ExecutionId::generate()).await;
    assert_eq!(nobody.expect("the store works"), Cancelled::Unknown);
    house.shut_down().await;
}

#[tokio::test]
async fn a_caller_that_goes_cancels_unless_it_detaches() {
    let house = house(1, 8).await;
    let mut running = house.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    let waiting = house.attach(command("fake sleep")).await;
    let detaching = Submission { on_disconnect: OnDisconnect::Detach, ..attached(command("fake print 61 62 0")) };
    let Ok(Submitted::Attached(detaching)) = house.orchestrator.submit(detaching).await else { panic!() };
    let (running_id, waiting_id, detaching_id) = (running.id, waiting.id, detaching.id);
    drop((running, waiting, detaching));
    for id in [running_id, waiting_id] {
        let record = house.end(id).await;
        assert_cancelled(&record, id == running_id);
        assert!(record.error.as_deref().is_some_and(|error| error.contains("caller went away")), "{record:?}");
    }
    let record = house.end(detaching_id).await;
    assert_eq!((record.status, record.stdout.as_str()), (ExecutionState::Succeeded, "a"));
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test]
async fn a_second_reader_that_goes_cancels_nothing() {
    let house = house(1, 1).await;
    let mut running = house.attach(command("fake wait-for-signal")).await;
    started(&mut running.watch).await;
    let mut second = house.watch(running.id).await;
    started(&mut second).await;
    drop(second);
    let next = bounded(running.watch.next()).await;
    assert!(matches!(next, Some(Watched::Output { .. })), "{next:?}");
    assert_eq!(house.get(running.id).await.status, ExecutionState::Running);
    running.watch.canceller().cancel();
    assert_cancelled(&bounded(running.watch.complete()).await, true);
    house.shut_down().await;
}
