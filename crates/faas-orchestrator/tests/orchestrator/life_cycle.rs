//! Instances of functions: made ahead of their calls, kept, and not started again and again in vain.

use crate::house::{Ground, House, TENANT, bounded, house, house_on, started};
use bytes::Bytes;
use faas_orchestrator::{
    Attached, CallInput, FunctionError, FunctionSpec, HttpCall, KeepReason, Settings, WarmSettings,
};
use faas_types::{ByteSize, ErrorCode, ErrorKind, ExecutionRecord, ExecutionState, FunctionKey, Language, Mode};
use serde_json::json;
use std::time::Duration;

/// A program that the fake loads and that counts its calls.
const COUNTS: &str = "obey\n";
/// One that ends while it is loaded.
const ENDS: &str = "print 6f 65 3\nobey\n";
/// One that is loaded for ever.
const SLEEPS: &str = "sleep\nobey\n";

fn spec(code: &'static str, min: u32) -> FunctionSpec {
    let mut spec = FunctionSpec::new(Language::Python, code);
    spec.scaling.min = min;
    spec
}

fn key(text: &str) -> FunctionKey {
    text.parse().expect("a key")
}

async fn create(house: &House, text: &str, spec: FunctionSpec) -> Result<(), FunctionError> {
    let made = house.orchestrator.functions().create(TENANT, text.parse().expect("a name"), spec).await;
    made.map(drop)
}

async fn call(house: &House, text: &str) -> ExecutionRecord {
    let version = house.orchestrator.functions().resolve(TENANT, &text.parse().expect("a reference")).await;
    let request = version.expect("found").request(CallInput { input: Some(json!("count")), ..CallInput::default() });
    bounded(house.attach(request).await.watch.complete()).await
}

