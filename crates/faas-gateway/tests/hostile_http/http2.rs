//! Row 75: HTTP/2 used to make the server work. Hand-made frames, because clients refuse to send them.

use crate::support::{BOUND, Host, patient, short};
use bytes::Bytes;
use faas_gateway::HttpLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `GET http://localhost/health`, in HPACK without indexing into anything but the static table.
const GET_HEALTH: &[u8] = b"\x82\x86\x04\x07/health\x01\x09localhost";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A connection with the preface and empty settings sent.
async fn open(host: &Host) -> TcpStream {
    let mut stream = host.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).await.expect("sent");
    stream
}

/// Sends what `make` gives for 1, 2, … and keeps its side open until the server closes; the kinds of
/// the frames that came back.
async fn flood(host: &Host, most: u32, make: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let (mut reader, mut writer) = open(host).await.into_split();
    let reading = tokio::spawn(async move {
        let mut bytes = Vec::new();
        while matches!(reader.read_buf(&mut bytes).await, Ok(1..)) {}
        bytes
    });
    let sending = async {
        let mut sent = 0;
        while sent < most && writer.write_all(&make(sent + 1)).await.is_ok() {
            sent += 1;
        }
    };
    timeout(BOUND, sending).await.expect("the server takes it or closes");
    let bytes = timeout(BOUND, reading).await.expect("the server closes the connection").expect("no panic");
    drop(writer);
    let mut kinds = Vec::new();
    let mut rest = bytes.as_slice();
    while let [high, middle, low, kind, ..] = *rest {
        kinds.push(kind);
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    kinds
}

fn odd(number: u32) -> u32 {
    number * 2 - 1
}

#[tokio::test]
async fn http2_with_prior_knowledge_works() {
    let host = Host::start(HttpLimits::default()).await;
    let (mut client, connection) = h2::client::handshake(host.connect().await).await.expect("a handshake");
    let driving = tokio::spawn(connection);
    for (path, expected) in
        [("http://localhost/health", 200), ("http://localhost//health", 400), ("http://evil.example/health", 403)]
    {
        let request = axum::http::Request::get(path).body(()).expect("a request");
        let (answer, _) = client.send_request(request, true).expect("sent");
        assert_eq!(timeout(BOUND, answer).await.expect("in time").expect("an answer").status(), expected, "{path}");
        client = timeout(BOUND, client.ready()).await.expect("in time").expect("ready");
    }
    drop(client);
    timeout(BOUND, driving).await.expect("in time").expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn rapid_reset_in_one_piece_ends_the_connection() {
    let host = Host::start(patient()).await;
    let kinds = flood(&host, 200, |number| {
        let pair = |stream| {
            [frame(HEADERS, END_HEADERS | END_STREAM, stream, GET_HEALTH), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])]
                .concat()
        };
        (0..500).flat_map(|step| pair(odd(number * 500 + step))).collect()
    })
    .await;
    assert!(kinds.iter().filter(|kind| **kind == HEADERS).count() < 2000, "{}", kinds.len());
    host.assert_well().await;
}

#[tokio::test]
async fn rapid_reset_one_by_one_ends_the_connection() {
    let host = Host::start(patient()).await;
    flood(&host, 100_000, |number| {
        let stream = odd(number);
        [frame(HEADERS, END_HEADERS | END_STREAM, stream, GET_HEALTH), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])]
            .concat()
    })
    .await;
    host.assert_well().await;
}

#[tokio::test]
async fn a_flood_of_continuations_ends_the_connection() {
    let host = Host::start(patient()).await;
    let kinds = flood(&host, 100_000, |number| match number {
        1 => frame(HEADERS, 0, 1, GET_HEALTH),
        // A field that is never indexed: `a: aaaa…`.
        _ => frame(CONTINUATION, 0, 1, &[b"\x10\x01a\x7d".as_slice(), &[b'a'; 125]].concat()),
    })
    .await;
    assert!(!kinds.contains(&HEADERS), "{kinds:?}");
    host.assert_well().await;
}

#[tokio::test]
async fn a_flood_of_empty_continuations_ends_the_connection() {
    let host = Host::start(patient()).await;
    flood(&host, 100_000, |number| match number {
        1 => frame(HEADERS, 0, 1, GET_HEALTH),
        _ => frame(CONTINUATION, 0, 1, b""),
    })
    .await;
}

