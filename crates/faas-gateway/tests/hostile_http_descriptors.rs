//! Running out of file descriptors. Alone in its program: the limit holds for the whole process.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use axum::Router;
use axum::routing::get;
use faas_gateway::{Access, HttpLimits, Measure, Server, protect};
use faas_telemetry::Metrics;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

const BOUND: Duration = Duration::from_secs(20);

async fn health(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn without_descriptors_the_server_neither_spins_nor_dies() {
    let limits = HttpLimits::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let router = Router::new().route("/health", get(|| async { "ok" }));
    let (stop, stopped) = oneshot::channel::<()>();
    let measure = Measure::new(&Metrics::new(), []);
    let server = Server::new(protect(router, Access::local(), limits, measure), limits);
    let running = tokio::spawn(server.run(vec![listener], stopped));

    let mut few = getrlimit(Resource::Nofile);
    few.current = Some(80);
    setrlimit(Resource::Nofile, few).expect("a lower limit");
    // Both ends are in this process: it runs out when the server still has connections to accept.
    let mut idle = Vec::new();
    while let Ok(stream) = TcpStream::connect(address).await {
        idle.push(stream);
    }
    assert!(idle.len() > 30, "{}", idle.len());
    let used = processor_time();
    timeout(Duration::from_millis(500), std::future::pending::<()>()).await.expect_err("half a second passes");
    let spent = processor_time() - used;
    assert!(spent < Duration::from_millis(250), "the server used {spent:?} in half a second");

    // The server has closed idle ones; as soon as this side lets go of its ends, all is well.
    idle.clear();
    let well = async { while !matches!(health(address).await, Ok(text) if text.starts_with("HTTP/1.1 200 ")) {} };
    timeout(BOUND, well).await.expect("the server recovers");
    stop.send(()).expect("it runs");
    timeout(BOUND, running).await.expect("it ends").expect("without a panic");
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("not negative");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("below a second"))
}
