//! The queue: its bound, its fairness, and a backlog that is longer than memory.

use crate::house::{Ground, TENANT, attached, bounded, command, house, house_on, started};
use bytes::Bytes;
use faas_orchestrator::{EventKind, Stdin, Submission, SubmitError, WAITING_BYTES};
use faas_types::{ErrorCode, ExecutionState, TenantId};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test]
async fn it_holds_so_many_callers_and_no_more() {
    let house = house(1, 2).await;
    let mut running = house.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    let waiting = [house.attach(command("fake nothing")).await, house.attach(command("fake nothing")).await];
    let stats = house.orchestrator.stats();
    assert_eq!((stats.running, stats.queued, stats.queue, stats.concurrency), (1, 2, 2, 1));
    for _ in 0..2 {
        let error = house.attach_as(TENANT, command("fake nothing")).await.expect_err("no room");
        assert!(matches!(error, SubmitError::QueueFull { queue: 2 }), "{error}");
        assert_eq!(error.code(), ErrorCode::QueueFull);
    }
    assert_eq!(house.orchestrator.stats().refused, 2);
    let full = house.orchestrator.events().recent(0);
    assert_eq!(full.iter().filter(|event| event.kind == EventKind::QueueFull).count(), 1, "said once: {full:?}");
    // What nobody waits for goes into the store, where there is room.
    let kept = house.detach(command("fake nothing")).await;
    running.watch.canceller().cancel();
    for attached in waiting {
        assert_eq!(bounded(attached.watch.complete()).await.status, ExecutionState::Succeeded);
    }
    assert_eq!(house.end(kept).await.status, ExecutionState::Succeeded);
    house.attach_as(TENANT, command("fake nothing")).await.expect("room again");
    house.shut_down().await;
}

#[tokio::test]
async fn it_holds_so_many_bytes_and_no_more() {
    let house = house(1, 100).await;
    let mut running = house.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    let large = Bytes::from(vec![b'x'; WAITING_BYTES / 2]);
    let submit = |stdin| house.orchestrator.submit(Submission { stdin, ..attached(command("fake nothing")) });
    let first = submit(Stdin::Bytes(large.clone())).await.expect("room");
    // The requests themselves count, too, so two halves are more than the whole.
    let error = submit(Stdin::Bytes(large.clone())).await.expect_err("no room");
    assert!(matches!(error, SubmitError::QueueTooLarge), "{error}");
    assert_eq!(error.code(), ErrorCode::QueueFull);
    let small = submit(Stdin::Open).await.expect("there is room for a small one");
    drop(first);
    let again = submit(Stdin::Bytes(large)).await.expect("room again");
    drop((running, small, again));
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test]
async fn tenants_take_turns() {
    let house = house(1, 100).await;
    let mut running = house.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    let (greedy, modest) = (TenantId::generate(), TenantId::generate());
    let mut waiting = Vec::new();
    for tenant in [greedy, greedy, greedy, greedy, greedy, modest, modest] {
        waiting.push((tenant, house.attach_as(tenant, command("fake nothing")).await.expect("room")));
    }
    running.watch.canceller().cancel();
    let mut order = Vec::new();
    for (tenant, attached) in waiting {
        let record = bounded(attached.watch.complete()).await;
        assert!(record.start.queued_us > 0 && record.start.total_us >= record.start.queued_us);
        order.push((record.started_at.expect("it ran"), tenant == modest));
    }
    order.sort_unstable();
    let turns: Vec<_> = order.into_iter().map(|(_, modest)| modest).collect();
    assert_eq!(turns, [false, true, false, true, false, false, false]);
    house.shut_down().await;
}

#[tokio::test]
async fn a_long_backlog_delays_no_caller_and_all_of_it_runs() {
    let ground = Ground::new();
    let busy = house_on(&ground, 1, 1).await;
    let mut running = busy.attach(command("fake sleep")).await;
    started(&mut running.watch).await;
    let mut ids = Vec::new();
    for _ in 0..2000 {
        ids.push(busy.detach(command("fake nothing")).await);
    }
    assert_eq!(busy.orchestrator.stats().queued, 2000);
    drop(running);
    busy.shut_down().await;

    let house = house_on(&ground, 2, 4).await;
    let attached = house.attach(command("fake nothing")).await;
    assert_eq!(bounded(attached.watch.complete()).await.status, ExecutionState::Succeeded);
    let left = house.orchestrator.stats().queued;
    assert!(left > 1500, "it had its turn before the backlog was through: {left}");
    // While the backlog runs more comes, before and behind what is being read.
    for _ in 0..100 {
        ids.push(house.detach(command("fake nothing")).await);
    }
    for id in &ids {
        let record = house.end(*id).await;
        assert_eq!((record.status, record.exit_code), (ExecutionState::Succeeded, Some(0)), "{record:?}");
    }
    let stats = house.orchestrator.stats();
    assert_eq!((stats.queued, stats.succeeded), (0, 2101), "each once");
    let read = house.store.rows_read.load(Ordering::SeqCst);
    assert!(read < 20_000, "the backlog is not read over and over: {read}");
    bounded(house.orchestrator.drain(Duration::from_secs(5))).await;
}
