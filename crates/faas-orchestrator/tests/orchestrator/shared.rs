//! Functions whose instances answer several calls at once.

mod kept;

use crate::house::{
    BOUND, Ground, House, PIDS_ASKED_SLOWLY, PIDS_THAT_END, PIDS_THAT_PANIC, TENANT, attached, bounded, house,
    house_on, started,
};
use bytes::Bytes;
use faas_executor_api::Verb;
use faas_executor_api::conformance::TOGETHER_FLOOD;
use faas_orchestrator::{
    Attached, CallInput, ExecutionRequest, FunctionError, FunctionSpec, HttpCall, Respond, ResponsePart,
    ResponseStream, Submission, Submitted, WarmSettings, Watch,
};
use faas_types::{
    ByteSize, Contract, ErrorCode, ErrorKind, ExecutionRecord, ExecutionState, FunctionKey, Language, Mode,
    OnOutputLimit, OutputLimits,
};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A program that the fake loads and that does what each call says.
const TOGETHER: &str = "together\n";
/// The same, and it prints while it is loaded.
const SAYS: &str = "print 6f 65 0\ntogether\n";
/// One that ends while it is loaded.
const ENDS: &str = "print 6f 65 3\ntogether\n";
/// One whose loading takes a moment.
const LOADS_SLOWLY: &str = "steps 1000\ntogether\n";
/// One that is loaded for ever.
const SLEEPS: &str = "sleep\ntogether\n";

fn spec(code: &'static str, max: u32, concurrency: u32) -> FunctionSpec {
    let mut spec = FunctionSpec::new(Language::Python, code);
    (spec.scaling.max, spec.scaling.concurrency) = (max, concurrency);
    spec.timeout = BOUND;
    spec
}

fn key(text: &str) -> FunctionKey {
    text.parse().expect("a key")
}

async fn create(house: &House, spec: FunctionSpec) -> Result<(), FunctionError> {
    house.orchestrator.functions().create(TENANT, "hello".parse().expect("a name"), spec).await.map(drop)
}

async fn request(house: &House, text: &str, words: &str) -> ExecutionRequest {
    let version = house.orchestrator.functions().resolve(TENANT, &text.parse().expect("a reference")).await;
    let http = HttpCall {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: Bytes::copy_from_slice(words.as_bytes()),
    };
    version.expect("found").request(CallInput { http: Some(http), ..CallInput::default() })
}

async fn begin(house: &House, words: &str) -> Attached {
    house.attach(request(house, "hello", words).await).await
}

async fn begin_many(house: &House, count: usize, words: &str) -> Vec<Watch> {
    let mut watches = Vec::new();
    for _ in 0..count {
        watches.push(begin(house, words).await.watch);
    }
    watches
}

async fn end_all(watches: Vec<Watch>) -> Vec<ExecutionRecord> {
    let mut records = Vec::new();
    for watch in watches {
        records.push(bounded(watch.complete()).await);
    }
    records
}

async fn call(house: &House, words: &str) -> ExecutionRecord {
    bounded(begin(house, words).await.watch.complete()).await
}

fn sandboxes_made(house: &House) -> u32 {
    *house.executor.waiting.borrow()
}

