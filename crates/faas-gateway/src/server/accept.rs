//! The accept loop of one listener.
//!
//! Invariants: a full server answers quickly instead of queueing; running out of descriptors frees
//! some and pauses instead of spinning; a stopping server still takes what the kernel has accepted.

use super::activity::Activity;
use super::{Endpoints, Server, Stage};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// What a caller hears when every place is taken by a request.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 211\r\n\r\n\
    {\"type\":\"urn:faas:error:at_capacity\",\"title\":\"at capacity\",\"status\":503,\
    \"detail\":\"every connection is taken; try again\",\"code\":\"at_capacity\",\
    \"error\":\"every connection is taken; try again\",\"retry_after_ms\":1000}\n";
/// How long such a caller may take to hear it, and how many are told at once.
const REFUSAL: Duration = Duration::from_secs(1);
const REFUSALS: usize = 64;
/// How long to wait for descriptors, and how many idle connections are asked for theirs.
const PAUSE: Duration = Duration::from_millis(100);
const FREED: usize = 16;
/// The most connections a stopping server still takes: as many as a backlog holds, so that callers who
/// keep coming do not keep it.
const LAST: usize = 1024;

/// Accepts until the server stops.
pub(super) async fn accept(server: Server, listener: TcpListener) {
    let mut stage = server.shared.stage.subscribe();
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    loop {
        tokio::select! {
            () = stopping(&mut stage) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => admit(&server, stream, &refusals),
                Err(error) => match error.kind() {
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted => {}
                    _ => {
                        tracing::warn!(%error, "a connection cannot be accepted; idle ones are closed");
                        (0..FREED).take_while(|_| server.shared.places.evict()).for_each(drop);
                        sleep(PAUSE).await;
                    }
                },
            },
        }
    }
    // Asking the socket itself: the runtime may not have heard yet of what is waiting there.
    let Ok(listener) = listener.into_std() else { return };
    for _ in 0..LAST {
        let Ok(Ok(stream)) = listener.accept().map(|(stream, _)| non_blocking(stream)) else { return };
        admit(&server, stream, &refusals);
    }
}

async fn stopping(stage: &mut watch::Receiver<Stage>) {
    // The sender lives as long as the server, which the loop holds.
    let _ = stage.wait_for(|stage| *stage > Stage::Serving).await;
}

fn non_blocking(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

fn admit(server: &Server, stream: TcpStream, refusals: &Arc<Semaphore>) {
    // Answers are written whole; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::new());
    let Some(place) = server.shared.places.take(&activity) else {
        if let Ok(permit) = Arc::clone(refusals).try_acquire_owned() {
            tokio::spawn(async move {
                refuse(stream).await;
                drop(permit);
            });
        }
        return;
    };
    let server = server.clone();
    let endpoints = Endpoints { local: stream.local_addr().ok() };
    tokio::spawn(async move { server.serve(stream, activity, place, endpoints).await });
}

/// Says that there is no place, and reads until the other side has seen it.
pub(super) async fn refuse(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let told = async {
        io.write_all(BUSY).await?;
        io.shutdown().await?;
        while io.read(&mut [0; 1024]).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // Whoever does not listen is not waited for.
    let _ = timeout(REFUSAL, told).await;
}

#[cfg(test)]
mod tests {
    use super::BUSY;

    #[test]
    fn the_refusal_is_a_whole_response() {
        let text = std::str::from_utf8(BUSY).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(problem["code"], "at_capacity");
    }
}
