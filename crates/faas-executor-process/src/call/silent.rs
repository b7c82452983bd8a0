//! The conversation with a runner that does not answer: it is told what to run and closes its end before user
//! code runs. Called by the call's drive.

use super::plan::RunnerPlan;
use faas_protocol::call::{FromRunner, RunnerFrames};
use faas_protocol::frame::Decoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::ReadHalf;

/// Tells the runner what to run, and listens until it closes the socket, which it does before user
/// code runs. Returns only when it broke the protocol.
pub(super) async fn tell(runner: Option<(RunnerPlan, UnixStream)>, call: u32) {
    if let Some((plan, mut socket)) = runner {
        let (mut from, mut to) = socket.split();
        let telling = async {
            for frame in plan.program(call) {
                let Ok(frame) = frame else { return };
                // A runner that is gone shows in its exit.
                if to.write_all(&frame).await.is_err() {
                    return;
                }
            }
        };
        let ((), kept) = tokio::join!(telling, listen(&mut from));
        if !kept {
            return;
        }
    }
    std::future::pending().await
}

/// Whether everything the runner said until it closed the socket was in order.
async fn listen(from: &mut ReadHalf<'_>) -> bool {
    let mut decoder = Decoder::new();
    let mut frames = RunnerFrames::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let length = match from.read(&mut buffer).await {
            // A runner that died says so by its exit.
            Ok(0) | Err(_) => return true,
            Ok(length) => length,
        };
        decoder.push(buffer.get(..length).unwrap_or_default());
        loop {
            let accepted = match decoder.next_frame() {
                Ok(None) => break,
                Ok(Some(raw)) => FromRunner::decode(raw.as_bytes()).is_ok_and(|frame| frames.accept(&frame).is_ok()),
                Err(_) => false,
            };
            if !accepted {
                return false;
            }
        }
    }
}
