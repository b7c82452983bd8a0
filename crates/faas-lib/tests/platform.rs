//! The embedded platform on the fake executor: one path from request to record, and nothing left.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use bytes::Bytes;
use faas_executor_api::fake::{FakeExecutor, FakeHost};
use faas_lib::{
    CallError, ExecuteError, Execution, ExecutionEvent, ExecutionRecord, ExecutionRequest, ExecutionState, InputItem,
    NotStarted, Platform, SubmitError, Work,
};
use faas_types::{Contract, ErrorCode, ErrorKind, Language, Layer};
use serde_json::json;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long anything here may take before the test fails.
const BOUND: Duration = Duration::from_secs(30);

struct House {
    executor: Arc<FakeExecutor>,
    platform: Platform,
}

async fn house(host: FakeHost) -> House {
    let executor = Arc::new(FakeExecutor::new(host));
    House { platform: Platform::from_executor(executor.clone()).await.expect("a platform"), executor }
}

fn script(code: &str) -> ExecutionRequest {
    ExecutionRequest::new(Work::Script {
        code: Bytes::copy_from_slice(code.as_bytes()),
        name: "main.py".to_owned(),
        language: Language::Python,
        contract: Contract::Script,
    })
}

fn command(words: &str) -> ExecutionRequest {
    ExecutionRequest::new(Work::Command { argv: words.split(' ').map(str::to_owned).collect() })
}

fn print(stdout: &str, stderr: &str, exit: u8) -> String {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("print {} {} {exit}\n", hex(stdout), hex(stderr))
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("in time")
}

