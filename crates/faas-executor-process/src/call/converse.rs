//! The conversation with a runner that answers: it is asked, and what it says becomes events.
//!
//! Called by the call's drive, beside the program's streams. It goes on until the answer is whole or the
//! program has ended; what the program said before its end is heard.
//!
//! Invariants: every frame is checked by [`RunnerFrames`] before anything follows from it; at most a window
//! of the response waits here for a slow reader; a program that stays is asked when stock of it has been taken.

use super::plan::RunnerPlan;
use crate::output::wait_true;
use crate::packets::peek;
use crate::sandbox::Shared;
use faas_executor_api::{EventSender, OutputEvent, ResponseHead};
use faas_protocol::call::{BeginError, FromRunner, RunnerFrames, ToRunner};
use faas_protocol::control::ToInit;
use faas_protocol::frame::{Decoder, FrameError};
use rustix::io::Errno;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::sync::{Notify, mpsc, watch};

/// How much of a response may be under way.
const WINDOW: u32 = 256 << 10;
/// Bytes read or written at once.
const BUFFER: usize = 64 << 10;

/// How a conversation came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The response is whole.
    Whole,
    /// User code said that it has none.
    Failed,
    /// The program is loaded and will be asked in another call.
    Later,
    /// The program ended before.
    Missing,
    /// There is more of it than may be.
    TooLong,
    /// The runner broke the protocol.
    Broken,
}

/// The connection to a runner that answers.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(super) socket: UnixStream,
    pub(super) decoder: Decoder,
    pub(super) frames: RunnerFrames,
    pub(super) buffer: Vec<u8>,
    /// Whether the last call can be followed by another: it was asked in full, and nothing of it goes on.
    pub(super) calm: bool,
}

/// What the other end of an idle connection is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// It waits for the next request.
    Waits,
    /// It is closed.
    Closed,
    /// Something of the last call goes on.
    Busy,
}

/// What is said first in a call.
pub(super) enum Opening {
    /// What to run and, at once or when stock has been taken, what to answer.
    Load(Box<RunnerPlan>),
    /// The rest of a request of which a part was written already.
    Rest(Vec<u8>),
}

impl Conversation {
    /// With a program that answers so many calls at once.
    pub(super) fn new(socket: UnixStream, at_once: u32) -> Self {
        let frames = RunnerFrames::of(usize::try_from(at_once).unwrap_or(1));
        Self { socket, decoder: Decoder::new(), frames, buffer: vec![0; BUFFER], calm: false }
    }

    /// What is found at the other end between two calls.
    pub(crate) fn idle(&self) -> Idle {
        match peek(&self.socket) {
            Err(Errno::AGAIN) if self.calm => Idle::Waits,
            Ok(length) if length > 0 => Idle::Busy,
            Err(Errno::AGAIN | Errno::INTR) => Idle::Busy,
            Ok(_) | Err(_) => Idle::Closed,
        }
    }

    /// Begins another call: writes as much of the request as is possible at once and gives the rest.
    pub(super) fn ask(
        &mut self,
        call: u32,
        request: impl Iterator<Item = Result<Vec<u8>, FrameError>>,
    ) -> Result<Vec<u8>, AskError> {
        let mut bytes: Vec<u8> = Vec::new();
        for frame in request {
            bytes.append(&mut frame.map_err(AskError::Request)?);
        }
        if let Some(credit) = self.frames.begin(call, WINDOW).map_err(AskError::Begin)? {
            bytes.append(&mut credit.encode().map_err(AskError::Request)?);
        }
        self.calm = false;
        match self.socket.try_write(&bytes) {
            Ok(length) => drop(bytes.drain(..length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(AskError::Closed(error)),
        }
        Ok(bytes)
    }
}

/// Why a program that stays could not be asked.
#[derive(Debug)]
pub(super) enum AskError {
    /// The request does not fit the protocol.
    Request(FrameError),
    /// The call's number is wrong.
    Begin(BeginError),
    /// Nobody reads any more; nothing was heard.
    Closed(io::Error),
}

/// Stock that is to be taken of a program once it is loaded.
#[derive(Clone, Copy)]
pub(super) struct Stock<'a> {
    pub(super) shared: &'a Shared,
    /// Told when it has been taken.
    pub(super) taken: &'a Notify,
}

/// Asks and listens.
pub(super) struct Converse<'a> {
    pub(super) events: &'a EventSender,
    /// The most bytes of a response.
    pub(super) limit: u64,
    /// Becomes true when the program has ended.
    pub(super) ended: watch::Receiver<bool>,
    /// For a program that stays.
    pub(super) stock: Option<Stock<'a>>,
}

