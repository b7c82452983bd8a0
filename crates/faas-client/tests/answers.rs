//! What the client makes of good, bad and missing answers.

mod support;

use faas_client::model::{ExecuteBody, StreamName};
use faas_client::{Client, Connect, RetryPolicy};
use faas_types::{Contract, ErrorCode, ExecutionId, ExecutionRecord};
use std::time::Duration;
use support::{in_process, json, over_tcp, problem, request, scripted};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

const HEALTH: &str = r#"{"status":"ok","version":"1"}"#;

fn record() -> ExecutionRecord {
    ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Command, "process")
}

fn body() -> ExecuteBody {
    ExecuteBody { command: Some(vec!["true".to_owned()]), ..ExecuteBody::default() }
}

#[tokio::test]
async fn an_answer_is_read_and_the_request_says_what_is_wanted() {
    let record = record();
    let text = serde_json::to_string(&record).expect("JSON");
    let (client, server) = over_tcp(vec![json("202 Accepted", "", &text), json("200 OK", "", &text)]).await;
    assert_eq!(client.submit(&body(), Some("key-1")).await.as_ref(), Ok(&record));
    assert_eq!(client.get("../../secret?x#y").await, Ok(record));
    let requests = server.await.expect("served");
    let first = requests[0].to_ascii_lowercase();
    assert!(first.starts_with("post /api/v1/executions http/1.1\r\n"), "{first}");
    for part in ["host: 127.0.0.1:", "idempotency-key: key-1", "content-type: application/json", r#""wait":false"#] {
        assert!(first.contains(part), "{part} is missing in {first}");
    }
    // Whatever an id is, the path stays below the executions.
    assert!(requests[1].starts_with("GET /api/v1/executions/..%2F..%2Fsecret%3Fx%23y HTTP/1.1"), "{}", requests[1]);
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_code_and_its_request() {
    let (client, _server) = over_tcp(vec![problem(404, "", "execution_not_found")]).await;
    let error = client.get("exe_1").await.expect_err("refused");
    assert_eq!((error.known(), error.status), (Some(ErrorCode::ExecutionNotFound), Some(404)));
    assert_eq!((error.detail.as_str(), error.request_id.as_deref()), ("about execution_not_found", Some("req_7")));
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let (near, far) = tokio::io::duplex(4096);
    let near = std::sync::Mutex::new(Some(near));
    let open = move || near.lock().expect("whole").take().expect("one connection");
    let client = Client::with_key(Connect::InProcess(std::sync::Arc::new(open)), "the-secret-key").expect("text");
    assert!(!format!("{client:?}").contains("the-secret-key"));
    let server = tokio::spawn(async move {
        let mut far = far;
        let request = request(&mut far).await;
        far.write_all(json("200 OK", "", HEALTH).as_bytes()).await.expect("written");
        request
    });
    client.health().await.expect("healthy");
    assert!(server.await.expect("served").contains("authorization: Bearer the-secret-key\r\n"));
    let newline = Client::with_key(Connect::Tcp("localhost".parse().expect("an address")), "a\nb");
    assert_eq!(newline.expect_err("refused").known(), Some(ErrorCode::InvalidField));
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_repeated_as_patiently_as_the_server_asks() {
    let busy = |header| problem(503, header, "stopping");
    let begin = tokio::time::Instant::now();
    let (client, server) = scripted(vec![busy("retry-after: 7\r\n"), busy(""), json("200 OK", "", HEALTH)]);
    assert_eq!(client.health().await.expect("in the end").status, "ok");
    assert_eq!(server.await.expect("served").len(), 3);
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_millis(7400) && waited < Duration::from_secs(8), "{waited:?}");

    let answer = serde_json::to_string(&record()).expect("JSON");
    let limited = problem(429, "retry-after: 1\r\n", "queue_full");
    let (client, server) = scripted(vec![limited, json("200 OK", "", &answer)]);
    client.execute(&body(), Some("key"), Duration::from_secs(9)).await.expect("in the end");
    let requests = server.await.expect("served");
    assert_eq!(requests[0], requests[1], "the same request with the same key");
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_repeated_is_sent_once() {
    for answer in [problem(503, "retry-after: 0\r\n", "queue_full"), String::new()] {
        let (client, server) = scripted(vec![answer.clone(), answer]);
        client.submit(&body(), None).await.expect_err("refused or lost");
        assert!(!server.is_finished(), "a second request was made");
        drop(client);
        assert_eq!(server.await.expect("ended").len(), 1);
    }
    let (client, server) = scripted(vec![problem(503, "", "stopping"); 2]);
    let client = client.retries(RetryPolicy::NEVER);
    client.health().await.expect_err("refused");
    drop(client);
    assert_eq!(server.await.expect("ended").len(), 1);
    // The end of what is tried at all.
    let (client, server) = scripted(vec![problem(503, "", "stopping"); 9]);
    assert_eq!(client.health().await.expect_err("refused").known(), Some(ErrorCode::Stopping));
    drop(client);
    assert_eq!(server.await.expect("ended").len(), 4);
}

#[tokio::test]
async fn nobody_at_the_address_is_named_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let client = Client::new(Connect::Tcp(address.parse().expect("an address")));
    let error = client.health().await.expect_err("nobody is there");
    assert_eq!((error.known(), error.status), (Some(ErrorCode::ServerUnreachable), None));
    assert!(error.detail.contains(&address) && error.detail.contains("faas serve"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_given_up() {
    let (client, mut connections) = in_process();
    let begin = tokio::time::Instant::now();
    let error = client.health().await.expect_err("silence");
    assert_eq!(error.known(), Some(ErrorCode::ServerUnreachable));
    assert!(begin.elapsed() < Duration::from_secs(31), "{:?}", begin.elapsed());
    assert!(connections.recv().await.is_some(), "there was a connection");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors_and_no_memory() {
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}", "x".repeat(40 << 20));
    let cases = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{\"status\":", ErrorCode::ServerUnreachable),
        ("SSH-2.0-OpenSSH_9.2\r\n", ErrorCode::ServerUnreachable),
        ("", ErrorCode::ServerUnreachable),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", ErrorCode::Internal),
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", ErrorCode::Internal),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>", ErrorCode::Internal),
        (endless.as_str(), ErrorCode::Internal),
    ];
    for (answer, code) in cases {
        let (client, _server) = over_tcp(vec![answer.to_owned()]).await;
        let error = client.health().await.expect_err("nonsense");
        assert_eq!(error.known(), Some(code), "{:?}: {error}", &answer[..answer.len().min(60)]);
        assert!(error.detail.len() < 500, "{error}");
    }
}

#[tokio::test]
async fn connections_are_kept_and_replaced_when_the_server_has_closed_them() {
    let (client, mut connections) = in_process();
    let server = tokio::spawn(async move {
        let mut first = connections.recv().await.expect("a connection");
        for _ in 0..2 {
            request(&mut first).await;
            first.write_all(json("200 OK", "", HEALTH).as_bytes()).await.expect("written");
        }
        // Gone just when the third request has been sent.
        request(&mut first).await;
        drop(first);
        let mut second = connections.recv().await.expect("another connection");
        request(&mut second).await;
        second.write_all(json("200 OK", "", HEALTH).as_bytes()).await.expect("written");
    });
    for _ in 0..3 {
        client.health().await.expect("healthy");
    }
    server.await.expect("served");
}

#[tokio::test]
async fn logs_are_bytes_and_a_lost_connection_is_no_end() {
    let whole =
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n";
    let (client, server) = over_tcp(vec![format!("{whole}0\r\n\r\n"), whole.to_owned()]).await;
    for complete in [true, false] {
        let mut logs = client.logs("exe_1", Some(StreamName::Stderr), true).await.expect("logs");
        let (mut bytes, mut end) = (Vec::new(), Ok(()));
        while let Some(piece) = logs.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(error) => end = Err(error.known()),
            }
        }
        assert_eq!(bytes, b"abcde");
        assert_eq!(end, if complete { Ok(()) } else { Err(Some(ErrorCode::ServerUnreachable)) });
    }
    let requests = server.await.expect("served");
    assert!(requests[0].starts_with("GET /api/v1/executions/exe_1/logs?follow=true&stream=stderr HTTP/1.1"));
}
