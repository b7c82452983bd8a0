//! Row 80 as far as the gateway decides it, and the slow bodies of row 72.

use crate::support::{BOUND, Host, code, short, small_bodies, status};
use faas_gateway::HttpLimits;
use faas_types::ByteSize;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{interval, timeout};

fn post(path: &str, fields: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\r\n{body}")
}

#[tokio::test]
async fn a_body_above_the_limit_is_413_and_names_the_limit() {
    let host = Host::start(small_bodies(1000)).await;
    let body = "a".repeat(1001);
    let sized = post("/api/v1/length", "content-length: 1001\r\n", &body);
    let chunked = post("/api/v1/length", "transfer-encoding: chunked\r\n", &format!("3e9\r\n{body}\r\n0\r\n\r\n"));
    for request in [sized, chunked] {
        let answer = host.exchange(request).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (413, "body_too_large"), "{answer}");
        assert!(answer.contains("\"limit\":1000"), "{answer}");
    }
    let answer = host.exchange(post("/api/v1/length", "content-length: 1000\r\n", &body[1..])).await;
    assert!(answer.ends_with("\r\n\r\n1000"), "{answer}");
}

#[tokio::test]
async fn an_announced_terabyte_is_refused_before_it_is_sent() {
    let host = Host::start(HttpLimits::default()).await;
    let answer = host.exchange(post("/api/v1/length", "content-length: 1099511627776\r\n", "")).await;
    assert_eq!((status(&answer), code(&answer).as_str()), (413, "body_too_large"), "{answer}");
}

#[tokio::test]
async fn a_body_larger_than_the_routers_own_default_is_taken() {
    let host = Host::start(HttpLimits::default()).await;
    let body = "a".repeat(3 << 20);
    let answer = host.exchange(post("/api/v1/length", &format!("content-length: {}\r\n", body.len()), &body)).await;
    assert!(answer.ends_with(&format!("\r\n\r\n{}", body.len())), "{}", status(&answer));
}

#[tokio::test]
async fn the_refusal_of_a_large_body_arrives_although_the_body_is_still_being_sent() {
    let host = Host::start(small_bodies(1000)).await;
    let body = "a".repeat(900_000);
    for path in ["/api/v1/length", "/api/v1/unread"] {
        let mut stream = host.connect().await;
        let request = post(path, "content-length: 900000\r\n", &body);
        stream.write_all(request.as_bytes()).await.expect("the server lets it be sent");
        let mut answer = String::new();
        timeout(BOUND, stream.read_to_string(&mut answer)).await.expect("an end").expect("and no reset");
        assert_eq!(status(&answer), 413, "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_415_whatever_it_would_become() {
    let host = Host::start(HttpLimits::default()).await;
    for coding in ["gzip", "br", "deflate", "identity, gzip"] {
        let fields = format!("content-length: 4\r\ncontent-encoding: {coding}\r\n");
        let answer = host.exchange(post("/api/v1/echo", &fields, "\x1f\0\0\0")).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (415, "unsupported_media_type"), "{coding}: {answer}");
    }
}

#[tokio::test]
async fn a_body_of_one_byte_at_a_time_is_408_at_its_deadline() {
    let host = Host::start(short()).await;
    let mut stream = host.connect().await;
    stream.write_all(post("/api/v1/echo", "content-length: 1000000\r\n", "").as_bytes()).await.expect("sent");
    let (mut reader, mut writer) = stream.split();
    let mut beat = interval(Duration::from_millis(20));
    let mut bytes = Vec::new();
    let closed = async { while matches!(reader.read_buf(&mut bytes).await, Ok(1..)) {} };
    let dripping = async {
        loop {
            beat.tick().await;
            if writer.write_all(b"a").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = dripping => {}
        ended = timeout(BOUND, closed) => ended.expect("the server answers and closes"),
    }
    let answer = String::from_utf8_lossy(&bytes);
    assert_eq!((status(&answer), code(&answer).as_str()), (408, "body_timeout"), "{answer}");
}

#[tokio::test]
async fn a_body_that_keeps_the_least_rate_may_take_longer_than_the_timeout() {
    let limits = HttpLimits { body_rate: ByteSize::from_bytes(1000), ..short() };
    let host = Host::start(limits).await;
    let mut stream = host.connect().await;
    stream.write_all(post("/api/v1/length", "content-length: 3000\r\n", "").as_bytes()).await.expect("sent");
    let mut beat = interval(Duration::from_millis(20));
    for _ in 0..30 {
        beat.tick().await;
        stream.write_all(&[b'a'; 100]).await.expect("the server still reads");
    }
    let answer = crate::support::rest(&mut stream).await;
    assert!(answer.ends_with("\r\n\r\n3000"), "{answer}");
}

#[tokio::test]
async fn a_body_that_breaks_off_gets_no_success() {
    let host = Host::start(HttpLimits::default()).await;
    let mut stream = host.connect().await;
    stream.write_all(post("/api/v1/echo", "content-length: 10\r\n", "12345").as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("half closed");
    let answer = crate::support::rest(&mut stream).await;
    assert_ne!(status(&answer), 200, "{answer}");
}

#[tokio::test]
async fn all_bodies_together_are_bounded_and_the_next_one_hears_503() {
    let most = ByteSize::from_bytes(2000);
    let host = Host::start(HttpLimits { body_bytes: most, all_bodies_bytes: most, ..HttpLimits::default() }).await;
    let mut first = host.connect().await;
    first
        .write_all(post("/api/v1/length", "content-length: 1501\r\n", &"a".repeat(1500)).as_bytes())
        .await
        .expect("sent");
    let second = post("/api/v1/length", "content-length: 1000\r\n", &"b".repeat(1000));
    let full = async {
        loop {
            let answer = host.exchange(&second).await;
            if status(&answer) != 200 {
                return answer;
            }
        }
    };
    let answer = timeout(BOUND, full).await.expect("what the first one holds is seen");
    assert_eq!((status(&answer), code(&answer).as_str()), (503, "at_capacity"), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n") && answer.contains("\"limit\":2000"), "{answer}");
    first.write_all(b"a").await.expect("sent");
    assert!(crate::support::rest(&mut first).await.ends_with("\r\n\r\n1501"));
    assert_eq!(status(&host.exchange(&second).await), 200);
}
