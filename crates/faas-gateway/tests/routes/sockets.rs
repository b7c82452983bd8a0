//! WebSockets, over the real server in process.

use crate::harness::{House, within};
use faas_executor_api::fake::FakeHost;
use faas_gateway::{HttpLimits, Server};
use faas_types::{ByteSize, ExecutionState};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// What a connection holds in each direction.
const PIPE: usize = 128 * 1024;

type Socket = WebSocketStream<DuplexStream>;

/// Opens a socket; its status where the server does not switch.
async fn open(house: &House, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let server = Server::new(house.router.clone(), HttpLimits::default());
    let (near, far) = tokio::io::duplex(PIPE);
    tokio::spawn(async move { server.connection(far).await });
    let mut request = format!("ws://localhost:8080{path}").into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a value"));
    }
    match within("handshake", client_async(request, near)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// Events until the socket closes, and the close code.
async fn read(socket: &mut Socket) -> (Vec<Value>, Option<u16>) {
    let mut events = Vec::new();
    loop {
        match within("frame", socket.next()).await {
            Some(Ok(Message::Text(text))) => events.push(serde_json::from_str(&text).expect("json")),
            Some(Ok(Message::Close(frame))) => return (events, frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return (events, None),
        }
    }
}

async fn text(socket: &mut Socket, value: &Value) {
    within("sending", socket.send(Message::text(value.to_string()))).await.expect("sent");
}

#[tokio::test]
async fn a_socket_brings_its_request_and_its_input() {
    let house = House::new().await;
    for path in ["/api/v1/execute/stream", "/execute/stream"] {
        let mut socket = open(&house, path, &[]).await.expect("a socket");
        text(&mut socket, &json!({"code": "echo"})).await;
        within("sending", socket.send(Message::binary(&b"one "[..]))).await.expect("sent");
        within("sending", socket.send(Message::binary(&b"two"[..]))).await.expect("sent");
        text(&mut socket, &json!({"type": "eof"})).await;
        let (events, code) = read(&mut socket).await;
        let said: String = events.iter().filter_map(|event| event["data"].as_str()).collect();
        assert_eq!((said.as_str(), code), ("one two", Some(1000)));
        assert_eq!(events.first().expect("a start")["type"], "started");
        assert_eq!(events.last().expect("an end")["status"], "succeeded");
    }
    let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
    text(&mut socket, &json!({"code": "echo", "stdin": "given"})).await;
    let (events, _) = read(&mut socket).await;
    assert_eq!(events[1]["data"], "given");
}

#[tokio::test]
async fn signals_and_cancel_reach_the_program() {
    let house = House::new().await;
    for (frame, field, value) in [
        (json!({"type": "signal", "signal": 15}), "signal", json!(15)),
        (json!({"type": "cancel"}), "status", json!("cancelled")),
    ] {
        let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
        text(&mut socket, &json!({"code": "wait-for-signal"})).await;
        loop {
            match within("frame", socket.next()).await.expect("open").expect("whole") {
                Message::Text(text) if text.contains("ready") => break,
                _ => {}
            }
        }
        text(&mut socket, &frame).await;
        let (events, code) = read(&mut socket).await;
        assert_eq!((&events.last().expect("an end")[field], code), (&value, Some(1000)));
    }
}

#[tokio::test]
async fn leaving_cancels_unless_it_detached() {
    let house = House::new().await;
    let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
    text(&mut socket, &json!({"code": "sleep"})).await;
    let started = within("frame", socket.next()).await.expect("open").expect("whole").into_text().expect("text");
    let started: Value = serde_json::from_str(&started).expect("json");
    drop(socket);
    let record = house.reaches(started["execution_id"].as_str().expect("an id"), ExecutionState::is_terminal).await;
    assert_eq!(record["status"], "cancelled");
}

#[tokio::test]
async fn a_socket_watches_from_any_point_and_takes_no_input() {
    let house = House::new().await;
    let record = house.post("/execute", &json!({"code": "steps 2"})).await.json();
    let id = record["id"].as_str().expect("an id");
    for path in [format!("/api/v1/executions/{id}/stream?from=3"), format!("/execute/stream?execution_id={id}&from=3")]
    {
        let mut socket = open(&house, &path, &[]).await.expect("a socket");
        let (events, code) = read(&mut socket).await;
        let seqs: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
        assert_eq!((seqs, code), (vec![3, 4, 5, 6], Some(1000)));
    }
    let running = house.detach("sleep").await;
    let path = format!("/api/v1/executions/{running}/stream");
    let mut socket = open(&house, &path, &[]).await.expect("a socket");
    within("sending", socket.send(Message::binary(&b"x"[..]))).await.expect("sent");
    assert_eq!(read(&mut socket).await.1, Some(1008));
    let mut socket = open(&house, &path, &[]).await.expect("a socket");
    within("sending", socket.send(Message::binary(vec![0; 65 * 1024]))).await.expect("sent");
    assert_eq!(read(&mut socket).await.1, Some(1008));
    let record = house.get(&format!("/api/v1/executions/{running}")).await.json();
    assert!(matches!(record["status"].as_str(), Some("queued" | "starting" | "running")), "a watcher ended it");
}

/// Row 89.
#[tokio::test]
async fn hostile_sockets_are_refused_with_a_code() {
    let limits = HttpLimits { body_bytes: ByteSize::from_bytes(4096), ..HttpLimits::default() };
    let house = House::with(|_| {}, limits, FakeHost::default()).await;
    assert_eq!(open(&house, "/execute/stream", &[("origin", "http://evil.example")]).await.err(), Some(403));
    assert_eq!(open(&house, "/api/v1/executions/exe_1/stream", &[]).await.err(), Some(404));
    assert_eq!(open(&house, "/execute/stream?x=1", &[]).await.err(), Some(400));
    assert_eq!(open(&house, "/execute/stream", &[("idempotency-key", "k")]).await.err(), Some(422));
    let refused = [
        (Message::text("{"), Some("invalid_json"), 1008),
        (Message::text(r#"{"code": "x", "cmd": 1}"#), Some("unknown_field"), 1008),
        (Message::text(r#"{"code": "x", "language": "cobol"}"#), Some("unknown_language"), 1008),
        (Message::binary(&b"x"[..]), Some("invalid_json"), 1008),
        (Message::text("x".repeat(8192)), Some("invalid_json"), 1008),
    ];
    for (frame, code, close) in refused {
        let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
        within("sending", socket.send(frame)).await.expect("sent");
        let (events, closed) = read(&mut socket).await;
        assert_eq!((events.first().and_then(|event| event["code"].as_str()), closed), (code, Some(close)));
    }
    let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
    text(&mut socket, &json!({"code": "sleep"})).await;
    text(&mut socket, &json!({"type": "shout"})).await;
    let (events, code) = read(&mut socket).await;
    assert_eq!((&events.last().expect("an error")["code"], code), (&json!("invalid_field"), Some(1008)));
}

/// Row 89: a reader that never reads gets its code when it comes back in time, and the program never
/// notices.
#[tokio::test]
async fn a_socket_that_is_not_read_is_closed_with_a_code() {
    let house = House::new().await;
    let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
    text(&mut socket, &json!({"code": "flood 8388608 0", "on_disconnect": "detach"})).await;
    let started = within("frame", socket.next()).await.expect("open").expect("whole").into_text().expect("text");
    let started: Value = serde_json::from_str(&started).expect("json");
    let id = started["execution_id"].as_str().expect("an id");
    let record = house.reaches(id, ExecutionState::is_terminal).await;
    assert_eq!((&record["status"], &record["stdout_bytes"]), (&json!("succeeded"), &json!(8 << 20)));
    tokio::time::pause();
    tokio::time::sleep(HttpLimits::default().write_timeout * 3 / 5).await;
    let (events, code) = read(&mut socket).await;
    assert_eq!((&events.last().expect("last words")["code"], code), (&json!("reader_too_slow"), Some(4408)));
    assert!(events.len() < 20, "{} pieces were held for it", events.len());
}

/// Row 89: a peer that answers no ping is gone.
#[tokio::test]
async fn a_socket_that_gives_no_sign_of_life_is_closed() {
    let house = House::new().await;
    let body = json!({"code": "sleep", "wait": false, "timeout": "1h"});
    let id = house.post("/execute", &body).await.json()["id"].as_str().expect("an id").to_owned();
    house.reaches(&id, |state| state == ExecutionState::Running).await;
    let mut socket = open(&house, &format!("/api/v1/executions/{id}/stream"), &[]).await.expect("a socket");
    tokio::time::pause();
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    assert_eq!(read(&mut socket).await.1, Some(4408));
}

#[tokio::test]
async fn a_piece_of_input_that_is_too_long_closes_the_socket() {
    let house = House::new().await;
    let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
    text(&mut socket, &json!({"code": "echo", "stdin": null})).await;
    within("sending", socket.send(Message::binary(vec![b'x'; (1 << 20) + 1]))).await.expect("sent");
    assert_eq!(read(&mut socket).await.1, Some(1009));
    // The request itself may be longer.
    let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
    text(&mut socket, &json!({"code": "echo", "stdin": "x".repeat(2 << 20)})).await;
    let (events, code) = read(&mut socket).await;
    assert_eq!((&events.last().expect("an end")["status"], code), (&json!("succeeded"), Some(1000)));
}

#[tokio::test]
async fn first_messages_are_paid_for_like_bodies() {
    let most = ByteSize::from_bytes(4096);
    let limits = HttpLimits { body_bytes: most, all_bodies_bytes: most, ..HttpLimits::default() };
    let house = House::with(|_| {}, limits, FakeHost::default()).await;
    let mut first = open(&house, "/execute/stream", &[]).await.expect("a socket");
    let request = json!({"code": "echo", "stdin": "x".repeat(3000)}).to_string();
    let (begin, end) = request.split_at(3000);
    let part = |text: &str, opcode, last| Message::Frame(Frame::message(text.to_owned(), OpCode::Data(opcode), last));
    within("sending", first.send(part(begin, Data::Text, false))).await.expect("sent");
    let (event, code) = within("refusal", async {
        loop {
            let mut second = open(&house, "/execute/stream", &[]).await.expect("a socket");
            within("sending", second.send(Message::text("x".repeat(3000)))).await.expect("sent");
            let (mut events, code) = read(&mut second).await;
            if code != Some(1008) {
                return (events.pop(), code);
            }
        }
    })
    .await;
    assert_eq!((event.map(|event| event["code"].clone()), code), (Some(json!("at_capacity")), Some(1013)));
    within("sending", first.send(part(end, Data::Continue, true))).await.expect("sent");
    let (events, code) = read(&mut first).await;
    assert_eq!((&events.last().expect("an end")["status"], code), (&json!("succeeded"), Some(1000)));
}

#[tokio::test]
async fn input_that_waits_for_a_program_is_paid_for_like_bodies() {
    let [body_bytes, all_bodies_bytes] = [1 << 20, 3 << 19].map(ByteSize::from_bytes);
    let limits = HttpLimits { body_bytes, all_bodies_bytes, ..HttpLimits::default() };
    let house = House::with(|_| {}, limits, FakeHost::default()).await;
    let large = json!({"code": "nothing", "stdin": "x".repeat(700 << 10)});
    assert_eq!(house.post("/execute", &large).await.status, 200);
    let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
    text(&mut socket, &json!({"code": "wait-for-signal"})).await;
    within("sending", socket.send(Message::binary(vec![b'x'; 1 << 20]))).await.expect("sent");
    // It arrives in pieces, and then it waits as long as the program reads nothing.
    within("the refusal", async {
        while house.post("/execute", &large).await.status != 503 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let running = house.get("/api/v1/executions?status=running").await.json();
    let id = running["items"][0]["id"].as_str().expect("one runs").to_owned();
    house.post_with(&format!("/api/v1/executions/{id}/cancel"), &[], "").await;
    within("room", async {
        while house.post("/execute", &large).await.status != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_socket_hears_its_client_while_input_waits_for_the_program() {
    let house = House::new().await;
    for whole in [true, false] {
        let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
        let mut request = json!({"code": "wait-for-signal"});
        if whole {
            request["stdin"] = "x".repeat(3 << 20).into();
        }
        text(&mut socket, &request).await;
        if !whole {
            for _ in 0..3 {
                within("sending", socket.send(Message::binary(vec![b'x'; 1 << 20]))).await.expect("sent");
            }
        }
        text(&mut socket, &json!({"type": "cancel"})).await;
        let (events, code) = read(&mut socket).await;
        assert_eq!((&events.last().expect("an end")["status"], code), (&json!("cancelled"), Some(1000)));

        let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
        text(&mut socket, &request).await;
        if !whole {
            within("sending", socket.send(Message::binary(vec![b'x'; 3 << 18]))).await.expect("sent");
        }
        drop(socket);
        within("the end of a caller who went away", async {
            while house.orchestrator.stats().running > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_handshake_with_a_body_is_refused() {
    let house = House::new().await;
    for header in [("content-length", "5"), ("transfer-encoding", "chunked")] {
        let refused = open(&house, "/execute/stream", &[header]).await;
        assert!(refused.is_err(), "{header:?}");
    }
}

#[tokio::test]
async fn a_program_that_was_never_started_says_why_by_a_code() {
    let house = House::new().await;
    let mut socket = open(&house, "/execute/stream", &[]).await.expect("a socket");
    text(&mut socket, &json!({"command": ["/no/such"]})).await;
    let (events, code) = read(&mut socket).await;
    let said: Vec<_> = events.iter().map(|event| (event["type"].clone(), event["code"].clone())).collect();
    assert_eq!(said, [(json!("error"), json!("command_not_found")), (json!("complete"), json!(null))]);
    assert_eq!(code, Some(1000));
}
