//! Row 73: requests that two readers could cut in different places, and heads that are none.

use crate::support::{Host, code, rest, status};
use faas_gateway::HttpLimits;
use tokio::io::AsyncWriteExt;

const AMBIGUOUS: [(&str, &str); 14] = [
    ("length_then_chunked", "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked_then_length", "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n"),
    ("two_lengths", "content-length: 1\r\ncontent-length: 2\r\n\r\nab"),
    ("two_equal_lengths", "content-length: 1\r\ncontent-length: 1\r\n\r\na"),
    ("a_list_of_lengths", "content-length: 1, 1\r\n\r\na"),
    ("a_signed_length", "content-length: +1\r\n\r\na"),
    ("a_length_with_a_space_before_its_colon", "content-length : 1\r\n\r\na"),
    ("an_unknown_coding", "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("two_codings", "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("a_bare_line_feed_after_a_field", "x-a: b\ncontent-length: 1\r\n\r\na"),
    ("a_bare_line_feed_after_the_head", "x-a: b\r\n\n"),
    ("a_folded_line", "x-a: b\r\n c\r\n\r\n"),
    ("a_bare_carriage_return", "x-a: b\rc\r\n\r\n"),
    ("a_nul_byte", "x-a: b\0c\r\n\r\n"),
];

#[tokio::test]
async fn ambiguous_heads_are_answered_400_and_the_connection_is_closed() {
    let host = Host::start(HttpLimits::default()).await;
    for (name, fields) in AMBIGUOUS {
        // What is smuggled behind must not be answered.
        let smuggled = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let answer =
            host.exchange(format!("POST /api/v1/echo HTTP/1.1\r\nhost: localhost\r\n{fields}{smuggled}")).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (400, "invalid_field"), "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: {answer}");
    }
    host.assert_well().await;
}

#[tokio::test]
async fn the_second_request_of_a_connection_is_held_to_the_same_rules() {
    let host = Host::start(HttpLimits::default()).await;
    for (name, fields) in AMBIGUOUS {
        let first = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let answer = host.exchange(format!("{first}POST /api/v1/echo HTTP/1.1\r\nhost: localhost\r\n{fields}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{name}: {answer}");
        let second = &answer[answer.rfind("HTTP/1.1 ").expect("two answers")..];
        assert_eq!((status(second), code(second).as_str()), (400, "invalid_field"), "{name}: {answer}");
    }
}

#[tokio::test]
async fn broken_request_lines_are_answered_400() {
    let host = Host::start(HttpLimits::default()).await;
    for line in [
        "GET /health HTTP/1.1\n",
        "GET /health\r\n",
        "GET  /health HTTP/1.1\r\n",
        "G\0T / HTTP/1.1\r\n",
        "GET /health HTTP/9.9\r\n",
        " GET / HTTP/1.1\r\n",
    ] {
        let answer = host.exchange(format!("{line}host: localhost\r\n\r\n")).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (400, "invalid_field"), "{line:?}: {answer}");
        assert!(answer.contains("connection: close\r\n"), "{line:?}: {answer}");
    }
}

#[tokio::test]
async fn header_names_and_values_that_are_none_are_answered_400() {
    let host = Host::start(HttpLimits::default()).await;
    for field in
        ["no colon", ": a", "x y: a", "x\u{7f}: a", "\u{fc}: a", "x: a\u{1}b", "x: a\u{7f}b", "(x): a", "\tx: a"]
    {
        let answer = host.exchange(format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{field}\r\n\r\n")).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (400, "invalid_field"), "{field:?}: {answer}");
        assert!(answer.contains(r#""field":"head""#), "{field:?}: {answer}");
    }
    host.assert_well().await;
}

#[tokio::test]
async fn a_target_that_is_none_is_answered_400() {
    let host = Host::start(HttpLimits::default()).await;
    for target in ["health", "http://", "http://[::1/health", "/a|b\u{7f}", "/\u{1}", "//:x:y@/%", "a:b:c"] {
        let answer =
            host.exchange(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(status(&answer), 400, "{target:?}: {answer}");
        assert!(!code(&answer).is_empty());
    }
}

#[tokio::test]
async fn a_refused_head_request_has_an_answer_without_a_body() {
    let host = Host::start(HttpLimits::default()).await;
    let answer = host.exchange("HEAD /health HTTP/1.1\r\nno colon\r\n\r\n").await;
    assert_eq!(status(&answer), 400, "{answer}");
    assert!(answer.contains("x-request-id: ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

/// Whatever a head looks like, each answer to it is ours: hyper's own have no id.
#[tokio::test]
async fn no_byte_at_any_place_of_a_head_is_answered_by_the_engine_itself() {
    let host = Host::start(HttpLimits::default()).await;
    let head = b"GET /health?a=b HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    for at in 0..head.len() {
        for byte in b"\0\t\n\r #%,/09:;?@A[\\^`{|\x7f\x80\xff" {
            let mut changed = head.to_vec();
            changed[at] = *byte;
            let mut longer = head.to_vec();
            longer.insert(at, *byte);
            for head in [changed, longer] {
                let mut stream = host.connect().await;
                stream.write_all(&head).await.expect("sent");
                stream.shutdown().await.expect("the other side still listens");
                let answer = rest(&mut stream).await;
                let answers = answer.matches("HTTP/1.").count();
                let ids = answer.matches("x-request-id: ").count();
                assert_eq!(answers, ids, "{:?}: {answer}", String::from_utf8_lossy(&head));
            }
        }
    }
    host.assert_well().await;
}

#[tokio::test]
async fn broken_chunks_are_answered_400_and_nothing_behind_them() {
    let host = Host::start(HttpLimits::default()).await;
    for chunks in [
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "00000000000000003\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcX\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nx: y\n\r\n",
        "3\r\nabc\r\n0\r\nx: y\r\n folded\r\n\r\n",
    ] {
        let head = "POST /api/v1/echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = host.exchange(format!("{head}{chunks}GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (400, "invalid_field"), "{chunks:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{chunks:?}: {answer}");
    }
}

#[tokio::test]
async fn sound_chunks_and_a_pipeline_are_served() {
    let host = Host::start(HttpLimits::default()).await;
    let chunked = "POST /api/v1/echo HTTP/1.1\r\nhost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nab\n\r\n0A\r\n0123456789\r\n0\r\nx: y\r\n\r\n";
    let sized =
        "POST /api/v1/echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\nconnection: close\r\n\r\n\r\n\r\n";
    let answer = host.exchange(format!("{chunked}{sized}")).await;
    assert_eq!(answer.matches("HTTP/1.1 200 ").count(), 2, "{answer}");
    assert!(answer.contains("\r\n\r\nab\n0123456789HTTP/1.1"), "{answer}");
}