/// Everything an execution says to its end.
async fn to_end(mut execution: Execution) -> (Vec<u8>, Vec<u8>, ExecutionRecord) {
    bounded(async {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match execution.next().await.expect("a record ends it") {
                ExecutionEvent::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                ExecutionEvent::Stderr(bytes) => stderr.extend_from_slice(&bytes),
                ExecutionEvent::Complete(record) => {
                    assert_eq!(execution.next().await, None, "nothing follows the record");
                    return (stdout, stderr, *record);
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_script_streams_ends_and_is_recorded() {
    let House { executor, platform } = house(FakeHost::default()).await;
    let execution = platform.start(script(&print("out\n", "err\n", 3))).await.expect("started");
    let id = execution.id;
    let (stdout, stderr, record) = to_end(execution).await;
    assert_eq!((stdout.as_slice(), stderr.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
    assert_eq!((record.stdout.as_str(), record.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!((record.id, record.execution_id, record.exit_code), (id, id, Some(3)));
    assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::UserError)));
    assert_eq!((record.language, record.executor.as_str()), (Some(Language::Python), "fake"));
    let isolation = record.isolation.expect("it had a sandbox");
    assert!(isolation.missing.is_empty() && !isolation.layers.is_empty());
    assert!(Some(record.created_at) <= record.started_at && record.started_at <= record.finished_at);
    bounded(platform.shutdown()).await;
    assert_eq!(executor.live(), 0);
}

#[tokio::test]
async fn input_and_argv_json_go_their_ways() {
    let House { platform, .. } = house(FakeHost::default()).await;
    let mut request = script("environment\n");
    request.input = Some(json!({"n": 1}));
    let (stdout, _, _) = to_end(platform.start(request).await.expect("started")).await;
    let stdout = String::from_utf8(stdout).expect("text");
    assert!(stdout.contains("FAAS_INPUT={\"n\":1}"), "{stdout}");

    let mut request = script(&print("log\n{\"sum\":3}\n", "", 0));
    if let Work::Script { contract, .. } = &mut request.work {
        *contract = Contract::ArgvJson;
    }
    let (_, _, record) = to_end(platform.start(request).await.expect("started")).await;
    assert_eq!((record.result, record.status), (Some(json!({"sum": 3})), ExecutionState::Succeeded));
    bounded(platform.shutdown()).await;
}

#[tokio::test]
async fn stdin_streams_in_while_output_streams_out() {
    let House { platform, .. } = house(FakeHost::default()).await;
    let mut execution = platform.start(command("fake echo")).await.expect("started");
    for line in ["one\n", "two\n"] {
        execution.input.send(InputItem::Stdin(Bytes::from_static(line.as_bytes()))).await.expect("taken");
        let event = bounded(execution.next()).await;
        assert_eq!(event, Some(ExecutionEvent::Stdout(Bytes::from_static(line.as_bytes()))));
    }
    execution.input.send(InputItem::Eof).await.expect("taken");
    let (_, _, record) = to_end(execution).await;
    assert_eq!((record.stdout.as_str(), record.language), ("one\ntwo\n", None));
    bounded(platform.shutdown()).await;
}

#[tokio::test]
async fn limits_end_it_with_their_kind() {
    let House { platform, .. } = house(FakeHost::default()).await;
    let mut request = command("fake sleep");
    request.timeout = Duration::from_millis(20);
    let (_, _, record) = to_end(platform.start(request).await.expect("started")).await;
    assert_eq!((record.error_kind, record.exit_code), (Some(ErrorKind::Timeout), None));
    let request = command("fake allocate 1073741824");
    let (_, _, record) = to_end(platform.start(request).await.expect("started")).await;
    assert_eq!(record.error_kind, Some(ErrorKind::Oom));
    bounded(platform.shutdown()).await;
}

#[tokio::test]
async fn cancelling_ends_it_as_cancelled() {
    let House { executor, platform } = house(FakeHost::default()).await;
    let execution = platform.start(command("fake sleep")).await.expect("started");
    execution.cancel();
    let (_, _, record) = to_end(execution).await;
    assert_eq!((record.status, record.error_kind), (ExecutionState::Cancelled, Some(ErrorKind::Cancelled)));
    bounded(platform.shutdown()).await;
    assert_eq!(executor.live(), 0);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing() {
    let House { executor, platform } = house(FakeHost::default()).await;
    // One that sleeps, one that writes without a reader, one that is dropped while it starts.
    drop(platform.start(command("fake sleep")).await.expect("started"));
    drop(platform.start(command("fake print-forever")).await.expect("started"));
    tokio::select! {
        biased;
        () = std::future::ready(()) => {}
        _ = platform.start(command("fake sleep")) => {}
    }
    bounded(async {
        while executor.live() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    bounded(platform.shutdown()).await;
}

#[tokio::test]
async fn a_shutdown_ends_what_runs_and_takes_nothing_new() {
    let House { executor, platform } = house(FakeHost::default()).await;
    let sleeping = platform.start(command("fake sleep")).await.expect("started");
    // Nobody reads this one.
    let _flooding = platform.start(command("fake print-forever")).await.expect("started");
    bounded(platform.shutdown()).await;
    assert_eq!(executor.live(), 0);
    let (_, _, record) = to_end(sleeping).await;
    assert_eq!(record.status, ExecutionState::Cancelled);
    let error = platform.start(command("fake nothing")).await.expect_err("stopping");
    assert!(matches!(error, ExecuteError::Submit(SubmitError::Stopping)), "{error}");
    bounded(platform.shutdown()).await;
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_its_code_and_leaves_nothing() {
    let host = FakeHost { languages: vec![Language::Bash], max_sandboxes: 1, ..FakeHost::default() };
    let House { executor, platform } = house(host).await;
    let mut bad = command("fake nothing");
    bad.timeout = Duration::ZERO;
    for (request, code) in [
        (bad, ErrorCode::InvalidField),
        (script("nothing\n"), ErrorCode::RuntimeMissing),
        (command("no-such-program"), ErrorCode::CommandNotFound),
    ] {
        let error = platform.start(request).await.expect_err("refused");
        assert_eq!(error.code(), code, "{error}");
        if code == ErrorCode::CommandNotFound {
            let ExecuteError::NotStarted { why, .. } = &error else { panic!("{error}") };
            assert!(matches!(**why, NotStarted::Call(CallError::NotFound { .. })));
        }
    }
    // The refused command's sandbox goes in the background.
    bounded(async {
        while executor.live() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let held = platform.start(command("fake sleep")).await.expect("started");
    let error = platform.start(command("fake nothing")).await.expect_err("refused");
    assert_eq!(error.code(), ErrorCode::AtCapacity, "{error}");
    drop(held);
    bounded(platform.shutdown()).await;

    let bare = FakeHost { layers: vec![Layer::Pid], ..FakeHost::default() };
    let House { platform, .. } = house(bare).await;
    let error = platform.start(command("fake nothing")).await.expect_err("refused");
    assert_eq!(error.code(), ErrorCode::IsolationUnavailable);
    assert!(error.to_string().contains("--isolation standard"), "{error}");
}
