//! Row 74: heads that are too large.

use crate::support::{Host, code, status};
use faas_gateway::HttpLimits;

#[tokio::test]
async fn a_megabyte_of_header_is_431() {
    let host = Host::start(HttpLimits::default()).await;
    let value = "a".repeat(1 << 20);
    let answer = host.exchange(format!("GET /health HTTP/1.1\r\nhost: localhost\r\nx-a: {value}\r\n\r\n")).await;
    assert_eq!((status(&answer), code(&answer).as_str()), (431, "headers_too_large"), "{answer}");
    assert!(answer.contains("\"limit\":65536"), "{answer}");
    host.assert_well().await;
}

#[tokio::test]
async fn ten_thousand_headers_are_431() {
    let host = Host::start(HttpLimits::default()).await;
    let fields: String = (0..10_000).map(|number| format!("x-{number}: a\r\n")).collect();
    let answer = host.exchange(format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n")).await;
    assert_eq!((status(&answer), code(&answer).as_str()), (431, "headers_too_large"), "{answer}");
    let fields: String = (0..99).map(|number| format!("x-{number}: a\r\n")).collect();
    let head = |more| format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{fields}{more}\r\n");
    let answer = host.exchange(head("x: a\r\n")).await;
    assert_eq!((status(&answer), code(&answer).as_str()), (431, "headers_too_large"), "101 fields: {answer}");
    assert!(answer.contains("\"limit\":100"), "{answer}");
    let mut stream = host.connect().await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, head("").as_bytes()).await.expect("sent");
    assert_eq!(status(&crate::support::answer(&mut stream).await), 200, "100 fields");
}

#[tokio::test]
async fn a_path_of_100k_characters_is_refused_and_one_within_the_limit_is_not() {
    let host = Host::start(HttpLimits::default()).await;
    let of = |length| crate::support::get_close(&format!("/{}", "a".repeat(length)));
    let answer = host.exchange(of(100_000)).await;
    assert_eq!((status(&answer), code(&answer).as_str()), (414, "uri_too_long"), "{answer}");
    let answer = host.exchange(of(60_000)).await;
    assert_eq!((status(&answer), code(&answer).as_str()), (414, "uri_too_long"), "{answer}");
    assert!(answer.contains("\"limit\":8192"), "{answer}");
    assert_eq!(status(&host.exchange(of(8192)).await), 414);
    assert_eq!(status(&host.exchange(of(8191)).await), 404);
}
