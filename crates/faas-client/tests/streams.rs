//! Streams that break, repeat themselves, fall silent and end.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use faas_client::model::StreamEvent;
use faas_client::{ClientError, Event};
use faas_types::{Contract, ErrorCode, ErrorKind, ExecutionId, ExecutionRecord, ExecutionState};
use std::time::Duration;
use support::{events, in_process, json, problem, request, scripted};
use tokio::io::AsyncWriteExt as _;

fn record() -> ExecutionRecord {
    ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Command, "process").ended(
        ExecutionState::Failed,
        ErrorKind::Platform,
        "a test",
    )
}

fn started() -> String {
    format!(r#"{{"seq":1,"type":"started","execution_id":"{}"}}"#, ExecutionId::generate())
}

fn output(seq: u64, text: &str) -> String {
    format!(r#"{{"seq":{seq},"type":"output","stream":"stdout","data":"{text}"}}"#)
}

fn complete(seq: u64) -> String {
    serde_json::to_string(&StreamEvent::complete(seq, record())).expect("JSON")
}

async fn all(client: &faas_client::Client, last: Option<u64>) -> Vec<Result<Event, ClientError>> {
    let mut stream = client.stream("exe_1", last);
    let mut seen = Vec::new();
    while let Some(event) = stream.next().await {
        seen.push(event);
    }
    assert!(stream.next().await.is_none(), "nothing follows the end");
    seen
}

fn numbers(seen: &[Result<Event, ClientError>]) -> Vec<u64> {
    seen.iter().map(|event| event.as_ref().expect("an event").seq()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_goes_on_after_the_last_event_and_gives_each_once() {
    let unknown = r#"{"seq":3,"type":"of a newer server"}"#;
    let (client, server) = scripted(vec![
        events(&[&started(), &output(2, "a")]) + "data: {\"seq\":3,\"type\":\"out",
        String::new(),
        events(&[&output(2, "a"), unknown, &output(4, "b"), &output(4, "b"), &complete(5), &output(6, "c")]),
    ]);
    let seen = all(&client, None).await;
    assert_eq!(numbers(&seen), [1, 2, 4, 5]);
    let requests = server.await.expect("served");
    assert!(!requests[0].contains("last-event-id"), "{}", requests[0]);
    assert!(requests[0].starts_with("GET /api/v1/executions/exe_1/stream HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].contains("accept: text/event-stream"), "{}", requests[0]);
    assert!(requests[1].contains("last-event-id: 2\r\n") && requests[2].contains("last-event-id: 2\r\n"));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_was_too_slow_goes_on() {
    let slow = r#"{"type":"error","code":"reader_too_slow","detail":"too slow","error":"too slow"}"#;
    let (client, _server) = scripted(vec![events(&[&started(), slow]), events(&[&complete(2)])]);
    assert_eq!(numbers(&all(&client, None).await), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_restarted_before_it_began_is_waited_for() {
    let stopping = r#"{"type":"error","code":"stopping","detail":"stopping","error":"stopping"}"#;
    let (client, server) =
        scripted(vec![events(&[stopping]), String::new(), events(&[&started(), stopping]), events(&[&complete(2)])]);
    assert_eq!(numbers(&all(&client, None).await), [1, 2]);
    assert_eq!(server.await.expect("served").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_says_anything_new_is_given_up() {
    let (client, server) = scripted(vec![events(&[&output(7, "old")]); 20]);
    let seen = all(&client, Some(7)).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].as_ref().expect_err("given up").known(), Some(ErrorCode::ServerUnreachable));
    drop(client);
    assert_eq!(server.await.expect("ended").len(), 6);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_connection_and_a_heartbeat_does_not() {
    let (client, mut connections) = in_process();
    let server = tokio::spawn(async move {
        let mut first = connections.recv().await.expect("a connection");
        request(&mut first).await;
        first.write_all(events(&[&started()]).as_bytes()).await.expect("written");
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            first.write_all(b": alive\n\n").await.expect("still read");
        }
        // Now silent, and not closed.
        let mut second = connections.recv().await.expect("another connection");
        let resumed = request(&mut second).await;
        second.write_all(events(&[&complete(2)]).as_bytes()).await.expect("written");
        drop(first);
        resumed
    });
    assert_eq!(numbers(&all(&client, None).await), [1, 2]);
    assert!(server.await.expect("served").contains("last-event-id: 1\r\n"));
}

#[tokio::test(start_paused = true)]
async fn refusals_and_nonsense_end_a_stream_at_once() {
    for (answer, code) in [
        (problem(404, "", "execution_not_found"), ErrorCode::ExecutionNotFound),
        (
            events(&[r#"{"type":"error","code":"storage_unavailable","detail":"d","error":"d"}"#]),
            ErrorCode::StorageUnavailable,
        ),
        (events(&["no JSON"]), ErrorCode::Internal),
    ] {
        let (client, _server) = scripted(vec![answer]);
        let seen = all(&client, None).await;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].as_ref().expect_err("the end").known(), Some(code));
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_record_or_with_the_patience() {
    let record = record();
    let text = serde_json::to_string(&record).expect("JSON");
    let (client, _server) = scripted(vec![events(&[&started(), &complete(2)]), json("200 OK", "", &text)]);
    assert_eq!(client.wait("exe_1", Duration::from_secs(5)).await, Ok(record));

    let refused = r#"{"type":"error","code":"command_not_found","detail":"d","error":"d"}"#;
    let (client, _server) = scripted(vec![events(&[refused, &complete(1)]), json("200 OK", "", &text)]);
    let waited = client.wait("exe_1", Duration::from_secs(5)).await.expect("that it never began is how it ended");
    assert_eq!(waited.status, ExecutionState::Failed);

    let queued = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Command, "process");
    let queued = serde_json::to_string(&queued).expect("JSON");
    let failing = r#"{"type":"error","code":"storage_unavailable","detail":"d","error":"d"}"#;
    let (client, _server) = scripted(vec![events(&[failing]), json("200 OK", "", &queued)]);
    let error = client.wait("exe_1", Duration::from_secs(5)).await.expect_err("it has not ended");
    assert_eq!(error.known(), Some(ErrorCode::StorageUnavailable));

    let (client, mut connections) = in_process();
    let server = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Some(mut stream) = connections.recv().await {
            request(&mut stream).await;
            stream.write_all(events(&[]).as_bytes()).await.expect("written");
            open.push(stream);
        }
    });
    let error = client.wait("exe_1", Duration::from_secs(300)).await.expect_err("it never ends");
    assert!(error.detail.contains("has not ended"), "{error}");
    drop(client);
    server.await.expect("ended");
}

#[tokio::test(start_paused = true)]
async fn the_platforms_events_are_followed_over_restarts() {
    let event =
        |seq| format!(r#"{{"seq":{seq},"at":"2026-01-01T00:00:00Z","kind":"k","execution_id":null,"detail":"d"}}"#);
    let (client, server) = scripted(vec![events(&[&event(4)]), events(&[&event(4), &event(5)])]);
    let mut stream = client.follow_events(3);
    for seq in [4, 5] {
        assert_eq!(stream.next().await.expect("goes on").expect("an event").seq, seq);
    }
    let requests = server.await.expect("served");
    assert!(requests[0].contains("last-event-id: 3\r\n") && requests[1].contains("last-event-id: 4\r\n"));
}
