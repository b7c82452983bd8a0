//! The conversation with a runner that answers: it is asked, and what it says becomes events.
//!
//! Called by the call's drive, beside the program's streams. It goes on until the answer is whole or the
//! program has ended; what the program said before its end is heard.
//!
//! Invariants: every frame is checked by [`RunnerFrames`] before anything follows from it; at most a window
//! of the response waits here for a slow reader.

use super::plan::RunnerPlan;
use crate::output::wait_true;
use faas_executor_api::{EventSender, OutputEvent, ResponseHead};
use faas_protocol::call::{FromRunner, RunnerFrames, ToRunner};
use faas_protocol::frame::Decoder;
use std::io::ErrorKind;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};

/// How much of a response may be under way.
const WINDOW: u32 = 256 << 10;
/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// How a conversation came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The response is whole.
    Whole,
    /// User code said that it has none.
    Failed,
    /// The program ended before.
    Missing,
    /// There is more of it than may be.
    TooLong,
    /// The runner broke the protocol.
    Broken,
}

/// Asks and listens.
pub(super) struct Converse<'a> {
    pub(super) events: &'a EventSender,
    /// The most bytes of a response.
    pub(super) limit: u64,
    /// Becomes true when the program has ended.
    pub(super) ended: watch::Receiver<bool>,
}

impl Converse<'_> {
    /// Closes the socket when it returns, upon which the runner ends.
    pub(super) async fn run(self, plan: &RunnerPlan, mut socket: UnixStream, call: u32) -> Answer {
        let (from, to) = socket.split();
        let (credits, due) = mpsc::unbounded_channel();
        tokio::select! {
            biased;
            answer = self.listen(from, call, &credits) => answer,
            () = tell(to, plan, call, due) => Answer::Missing,
        }
    }

    async fn listen(mut self, from: ReadHalf<'_>, call: u32, credits: &mpsc::UnboundedSender<ToRunner>) -> Answer {
        let mut heard = Heard { decoder: Decoder::new(), frames: RunnerFrames::new(), limit: self.limit };
        // The first call of a connection may always begin.
        if let Ok(Some(credit)) = heard.frames.begin(call, WINDOW) {
            let _ = credits.send(credit);
        }
        let mut buffer = vec![0_u8; BUFFER];
        loop {
            let over = tokio::select! {
                biased;
                readable = from.readable() => readable.is_err(),
                () = wait_true(&mut self.ended) => true,
            };
            let length = match from.try_read(&mut buffer) {
                Ok(0) => return Answer::Missing,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock && !over => continue,
                // A descendant may keep the socket open; it has nothing to say.
                Err(_) => return Answer::Missing,
            };
            heard.decoder.push(buffer.get(..length).unwrap_or_default());
            if let Some(answer) = self.hear(&mut heard, credits).await {
                return answer;
            }
        }
    }

    /// Passes on every whole frame that was read; the end, when it was among them.
    async fn hear(&self, heard: &mut Heard, credits: &mpsc::UnboundedSender<ToRunner>) -> Option<Answer> {
        loop {
            let frame = match heard.decoder.next_frame() {
                Ok(None) => return None,
                Ok(Some(raw)) => FromRunner::decode(raw.as_bytes()),
                Err(_) => return Some(Answer::Broken),
            };
            let Some(frame) = frame.ok().filter(|frame| heard.frames.accept(frame).is_ok()) else {
                return Some(Answer::Broken);
            };
            // Nobody reading is fine: the program goes on, its answer is discarded.
            let (event, end) = match frame {
                FromRunner::Hello { .. } | FromRunner::Loaded { .. } | FromRunner::Busy { .. } => continue,
                FromRunner::Head { status, headers, .. } => {
                    let headers = headers.into_iter().map(|(name, value)| (name, value.into())).collect();
                    (OutputEvent::ResponseHead(ResponseHead { status, headers }), None)
                }
                FromRunner::Body { bytes, .. } => {
                    let length = bytes.len();
                    let Some(left) = heard.limit.checked_sub(length as u64) else { return Some(Answer::TooLong) };
                    heard.limit = left;
                    self.events.send(OutputEvent::Body(bytes.into())).await;
                    if let Some(credit) = heard.frames.consumed(u32::try_from(length).unwrap_or(u32::MAX)) {
                        let _ = credits.send(credit);
                    }
                    continue;
                }
                FromRunner::End { .. } => (OutputEvent::ResponseEnd, Some(Answer::Whole)),
                FromRunner::Failed { message, .. } => (OutputEvent::Failed(message), Some(Answer::Failed)),
            };
            self.events.send(event).await;
            if end.is_some() {
                return end;
            }
        }
    }
}

/// What was read of a runner.
struct Heard {
    decoder: Decoder,
    frames: RunnerFrames,
    /// How many bytes of response may still come.
    limit: u64,
}

/// Says everything that is to be said, then grants credit as it is due. Never returns: that nobody listens
/// shows in what is heard.
async fn tell(mut to: WriteHalf<'_>, plan: &RunnerPlan, call: u32, mut due: mpsc::UnboundedReceiver<ToRunner>) {
    let mut listening = true;
    for frame in plan.frames(call) {
        listening = match frame {
            Ok(frame) => to.write_all(&frame).await.is_ok(),
            Err(_) => false,
        };
        if !listening {
            break;
        }
    }
    while listening && let Some(credit) = due.recv().await {
        listening = match credit.encode() {
            Ok(frame) => to.write_all(&frame).await.is_ok(),
            Err(_) => false,
        };
    }
    std::future::pending().await
}