/// Waits until so many wait for a call of it and nothing else goes on.
async fn warm(house: &House, count: usize) {
    bounded(async {
        loop {
            let stats = house.orchestrator.functions().stats(TENANT, &key("hello")).await.expect("found");
            if (stats.warm, stats.running) == (count, 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// One that has begun to answer and goes on when it is read: [`flows_on`].
async fn begin_flood(house: &House) -> (Watch, ResponseStream) {
    let request = request(house, "hello", "flood").await;
    let submission = Submission { respond: Respond::Stream, ..attached(request) };
    let submitted = house.orchestrator.submit(submission).await.expect("accepted");
    let Submitted::Attached(mut attached) = submitted else { panic!("{submitted:?}") };
    started(&mut attached.watch).await;
    let mut response = attached.response.take().expect("a stream");
    assert!(matches!(bounded(response.next()).await, Some(ResponsePart::Head(_))));
    (attached.watch, response)
}

async fn flows_on(watch: Watch, mut response: ResponseStream) {
    let mut read = 0;
    while let Some(part) = bounded(response.next()).await {
        if let ResponsePart::Body(bytes) = part {
            read += u64::try_from(bytes.len()).expect("a piece");
        }
    }
    assert_eq!(read, TOGETHER_FLOOD);
    let record = bounded(watch.complete()).await;
    assert_eq!(record.status, ExecutionState::Succeeded, "{record:?}");
}

fn is_cold(record: &ExecutionRecord) -> bool {
    record.start.kind == "cold"
}

#[tokio::test]
async fn calls_overlap_in_one_instance_and_the_last_one_leaves_it_warm() {
    let house = house(8, 8).await;
    create(&house, spec(TOGETHER, 2, 3)).await.expect("created");
    let mut watches = Vec::new();
    for name in ["a", "b", "c"] {
        watches.push(begin(&house, &format!("meet 3 {name}")).await.watch);
    }
    let records = end_all(watches).await;
    for (record, name) in records.iter().zip(["a", "b", "c"]) {
        assert_eq!((record.status, record.result.clone()), (ExecutionState::Succeeded, Some(json!(name))));
        assert_eq!(record.stdout, format!("{name}\n{name}\n"), "what each prints is its own");
        assert!(is_cold(record) && record.isolation.is_some(), "{record:?}");
    }
    warm(&house, 1).await;
    let next = call(&house, "count").await;
    assert_eq!((next.start.kind.as_str(), next.result.clone()), ("warm", Some(json!("4"))), "{next:?}");
    assert_eq!(sandboxes_made(&house), 1);
    let stats = house.orchestrator.functions().stats(TENANT, &key("hello")).await.expect("found");
    assert_eq!((stats.calls.cold_starts, stats.calls.warm_starts), (3, 1));
    assert_eq!(house.orchestrator.stats().warm_starts, 1);
    house.shut_down().await;
}

#[tokio::test]
async fn many_calls_of_a_cold_function_make_one_instance() {
    let house = house(16, 16).await;
    create(&house, spec(SAYS, 10, 10)).await.expect("created");
    house.executor.open.send_replace(false);
    let watches = begin_many(&house, 10, "meet 10 x").await;
    house.executor.open.send_replace(true);
    let records = end_all(watches).await;
    assert!(records.iter().all(|record| record.status == ExecutionState::Succeeded && is_cold(record)), "{records:?}");
    assert_eq!(sandboxes_made(&house), 1);
    let makers: Vec<_> = records.iter().filter(|record| record.stdout == "ox\nx\n").collect();
    assert_eq!(makers.len(), 1, "what is printed while it is loaded is one call's: {records:?}");
    assert_eq!((makers[0].stderr.as_str(), makers[0].stdout_bytes), ("e", 5));
    let used = |record: &ExecutionRecord| record.usage.cpu_us.expect("it is measured");
    let most = records.iter().map(used).max();
    assert_eq!(Some(used(makers[0])), most, "it used the loading's, too: {records:?}");
    house.shut_down().await;
}

#[tokio::test]
async fn what_is_written_while_it_is_loaded_is_part_of_what_its_call_may_write() {
    let house = house(8, 8).await;
    create(&house, spec(SAYS, 1, 2)).await.expect("created");
    let ends = async |words, bytes, on_limit| {
        let output = OutputLimits { bytes: ByteSize::from_bytes(bytes), on_limit };
        let request = ExecutionRequest { output, ..request(&house, "hello", words).await };
        bounded(house.attach(request).await.watch.complete()).await
    };
    // Twice "abc" in a line: within the limit, but for the two bytes of the loading.
    let cut = ends("meet 1 abc", 8, OnOutputLimit::Discard).await;
    assert_eq!((cut.stdout.as_str(), cut.stderr.as_str()), ("oabc\nab", "e"), "{cut:?}");
    assert!(cut.stdout_truncated && !cut.stderr_truncated && cut.stdout_bytes == 9, "{cut:?}");
    assert_eq!(cut.result, Some(json!("abc")), "its answer is not cut");
    warm(&house, 1).await;
    let whole = ends("meet 1 abc", 8, OnOutputLimit::Discard).await;
    assert_eq!((whole.stdout.as_str(), whole.stdout_truncated), ("abc\nabc\n", false), "nothing was loaded for it");
    warm(&house, 1).await;
    for worker in house.orchestrator.workers(TENANT) {
        assert!(house.orchestrator.end_worker(TENANT, worker.id));
    }
    let killed = ends("wait", 7, OnOutputLimit::Kill).await;
    assert_eq!((killed.stdout.as_str(), killed.error_kind), ("oready", Some(ErrorKind::Limit)), "{killed:?}");
    house.shut_down().await;
}

#[tokio::test]
async fn calls_fill_instances_and_never_more_than_may_be() {
    let house = house(32, 32).await;
    create(&house, spec(TOGETHER, 3, 10)).await.expect("created");
    let mut watches = begin_many(&house, 25, "wait").await;
    for watch in &mut watches {
        started(watch).await;
    }
    assert_eq!((house.executor.live(), house.orchestrator.stats().running), (3, 25));
    for watch in &watches {
        watch.canceller().cancel();
    }
    let records = end_all(watches).await;
    assert!(records.iter().all(|record| record.status == ExecutionState::Cancelled), "{records:?}");
    house.no_sandbox_is_left().await;
    assert_eq!(sandboxes_made(&house), 3);
    warm(&house, 0).await;
    house.shut_down().await;
}

#[tokio::test]
async fn a_cancelled_call_harms_no_other_and_its_instance_takes_no_more() {
    let house = house(8, 8).await;
    create(&house, spec(TOGETHER, 1, 3)).await.expect("created");
    let (flooding, response) = begin_flood(&house).await;
    let mut cut = begin(&house, "wait").await.watch;
    started(&mut cut).await;
    cut.canceller().cancel();
    let cut = bounded(cut.complete()).await;
    assert_eq!((cut.status, cut.start.kind.as_str()), (ExecutionState::Cancelled, "warm"), "{cut:?}");
    // The only instance that may be goes on with its last call, so that this one has to wait.
    let next = begin(&house, "count").await.watch;
    let waits = begin(&house, "count").await;
    bounded(async {
        while house.get(waits.id).await.status != ExecutionState::Starting {
            tokio::task::yield_now().await;
        }
    })
    .await;
    waits.watch.canceller().cancel();
    assert_eq!(bounded(waits.watch.complete()).await.status, ExecutionState::Cancelled, "who waits can be cancelled");
    assert_eq!((sandboxes_made(&house), house.executor.live()), (1, 1));
    flows_on(flooding, response).await;
    let next = bounded(next.complete()).await;
    assert_eq!(
        (next.result.clone(), next.start.kind.as_str()),
        (Some(json!("1")), "cold"),
        "another program: {next:?}"
    );
    assert_eq!(sandboxes_made(&house), 2);
    warm(&house, 1).await;
    house.shut_down().await;
}

#[tokio::test]
async fn a_deadline_is_one_calls_own() {
    let house = house(8, 8).await;
    create(&house, spec(TOGETHER, 2, 3)).await.expect("created");
    let (flooding, response) = begin_flood(&house).await;
    let timeout = Duration::from_millis(20);
    let late = ExecutionRequest { timeout, ..request(&house, "hello", "wait").await };
    let late = bounded(house.attach(late).await.watch.complete()).await;
    assert_eq!((late.status, late.error_kind), (ExecutionState::Failed, Some(ErrorKind::Timeout)), "{late:?}");
    assert_eq!(house.executor.live(), 1);
    flows_on(flooding, response).await;
    house.no_sandbox_is_left().await;
    assert_eq!(call(&house, "count").await.start.kind, "cold");
    house.shut_down().await;
}

#[tokio::test]
async fn a_program_that_ends_ends_all_its_calls_and_a_call_that_fails_only_itself() {
    let house = house(8, 8).await;
    create(&house, spec(TOGETHER, 2, 3)).await.expect("created");
    let mut waiting = begin_many(&house, 2, "wait").await;
    for watch in &mut waiting {
        started(watch).await;
    }
    let failed = call(&house, "raise").await;
    assert!(failed.error.as_deref().is_some_and(|error| error.contains("mine")), "{failed:?}");
    let ended = call(&house, "exit").await;
    assert_eq!((ended.exit_code, ended.start.kind.as_str()), (Some(3), "warm"), "{ended:?}");
    for record in end_all(waiting).await {
        assert_eq!((record.status, record.exit_code), (ExecutionState::Failed, Some(3)), "{record:?}");
    }
    house.no_sandbox_is_left().await;
    assert_eq!(sandboxes_made(&house), 1);
    house.shut_down().await;
}

#[tokio::test]
async fn calls_above_all_seats_wait_for_their_turn() {
    let house = house(8, 8).await;
    create(&house, spec(TOGETHER, 1, 2)).await.expect("created");
    let mut first = begin_many(&house, 2, "wait").await;
    for watch in &mut first {
        started(watch).await;
    }
    let third = begin(&house, "count").await;
    assert_eq!(house.get(third.id).await.status, ExecutionState::Queued);
    for watch in &first {
        watch.canceller().cancel();
    }
    end_all(first).await;
    let third = bounded(third.watch.complete()).await;
    assert_eq!(third.result, Some(json!("1")), "{third:?}");
    house.shut_down().await;
}

#[tokio::test]
async fn a_program_that_cannot_be_loaded_is_not_started_for_every_call_that_waits() {
    let house = house(16, 16).await;
    create(&house, spec(ENDS, 10, 10)).await.expect("created");
    house.executor.open.send_replace(false);
    let watches = begin_many(&house, 10, "count").await;
    house.executor.open.send_replace(true);
    let records = end_all(watches).await;
    let started = records.iter().filter(|record| record.exit_code == Some(3)).count();
    let failing = ErrorCode::FunctionFailing.as_str();
    let put_off = records.iter().filter(|record| record.refusal.as_deref() == Some(failing)).count();
    assert_eq!((started, put_off), (3, 7), "{records:?}");
    assert_eq!(sandboxes_made(&house), 3);
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test]
async fn one_that_is_loaded_too_long_fails_its_maker_and_then_the_next() {
    let ground = Ground { cold_start_timeout: Duration::from_millis(20), ..Ground::new() };
    let house = house_on(&ground, 8, 8).await;
    create(&house, spec(SLEEPS, 10, 10)).await.expect("created");
    let records = end_all(begin_many(&house, 2, "count").await).await;
    for record in records {
        assert_eq!(record.error_kind, Some(ErrorKind::Timeout), "{record:?}");
        assert!(record.error.as_deref().is_some_and(|error| error.contains("cold_start.timeout")), "{record:?}");
    }
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test]
async fn a_program_that_ends_once_it_is_loaded_is_its_own_fault_and_counts_as_not_loaded() {
    let house = house(8, 8).await;
    let mut spec = spec(TOGETHER, 1, 3);
    spec.resources.pids = PIDS_THAT_END;
    create(&house, spec).await.expect("created");
    for _ in 0..3 {
        let record = call(&house, "count").await;
        assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::UserError)));
    }
    let put_off = call(&house, "count").await;
    assert_eq!(put_off.refusal.as_deref(), Some(ErrorCode::FunctionFailing.as_str()), "{put_off:?}");
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test]
async fn nobody_asks_a_program_before_its_maker_has() {
    let house = house(8, 8).await;
    let mut spec = spec(TOGETHER, 1, 2);
    spec.resources.pids = PIDS_ASKED_SLOWLY;
    create(&house, spec).await.expect("created");
    house.executor.asking.send_replace(false);
    let maker = begin(&house, "count").await.watch;
    let ends = begin(&house, "exit").await;
    // As far as they come.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.get(ends.id).await.status, ExecutionState::Starting);
    house.executor.asking.send_replace(true);
    let ends = bounded(ends.watch.complete()).await;
    assert_eq!(ends.exit_code, Some(3), "{ends:?}");
    let maker = bounded(maker.complete()).await;
    assert!(matches!(maker.exit_code, Some(0 | 3)), "it was asked: {maker:?}");
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test]
async fn whoever_waits_for_a_maker_that_is_cancelled_makes_one() {
    let house = house(8, 8).await;
    create(&house, spec(SLEEPS, 10, 10)).await.expect("created");
    let mut maker = begin(&house, "count").await.watch;
    started(&mut maker).await;
    let mut next = begin(&house, "count").await.watch;
    maker.canceller().cancel();
    assert_eq!(bounded(maker.complete()).await.status, ExecutionState::Cancelled);
    started(&mut next).await;
    assert_eq!(sandboxes_made(&house), 2);
    next.canceller().cancel();
    bounded(next.complete()).await;
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_calls_do_no_place_is_lost_and_none_is_made_up() {
    let house = Arc::new(house(16, 1000).await);
    create(&house, spec(TOGETHER, 3, 4)).await.expect("created");
    let does = ["count", "meet 1 a", "raise", "wait", "count", "count", "exit", "wait", "meet 1 b", "count"];
    let calls = (0..400).map(|number: usize| {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            let words = does[number * 7 % does.len()];
            let mut watch = begin(&house, words).await.watch;
            if words == "wait" && number.is_multiple_of(2) {
                watch.canceller().cancel();
            } else if words == "wait" {
                // Started, or ended with the program before.
                bounded(watch.next()).await;
                watch.canceller().cancel();
            }
            assert!(house.executor.live() <= 3);
            let record = bounded(watch.complete()).await;
            assert!(record.status.is_terminal() && record.refusal.is_none(), "{words}: {record:?}");
        })
    });
    for call in futures_util::future::join_all(calls).await {
        call.expect("no panic");
    }
    bounded(async {
        while house.orchestrator.stats().running > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let left = house.executor.live();
    assert!(left <= 3 && left == usize::try_from(house.orchestrator.stats().warm).expect("few"), "{left}");
    let mut all = begin_many(&house, 12, "wait").await;
    for watch in &mut all {
        started(watch).await;
    }
    assert_eq!(house.executor.live(), 3, "every seat is there");
    house.shut_down().await;
}

#[tokio::test]
async fn the_end_of_the_platform_ends_every_call() {
    let house = house(8, 8).await;
    create(&house, spec(TOGETHER, 2, 3)).await.expect("created");
    let mut watches = begin_many(&house, 6, "wait").await;
    for watch in &mut watches {
        started(watch).await;
    }
    assert_eq!(house.executor.live(), 2);
    house.shut_down().await;
    for record in end_all(watches).await {
        assert_eq!(record.status, ExecutionState::Cancelled, "{record:?}");
    }
}

#[tokio::test]
async fn a_fault_of_ours_takes_no_place_for_ever() {
    let house = house(8, 8).await;
    let mut spec = spec(TOGETHER, 1, 3);
    spec.resources.pids = PIDS_THAT_PANIC;
    create(&house, spec).await.expect("created");
    for record in end_all(begin_many(&house, 3, "count").await).await {
        assert_eq!(record.error_kind, Some(ErrorKind::Platform), "{record:?}");
    }
    let again = call(&house, "count").await;
    assert_eq!(again.error_kind, Some(ErrorKind::Platform), "it had its turn: {again:?}");
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test]
async fn what_cannot_be_shared_is_refused_by_name() {
    let house = house(8, 8).await;
    let refused = async |change: fn(&mut FunctionSpec)| {
        let mut spec = spec(TOGETHER, 2, 10);
        change(&mut spec);
        let refused = create(&house, spec).await.expect_err("refused");
        (refused.code(), refused.field())
    };
    let field = Some("scaling.concurrency");
    assert_eq!(refused(|spec| spec.scaling.concurrency = 101).await, (ErrorCode::InvalidField, Some("scaling")));
    assert_eq!(refused(|spec| spec.contract = Contract::ArgvJson).await, (ErrorCode::InvalidField, field));
    assert_eq!(refused(|spec| spec.mode = Mode::Ephemeral).await, (ErrorCode::InvalidField, field));
    assert_eq!(refused(|spec| spec.resources.pids = 25).await, (ErrorCode::InvalidField, field));
    create(&house, {
        let mut least = spec(TOGETHER, 2, 10);
        least.resources.pids = 26;
        least
    })
    .await
    .expect("created");
    house.shut_down().await;

    let verbs = Verb::ALL.into_iter().filter(|verb| *verb != Verb::Share).collect();
    let without = house_on(&Ground { verbs, ..Ground::new() }, 8, 8).await;
    let refused = create(&without, spec(TOGETHER, 2, 10)).await.expect_err("refused");
    assert_eq!((refused.code(), refused.field()), (ErrorCode::FieldUnsupported, field), "{refused}");
    without.shut_down().await;

    let none = WarmSettings { sandboxes: 0, ..WarmSettings::default() };
    let without = house_on(&Ground { warm: none, ..Ground::new() }, 8, 8).await;
    let refused = create(&without, spec(TOGETHER, 2, 10)).await.expect_err("refused");
    assert_eq!((refused.code(), refused.field()), (ErrorCode::InvalidField, field), "{refused}");
    without.shut_down().await;
}
