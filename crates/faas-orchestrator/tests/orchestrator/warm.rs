//! Mode `cached`: who gets a warm sandbox, who does not, and when the warm ones end.

use crate::house::{Ground, House, TENANT, attached, bounded, command, house, house_on, script, started};
use faas_executor_api::Verb;
use faas_orchestrator::{ExecutionRequest, WarmSettings};
use faas_types::{ErrorCode, ErrorKind, ExecutionRecord, ExecutionState, IsolationLevel, Mode, TenantId};
use std::time::Duration;

fn cached(request: ExecutionRequest) -> ExecutionRequest {
    ExecutionRequest { mode: Mode::Cached, ..request }
}

/// Runs to the end, and until its sandbox is kept or gone.
async fn run_as(house: &House, tenant: TenantId, request: ExecutionRequest) -> ExecutionRecord {
    let attached = house.attach_as(tenant, request).await.expect("accepted");
    let record = bounded(attached.watch.complete()).await;
    bounded(async {
        while house.orchestrator.stats().running > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    record
}

async fn run(house: &House, request: ExecutionRequest) -> ExecutionRecord {
    run_as(house, TENANT, request).await
}

/// How the sandbox of the next execution came to be.
async fn kind(house: &House, request: ExecutionRequest) -> String {
    run(house, request).await.start.kind
}

#[tokio::test]
async fn the_next_one_gets_the_sandbox_and_nothing_of_the_one_before() {
    let house = house(4, 4).await;
    let first = run(&house, cached(script("write note 6162\ndaemon\nprint 6f 65 3\n"))).await;
    assert_eq!((first.mode, first.start.kind.as_str(), first.exit_code), (Mode::Cached, "cold", Some(3)));
    assert_eq!((house.executor.live(), house.orchestrator.stats().warm), (1, 1));
    let second = run(&house, cached(script("read note\n"))).await;
    assert_eq!((second.start.kind.as_str(), second.exit_code, second.stdout.as_str()), ("warm", Some(1), ""));
    assert_eq!(second.isolation, first.isolation);
    let stats = house.orchestrator.stats();
    assert_eq!((house.executor.live(), stats.warm, stats.warm_starts, stats.retired), (1, 1, 1, 0));
    house.shut_down().await;
}

#[tokio::test]
async fn another_tenant_language_limit_level_or_mode_gets_another_sandbox() {
    let house = house(16, 4).await;
    assert_eq!(kind(&house, cached(script("nothing\n"))).await, "cold");
    let other = cached(script("nothing\n"));
    let stranger = run_as(&house, TenantId::generate(), other.clone()).await;
    assert_eq!(stranger.start.kind, "cold", "another tenant's");
    let mut larger = other.clone();
    larger.resources.pids += 1;
    assert_eq!(kind(&house, larger).await, "cold", "other limits");
    let standard = ExecutionRequest { isolation: IsolationLevel::Standard, ..other.clone() };
    assert_eq!(kind(&house, standard).await, "cold", "another level");
    assert_eq!(kind(&house, cached(command("fake nothing"))).await, "cold", "no language");
    assert_eq!(kind(&house, script("nothing\n")).await, "cold", "ephemeral");
    assert_eq!(kind(&house, other).await, "warm");
    house.shut_down().await;
}

#[tokio::test]
async fn two_at_once_have_one_each() {
    let house = house(4, 4).await;
    let mut first = house.attach(cached(command("fake wait-for-signal"))).await;
    started(&mut first.watch).await;
    let second = house.attach(cached(command("fake nothing"))).await;
    assert_eq!(bounded(second.watch.complete()).await.start.kind, "cold");
    first.watch.canceller().cancel();
    bounded(first.watch.complete()).await;
    house.shut_down().await;
}

#[tokio::test]
async fn warm_ones_give_way_to_whoever_needs_the_place() {
    // The executor has room for exactly as many as may run.
    let house = house(2, 4).await;
    for pids in [20, 21] {
        let mut request = cached(command("fake nothing"));
        request.resources.pids = pids;
        run(&house, request).await;
    }
    assert_eq!(house.orchestrator.stats().warm, 2);
    let mut first = house.attach(command("fake wait-for-signal")).await;
    started(&mut first.watch).await;
    assert_eq!(house.orchestrator.stats().warm, 1);
    let mut second = house.attach(command("fake wait-for-signal")).await;
    started(&mut second.watch).await;
    assert_eq!((house.orchestrator.stats().warm, house.executor.live()), (0, 2));
    for attached in [first, second] {
        attached.watch.canceller().cancel();
        bounded(attached.watch.complete()).await;
    }
    house.shut_down().await;
}

#[tokio::test]
async fn the_oldest_goes_when_there_are_too_many() {
    let warm = WarmSettings { sandboxes: 1, ..WarmSettings::default() };
    let house = house_on(&Ground { warm, ..Ground::new() }, 4, 4).await;
    assert_eq!(kind(&house, cached(command("fake nothing"))).await, "cold");
    assert_eq!(kind(&house, cached(script("nothing\n"))).await, "cold");
    assert_eq!((house.executor.live(), house.orchestrator.stats().warm), (1, 1));
    assert_eq!(kind(&house, cached(script("nothing\n"))).await, "warm");
    assert_eq!(kind(&house, cached(command("fake nothing"))).await, "cold");
    house.shut_down().await;
}

#[tokio::test]
async fn none_is_kept_where_none_may_be() {
    let warm = WarmSettings { sandboxes: 0, ..WarmSettings::default() };
    let house = house_on(&Ground { warm, ..Ground::new() }, 4, 4).await;
    for _ in 0..2 {
        assert_eq!(kind(&house, cached(command("fake nothing"))).await, "cold");
        assert_eq!(house.executor.live(), 0);
    }
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn the_one_nobody_comes_for_is_ended() {
    let warm = WarmSettings { ttl: Duration::from_secs(60), ..WarmSettings::default() };
    let house = house_on(&Ground { warm, ..Ground::new() }, 4, 4).await;
    run(&house, cached(command("fake nothing"))).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(house.executor.live(), 1);
    assert_eq!(kind(&house, cached(command("fake nothing"))).await, "warm");
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(house.executor.live(), 1, "it was used in between");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((house.executor.live(), house.orchestrator.stats().warm), (0, 0));
    assert_eq!(kind(&house, cached(command("fake nothing"))).await, "cold");
    house.shut_down().await;
}

#[tokio::test]
async fn a_sandbox_that_a_call_broke_is_not_kept() {
    let house = house(4, 4).await;
    let mut late = cached(command("fake sleep"));
    late.timeout = Duration::from_millis(20);
    let record = run(&house, late).await;
    assert_eq!(record.error_kind, Some(ErrorKind::Timeout));
    let mut cancelled = house.attach(cached(command("fake sleep"))).await;
    started(&mut cancelled.watch).await;
    cancelled.watch.canceller().cancel();
    assert_eq!(bounded(cancelled.watch.complete()).await.status, ExecutionState::Cancelled);
    let record = run(&house, cached(command("fake allocate 100000000000"))).await;
    assert_eq!(record.status, ExecutionState::Failed);
    house.no_sandbox_is_left().await;
    assert_eq!(house.orchestrator.stats().warm, 0);
    house.shut_down().await;
}

#[tokio::test]
async fn the_end_of_the_platform_ends_them() {
    let drained = house(4, 4).await;
    run(&drained, cached(command("fake nothing"))).await;
    assert_eq!(drained.executor.live(), 1);
    drained.shut_down().await;

    let House { orchestrator, executor, store } = house(4, 4).await;
    let dropped = House { orchestrator, executor: executor.clone(), store };
    run(&dropped, cached(command("fake nothing"))).await;
    drop(dropped);
    assert_eq!(executor.live(), 0);
}

#[tokio::test]
async fn an_executor_that_cannot_recycle_refuses_the_mode() {
    let mut ground = Ground::new();
    ground.verbs.retain(|verb| *verb != Verb::Recycle);
    let house = house_on(&ground, 4, 4).await;
    let error = house.orchestrator.submit(attached(cached(command("fake nothing")))).await.expect_err("refused");
    assert_eq!((error.code(), error.field()), (ErrorCode::FieldUnsupported, Some("mode")));
    house.shut_down().await;
}
