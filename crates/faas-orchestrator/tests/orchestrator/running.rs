//! An execution from its request to its record.

use crate::house::{House, PIDS_THAT_PANIC, attached, bounded, command, house, script, started};
use bytes::Bytes;
use faas_executor_api::InputItem;
use faas_orchestrator::{ExecutionRequest, NotStarted, Stdin, StreamName, Submission, Submitted, Watched, Work};
use faas_types::{Contract, ErrorCode, ErrorKind, ExecutionRecord, ExecutionState, Mode};

async fn run(house: &House, submission: Submission) -> ExecutionRecord {
    let submitted = house.orchestrator.submit(submission).await.expect("accepted");
    let Submitted::Attached(attached) = submitted else { panic!("{submitted:?}") };
    bounded(attached.watch.complete()).await
}

#[tokio::test]
async fn an_attached_one_is_journaled_and_its_output_is_there_later() {
    let house = house(4, 4).await;
    let mut request = script("print 6f7574 657272 3\n");
    request.labels = [("team".to_owned(), "blue".to_owned())].into();
    let record = run(&house, attached(request)).await;
    assert_eq!((record.status, record.exit_code), (ExecutionState::Failed, Some(3)));
    assert_eq!((record.stdout.as_str(), record.stderr.as_str()), ("out", "err"));
    assert_eq!((record.mode, record.labels["team"].as_str()), (Mode::Ephemeral, "blue"));
    assert_eq!((record.executor.as_str(), record.start.kind.as_str()), ("fake", "cold"));
    assert!(record.isolation.is_some() && record.started_at.is_some() && record.finished_at.is_some());
    let start = &record.start;
    assert!(start.total_us >= start.queued_us + start.start_us + start.run_us, "{start:?}");

    assert_eq!(house.get(record.id).await, record, "from the store and the log");
    let stored = house.stored(record.id).await.expect("it is in the store");
    assert_eq!((stored.stdout.as_str(), stored.stderr.as_str()), ("", ""), "stores keep no output");
    house.shut_down().await;
}

#[tokio::test]
async fn input_comes_whole_or_as_it_is_typed() {
    let house = house(4, 4).await;
    let whole = Bytes::from(vec![b'x'; 300_000]);
    let record = run(&house, Submission { stdin: Stdin::Bytes(whole), ..attached(command("fake echo")) }).await;
    assert_eq!(record.stdout_bytes, 300_000);

    let submission = Submission { stdin: Stdin::Open, ..attached(command("fake echo")) };
    house.executor.open.send_replace(false);
    let Ok(Submitted::Attached(mut attached)) = house.orchestrator.submit(submission).await else { panic!() };
    let input = attached.input.take().expect("it is open");
    // Held until the program starts.
    input.send(InputItem::Stdin(Bytes::from_static(b"early\n"))).await.expect("taken");
    house.executor.open.send_replace(true);
    started(&mut attached.watch).await;
    let early = bounded(attached.watch.next()).await;
    let bytes = Bytes::from_static(b"early\n");
    assert_eq!(early, Some(Watched::Output { seq: 2, stream: StreamName::Stdout, bytes }));
    input.send(InputItem::Eof).await.expect("taken");
    let record = bounded(attached.watch.complete()).await;
    assert_eq!((record.status, record.stdout.as_str()), (ExecutionState::Succeeded, "early\n"));
    bounded(input.closed()).await;
    house.shut_down().await;
}

#[tokio::test]
async fn what_cannot_be_started_ends_with_its_reason() {
    let house = house(4, 4).await;
    let mut attached = house.attach(command("no-such-program")).await;
    let Some(Watched::Complete { seq: 1, record }) = bounded(attached.watch.next()).await else { panic!("an end") };
    assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::UserError)));
    assert!(record.error.as_deref().is_some_and(|error| error.contains("no-such-program")), "{record:?}");
    assert_eq!(record.started_at, None);
    let why = attached.watch.not_started().expect("a reason");
    assert_eq!(why.code(), Some(ErrorCode::CommandNotFound));
    assert!(matches!(*why, NotStarted::Call(_)));
    assert_eq!(bounded(attached.watch.next()).await, None);
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test]
async fn a_fault_of_ours_costs_one_execution_and_nothing_else() {
    let house = house(1, 4).await;
    let mut request = command("fake nothing");
    request.resources.pids = PIDS_THAT_PANIC;
    let mut faulty = house.attach(request).await;
    let mut next = house.attach(command("fake nothing")).await;
    let id = faulty.id;
    let Some(Watched::Complete { record, .. }) = bounded(faulty.watch.next()).await else { panic!("an end") };
    assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::Platform)));
    assert_eq!(house.stored(id).await.expect("it is kept").status, ExecutionState::Failed);
    // What comes next has the slot.
    let last = house.attach(command("fake nothing")).await;
    started(&mut next.watch).await;
    assert_eq!(bounded(next.watch.complete()).await.status, ExecutionState::Succeeded);
    assert_eq!(bounded(last.watch.complete()).await.status, ExecutionState::Succeeded);
    house.shut_down().await;
}

