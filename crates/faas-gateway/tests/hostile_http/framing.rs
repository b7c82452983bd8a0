//! Row 73: requests that two readers could cut in different places.

use crate::support::{Host, code, status};
use faas_gateway::HttpLimits;

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
        assert_eq!(status(&answer), 400, "{name}: {answer}");
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
        assert_eq!(answer.matches("HTTP/1.1 400 ").count(), 1, "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{name}: {answer}");
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
        assert_eq!(status(&answer), 400, "{line:?}: {answer}");
    }
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
