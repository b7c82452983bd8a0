//! What the client sends about functions, and what it takes for an answer of theirs.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use bytes::Bytes;
use faas_client::model::{ExecuteBody, ProgressEvent};
use faas_client::{Client, Question, Response};
use faas_types::{Contract, ErrorCode, ExecutionId, ExecutionRecord};
use serde_json::{Value, json as value};
use std::time::Duration;
use support::{json, over_tcp, problem};

const PATIENCE: Duration = Duration::from_secs(30);

fn function() -> Value {
    value!({
        "id": "fn_01890000000070008000000000000000", "name": "hello", "version": 2, "live": 2, "newest": 2, "etag": "7",
        "version_id": "ver_01890000000070008000000000000000", "aliases": {"next": 1},
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        "deployed_at": "2026-01-01T00:00:00Z", "runtime": "python", "shown_by_a_newer_server": true,
    })
}

async fn asked(answer: String, question: Question) -> (Result<(u16, Bytes), faas_client::ClientError>, String) {
    let (client, server) = over_tcp(vec![answer]).await;
    let answered = ask(&client, question).await;
    (answered, server.await.expect("served").remove(0).to_ascii_lowercase())
}

async fn ask(client: &Client, question: Question) -> Result<(u16, Bytes), faas_client::ClientError> {
    let Response { status, mut body, .. } = client.functions().ask_http("hello@2", question, PATIENCE).await?;
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok((status.as_u16(), Bytes::from(whole)))
}

#[tokio::test]
async fn a_change_names_what_it_has_seen() {
    let body = function().to_string();
    let refused = problem(412, "", "function_changed");
    let (client, server) = over_tcp(vec![json("200 OK", "", &body), refused]).await;
    let functions = client.functions();
    let changed = functions.update("hello", &value!({"timeout": 5}), Some("7")).await.expect("changed");
    assert_eq!((changed.version, changed.definition["runtime"].as_str()), (2, Some("python")));
    let refused = functions.delete("hello", Some("6")).await.expect_err("refused");
    assert_eq!(refused.known(), Some(ErrorCode::FunctionChanged));
    let requests = server.await.expect("served");
    let first = requests[0].to_ascii_lowercase();
    assert!(first.starts_with("put /api/v1/functions/hello http/1.1\r\n"), "{first}");
    assert!(first.contains("if-match: \"7\"\r\n") && first.ends_with(r#"{"timeout":5}"#), "{first}");
    assert!(requests[1].starts_with("DELETE ") && requests[1].contains("\"6\""), "{}", requests[1]);
}

#[tokio::test]
async fn what_a_change_tells_is_heard_until_its_end() {
    let heard = |answer: String| async move {
        let (client, server) = over_tcp(vec![answer]).await;
        let mut lines = Vec::new();
        let mut hears = |progress: ProgressEvent| lines.push(format!("{}: {}", progress.phase, progress.line));
        let changed = client.functions().update_telling("hello", &value!({}), Some("7"), &mut hears).await;
        let request = server.await.expect("served").remove(0).to_ascii_lowercase();
        assert!(request.contains("accept: text/event-stream") && request.contains("if-match: \"7\""), "{request}");
        (changed, lines)
    };
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let line = "event: progress\ndata: {\"phase\":\"building\",\"line\":\"a\"}\n\n";
    let of_a_newer_server = "event: other\ndata: {}\n\n: still here\n\n";
    let end = format!("event: function\ndata: {}\n\n", function());
    let (changed, lines) = heard(format!("{head}{line}{of_a_newer_server}{line}{end}")).await;
    assert_eq!((changed.expect("changed").version, lines.len()), (2, 2));

    let problem_event = problem(422, "", "build_failed");
    let problem_event = problem_event.split("\r\n\r\n").nth(1).expect("a body");
    let (refused, lines) = heard(format!("{head}{line}event: error\ndata: {problem_event}\n\n")).await;
    let refused = refused.expect_err("refused");
    assert_eq!((refused.known(), refused.status), (Some(ErrorCode::BuildFailed), Some(422)));
    assert_eq!(lines, ["building: a"]);

    // One that breaks off, and servers that tell nothing.
    let (lost, _) = heard(format!("{head}{line}")).await;
    assert_eq!(lost.expect_err("lost").known(), Some(ErrorCode::ServerUnreachable));
    let (changed, lines) = heard(json("200 OK", "", &function().to_string())).await;
    assert_eq!((changed.expect("changed").version, lines.len()), (2, 0));
    let (refused, _) = heard(problem(412, "", "function_changed")).await;
    assert_eq!(refused.expect_err("refused").known(), Some(ErrorCode::FunctionChanged));
}

#[tokio::test]
async fn a_call_with_a_key_is_repeated_and_one_without_is_not() {
    let record = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Handler, "process");
    let body = serde_json::to_string(&record).expect("JSON");
    let busy = || problem(503, "retry-after: 0\r\n", "queue_full");
    let (client, server) = over_tcp(vec![busy(), json("200 OK", "", &body), busy()]).await;
    let call = ExecuteBody { input: Some(value!({"a": 1})), wait: Some(true), ..ExecuteBody::default() };
    assert_eq!(client.functions().invoke("hello@2", &call, Some("k"), PATIENCE).await, Ok(record));
    let refused = client.functions().invoke("hello", &call, None, PATIENCE).await.expect_err("refused");
    assert_eq!(refused.known(), Some(ErrorCode::QueueFull));
    let requests = server.await.expect("served");
    assert!(requests[1].starts_with("POST /api/v1/functions/hello%402/invoke HTTP/1.1\r\n"), "{}", requests[1]);
    assert!(requests[1].ends_with(r#"{"input":{"a":1},"wait":true}"#), "{}", requests[1]);
}

#[tokio::test]
async fn every_answer_of_a_function_is_an_answer_and_a_refusal_of_the_server_is_an_error() {
    let headers = vec![("Accept".to_owned(), "text/x".to_owned()), ("Content-Type".to_owned(), "text/y".to_owned())];
    let question = Question { method: "PATCH".to_owned(), path: "/a?b=c".to_owned(), headers, body: Some("x".into()) };
    let own = "HTTP/1.1 418 I\r\ncontent-type: application/problem+json\r\nx-faas-execution-id: exe_1\r\n\
               content-length: 4\r\n\r\nmine";
    let (answered, request) = asked(own.to_owned(), question).await;
    assert_eq!(answered, Ok((418, Bytes::from_static(b"mine"))));
    assert!(request.starts_with("patch /api/v1/functions/hello%402/http/a?b=c http/1.1\r\n"), "{request}");
    for (part, times) in
        [("accept: text/x\r\n", 1), ("accept:", 1), ("content-type: text/y\r\n", 1), ("content-type:", 1)]
    {
        assert_eq!(request.matches(part).count(), times, "{part}: {request}");
    }
    let servers = problem(404, "", "function_not_found").replace("application/json", "application/problem+json");
    let (answered, _) = asked(servers, Question { path: "/".to_owned(), ..Question::default() }).await;
    assert_eq!(answered.expect_err("refused").known(), Some(ErrorCode::FunctionNotFound));
}