impl Converse<'_> {
    /// Runs one call. Unless the conversation is kept, its socket closes, upon which the runner ends.
    pub(super) async fn run(self, conversation: &mut Conversation, opening: Opening, call: u32) -> Answer {
        let Conversation { socket, decoder, frames, buffer, calm } = conversation;
        let mut heard = Heard { decoder, frames, limit: self.limit, busy: false };
        // The first call of a connection may always begin; a later one has begun already.
        let credit = match &opening {
            Opening::Load(plan) => heard.frames.begin(call, if plan.is_ahead() { 0 } else { WINDOW }).ok().flatten(),
            Opening::Rest(_) => None,
        };
        let (from, to) = socket.split();
        let (credits, due) = mpsc::unbounded_channel();
        // The answer may be here before a word of what follows is said.
        let said = AtomicBool::new(matches!(&opening, Opening::Rest(rest) if rest.is_empty()));
        let telling = Tell { to, said: &said, stock: self.stock, due };
        let answer = tokio::select! {
            biased;
            answer = self.listen(from, buffer, &mut heard, &credits) => answer,
            () = telling.run(opening, call, credit) => Answer::Later,
        };
        if answer == Answer::Later {
            heard.frames.put_off();
        }
        *calm = said.load(Ordering::Relaxed) && !heard.busy && heard.decoder.is_empty();
        answer
    }

    async fn listen(
        mut self,
        from: ReadHalf<'_>,
        buffer: &mut [u8],
        heard: &mut Heard<'_>,
        credits: &mpsc::UnboundedSender<ToRunner>,
    ) -> Answer {
        loop {
            let over = tokio::select! {
                biased;
                readable = from.readable() => readable.is_err(),
                () = wait_true(&mut self.ended) => true,
            };
            let length = match from.try_read(buffer) {
                Ok(0) => return Answer::Missing,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock && !over => continue,
                // A descendant may keep the socket open; it has nothing to say.
                Err(_) => return Answer::Missing,
            };
            heard.decoder.push(buffer.get(..length).unwrap_or_default());
            if let Some(answer) = self.hear(heard, credits).await {
                return answer;
            }
        }
    }

    /// Passes on every whole frame that was read; the end, when it was among them.
    async fn hear(&self, heard: &mut Heard<'_>, credits: &mpsc::UnboundedSender<ToRunner>) -> Option<Answer> {
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
                FromRunner::Hello { .. } => continue,
                FromRunner::Loaded { .. } => {
                    // Said before stock is taken: with that a call that only loads is over.
                    self.events.send(OutputEvent::Loaded).await;
                    if let (Some(stock), Ok(keep)) = (self.stock, ToInit::Keep.encode()) {
                        // Without init the program is ending, which is heard elsewhere.
                        let _ = stock.shared.control.send(&keep, &[]).await;
                    }
                    continue;
                }
                FromRunner::Busy { .. } => {
                    heard.busy = true;
                    continue;
                }
                FromRunner::Head { status, headers, .. } => {
                    let headers = headers.into_iter().map(|(name, value)| (name, value.into())).collect();
                    (OutputEvent::ResponseHead(ResponseHead { status, headers }), None)
                }
                FromRunner::Body { call, bytes, .. } => {
                    let length = bytes.len();
                    let Some(left) = heard.limit.checked_sub(length as u64) else { return Some(Answer::TooLong) };
                    heard.limit = left;
                    self.events.send(OutputEvent::Body(bytes.into())).await;
                    if let Some(credit) = heard.frames.consumed(call, u32::try_from(length).unwrap_or(u32::MAX)) {
                        let _ = credits.send(credit);
                    }
                    continue;
                }
                // Only a program that answers several calls at once, which is heard elsewhere, says it.
                FromRunner::Printed { .. } => return Some(Answer::Broken),
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
struct Heard<'a> {
    decoder: &'a mut Decoder,
    frames: &'a mut RunnerFrames,
    /// How many bytes of response may still come.
    limit: u64,
    /// Whether something of the call goes on after its answer.
    busy: bool,
}

/// The host's side of a call.
struct Tell<'a> {
    to: WriteHalf<'a>,
    /// Whether everything that is due has been said, and nothing by half.
    said: &'a AtomicBool,
    stock: Option<Stock<'a>>,
    due: mpsc::UnboundedReceiver<ToRunner>,
}

impl Tell<'_> {
    /// Says everything that is to be said, then grants credit as it is due. Returns where the program is only to
    /// be loaded, once it is; otherwise never: that nobody listens shows in what is heard.
    async fn run(mut self, opening: Opening, call: u32, credit: Option<ToRunner>) {
        let is_ahead = matches!(&opening, Opening::Load(plan) if plan.is_ahead());
        if self.open(opening, call, credit).await.is_some() {
            self.said.store(true, Ordering::Relaxed);
            if is_ahead {
                return;
            }
            while let Some(credit) = self.due.recv().await {
                self.said.store(false, Ordering::Relaxed);
                if self.say(std::iter::once(credit.encode())).await.is_none() {
                    break;
                }
                self.said.store(true, Ordering::Relaxed);
            }
        }
        std::future::pending().await
    }

    async fn open(&mut self, opening: Opening, call: u32, credit: Option<ToRunner>) -> Option<()> {
        let plan = match opening {
            Opening::Rest(rest) => return self.to.write_all(&rest).await.ok(),
            Opening::Load(plan) => plan,
        };
        let request = || plan.asked(call).chain(credit.iter().map(ToRunner::encode));
        match self.stock {
            None => self.say(plan.program(call).chain(request())).await,
            Some(stock) => {
                self.say(plan.program(call)).await?;
                stock.taken.notified().await;
                if plan.is_ahead() { Some(()) } else { self.say(request()).await }
            }
        }
    }

    /// Several frames at once, as far as they are short. `None` when nobody listens.
    async fn say(&mut self, frames: impl Iterator<Item = Result<Vec<u8>, FrameError>>) -> Option<()> {
        let mut unsent = Vec::new();
        for frame in frames {
            unsent.append(&mut frame.ok()?);
            if unsent.len() >= BUFFER {
                self.to.write_all(&unsent).await.ok()?;
                unsent.clear();
            }
        }
        self.to.write_all(&unsent).await.ok()
    }
}
