//! Functions: what is made, changed, found, called and retired.

use crate::house::{BOUND, Call, Ground, House, TENANT, attached, bounded, house, house_on};
use bytes::Bytes;
use faas_orchestrator::{
    CallInput, FunctionError, FunctionSpec, FunctionView, HttpCall, OnDisconnect, Respond, ResponsePart, Submission,
    Submitted,
};
use faas_types::{
    ErrorCode, ErrorKind, ExecutionRecord, ExecutionState, FunctionKey, FunctionName, FunctionRef, Language, TenantId,
};
use serde_json::json;
use std::sync::atomic::Ordering;

fn spec(code: &'static str) -> FunctionSpec {
    FunctionSpec::new(Language::Python, code)
}

fn name(text: &str) -> FunctionName {
    text.parse().expect("a name")
}

fn which(text: &str) -> FunctionRef {
    text.parse().expect("a reference")
}

fn key(text: &str) -> FunctionKey {
    text.parse().expect("a key")
}

async fn create(house: &House, text: &str, code: &'static str) -> FunctionView {
    house.orchestrator.functions().create(TENANT, name(text), spec(code)).await.expect("created")
}

async fn deploy(house: &House, text: &str, code: &'static str) -> FunctionView {
    house.orchestrator.functions().deploy(TENANT, &key(text), None, spec(code)).await.expect("deployed")
}

async fn refused(house: &House, text: &str) -> FunctionError {
    house.orchestrator.functions().view(TENANT, &which(text)).await.expect_err("refused")
}

/// Calls it, waits for its end, and until its sandbox is kept or gone.
async fn call(house: &House, text: &str) -> ExecutionRecord {
    let version = house.orchestrator.functions().resolve(TENANT, &which(text)).await.expect("found");
    let request = version.request(CallInput { input: Some(json!({"a": 1})), ..CallInput::default() });
    let record = bounded(house.attach(request).await.watch.complete()).await;
    settled(house).await;
    record
}

