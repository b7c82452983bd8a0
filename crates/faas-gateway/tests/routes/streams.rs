//! SSE and logs: every event once, from any point, as it happens.

use crate::harness::{House, printing, within};
use crate::schema;
use axum::body::Body;
use axum::http::Request;
use faas_executor_api::fake::FakeHost;
use faas_gateway::HttpLimits;
use faas_types::ExecutionState;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

const EXECUTIONS: &str = "/api/v1/executions";

/// The events of an SSE body, each held against its schema.
fn parse(house: &House, text: &str) -> Vec<Value> {
    let schema = json!({"$ref": "#/components/schemas/StreamEvent"});
    text.split("\n\n")
        .filter(|block| !block.is_empty() && !block.starts_with(':'))
        .map(|block| {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            let data: Value = serde_json::from_str(field("data: ").expect("data")).expect("json");
            schema::check(&house.document, &schema, &data).unwrap_or_else(|fault| panic!("{fault}\n{data}"));
            assert_eq!(field("event: "), data["type"].as_str());
            assert_eq!(field("id: ").map(str::to_owned), data["seq"].as_u64().map(|seq| seq.to_string()));
            data
        })
        .collect()
}

fn seqs(events: &[Value]) -> Vec<u64> {
    events.iter().filter_map(|event| event["seq"].as_u64()).collect()
}

fn output(events: &[Value], stream: &str) -> String {
    let said = events.iter().filter(|event| event["stream"] == stream);
    said.filter_map(|event| event["data"].as_str()).collect()
}

#[tokio::test]
async fn a_posted_stream_says_everything_once() {
    let house = House::new().await;
    for path in ["/execute/stream", "/api/v1/execute/stream"] {
        let answer = house.post(path, &json!({"code": "steps 3"})).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/event-stream"));
        let events = parse(&house, &answer.text());
        assert_eq!(events.first().expect("a start")["type"], "started");
        let last = events.last().expect("an end");
        assert_eq!(
            (&last["type"], &last["status"], &last["exit_code"]),
            (&json!("complete"), &json!("succeeded"), &json!(0))
        );
        assert_eq!(seqs(&events), (1..=8).collect::<Vec<_>>());
        assert_eq!(
            (output(&events, "stdout"), output(&events, "stderr")),
            ("0\n1\n2\n".to_owned(), "0\n1\n2\n".to_owned())
        );
    }
    let bytes = house.post("/execute/stream", &json!({"code": printing(&[0x68, 0xff], b"", 0)})).await;
    let events = parse(&house, &bytes.text());
    assert_eq!((&events[1]["data"], &events[1]["data_base64"]), (&json!("h\u{fffd}"), &json!("aP8=")));
    let body = json!({"code": "x", "wait": false});
    assert_eq!(house.post("/execute/stream", &body).await.problem(), (400, "invalid_field".to_owned()));
}

#[tokio::test]
async fn output_arrives_while_the_program_runs_and_leaving_cancels_it() {
    let house = House::new().await;
    let request = Request::post("/execute/stream")
        .header("content-type", "application/json")
        .body(Body::from(json!({"code": "sleep"}).to_string()))
        .expect("a request");
    let mut body = house.send(request).await.into_body();
    let mut text = String::new();
    while !text.contains("ready") {
        let frame = within("piece", body.frame()).await.expect("goes on").expect("whole");
        text.push_str(str::from_utf8(&frame.into_data().expect("data")).expect("text"));
    }
    let id = parse(&house, &text)[0]["execution_id"].as_str().expect("an id").to_owned();
    assert_eq!(house.get(&format!("{EXECUTIONS}/{id}")).await.json()["status"], "running");
    drop(body);
    let record = house.reaches(&id, ExecutionState::is_terminal).await;
    assert_eq!(record["status"], "cancelled");
}