#[tokio::test]
async fn floods_of_pings_settings_and_empty_data_end_the_connection() {
    let host = Host::start(patient()).await;
    flood(&host, 100_000, |_| frame(PING, 0, 0, &[0; 8])).await;
    flood(&host, 100_000, |_| frame(SETTINGS, 0, 0, b"")).await;
    flood(&host, 100_000, |number| match number {
        1 => frame(HEADERS, END_HEADERS, 1, GET_HEALTH),
        _ => frame(DATA, 0, 1, b""),
    })
    .await;
    host.assert_well().await;
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused() {
    let host = Host::start(HttpLimits { streams: 4, ..HttpLimits::default() }).await;
    let (mut client, mut connection) = h2::client::handshake(host.connect().await).await.expect("a handshake");
    let settled = std::future::poll_fn(|context| {
        if std::future::Future::poll(std::pin::Pin::new(&mut connection), context).is_ready() {
            return std::task::Poll::Ready(0);
        }
        let most = connection.max_concurrent_send_streams();
        if most == 4 { std::task::Poll::Ready(most) } else { std::task::Poll::Pending }
    });
    assert_eq!(timeout(BOUND, settled).await.expect("the server's settings arrive"), 4);
    let driving = tokio::spawn(connection);
    let request = axum::http::Request::get("http://localhost/health").body(()).expect("a request");
    let (answer, _) = client.send_request(request, true).expect("sent");
    assert_eq!(timeout(BOUND, answer).await.expect("in time").expect("an answer").status(), 200);
    drop(client);
    timeout(BOUND, driving).await.expect("in time").expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn a_connection_without_streams_is_closed_although_it_pings() {
    let host = Host::start(short()).await;
    let mut stream = open(&host).await;
    let mut beat = tokio::time::interval(std::time::Duration::from_millis(20));
    let (mut reader, mut writer) = stream.split();
    let mut bytes = Vec::new();
    let closed = async { while matches!(reader.read_buf(&mut bytes).await, Ok(1..)) {} };
    let pinging = async {
        loop {
            beat.tick().await;
            if writer.write_all(&frame(PING, 0, 0, &[0; 8])).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = pinging => {}
        ended = timeout(BOUND, closed) => ended.expect("the server closes the connection"),
    }
}

#[tokio::test]
async fn a_reader_that_opens_no_window_is_cut() {
    let host = Host::start(short()).await;
    let (mut client, connection) = h2::client::handshake(host.connect().await).await.expect("a handshake");
    let driving = tokio::spawn(connection);
    let request = axum::http::Request::get("http://localhost/endless").body(()).expect("a request");
    let (answer, _) = client.send_request(request, true).expect("sent");
    let mut body: h2::RecvStream = timeout(BOUND, answer).await.expect("in time").expect("an answer").into_body();
    // What arrives is kept, and no capacity is given back for it.
    let mut kept: Vec<Bytes> = Vec::new();
    let cut = async {
        while let Some(Ok(bytes)) = body.data().await {
            kept.push(bytes);
        }
    };
    timeout(BOUND, cut).await.expect("the server closes the connection");
    // Cut or closed: the other side sees the end of the connection either way.
    let _ = timeout(BOUND, driving).await.expect("in time").expect("no panic");
}

#[tokio::test]
async fn a_stopping_server_says_goodbye_and_finishes_its_streams() {
    let mut host = Host::start(HttpLimits::default()).await;
    let (mut client, connection) = h2::client::handshake(host.connect().await).await.expect("a handshake");
    let driving = tokio::spawn(connection);
    let request = axum::http::Request::get("http://localhost/gate").body(()).expect("a request");
    let (answer, _) = client.send_request(request, true).expect("sent");
    host.entered().await;
    host.stop();
    host.gate.add_permits(1);
    assert_eq!(timeout(BOUND, answer).await.expect("in time").expect("an answer").status(), 200);
    // The client still holds its handle: it is the server that ends the connection.
    timeout(BOUND, driving).await.expect("in time").expect("no panic").expect("a clean end");
    host.ended().await;
    drop(client);
}
