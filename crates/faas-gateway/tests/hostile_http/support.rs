//! A server on a free port with a router that shows what arrived, and raw clients.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, WebSocketUpgrade};
use axum::routing::{get, post};
use faas_gateway::{Access, HttpLimits, Measure, Server, not_found, protect};
use faas_telemetry::Metrics;
use faas_types::ByteSize;
use futures_util::stream;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing in these tests takes longer than this.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// A running server. `gate` holds one permit for each answer of `/gate` that may end; `entered`
/// gains one for each that has begun.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) entered: Arc<Semaphore>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

/// Limits that a test can wait for.
pub(crate) fn short() -> HttpLimits {
    HttpLimits {
        header_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        write_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(300),
        ..HttpLimits::default()
    }
}

/// Limits under which no connection is closed for being idle while a test runs.
pub(crate) fn patient() -> HttpLimits {
    HttpLimits { header_timeout: BOUND * 10, idle_timeout: BOUND * 10, ..HttpLimits::default() }
}

/// Limits with this longest body.
pub(crate) fn small_bodies(bytes: u64) -> HttpLimits {
    HttpLimits { body_bytes: ByteSize::from_bytes(bytes), ..HttpLimits::default() }
}

fn router(gate: &Arc<Semaphore>, entered: &Arc<Semaphore>) -> Router {
    let (gate, entered) = (Arc::clone(gate), Arc::clone(entered));
    Router::new()
        .fallback(not_found)
        .route("/health", get(|| async { "ok" }))
        .route("/api/v1/echo", post(|body: Bytes| async move { body }))
        .route("/api/v1/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/api/v1/unread", post(|| async { "unread" }))
        .route("/headers", get(|request: Request| async move { format!("{:?}", request.headers()) }))
        .route("/large", get(|| async { vec![b'x'; 32 << 20] }))
        .route("/panic", get(|| async { panic!("a bug") as &'static str }))
        .route("/socket", get(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(|_| async {}) }))
        .route(
            "/endless",
            get(|| async { Body::from_stream(stream::repeat(Ok::<_, Infallible>(Bytes::from(vec![b'x'; 16384])))) }),
        )
        .route(
            "/gate",
            get(move || async move {
                entered.add_permits(1);
                gate.acquire().await.expect("never closed").forget();
                "through"
            }),
        )
}

impl Host {
    pub(crate) async fn start(limits: HttpLimits) -> Self {
        let (gate, entered) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let measure = Measure::new(&Metrics::new(), []);
        let server = Server::new(protect(router(&gate, &entered), Access::local(), limits, measure), limits);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.clone().run(vec![listener], stopped));
        Self { address, server, gate, entered, stop: Some(stop), running }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the server listens")
    }

    /// Everything that comes back for these bytes until the server closes.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The server may answer and close before it has taken everything.
        let _ = stream.write_all(request.as_ref()).await;
        rest(&mut stream).await
    }

    /// The answer to a request that is served like any other, to show that the server still does.
    pub(crate) async fn assert_well(&self) {
        let answer = self.exchange(get_close("/health")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"), "{answer}");
    }

    pub(crate) async fn entered(&self) {
        timeout(BOUND, self.entered.acquire()).await.expect("a request enters").expect("never closed").forget();
    }

    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    /// Waits until nobody listens any more.
    pub(crate) async fn refuses(&self) {
        timeout(BOUND, async { while TcpStream::connect(self.address).await.is_ok() {} })
            .await
            .expect("it stops listening");
    }

    /// Waits until the stopped server has ended.
    pub(crate) async fn ended(&mut self) {
        timeout(BOUND, &mut self.running).await.expect("it ends").expect("without a panic");
    }
}

pub(crate) fn get_close(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// What arrives until the other side closes; a reset counts as closing.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match timeout(BOUND, stream.read(&mut chunk)).await.expect("the server closes the connection") {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&bytes).into_owned(),
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// One answer with a `content-length` on a connection that stays open.
pub(crate) async fn answer(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
            if body.len() >= length.parse().expect("a number") {
                return text.into_owned();
            }
        }
        let read = timeout(BOUND, stream.read(&mut chunk)).await.expect("an answer").expect("an open connection");
        assert!(read > 0, "closed after {text:?}");
        bytes.extend_from_slice(&chunk[..read]);
    }
}

/// The status of the first response of an exchange; 0 when nothing came back.
pub(crate) fn status(answer: &str) -> u16 {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// The `code` of a problem.
pub(crate) fn code(answer: &str) -> String {
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
    let problem: serde_json::Value = serde_json::from_str(body).expect("a problem is JSON");
    assert_eq!(problem["error"], problem["detail"]);
    assert_eq!(problem["status"], status(answer));
    let id = problem["request_id"].as_str().expect("a problem names its request");
    assert!(answer.contains(&format!("x-request-id: {id}\r\n")), "{answer}");
    problem["code"].as_str().expect("a code").to_owned()
}
