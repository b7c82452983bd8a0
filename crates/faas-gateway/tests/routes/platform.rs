//! What the platform says about itself.

use crate::harness::{House, printing, within};
use axum::body::Body;
use axum::http::Request;
use faas_executor_api::fake::FakeHost;
use faas_executor_api::{SandboxSpec, SpareStats};
use faas_gateway::{DRAIN_GRACE, HttpLimits, Server};
use faas_types::{ByteSize, IsolationLevel, Language, Resources, TenantId};
use http_body_util::BodyExt as _;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What asks for a WebSocket.
const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

#[tokio::test]
async fn a_tenant_sees_what_was_made_for_it_before_it_asked() {
    let of = |tenant| SpareStats {
        spec: SandboxSpec {
            tenant,
            language: Some(Language::Python),
            resources: Resources { memory: ByteSize::mib(64), ..Resources::default() },
            isolation: IsolationLevel::Strict,
            packages: None,
        },
        wanted: 3,
        reason: "calming",
        ready: 2,
        made: 41,
        used: 38,
        unused: 1,
        took: Some(Duration::from_millis(21)),
        memory: None,
    };
    let spares = vec![of(TenantId::from_bytes([7; 16])), of(TenantId::LOCAL)];
    let host = FakeHost { spares, ..FakeHost::default() };
    let house = House::with(|_| {}, HttpLimits::default(), host).await;
    let expected = json!([{
        "language": "python", "memory_limit_bytes": 64 << 20, "packages": null, "wanted": 3, "reason": "calming",
        "ready": 2, "made": 41, "used": 38, "unused": 1, "start_us": 21_000, "memory_bytes": null,
    }]);
    assert_eq!(house.get("/api/v1/stats").await.json()["spares"], expected);
}

#[tokio::test]
async fn the_platform_shows_what_it_is_offers_bounds_and_does() {
    let house = House::new().await;
    assert_eq!(house.get("/health").await.json()["status"], "ok");
    assert_eq!(house.get("/ready").await.json()["status"], "ready");
    let limits = house.get("/api/v1/limits").await.json();
    assert_eq!((&limits["http"]["body_bytes"], &limits["http"]["page_items"]), (&json!(32 << 20), &json!(200)));
    assert_eq!(
        (&limits["platform"]["concurrency"], &limits["defaults"]["memory_bytes"]),
        (&json!(8), &json!(256 << 20))
    );
    let capabilities = house.get("/api/v1/capabilities").await.json();
    assert_eq!(
        (&capabilities["executor"], &capabilities["runtimes"][0]["language"]),
        (&json!("fake"), &json!("python"))
    );
    house.post("/execute", &json!({"code": printing(b"", b"", 1)})).await;
    let stats = house.get("/api/v1/stats").await.json();
    assert_eq!((&stats["ended"]["failed"], &stats["queued"]), (&json!(1), &json!(0)));
    let metrics = house.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    assert!(
        metrics.text().contains("faas_http_requests_total{method=\"POST\",route=\"/execute\""),
        "{}",
        metrics.text()
    );
    assert!(metrics.text().contains("faas_executions_total{end=\"failed\"} 1\n"), "{}", metrics.text());
}

#[tokio::test]
async fn events_are_listed_and_followed() {
    let house = House::new().await;
    let page = house.get("/api/v1/events").await.json();
    let first = page["items"][0].clone();
    assert_eq!((&first["seq"], &first["kind"]), (&json!(1), &json!("started")));
    let last = page["items"].as_array().expect("items").len();
    assert_eq!(house.get(&format!("/api/v1/events?after={last}")).await.json()["items"], json!([]));
    assert_eq!(house.get("/api/v1/events?after=-1").await.problem(), (400, "invalid_field".to_owned()));
    assert_eq!(house.get("/api/v1/events?follow=yes").await.problem(), (400, "invalid_field".to_owned()));

    let request = Request::get("/api/v1/events?follow=true").body(Body::empty()).expect("a request");
    let mut body = house.send(request).await.into_body();
    let mut read = async || {
        let frame = within("event", body.frame()).await.expect("goes on").expect("whole");
        String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text")
    };
    for _ in 0..last {
        assert!(read().await.starts_with("id: "));
    }
    let draining = tokio::spawn({
        let orchestrator = house.orchestrator.clone();
        async move { orchestrator.drain(std::time::Duration::ZERO).await }
    });
    let event = read().await;
    assert!(event.contains("event: event\ndata: {") && event.contains("\"kind\":\"draining\""), "{event}");
    within("end", draining).await.expect("drains");
    assert!(within("end", body.frame()).await.is_none(), "a follower keeps the server");
    let late = house.get(&format!("/api/v1/events?follow=true&after={last}")).await;
    assert!(late.text().contains("\"kind\":\"draining\""), "{}", late.text());
    assert_eq!(house.get("/api/v1/events?follow=true&after=1000").await.text(), "");
}

#[tokio::test]
async fn followers_and_sockets_do_not_keep_a_stopping_server() {
    let house = House::new().await;
    let server = Server::new(house.router.clone(), HttpLimits::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.clone().run(Vec::new(), stopped));
    let mut open = Vec::new();
    for (path, fields, seen) in [
        ("/api/v1/events?follow=true", "", "\"kind\":\"started\""),
        ("/execute/stream", UPGRADE, "101 Switching Protocols"),
    ] {
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        let server = server.clone();
        tokio::spawn(async move { server.connection(far).await });
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n");
        near.write_all(request.as_bytes()).await.expect("sent");
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains(seen) {
            assert!(within("answer", near.read_buf(&mut text)).await.expect("open") > 0);
        }
        // A peer that hears of it goes.
        open.push(async move {
            let mut text = Vec::new();
            while ["draining", "stopping"].iter().all(|word| !String::from_utf8_lossy(&text).contains(word)) {
                assert!(near.read_buf(&mut text).await.expect("open") > 0, "{}", String::from_utf8_lossy(&text));
            }
        });
    }
    stop.send(()).expect("it runs");
    let ending = async {
        let drain = house.orchestrator.drain(Duration::from_secs(20));
        tokio::join!(running, drain, futures_util::future::join_all(open)).0
    };
    tokio::time::timeout(DRAIN_GRACE + Duration::from_secs(1), ending).await.expect("in time").expect("no panic");
}

#[tokio::test]
async fn an_upgraded_connection_ends_with_the_drain() {
    let house = House::new().await;
    let limits = HttpLimits { drain_timeout: Duration::from_millis(50), ..HttpLimits::default() };
    let server = Server::new(house.router.clone(), limits);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.clone().run(Vec::new(), stopped));
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move { server.connection(far).await });
    near.write_all(format!("GET /execute/stream HTTP/1.1\r\nhost: localhost\r\n{UPGRADE}\r\n").as_bytes())
        .await
        .expect("sent");
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains("\r\n\r\n") {
        assert!(within("answer", near.read_buf(&mut text)).await.expect("open") > 0);
    }
    stop.send(()).expect("it runs");
    within("end", running).await.expect("no panic");
    // The platform itself is not drained: only the server's end can be what ends it.
    within("end", near.read_to_end(&mut text)).await.expect("closed");
}