async fn settled(house: &House) {
    bounded(async {
        while house.orchestrator.stats().running > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_is_an_execution_of_the_live_version() {
    let house = house(4, 4).await;
    create(&house, "hello", "answer-echo\n").await;
    let record = call(&house, "hello").await;
    assert_eq!(
        (record.status, record.result.clone()),
        (ExecutionState::Succeeded, Some(json!("{\"a\":1}"))),
        "{record:?}"
    );
    assert_eq!((record.function.as_deref(), record.version.as_deref()), (Some("hello"), Some("1")));
    deploy(&house, "hello", "raise\n").await;
    let record = call(&house, "hello").await;
    assert_eq!((record.version.as_deref(), record.error_kind), (Some("2"), Some(ErrorKind::UserError)));
    let record = call(&house, "hello@1").await;
    assert_eq!((record.version.as_deref(), record.status), (Some("1"), ExecutionState::Succeeded));
    house.shut_down().await;
}

#[tokio::test]
async fn a_rollback_an_alias_and_a_deletion_take_effect_at_once() {
    let house = house(4, 4).await;
    let functions = house.orchestrator.functions();
    let first = create(&house, "hello", "answer-echo\n").await;
    deploy(&house, "hello", "raise\n").await;
    let rolled = functions.go_live(TENANT, &which("hello@1"), None).await.expect("rolled back");
    assert_eq!((rolled.function.live, rolled.function.newest, rolled.version.number), (1, 2, 1));
    assert_eq!(call(&house, "hello").await.version.as_deref(), Some("1"));
    let alias = "next".parse().expect("an alias");
    functions.set_alias(TENANT, &key("hello"), None, alias, Some(2)).await.expect("pointed");
    assert_eq!(call(&house, "hello@next").await.version.as_deref(), Some("2"));
    assert_eq!(refused(&house, "hello@other").await.code(), ErrorCode::VersionNotFound);
    assert_eq!(refused(&house, "hello@3").await.code(), ErrorCode::VersionNotFound);
    functions.delete(TENANT, &FunctionKey::Id(first.function.id), None).await.expect("deleted");
    for text in ["hello".to_owned(), "hello@1".to_owned(), first.function.id.to_string()] {
        assert_eq!(refused(&house, &text).await.code(), ErrorCode::FunctionNotFound, "{text}");
    }
    assert_eq!(create(&house, "hello", "answer-echo\n").await.version.number, 1, "the name is free");
    house.shut_down().await;
}

#[tokio::test]
async fn of_two_creates_at_once_one_wins() {
    let house = house(4, 4).await;
    let functions = house.orchestrator.functions();
    let (one, other) = tokio::join!(
        functions.create(TENANT, name("hello"), spec("answer-echo\n")),
        functions.create(TENANT, name("hello"), spec("raise\n")),
    );
    assert_eq!([one.is_ok(), other.is_ok()].into_iter().filter(|made| *made).count(), 1);
    let error = one.err().or(other.err()).expect("one of them");
    assert_eq!(error.code(), ErrorCode::FunctionExists);
    assert!(functions.create(TenantId::generate(), name("hello"), spec("raise\n")).await.is_ok(), "another tenant's");
    house.shut_down().await;
}

#[tokio::test]
async fn a_change_on_an_old_revision_or_that_the_store_refuses_changes_nothing() {
    let house = house(4, 4).await;
    let functions = house.orchestrator.functions();
    let made = create(&house, "hello", "answer-echo\n").await;
    let seen = made.function.seen();
    deploy(&house, "hello", "raise\n").await;
    let stale = functions.deploy(TENANT, &key("hello"), Some(seen), spec("nothing\n")).await.expect_err("stale");
    assert_eq!(stale.code(), ErrorCode::FunctionChanged);
    let stale = functions.delete(TENANT, &key("hello"), Some(seen)).await.expect_err("stale");
    assert_eq!(stale.code(), ErrorCode::FunctionChanged);
    house.store.fail(Call::Change, 1);
    let failed = functions.deploy(TENANT, &key("hello"), None, spec("nothing\n")).await.expect_err("failed");
    assert_eq!(failed.code(), ErrorCode::StorageUnavailable);
    let view = functions.view(TENANT, &which("hello")).await.expect("found");
    assert_eq!((view.function.newest, view.function.revision), (2, 2));
    house.shut_down().await;
}

#[tokio::test]
async fn what_was_seen_of_a_deleted_function_changes_no_other_of_its_name() {
    let house = house(4, 4).await;
    let functions = house.orchestrator.functions();
    let seen = create(&house, "hello", "answer-echo\n").await.function.seen();
    functions.delete(TENANT, &key("hello"), Some(seen)).await.expect("deleted");
    let anew = create(&house, "hello", "raise\n").await.function.seen();
    assert_eq!((anew.revision, anew != seen), (seen.revision, true), "only the function tells them apart");
    let (hello, alias) = (key("hello"), "next".parse().expect("an alias"));
    let refusals = [
        functions.deploy(TENANT, &hello, Some(seen), spec("nothing\n")).await.map(drop),
        functions.go_live(TENANT, &which("hello@1"), Some(seen)).await.map(drop),
        functions.set_alias(TENANT, &hello, Some(seen), alias, Some(1)).await.map(drop),
        functions.delete(TENANT, &hello, Some(seen)).await.map(drop),
    ];
    for refused in refusals {
        let refused = refused.expect_err("another function was seen");
        assert_eq!(refused.code(), ErrorCode::FunctionChanged);
        assert!(refused.to_string().contains(&format!("\"{anew}\"")), "{refused}");
    }
    functions.delete(TENANT, &hello, Some(anew)).await.expect("deleted");
    house.shut_down().await;
}

#[tokio::test]
async fn what_was_called_is_not_read_again_and_a_stranger_finds_nothing() {
    let house = house(4, 4).await;
    let made = create(&house, "hello", "answer-echo\n").await;
    call(&house, "hello").await;
    let before = house.store.functions_read.load(Ordering::SeqCst);
    call(&house, "hello").await;
    call(&house, &format!("{}@1", made.function.id)).await;
    assert_eq!(house.store.functions_read.load(Ordering::SeqCst), before);
    let stranger = TenantId::generate();
    for text in ["hello".to_owned(), made.function.id.to_string()] {
        let error = house.orchestrator.functions().view(stranger, &which(&text)).await.expect_err("not theirs");
        assert_eq!(error.code(), ErrorCode::FunctionNotFound);
    }
    house.shut_down().await;
}

#[tokio::test]
async fn functions_survive_a_restart() {
    let ground = Ground::new();
    let first = house_on(&ground, 4, 4).await;
    create(&first, "hello", "answer-echo\n").await;
    first.shut_down().await;
    let second = house_on(&ground, 4, 4).await;
    assert_eq!(call(&second, "hello").await.status, ExecutionState::Succeeded);
    let listed = second.orchestrator.functions().list(TENANT, None, 10).await.expect("listed").0;
    assert_eq!(listed.iter().map(|view| view.function.name.as_str()).collect::<Vec<_>>(), ["hello"]);
    second.shut_down().await;
}

#[tokio::test]
async fn warm_instances_serve_their_version_only_and_end_with_it() {
    let house = house(8, 8).await;
    let functions = house.orchestrator.functions();
    create(&house, "one", "answer-echo\n").await;
    create(&house, "two", "answer-echo\n").await;
    assert_eq!(call(&house, "one").await.start.kind, "cold");
    assert_eq!(call(&house, "one").await.start.kind, "warm");
    assert_eq!(call(&house, "two").await.start.kind, "cold", "another function's");
    assert_eq!(house.orchestrator.stats().warm, 2);
    deploy(&house, "one", "answer-echo\n").await;
    bounded(async {
        while house.executor.live() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(call(&house, "one").await.start.kind, "cold");
    functions.go_live(TENANT, &which("one@1"), None).await.expect("rolled back");
    assert_eq!(call(&house, "one@2").await.start.kind, "cold", "neither live nor an alias");
    assert_eq!(call(&house, "one@2").await.start.kind, "cold", "so it was not kept");
    functions.delete(TENANT, &key("two"), None).await.expect("deleted");
    house.no_warm_but(0).await;
    house.shut_down().await;
}

#[tokio::test]
async fn a_call_that_runs_while_its_version_is_replaced_ends_well_and_is_not_kept() {
    let house = house(4, 4).await;
    create(&house, "slow", "wait-for-signal\n").await;
    let version = house.orchestrator.functions().resolve(TENANT, &which("slow")).await.expect("found");
    let mut running = house.attach(version.request(CallInput::default())).await;
    crate::house::started(&mut running.watch).await;
    deploy(&house, "slow", "answer-echo\n").await;
    let version = house.orchestrator.functions().resolve(TENANT, &which("slow")).await.expect("found");
    let next = house.attach(version.request(CallInput::default())).await;
    assert_eq!(bounded(next.watch.complete()).await.version.as_deref(), Some("2"));
    running.watch.canceller().cancel();
    let record = bounded(running.watch.complete()).await;
    assert_eq!(record.version.as_deref(), Some("1"));
    house.shut_down().await;
}

#[tokio::test]
async fn what_cannot_be_a_function_is_refused_by_its_field() {
    let house = house(4, 4).await;
    let functions = house.orchestrator.functions();
    let refused = async |change: fn(&mut FunctionSpec)| {
        let mut wrong = spec("answer-echo\n");
        change(&mut wrong);
        let error = functions.create(TENANT, name("wrong"), wrong).await.expect_err("refused");
        (error.code(), error.field())
    };
    assert_eq!(refused(|spec| spec.main = "other.py".to_owned()).await, (ErrorCode::InvalidField, Some("main")));
    assert_eq!(refused(|spec| spec.handler.clear()).await, (ErrorCode::InvalidField, Some("handler")));
    assert_eq!(refused(|spec| spec.scaling.max = 0).await, (ErrorCode::InvalidField, Some("scaling")));
    assert_eq!(refused(|spec| spec.routes = vec![String::new(); 257]).await.1, Some("routes"));
    let version = refused(|spec| spec.runtime.version = Some("2.7".to_owned())).await;
    assert_eq!(version, (ErrorCode::RuntimeMissing, Some("runtime")));
    let not_text = refused(|spec| spec.files[0].content = Bytes::from_static(b"\xff")).await;
    assert_eq!(not_text, (ErrorCode::NotText, Some("code")));
    let empty = refused(|spec| spec.files[0].content = Bytes::new()).await;
    assert_eq!(empty, (ErrorCode::CodeEmpty, Some("code")));
    assert_eq!(functions.list(TENANT, None, 10).await.expect("listed").0.len(), 0);
    house.shut_down().await;
}

fn http(body: &'static [u8]) -> HttpCall {
    HttpCall {
        method: "PUT".to_owned(),
        path: "/there".to_owned(),
        query: "a=b".to_owned(),
        headers: vec![("x-mine".to_owned(), Bytes::from_static(b"1"))],
        body: Bytes::from_static(body),
    }
}

async fn respond(house: &House, text: &str, http: HttpCall) -> faas_orchestrator::Attached {
    let version = house.orchestrator.functions().resolve(TENANT, &which(text)).await.expect("found");
    let request = version.request(CallInput { http: Some(http), ..CallInput::default() });
    let submission = Submission { respond: Respond::Stream, on_disconnect: OnDisconnect::Cancel, ..attached(request) };
    let Ok(Submitted::Attached(attached)) = house.orchestrator.submit(submission).await else { panic!("attached") };
    attached
}

#[tokio::test]
async fn a_response_comes_as_it_is_made_and_is_not_in_the_record() {
    let house = house(4, 4).await;
    create(&house, "echo", "answer-echo\n").await;
    let mut attached = respond(&house, "echo", http(b"hello")).await;
    let mut response = attached.response.take().expect("asked for");
    let Some(ResponsePart::Head(head)) = bounded(response.next()).await else { panic!("no head") };
    assert_eq!(head.status, 201);
    let mut body = Vec::new();
    loop {
        match bounded(response.next()).await {
            Some(ResponsePart::Body(bytes)) => body.extend_from_slice(&bytes),
            Some(ResponsePart::End) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(body, b"hello");
    assert_eq!(bounded(response.next()).await, None);
    let record = bounded(attached.watch.complete()).await;
    assert_eq!((record.status, record.result), (ExecutionState::Succeeded, Some(json!(null))));
    house.shut_down().await;
}

#[tokio::test]
async fn a_response_that_fails_or_never_comes_says_so() {
    let house = house(4, 4).await;
    create(&house, "raise", "raise\n").await;
    create(&house, "silent", "print 61 62 3\n").await;
    let mut attached = respond(&house, "raise", http(b"")).await;
    let mut response = attached.response.take().expect("asked for");
    assert!(matches!(bounded(response.next()).await, Some(ResponsePart::Failed(_))));
    assert_eq!(bounded(attached.watch.complete()).await.error_kind, Some(ErrorKind::UserError));
    let mut attached = respond(&house, "silent", http(b"")).await;
    let mut response = attached.response.take().expect("asked for");
    assert_eq!(bounded(response.next()).await, None);
    assert_eq!(bounded(attached.watch.complete()).await.exit_code, Some(3));
    house.shut_down().await;
}

#[tokio::test]
async fn whoever_reads_a_response_slowly_holds_nobody_but_its_program_up() {
    let house = house(4, 4).await;
    create(&house, "flood", "answer-flood 4000000\n").await;
    let mut attached = respond(&house, "flood", http(b"")).await;
    let response = attached.response.take().expect("asked for");
    crate::house::started(&mut attached.watch).await;
    // Nobody reads; a cancel is heard all the same.
    attached.watch.canceller().cancel();
    let record = bounded(attached.watch.complete()).await;
    assert_eq!(record.status, ExecutionState::Cancelled);
    drop(response);
    // Whoever goes away does not keep the program from its end.
    let mut attached = respond(&house, "flood", http(b"")).await;
    drop(attached.response.take());
    let record = tokio::time::timeout(BOUND, attached.watch.complete()).await.expect("in time");
    assert_eq!(record.status, ExecutionState::Succeeded);
    house.shut_down().await;
}

#[tokio::test]
async fn no_more_calls_run_at_once_than_a_function_allows_and_others_pass_it() {
    let house = house(4, 4).await;
    let functions = house.orchestrator.functions();
    let mut narrow = spec("wait-for-signal\n");
    narrow.scaling.max = 1;
    functions.create(TENANT, name("narrow"), narrow).await.expect("created");
    create(&house, "other", "answer-echo\n").await;
    let version = functions.resolve(TENANT, &which("narrow")).await.expect("found");
    let mut first = house.attach(version.request(CallInput::default())).await;
    crate::house::started(&mut first.watch).await;
    let mut second = house.attach(version.request(CallInput::default())).await;
    let third = house.attach(version.request(CallInput::default())).await;
    let refused = house.attach_as(TENANT, version.request(CallInput::default())).await.expect_err("half of the queue");
    assert_eq!(refused.code(), ErrorCode::FunctionBusy);
    let passing = functions.resolve(TENANT, &which("other")).await.expect("found");
    let passing = house.attach(passing.request(CallInput::default())).await;
    assert_eq!(bounded(passing.watch.complete()).await.status, ExecutionState::Succeeded);
    let stats = functions.stats(TENANT, &key("narrow")).await.expect("counted");
    assert_eq!((stats.running, stats.waiting), (1, 2));
    // One that waits can be cancelled; the next one begins when the first has ended.
    third.watch.canceller().cancel();
    assert_eq!(bounded(third.watch.complete()).await.status, ExecutionState::Cancelled);
    first.watch.canceller().cancel();
    bounded(first.watch.complete()).await;
    crate::house::started(&mut second.watch).await;
    second.watch.canceller().cancel();
    bounded(second.watch.complete()).await;
    settled(&house).await;
    let stats = functions.stats(TENANT, &key("narrow")).await.expect("counted");
    assert_eq!((stats.running, stats.waiting, stats.calls.cancelled, stats.calls.cold_starts), (0, 0, 3, 2));
    let all = house.orchestrator.calls();
    assert_eq!((all.succeeded, all.cancelled), (1, 3));
    house.shut_down().await;
}

#[tokio::test]
async fn a_function_made_anew_begins_its_numbers_and_the_whole_keeps_the_old_ones() {
    let house = house(4, 4).await;
    let functions = house.orchestrator.functions();
    create(&house, "hello", "answer-echo\n").await;
    call(&house, "hello").await;
    deploy(&house, "hello", "wait-for-signal\n").await;
    let version = functions.resolve(TENANT, &which("hello")).await.expect("found");
    let mut running = house.attach(version.request(CallInput::default())).await;
    crate::house::started(&mut running.watch).await;
    functions.delete(TENANT, &key("hello"), None).await.expect("deleted");
    create(&house, "hello", "answer-echo\n").await;
    // The call of the one that is gone ends while the new one has its name.
    running.watch.canceller().cancel();
    bounded(running.watch.complete()).await;
    settled(&house).await;
    let stats = functions.stats(TENANT, &key("hello")).await.expect("counted").calls;
    assert_eq!((stats.succeeded, stats.cancelled, stats.cold_starts, stats.latency), (0, 0, 0, None));
    call(&house, "hello").await;
    let stats = functions.stats(TENANT, &key("hello")).await.expect("counted").calls;
    assert_eq!((stats.succeeded, stats.cancelled), (1, 0));
    let all = house.orchestrator.calls();
    assert_eq!((all.succeeded, all.cancelled), (2, 1));
    house.shut_down().await;
}

#[tokio::test]
async fn a_route_that_collides_with_another_tenants_names_nothing_of_it() {
    let house = house(4, 4).await;
    let functions = house.orchestrator.functions();
    let routed = |route: &str| FunctionSpec { routes: vec![route.to_owned()], ..spec("answer-echo\n") };
    functions.create(TENANT, name("secret"), routed("GET:/users/{project}")).await.expect("created");
    let refused = async |tenant| {
        let refused = functions.create(tenant, name("other"), routed("GET:/users/{id}")).await.expect_err("taken");
        assert_eq!((refused.code(), refused.field()), (ErrorCode::RouteTaken, Some("routes")));
        refused.to_string()
    };
    let own = refused(TENANT).await;
    assert!(own.contains("leads to secret") && own.contains("{project}"), "{own}");
    let others = refused(TenantId::generate()).await;
    assert!(others.contains("GET:/users/{id} is taken by another tenant"), "{others}");
    assert!(!others.contains("secret") && !others.contains("project"), "{others}");
    house.shut_down().await;
}