#[tokio::test]
async fn what_is_wrong_or_cannot_be_done_here_is_refused() {
    let house = house(4, 4).await;
    for (mut request, code, field) in [
        (script(""), ErrorCode::CodeEmpty, Some("code")),
        (script("nothing\n"), ErrorCode::FieldUnsupported, Some("mode")),
        (command("fake nothing"), ErrorCode::ResourcesAboveHost, None),
    ] {
        match code {
            ErrorCode::FieldUnsupported => request.mode = Mode::Branched,
            ErrorCode::ResourcesAboveHost => request.resources.memory = faas_types::ByteSize::mib(1 << 20),
            _ => {}
        }
        let error = house.orchestrator.submit(attached(request)).await.expect_err("refused");
        assert_eq!((error.code(), error.field()), (code, field), "{error}");
    }
    let open = Submission { stdin: Stdin::Open, ..crate::house::detached(command("fake echo")) };
    let error = house.orchestrator.submit(open).await.expect_err("refused");
    assert_eq!((error.code(), error.field()), (ErrorCode::InvalidField, Some("stdin")));
    assert_eq!(house.orchestrator.stats().running, 0);
    house.shut_down().await;
}

#[tokio::test]
async fn a_cgi_program_is_asked_as_a_handler_is() {
    let house = house(4, 4).await;
    let cgi = |code: &str| {
        let Work::Script { code, name, language, .. } = script(code).work else { panic!("a script") };
        let work = Work::Script { code, name, language, contract: Contract::Cgi };
        attached(ExecutionRequest { input: Some(serde_json::json!([1])), ..ExecutionRequest::new(work) })
    };
    let record = run(&house, cgi("answer-echo\n")).await;
    assert_eq!((record.status, record.contract), (ExecutionState::Succeeded, Contract::Cgi));
    assert_eq!(record.result, Some(serde_json::json!("[1]")));

    let record = run(&house, cgi("raise\n")).await;
    assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::UserError)));
    assert_eq!(record.error.as_deref(), Some("ValueError: mine"));
    house.shut_down().await;
}

#[tokio::test]
async fn a_handler_is_asked_with_its_input_and_its_answer_is_the_result() {
    let house = house(4, 4).await;
    let handler = |code: &str, input: serde_json::Value| {
        let Work::Script { code, name, language, .. } = script(code).work else { panic!("a script") };
        let work = Work::Script { code, name, language, contract: Contract::Handler };
        attached(ExecutionRequest { input: Some(input), ..ExecutionRequest::new(work) })
    };
    let record = run(&house, handler("answer-echo\n", serde_json::json!({"name": "World"}))).await;
    assert_eq!((record.status, record.contract), (ExecutionState::Succeeded, Contract::Handler));
    assert_eq!(record.result, Some(serde_json::json!(r#"{"name":"World"}"#)));

    let record = run(&house, handler("raise\n", serde_json::json!(1))).await;
    assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::UserError)));
    assert_eq!((record.error.as_deref(), record.exit_code), (Some("ValueError: mine"), Some(1)));

    let record = run(&house, handler("nothing\n", serde_json::json!(1))).await;
    assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::UserError)));
    assert!(record.error.as_deref().is_some_and(|error| error.contains("before it had answered")), "{record:?}");

    let record = run(&house, handler("answer-flood 2000000\n", serde_json::json!(1))).await;
    assert!(record.error.as_deref().is_some_and(|error| error.contains("1048576")), "{record:?}");
    house.shut_down().await;
}
