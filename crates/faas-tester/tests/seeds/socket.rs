//! A WebSocket from its first frame to its end.

use anyhow::{Context, Result, bail};
use faas_tester::server::{Frame, Frames, open_socket, text_frame};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a text frame to this path and answers the JSON of every text frame until the server closes.
pub(crate) fn events(address: SocketAddr, path: &str, first: &str) -> Result<Vec<Value>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let all = tokio::time::timeout(PATIENCE, converse(address, path, first));
        all.await.with_context(|| format!("it was not closed within {PATIENCE:?}"))?
    })
}

async fn converse(address: SocketAddr, path: &str, first: &str) -> Result<Vec<Value>> {
    let mut connection = open_socket(address, path).await?;
    text_frame(&mut connection, first).await?;
    let mut events = Vec::new();
    let mut frames = Frames::default();
    let mut bytes = [0; 4096];
    loop {
        let length = connection.stream().read(&mut bytes).await?;
        if length == 0 {
            bail!("it ended without a close frame after {events:?}");
        }
        frames.push(&bytes[..length]);
        for frame in frames.by_ref() {
            match frame {
                Frame::Text(text) => events.push(serde_json::from_str(&text)?),
                Frame::Close(..) => return Ok(events),
                Frame::Other(_) => {}
            }
        }
    }
}