/// Waits until so many wait for a call of it and nothing else goes on.
async fn warm(house: &House, text: &str, count: usize) {
    bounded(async {
        loop {
            let stats = house.orchestrator.functions().stats(TENANT, &key(text)).await.expect("found");
            if (stats.warm, stats.running) == (count, 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn instances_are_made_ahead_and_made_again_when_they_are_used_up() {
    let house = house(8, 4).await;
    create(&house, "hello", spec(COUNTS, 2)).await.expect("created");
    warm(&house, "hello", 2).await;
    let first = call(&house, "hello").await;
    assert_eq!((first.start.kind.as_str(), first.result.clone()), ("warm", Some(json!("1"))), "{first:?}");
    assert_eq!(first.stdout, "call 1\n", "what is printed while it is loaded is of no call");
    warm(&house, "hello", 2).await;
    for worker in house.orchestrator.workers(TENANT) {
        assert!(house.orchestrator.end_worker(TENANT, worker.id));
    }
    warm(&house, "hello", 2).await;
    assert_eq!(call(&house, "hello").await.result, Some(json!("1")), "a new one");
    house.shut_down().await;
}

#[tokio::test]
async fn a_new_version_has_its_own_and_a_function_that_is_gone_has_none() {
    let house = house(8, 4).await;
    let functions = house.orchestrator.functions();
    create(&house, "hello", spec(COUNTS, 1)).await.expect("created");
    warm(&house, "hello", 1).await;
    functions.deploy(TENANT, &key("hello"), None, spec(COUNTS, 3)).await.expect("deployed");
    warm(&house, "hello", 3).await;
    functions.go_live(TENANT, &"hello@1".parse().expect("a reference"), None).await.expect("rolled back");
    warm(&house, "hello", 1).await;
    functions.delete(TENANT, &key("hello"), None).await.expect("deleted");
    bounded(async {
        while house.executor.live() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    house.shut_down().await;
}

#[tokio::test]
async fn they_are_there_again_after_a_restart() {
    let ground = Ground::new();
    let first = house_on(&ground, 8, 4).await;
    create(&first, "hello", spec(COUNTS, 2)).await.expect("created");
    first.shut_down().await;
    let second = house_on(&ground, 8, 4).await;
    // Nobody asks for the function by its name.
    bounded(async {
        while second.orchestrator.workers(TENANT).len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let there: Vec<_> = second.orchestrator.workers(TENANT).into_iter().map(|worker| worker.id).collect();
    warm(&second, "hello", 2).await;
    assert_eq!(there, second.orchestrator.workers(TENANT).into_iter().map(|worker| worker.id).collect::<Vec<_>>());
    second.shut_down().await;
}

#[tokio::test]
async fn those_that_are_kept_do_not_expire_and_give_way_last() {
    let house = house(3, 4).await;
    let mut kept = spec(COUNTS, 1);
    kept.scaling.idle_ttl = Some(Duration::from_millis(5));
    create(&house, "kept", kept).await.expect("created");
    let mut spare = spec(COUNTS, 0);
    spare.scaling.idle_ttl = Some(Duration::from_millis(5));
    create(&house, "spare", spare).await.expect("created");
    warm(&house, "kept", 1).await;
    let id = |house: &House| house.orchestrator.workers(TENANT).first().map(|worker| worker.id);
    let there = id(&house);
    call(&house, "spare").await;
    // The other one's end shows that the time has passed.
    warm(&house, "spare", 0).await;
    warm(&house, "kept", 1).await;
    assert_eq!(id(&house), there, "the same is there still");
    assert_eq!(call(&house, "kept").await.start.kind, "warm");
    house.shut_down().await;
}

#[tokio::test]
async fn more_than_can_be_kept_is_refused_by_name() {
    let warm = WarmSettings { sandboxes: 2, ..WarmSettings::default() };
    let house = house_on(&Ground { warm, ..Ground::new() }, 8, 4).await;
    let refused = create(&house, "hello", spec(COUNTS, 3)).await.expect_err("refused");
    assert_eq!((refused.code(), refused.field()), (ErrorCode::InvalidField, Some("scaling.min")), "{refused}");
    let ephemeral = FunctionSpec { mode: Mode::Ephemeral, ..spec(COUNTS, 1) };
    let refused = create(&house, "hello", ephemeral).await.expect_err("refused");
    assert_eq!(refused.field(), Some("scaling.min"), "{refused}");
    create(&house, "hello", spec(COUNTS, 2)).await.expect("created");
    house.shut_down().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_loaded_is_not_started_for_every_call() {
    let house = house(4, 4).await;
    create(&house, "hello", spec(ENDS, 0)).await.expect("created");
    for _ in 0..3 {
        let record = call(&house, "hello").await;
        assert_eq!((record.exit_code, record.refusal.as_deref()), (Some(3), None), "{record:?}");
    }
    let put_off = call(&house, "hello").await;
    assert_eq!(put_off.refusal.as_deref(), Some(ErrorCode::FunctionFailing.as_str()), "{put_off:?}");
    assert_eq!((put_off.status, put_off.error_kind), (ExecutionState::Failed, Some(ErrorKind::UserError)));
    assert_eq!(put_off.started_at, None, "nothing was started");
    let events = house.orchestrator.events().recent(0);
    assert!(events.iter().any(|event| event.kind.as_str() == "function_failing"), "{events:?}");
    let functions = house.orchestrator.functions();
    functions.deploy(TENANT, &key("hello"), None, spec(COUNTS, 0)).await.expect("deployed");
    assert_eq!(call(&house, "hello").await.status, ExecutionState::Succeeded, "a new version is another program");
    house.shut_down().await;
}

#[tokio::test]
async fn a_program_that_is_loaded_too_long_is_ended() {
    let ground = Ground { cold_start_timeout: Duration::from_millis(20), ..Ground::new() };
    let house = house_on(&ground, 4, 4).await;
    create(&house, "hello", spec(SLEEPS, 0)).await.expect("created");
    let record = call(&house, "hello").await;
    assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::Timeout)), "{record:?}");
    assert!(record.error.as_deref().is_some_and(|error| error.contains("cold_start.timeout")), "{record:?}");
    create(&house, "well", spec(COUNTS, 0)).await.expect("created");
    assert_eq!(call(&house, "well").await.status, ExecutionState::Succeeded);
    house.shut_down().await;
}

#[tokio::test]
async fn one_that_is_to_be_kept_and_cannot_be_loaded_holds_nobody_up() {
    let ground = Ground { cold_start_timeout: Settings::COLD_START_TIMEOUT, ..Ground::new() };
    let house = house_on(&ground, 1, 4).await;
    create(&house, "hello", spec(ENDS, 1)).await.expect("created");
    bounded(async {
        while house.orchestrator.events().recent(0).iter().all(|event| event.kind.as_str() != "function_failing") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    create(&house, "well", spec(COUNTS, 0)).await.expect("created");
    assert_eq!(call(&house, "well").await.status, ExecutionState::Succeeded);
    assert_eq!(call(&house, "hello").await.refusal.as_deref(), Some(ErrorCode::FunctionFailing.as_str()));
    house.shut_down().await;
}

#[tokio::test]
async fn what_cannot_all_be_kept_is_not_made_again_and_again() {
    let warm_ones = WarmSettings { sandboxes: 3, ..WarmSettings::default() };
    let house = house_on(&Ground { warm: warm_ones, ..Ground::new() }, 16, 4).await;
    for name in ["one", "two"] {
        create(&house, name, spec(COUNTS, 2)).await.expect("created");
    }
    bounded(async {
        while house.orchestrator.stats().warm < 3 || house.orchestrator.stats().running > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let there = house.orchestrator.workers(TENANT);
    // A call of something else makes it look again.
    create(&house, "other", FunctionSpec { mode: Mode::Ephemeral, ..spec(COUNTS, 0) }).await.expect("created");
    for _ in 0..20 {
        call(&house, "other").await;
    }
    let ids = |workers: Vec<faas_orchestrator::Worker>| workers.into_iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(house.orchestrator.workers(TENANT)), ids(there));
    house.shut_down().await;
}

#[tokio::test]
async fn one_that_is_made_gives_its_place_to_whoever_comes() {
    let house = house_on(&Ground::new(), 1, 4).await;
    create(&house, "slow", spec(SLEEPS, 1)).await.expect("created");
    bounded(async {
        while house.orchestrator.stats().running == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    create(&house, "well", spec(COUNTS, 0)).await.expect("created");
    assert_eq!(call(&house, "well").await.status, ExecutionState::Succeeded);
    house.shut_down().await;
}

/// The functions that have an instance that waits.
fn waiting(house: &House) -> Vec<String> {
    let workers = house.orchestrator.workers(TENANT).into_iter();
    let mut names: Vec<_> = workers.filter_map(|worker| Some(worker.function?.0.to_string())).collect();
    names.sort();
    names
}

/// Calls it, and waits until its instance waits again.
async fn call_and_leave(house: &House, text: &str) {
    call(house, text).await;
    while house.orchestrator.stats().running > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_kept_for_as_long_as_its_calls_are_worth_it() {
    // Room for one and a half: each holds a MiB.
    let warm = WarmSettings { memory: ByteSize::from_bytes(3 << 19), ..WarmSettings::default() };
    let house = house_on(&Ground { warm, ..Ground::new() }, 4, 4).await;
    let mut said = spec(COUNTS, 0);
    said.scaling.idle_ttl = Some(Duration::from_secs(3600));
    for (name, spec) in [("often", spec(COUNTS, 0)), ("said", said), ("seldom", spec(COUNTS, 0))] {
        create(&house, name, spec).await.expect("created");
    }
    call_and_leave(&house, "said").await;
    for second in (0..1800).step_by(20) {
        call_and_leave(&house, "often").await;
        if second % 300 == 0 {
            call_and_leave(&house, "seldom").await;
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    assert_eq!(
        waiting(&house),
        ["often", "said"],
        "what said it itself is kept, of the others the one that is worth it"
    );
    let kept = house.orchestrator.kept_workers(TENANT);
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!(kept.function.as_str(), "often");
    assert!(matches!(kept.kept.reason, KeepReason::Returns { share } if share > 0.9), "{kept:?}");
    assert!(kept.kept.keep_for >= Duration::from_secs(20), "{kept:?}");
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn where_there_is_room_one_is_kept_for_what_is_called_every_half_hour() {
    let house = house(4, 4).await;
    create(&house, "hello", spec(COUNTS, 0)).await.expect("created");
    call_and_leave(&house, "hello").await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1800)).await;
        assert_eq!(call(&house, "hello").await.start.kind, "warm");
    }
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn of_too_many_the_one_that_saves_least_goes() {
    let warm = WarmSettings { sandboxes: 2, ..WarmSettings::default() };
    let house = house_on(&Ground { warm, ..Ground::new() }, 4, 4).await;
    for name in ["often", "seldom", "new"] {
        create(&house, name, spec(COUNTS, 0)).await.expect("created");
    }
    for second in 0..600 {
        if second % 120 == 0 {
            call_and_leave(&house, "seldom").await;
        }
        call_and_leave(&house, "often").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    call_and_leave(&house, "seldom").await;
    assert_eq!(waiting(&house), ["often", "seldom"]);
    // The one that was used longest ago is the one that is called most.
    call_and_leave(&house, "new").await;
    assert_eq!(waiting(&house), ["new", "often"]);
    house.shut_down().await;
}

/// Calls it with this body, without waiting for its end.
async fn begin(house: &House, text: &str, body: &'static str) -> Attached {
    let version = house.orchestrator.functions().resolve(TENANT, &text.parse().expect("a reference")).await;
    let http = HttpCall {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: Bytes::from_static(body.as_bytes()),
    };
    house.attach(version.expect("found").request(CallInput { http: Some(http), ..CallInput::default() })).await
}

#[tokio::test]
async fn nobody_waits_for_an_instance_that_is_never_free() {
    let house = house(8, 64).await;
    create(&house, "hello", spec(COUNTS, 0)).await.expect("created");
    // So many that it is known how short they are: whoever finds none free would better wait.
    for _ in 0..50 {
        call_and_leave(&house, "hello").await;
    }
    let mut sleeping = Vec::new();
    for _ in 0..5 {
        let mut one = begin(&house, "hello", "sleep").await;
        started(&mut one.watch).await;
        sleeping.push(one);
        assert_eq!(call(&house, "hello").await.status, ExecutionState::Succeeded);
    }
    assert!(house.executor.live() >= 6);
    for one in sleeping {
        one.watch.canceller().cancel();
        bounded(one.watch.complete()).await;
    }
    house.shut_down().await;
}

#[tokio::test]
async fn a_herd_is_served_within_its_bounds() {
    let house = house(64, 200).await;
    let mut spec = spec(COUNTS, 0);
    spec.scaling.max = 3;
    create(&house, "hello", spec).await.expect("created");
    for _ in 0..3 {
        let mut calls = Vec::new();
        for _ in 0..100 {
            calls.push(begin(&house, "hello", "count").await);
        }
        for call in calls {
            assert_eq!(bounded(call.watch.complete()).await.status, ExecutionState::Succeeded);
        }
        assert!(house.executor.live() <= 3, "{} live", house.executor.live());
    }
    house.shut_down().await;
}
