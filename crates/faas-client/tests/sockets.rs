//! Executions over WebSocket against a server that behaves and one that does not.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use bytes::Bytes;
use faas_client::Event;
use faas_client::model::{ClientFrame, ExecuteBody, StreamEvent, StreamName};
use faas_types::{Contract, ErrorCode, ExecutionId, ExecutionRecord, Language};
use futures_util::{SinkExt as _, StreamExt as _};
use support::{in_process, problem, request};
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

fn body() -> ExecuteBody {
    ExecuteBody { code: Some("print(input())".to_owned()), language: Some(Language::Python), ..ExecuteBody::default() }
}

async fn accept(connections: &mut UnboundedReceiver<DuplexStream>) -> WebSocketStream<DuplexStream> {
    let stream = connections.recv().await.expect("a connection");
    tokio_tungstenite::accept_async(stream).await.expect("a handshake")
}

async fn say(socket: &mut WebSocketStream<DuplexStream>, event: &StreamEvent) {
    socket.send(Message::text(serde_json::to_string(event).expect("JSON"))).await.expect("sent");
}

#[tokio::test]
async fn input_goes_in_while_output_comes_out() {
    let (client, mut connections) = in_process();
    let id = ExecutionId::generate();
    let record = ExecutionRecord::queued(id, Some(Language::Python), Contract::Script, "process");
    let end = record.clone();
    let server = tokio::spawn(async move {
        let mut socket = accept(&mut connections).await;
        let request = socket.next().await.expect("a frame").expect("whole").into_text().expect("text");
        assert_eq!(ExecuteBody::from_json(request.as_bytes()), Ok(body()));
        say(&mut socket, &StreamEvent::Started { seq: 1, execution_id: id }).await;
        let Message::Binary(input) = socket.next().await.expect("a frame").expect("whole") else { panic!("no bytes") };
        let text = faas_client::model::OutputText::new(&input);
        say(&mut socket, &StreamEvent::Output { seq: 2, stream: StreamName::Stdout, text }).await;
        for wanted in [ClientFrame::Signal(15), ClientFrame::Eof] {
            let frame = socket.next().await.expect("a frame").expect("whole").into_text().expect("text");
            assert_eq!(ClientFrame::from_json(frame.as_bytes()), Ok(wanted));
        }
        say(&mut socket, &StreamEvent::complete(3, end)).await;
    });
    let (mut running, mut input) = client.run_interactive(&body()).await.expect("it runs");
    assert_eq!(running.id(), None);
    assert_eq!(running.next().await, Some(Ok(Event::Started { seq: 1, execution_id: id })));
    assert_eq!(running.id(), Some(id));
    let bytes = Bytes::from_static(b"in\xff\n");
    input.stdin(bytes.clone()).await.expect("sent");
    assert_eq!(running.next().await, Some(Ok(Event::Output { seq: 2, stream: StreamName::Stdout, bytes })));
    input.say(ClientFrame::Signal(15)).await.expect("sent");
    input.say(ClientFrame::Eof).await.expect("sent");
    assert_eq!(running.next().await, Some(Ok(Event::Complete { seq: 3, record: Box::new(record) })));
    assert_eq!(running.next().await, None);
    server.await.expect("served");
}

#[tokio::test]
async fn a_refused_handshake_is_an_error_with_its_code() {
    let (client, mut connections) = in_process();
    let server = tokio::spawn(async move {
        let mut stream = connections.recv().await.expect("a connection");
        request(&mut stream).await;
        stream.write_all(problem(503, "retry-after: 3\r\n", "stopping").as_bytes()).await.expect("written");
    });
    let error = client.run_interactive(&body()).await.expect_err("refused");
    assert_eq!((error.known(), error.status), (Some(ErrorCode::Stopping), Some(503)));
    assert_eq!(error.retry_after.map(|wait| wait.as_secs()), Some(3));
    server.await.expect("served");
}

#[tokio::test]
async fn a_stream_that_ends_early_says_why() {
    let close =
        |reason: &'static str| Message::Close(Some(CloseFrame { code: CloseCode::Policy, reason: reason.into() }));
    let error = r#"{"type":"error","code":"queue_full","detail":"no room","error":"no room"}"#;
    for (last, code) in [
        (Some(close("reader_too_slow")), ErrorCode::ReaderTooSlow),
        (Some(close("whatever")), ErrorCode::ServerUnreachable),
        (Some(Message::text(error)), ErrorCode::QueueFull),
        (Some(Message::text("{")), ErrorCode::Internal),
        (None, ErrorCode::ServerUnreachable),
    ] {
        let (client, mut connections) = in_process();
        let server = tokio::spawn(async move {
            let mut socket = accept(&mut connections).await;
            socket.next().await.expect("a frame").expect("whole");
            if let Some(last) = last {
                socket.send(last).await.expect("sent");
            }
        });
        let (mut running, _input) = client.run_interactive(&body()).await.expect("it runs");
        let error = running.next().await.expect("something").expect_err("the end");
        assert_eq!(error.known(), Some(code), "{error}");
        assert_eq!(running.next().await, None);
        server.await.expect("served");
    }
}

#[tokio::test]
async fn a_vast_frame_is_refused_unread() {
    let (client, mut connections) = in_process();
    let server = tokio::spawn(async move {
        let mut socket = accept(&mut connections).await;
        socket.next().await.expect("a frame").expect("whole");
        // The head of a text frame of 2^40 bytes.
        let head = [0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0];
        socket.get_mut().write_all(&head).await.expect("written");
        socket
    });
    let (mut running, _input) = client.run_interactive(&body()).await.expect("it runs");
    let error = running.next().await.expect("something").expect_err("too large");
    assert!(error.detail.contains("too large"), "{error}");
    drop(server.await.expect("served"));
}