/// Row 89: resuming from everywhere.
#[tokio::test]
async fn a_stream_is_resumed_from_any_point() {
    let house = House::new().await;
    let record = house.post(EXECUTIONS, &json!({"code": "steps 3"})).await.json();
    let id = record["id"].as_str().expect("an id");
    let stream = format!("{EXECUTIONS}/{id}/stream");
    let read = async |path: &str, last: Option<&str>| {
        let mut request = Request::get(path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        parse(&house, &house.ask(request.body(Body::empty()).expect("a request")).await.text())
    };
    let all = read(&stream, None).await;
    assert_eq!(seqs(&all), (1..=8).collect::<Vec<_>>());
    assert_eq!(read(&format!("{stream}?from=0"), None).await, all);
    assert_eq!(read(&stream, Some("0")).await, all);
    assert_eq!(read(&format!("/execute/stream?execution_id={id}"), None).await, all);
    assert_eq!(read(&format!("/api/v1/execute/stream?execution_id={id}&from=4"), None).await, all[3..]);
    assert_eq!(read(&stream, Some("3")).await, all[3..]);
    assert_eq!(read(&format!("{stream}?from=8"), Some("1")).await, all[7..]);
    assert_eq!(read(&format!("{stream}?from=9"), None).await, [] as [Value; 0]);
    assert_eq!(read(&format!("{stream}?from={}", u64::MAX), None).await, [] as [Value; 0]);
    for bogus in ["-1", "x", "", "1e3", "99999999999999999999"] {
        assert_eq!(
            house.get(&format!("{stream}?from={bogus}")).await.problem(),
            (400, "invalid_field".to_owned()),
            "{bogus}"
        );
        let request = Request::get(&stream).header("last-event-id", bogus).body(Body::empty()).expect("a request");
        assert_eq!(house.ask(request).await.problem(), (400, "invalid_field".to_owned()), "{bogus}");
    }
    assert_eq!(house.get("/execute/stream").await.problem(), (400, "invalid_field".to_owned()));
    assert_eq!(house.get("/execute/stream?execution_id=x").await.problem(), (404, "execution_not_found".to_owned()));
}

/// Row 89: a thousand readers.
#[tokio::test]
async fn readers_of_one_execution_are_bounded() {
    let house = House::new().await;
    let id = house.detach("sleep").await;
    house.reaches(&id, |state| state == ExecutionState::Running).await;
    let stream = format!("{EXECUTIONS}/{id}/stream");
    let mut readers = Vec::new();
    let mut refused = 0;
    for _ in 0..1000 {
        let request = Request::get(&stream).body(Body::empty()).expect("a request");
        let response = house.send(request).await;
        if response.status() == 503 { refused += 1 } else { readers.push(response) }
    }
    assert_eq!((readers.len(), refused), (64, 936));
    assert_eq!(house.get(&stream).await.problem(), (503, "at_capacity".to_owned()));
    drop(readers);
    house.post_with(&format!("{EXECUTIONS}/{id}/cancel"), &[], Body::empty()).await;
    // Places are given back by the readers' own tasks.
    within("place", async {
        loop {
            let request = Request::get(&stream).body(Body::empty()).expect("a request");
            if house.send(request).await.status() == 200 {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Row 89: a reader that never reads is cut off with a code, and the program goes on.
#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off_and_the_program_is_not() {
    let house = House::new().await;
    let body = json!({"code": "flood 8388608 0", "on_disconnect": "detach"}).to_string();
    let request = Request::post("/execute/stream")
        .header("content-type", "application/json")
        .body(Body::from(body))
        .expect("a request");
    let mut reader = house.send(request).await.into_body();
    let page = house.get(EXECUTIONS).await.json();
    let id = page["items"][0]["id"].as_str().expect("an id").to_owned();
    let record = house.reaches(&id, ExecutionState::is_terminal).await;
    assert_eq!((&record["status"], &record["stdout_bytes"]), (&json!("succeeded"), &json!(8 << 20)));
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let mut text = String::new();
    while let Some(frame) = within("piece", reader.frame()).await {
        text.push_str(str::from_utf8(&frame.expect("whole").into_data().expect("data")).expect("text"));
    }
    let last = parse(&house, &text).pop().expect("last words");
    assert_eq!((&last["type"], &last["code"]), (&json!("error"), &json!("reader_too_slow")));
    assert!(text.len() < 2 << 20, "{} bytes were held for it", text.len());
}

#[tokio::test]
async fn logs_are_what_was_written() {
    let house = House::new().await;
    let record = house.post(EXECUTIONS, &json!({"code": printing(b"out\xff", b"err", 0)})).await.json();
    let logs = format!("{EXECUTIONS}/{}/logs", record["id"].as_str().expect("an id"));
    let answer = house.get(&format!("{logs}?stream=stdout")).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, &b"out\xff"[..]));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(house.get(&format!("{logs}?stream=stderr&follow=true")).await.body, b"err");
    assert_eq!(house.get(&logs).await.body.len(), 7);
    for wrong in ["stream=both", "follow=1", "follow="] {
        assert_eq!(house.get(&format!("{logs}?{wrong}")).await.problem(), (400, "invalid_field".to_owned()), "{wrong}");
    }
    let id = house.detach("sleep").await;
    within("output", async {
        while house.get(&format!("{EXECUTIONS}/{id}/logs")).await.body != b"ready\n" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let follow = Request::get(format!("{EXECUTIONS}/{id}/logs?follow=true")).body(Body::empty()).expect("a request");
    let following = house.send(follow).await.into_body();
    house.post_with(&format!("{EXECUTIONS}/{id}/cancel"), &[], Body::empty()).await;
    let body = within("end of the log", following.collect()).await.expect("whole").to_bytes();
    assert_eq!(body, "ready\n");
}

#[tokio::test]
async fn passing_over_what_is_not_wanted_ends() {
    let house = House::new().await;
    let record = house.post(EXECUTIONS, &json!({"code": "flood 8388608 0"})).await.json();
    let logs = format!("{EXECUTIONS}/{}/logs?stream=stderr", record["id"].as_str().expect("an id"));
    for path in [logs.clone(), format!("{logs}&follow=true")] {
        let answer = house.get(&path).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0), "{path}");
    }
}

#[tokio::test]
async fn a_program_that_was_never_started_says_why_by_a_code() {
    let house = House::new().await;
    let answer = house.post("/execute/stream", &json!({"command": ["/no/such"]})).await;
    let events = parse(&house, &answer.text());
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["error", "complete"]);
    assert_eq!((&events[0]["code"], &events[1]["status"]), (&json!("command_not_found"), &json!("failed")));
}

#[tokio::test]
async fn all_streams_together_are_bounded() {
    let limits = HttpLimits { connections: 4, ..HttpLimits::default() };
    let house = House::with(|_| {}, limits, FakeHost::default()).await;
    let id = house.detach("sleep").await;
    let mut open = Vec::new();
    for path in ["/api/v1/events?follow=true".to_owned(), format!("{EXECUTIONS}/{id}/stream")] {
        let response = house.send(Request::get(path).body(Body::empty()).expect("a request")).await;
        assert_eq!(response.status(), 200);
        open.push(response);
    }
    for path in ["/api/v1/events?follow=true", &format!("{EXECUTIONS}/{id}/stream"), &format!("{EXECUTIONS}/{id}/logs")]
    {
        assert_eq!(house.get(path).await.problem(), (503, "at_capacity".to_owned()), "{path}");
    }
    let before = house.orchestrator.stats();
    assert_eq!(house.post("/execute/stream", &json!({"code": "sleep"})).await.problem().0, 503);
    assert_eq!(house.orchestrator.stats().cancelled, before.cancelled, "it was refused after it had been accepted");
    assert_eq!(house.get("/api/v1/limits").await.json()["http"]["streams"], 2);
    drop(open);
}
