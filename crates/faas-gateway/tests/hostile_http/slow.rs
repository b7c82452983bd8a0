//! Row 72: callers that take their time. (Slow bodies are in `bodies`.)

use crate::support::{BOUND, Host, answer, get_close, rest, short, status};
use faas_gateway::HttpLimits;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, interval, timeout};

/// Sends a byte every few milliseconds for as long as the server listens; what it answered.
async fn drip(host: &Host, begin: &str, byte: u8) -> (String, Duration) {
    let mut stream = host.connect().await;
    let began = Instant::now();
    stream.write_all(begin.as_bytes()).await.expect("sent");
    let (mut reader, mut writer) = stream.split();
    let mut beat = interval(Duration::from_millis(20));
    let mut bytes = Vec::new();
    let dripping = async {
        loop {
            beat.tick().await;
            if writer.write_all(&[byte]).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    // A reset is a way of closing.
    let closed = async { while matches!(reader.read_buf(&mut bytes).await, Ok(1..)) {} };
    tokio::select! {
        () = dripping => {}
        ended = timeout(BOUND, closed) => ended.expect("the server closes the connection"),
    }
    (String::from_utf8_lossy(&bytes).into_owned(), began.elapsed())
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut_at_its_deadline() {
    let host = Host::start(short()).await;
    for begin in ["GET / HTTP/1.1\r\nx-a: ", "G", "PRI"] {
        let (_, took) = drip(&host, begin, b'a').await;
        assert!(took >= Duration::from_millis(250), "{begin:?}: {took:?}");
        host.assert_well().await;
    }
}

#[tokio::test]
async fn a_head_that_drips_in_behind_another_request_is_cut_too() {
    let host = Host::start(HttpLimits { idle_timeout: BOUND * 10, ..short() }).await;
    let (text, _) = drip(&host, "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\nGET / HTTP/1.1\r\nx-a: ", b'a').await;
    assert_eq!(text.matches("HTTP/1.1 200 ").count(), 1, "{text}");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let host = Host::start(HttpLimits { idle_timeout: BOUND * 10, ..short() }).await;
    let mut silent = host.connect().await;
    assert_eq!(rest(&mut silent).await, "");
}

#[tokio::test]
async fn an_idle_keep_alive_connection_is_closed_and_one_in_use_is_not() {
    let host = Host::start(short()).await;
    let mut stream = host.connect().await;
    let began = Instant::now();
    stream.write_all(b"GET /gate HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    host.entered().await;
    // The answer takes longer than every timeout.
    tokio::time::timeout(Duration::from_millis(700), stream.readable()).await.expect_err("nothing to read yet");
    host.gate.add_permits(1);
    assert_eq!(status(&answer(&mut stream).await), 200);
    assert!(began.elapsed() >= Duration::from_millis(700));
    let idle = Instant::now();
    assert_eq!(rest(&mut stream).await, "");
    assert!(idle.elapsed() >= Duration::from_millis(250), "{:?}", idle.elapsed());
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut_and_its_answer_dropped() {
    // One answer never ends, the other is whole in the server's hands and waits to be taken.
    for path in ["/endless", "/large"] {
        let host = Host::start(short()).await;
        let mut stream = host.connect().await;
        stream.write_all(get_close(path).as_bytes()).await.expect("sent");
        // The connection's end is seen by writing: the answer itself is never read.
        let closed = async {
            let mut beat = interval(Duration::from_millis(20));
            loop {
                beat.tick().await;
                if stream.write_all(b"x").await.is_err() {
                    break;
                }
            }
        };
        timeout(BOUND, closed).await.expect("the server closes the connection");
        host.assert_well().await;
    }
}

#[tokio::test]
async fn a_reader_of_one_byte_at_a_time_is_cut() {
    let host = Host::start(short()).await;
    let mut stream = host.connect().await;
    stream.write_all(get_close("/endless").as_bytes()).await.expect("sent");
    let mut beat = interval(Duration::from_millis(20));
    let (mut reader, mut writer) = stream.split();
    let closed = async {
        loop {
            beat.tick().await;
            if reader.read_u8().await.is_err() || writer.write_all(b"x").await.is_err() {
                break;
            }
        }
    };
    timeout(BOUND, closed).await.expect("the server closes the connection");
}

#[tokio::test]
async fn idle_connections_do_not_keep_others_out() {
    let host = Host::start(HttpLimits { connections: 50, ..HttpLimits::default() }).await;
    let mut idle = Vec::new();
    for number in 0..200 {
        let mut stream = host.connect().await;
        if number % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nx-a: ").await.expect("sent");
        }
        idle.push(stream);
        if number % 10 == 0 {
            host.assert_well().await;
        }
    }
    host.assert_well().await;
}

#[tokio::test]
async fn a_regular_caller_keeps_its_connection_while_silent_ones_come_and_go() {
    let host = Host::start(HttpLimits { connections: 20, ..HttpLimits::default() }).await;
    let mut regular = host.connect().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        regular.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("the regular one stays");
        assert_eq!(status(&answer(&mut regular).await), 200);
        silent.push(host.connect().await);
    }
}
