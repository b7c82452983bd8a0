//! The life of the server and its connections: stopping, a full house, bugs, connections in process.

use crate::support::{BOUND, Host, answer, code, get_close, rest, status};
use faas_gateway::HttpLimits;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn a_stopping_server_finishes_what_it_has_and_says_goodbye() {
    let mut host = Host::start(HttpLimits::default()).await;
    let mut busy = host.connect().await;
    busy.write_all(b"GET /gate HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    host.entered().await;
    let mut idle = host.connect().await;
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    assert_eq!(status(&answer(&mut idle).await), 200);

    host.stop();
    host.refuses().await;
    // A request on a connection that was open is still served, and is its last.
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    let last = rest(&mut idle).await;
    assert!(status(&last) == 200 && last.contains("connection: close\r\n"), "{last}");
    host.gate.add_permits(1);
    let last = rest(&mut busy).await;
    assert!(status(&last) == 200 && last.ends_with("through"), "{last}");
    host.ended().await;
}

#[tokio::test]
async fn connections_the_kernel_has_taken_are_served_by_a_stopping_server() {
    let mut host = Host::start(HttpLimits::default()).await;
    let mut waiting = Vec::new();
    for _ in 0..100 {
        // Without giving the server a chance to accept it.
        let stream = std::net::TcpStream::connect(host.address).expect("the kernel accepts");
        stream.set_nonblocking(true).expect("non-blocking");
        waiting.push(TcpStream::from_std(stream).expect("a socket"));
    }
    host.stop();
    for stream in &mut waiting {
        stream.write_all(get_close("/health").as_bytes()).await.expect("sent");
    }
    for stream in &mut waiting {
        assert_eq!(status(&rest(stream).await), 200);
    }
    host.ended().await;
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_server_beyond_the_bound() {
    let mut host = Host::start(HttpLimits { drain_timeout: Duration::from_millis(100), ..HttpLimits::default() }).await;
    let mut stuck = host.connect().await;
    stuck.write_all(get_close("/gate").as_bytes()).await.expect("sent");
    host.entered().await;
    host.stop();
    host.ended().await;
    assert_eq!(rest(&mut stuck).await, "");
}

#[tokio::test]
async fn when_every_connection_is_busy_the_next_hears_503_at_once() {
    let host = Host::start(HttpLimits { connections: 3, ..HttpLimits::default() }).await;
    let mut busy = Vec::new();
    for _ in 0..3 {
        let mut stream = host.connect().await;
        stream.write_all(get_close("/gate").as_bytes()).await.expect("sent");
        host.entered().await;
        busy.push(stream);
    }
    for _ in 0..100 {
        let answer = host.exchange(get_close("/health")).await;
        assert_eq!(status(&answer), 503, "{answer}");
        assert!(answer.contains("retry-after: 1\r\n") && answer.contains("at_capacity"), "{answer}");
    }
    host.gate.add_permits(3);
    for stream in &mut busy {
        assert_eq!(status(&rest(stream).await), 200);
    }
    host.assert_well().await;
}

#[tokio::test]
async fn a_bug_in_a_route_is_a_problem_and_the_connection_goes_on() {
    let host = Host::start(HttpLimits::default()).await;
    let mut stream = host.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET /panic HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
        let answer = answer(&mut stream).await;
        assert_eq!((status(&answer), code(&answer).as_str()), (500, "internal"), "{answer}");
        assert!(!answer.contains("a bug"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_in_process_is_held_to_the_same_rules() {
    let host = Host::start(HttpLimits::default()).await;
    for (request, expected) in [
        (get_close("/health"), 200),
        (get_close("//health"), 400),
        ("GET /health HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n".to_owned(), 403),
        ("GET /health HTTP/1.1\nhost: localhost\r\n\r\n".to_owned(), 400),
    ] {
        let (mut ours, theirs) = tokio::io::duplex(1024);
        let server = host.server.clone();
        let serving = tokio::spawn(async move { server.connection(theirs).await });
        ours.write_all(request.as_bytes()).await.expect("sent");
        let mut text = String::new();
        timeout(BOUND, ours.read_to_string(&mut text)).await.expect("an end").expect("text");
        assert_eq!(status(&text), expected, "{text}");
        drop(ours);
        timeout(BOUND, serving).await.expect("the connection ends").expect("without a panic");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_takes_its_request_with_it() {
    let host = Host::start(HttpLimits { connections: 1, ..HttpLimits::default() }).await;
    let mut stream = host.connect().await;
    stream.write_all(get_close("/gate").as_bytes()).await.expect("sent");
    host.entered().await;
    drop(stream);
    // The only place is free again although the request never ended.
    let free = async { while status(&host.exchange(get_close("/health")).await) != 200 {} };
    timeout(BOUND, free).await.expect("the place is freed");
}

#[tokio::test]
async fn a_caller_that_leaves_is_noticed_also_behind_what_it_has_sent_too_much() {
    let host = Host::start(HttpLimits { connections: 1, ..HttpLimits::default() }).await;
    for more in [&b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"[..], b"\r\n", b"what is this"] {
        let mut stream = host.connect().await;
        stream.write_all(b"GET /gate HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
        stream.write_all(more).await.expect("sent");
        host.entered().await;
        stream.write_all(more).await.expect("sent");
        drop(stream);
        let free = async { while status(&host.exchange(get_close("/health")).await) != 200 {} };
        timeout(BOUND, free).await.expect("the place is freed");
    }
}

#[tokio::test]
async fn requests_sent_behind_one_another_are_answered_in_turn() {
    let host = Host::start(HttpLimits::default()).await;
    let mut stream = host.connect().await;
    let gate = "GET /gate HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let length = "POST /api/v1/length HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc";
    stream.write_all(format!("{gate}{length}{gate}").as_bytes()).await.expect("sent");
    host.entered().await;
    stream.write_all(get_close("/health").as_bytes()).await.expect("sent");
    host.gate.add_permits(2);
    let answers = rest(&mut stream).await;
    let said: Vec<&str> =
        answers.split("HTTP/1.1 200 OK\r\n").filter_map(|answer| answer.split("\r\n\r\n").nth(1)).collect();
    assert_eq!(said, ["through", "3", "through", "ok"], "{answers}");
}
