//! Instances that are shared and kept, made ahead, or of a version that is replaced or that the server can keep or
//! share no more.

use super::*;

#[tokio::test]
async fn a_new_version_leaves_calls_of_the_old_one_to_their_end() {
    let house = house(8, 8).await;
    create(&house, spec(TOGETHER, 2, 3)).await.expect("created");
    let (flooding, response) = begin_flood(&house).await;
    let functions = house.orchestrator.functions();
    functions.deploy(TENANT, &key("hello"), None, spec(TOGETHER, 2, 3)).await.expect("deployed");
    let next = call(&house, "count").await;
    assert_eq!((next.result, next.version.as_deref()), (Some(json!("1")), Some("2")));
    let pinned = house.attach(request(&house, "hello@1", "count").await).await.watch;
    assert_eq!(bounded(pinned.complete()).await.result, Some(json!("2")), "in the same as the first");
    warm_but_running(&house, 1, 1).await;
    flows_on(flooding, response).await;
    warm(&house, 1).await;
    bounded(async {
        while house.executor.live() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    house.shut_down().await;
}

async fn warm_but_running(house: &House, warm: usize, running: u32) {
    bounded(async {
        loop {
            let stats = house.orchestrator.functions().stats(TENANT, &key("hello")).await.expect("found");
            if (stats.warm, stats.running) == (warm, running) {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn calls_of_an_old_version_share_as_before_and_its_instances_end_with_the_last() {
    let house = house(8, 8).await;
    create(&house, spec(TOGETHER, 1, 3)).await.expect("created");
    let functions = house.orchestrator.functions();
    functions.deploy(TENANT, &key("hello"), None, spec(TOGETHER, 1, 3)).await.expect("deployed");
    for round in 1..=2 {
        let mut watches = Vec::new();
        for name in ["a", "b", "c"] {
            watches.push(house.attach(request(&house, "hello@1", &format!("meet 3 {name}")).await).await.watch);
        }
        let records = end_all(watches).await;
        assert!(records.iter().all(|record| record.status == ExecutionState::Succeeded), "{records:?}");
        house.no_sandbox_is_left().await;
        assert_eq!(sandboxes_made(&house), round, "all that were let in are in one");
    }
    house.shut_down().await;
}

#[tokio::test]
async fn where_nothing_is_kept_warm_any_more_calls_share_all_the_same() {
    let ground = Ground::new();
    let first = house_on(&ground, 8, 8).await;
    create(&first, spec(TOGETHER, 1, 3)).await.expect("created");
    first.shut_down().await;
    let warm = WarmSettings { sandboxes: 0, ..WarmSettings::default() };
    let second = house_on(&Ground { warm, ..ground }, 8, 8).await;
    let records = end_all(begin_many(&second, 3, "meet 3 x").await).await;
    assert!(records.iter().all(|record| record.status == ExecutionState::Succeeded), "{records:?}");
    second.no_sandbox_is_left().await;
    assert_eq!(sandboxes_made(&second), 1);
    second.shut_down().await;
}

#[tokio::test]
async fn instances_made_ahead_answer_several_calls_each() {
    let house = house(8, 8).await;
    let mut spec = spec(TOGETHER, 2, 3);
    spec.scaling.min = 2;
    create(&house, spec).await.expect("created");
    warm(&house, 2).await;
    let records = end_all(begin_many(&house, 3, "meet 3 x").await).await;
    assert!(records.iter().all(|record| record.start.kind == "warm"), "{records:?}");
    warm(&house, 2).await;
    assert_eq!((sandboxes_made(&house), house.executor.live()), (2, 2));
    house.shut_down().await;
}

#[tokio::test]
async fn one_made_ahead_is_replaced_while_calls_of_the_closed_one_go_on() {
    let house = house(8, 8).await;
    let mut spec = spec(TOGETHER, 2, 3);
    spec.scaling.min = 1;
    create(&house, spec).await.expect("created");
    warm(&house, 1).await;
    let (flooding, response) = begin_flood(&house).await;
    let mut cut = begin(&house, "wait").await.watch;
    started(&mut cut).await;
    cut.canceller().cancel();
    bounded(cut.complete()).await;
    warm_but_running(&house, 1, 1).await;
    assert_eq!(sandboxes_made(&house), 2);
    flows_on(flooding, response).await;
    warm(&house, 1).await;
    house.shut_down().await;
}

#[tokio::test]
async fn where_no_program_can_be_shared_any_more_calls_run_alone() {
    let ground = Ground::new();
    let first = house_on(&ground, 8, 8).await;
    let mut spec = spec(TOGETHER, 2, 3);
    spec.scaling.min = 1;
    create(&first, spec).await.expect("created");
    first.shut_down().await;
    let verbs = Verb::ALL.into_iter().filter(|verb| *verb != Verb::Share).collect();
    let second = house_on(&Ground { verbs, ..ground }, 8, 8).await;
    let mut watches = begin_many(&second, 3, "wait").await;
    for watch in &mut watches[..2] {
        started(watch).await;
    }
    assert_eq!((second.executor.live(), second.orchestrator.stats().running), (2, 2), "each has its own");
    for watch in &watches {
        watch.canceller().cancel();
    }
    end_all(watches).await;
    for record in end_all(begin_many(&second, 4, "count").await).await {
        assert_eq!(record.result, Some(json!("1")), "{record:?}");
    }
    second.shut_down().await;
}

#[tokio::test]
async fn one_made_ahead_goes_on_where_the_calls_that_take_every_place_wait_for_it() {
    let house = house(3, 8).await;
    let mut spec = spec(LOADS_SLOWLY, 1, 40);
    spec.scaling.min = 1;
    house.executor.open.send_replace(false);
    create(&house, spec).await.expect("created");
    bounded(house.executor.waiting.subscribe().wait_for(|waiting| *waiting == 1)).await.expect("the executor is there");
    let watches = begin_many(&house, 4, "count").await;
    let stats = house.orchestrator.stats();
    assert_eq!((stats.running, stats.queued), (3, 2), "one is being made");
    house.executor.open.send_replace(true);
    let kinds: Vec<_> = end_all(watches).await.into_iter().map(|record| record.start.kind).collect();
    assert_eq!((kinds, sandboxes_made(&house)), (vec!["warm".to_owned(); 4], 1));
    warm(&house, 1).await;
    house.shut_down().await;
}
