//! A hand-made server: says exactly what a test wants, and notes what it was sent.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]
#![allow(dead_code, reason = "each test file uses its part")]

use faas_client::{Client, Connect};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A server over TCP that gives one of these answers per connection and then closes it; ends with the
/// requests it got.
pub(crate) async fn over_tcp(answers: Vec<String>) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string().parse().expect("an address");
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            requests.push(request(&mut stream).await);
            // A client that has read enough closes first.
            drop(stream.write_all(answer.as_bytes()).await);
        }
        requests
    });
    (Client::new(Connect::Tcp(address)), server)
}

/// A client of a server in this process, and that server's ends of its connections.
pub(crate) fn in_process() -> (Client, mpsc::UnboundedReceiver<DuplexStream>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let sender = Arc::new(Mutex::new(sender));
    let open = move || {
        let (near, far) = tokio::io::duplex(64 * 1024);
        // A server that is gone closes the pipe.
        drop(sender.lock().expect("whole").send(far));
        near
    };
    (Client::new(Connect::InProcess(Arc::new(open))), receiver)
}

/// The same as [`over_tcp`] without a network, so that a paused clock goes on by itself.
pub(crate) fn scripted(answers: Vec<String>) -> (Client, JoinHandle<Vec<String>>) {
    let (client, mut connections) = in_process();
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let Some(mut stream) = connections.recv().await else { break };
            requests.push(request(&mut stream).await);
            drop(stream.write_all(answer.as_bytes()).await);
        }
        requests
    });
    (client, server)
}

/// Reads one request with its body.
pub(crate) async fn request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut wanted = None;
    loop {
        if let Some(wanted) = wanted
            && bytes.len() >= wanted
        {
            return String::from_utf8(bytes).expect("text");
        }
        let read = stream.read_buf(&mut bytes).await.expect("readable");
        assert!(read > 0, "the request ends early: {:?}", String::from_utf8_lossy(&bytes));
        if wanted.is_none() {
            let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            wanted = text.find("\r\n\r\n").map(|end| {
                let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                end + 4 + length.map_or(0, |length| length.parse::<usize>().expect("a length"))
            });
        }
    }
}

/// A JSON answer.
pub(crate) fn json(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// A refusal.
pub(crate) fn problem(status: u16, headers: &str, code: &str) -> String {
    let body = format!(
        r#"{{"type":"t","title":"t","status":{status},"detail":"about {code}","code":"{code}","request_id":"req_7","error":"e"}}"#
    );
    json(&format!("{status} Some Reason"), headers, &body)
}

/// The head of a stream of events, which lasts until the connection ends.
pub(crate) fn events(events: &[&str]) -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_owned();
    events.iter().fold(head, |text, event| text + "data: " + event + "\n\n")
}
