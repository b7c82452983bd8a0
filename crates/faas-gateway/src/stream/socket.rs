//! One WebSocket: events out as text frames, standard input in as binary frames.
//!
//! Reading and writing go on at the same time, so a program that does not read its input holds no
//! output back. Pings keep the peer honest: one that answers nothing for a minute is gone.

use super::frame::{error_event, event};
use super::meter::Meter;
use super::pace::{Pace, noticing};
use super::source::{patience, refusal, stopping, too_slow};
use super::watchers::Place;
use crate::ApiError;
use crate::budget::Lease;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use faas_api_model::{ClientFrame, StreamEvent};
use faas_executor_api::{InputItem, InputSink};
use faas_orchestrator::{Canceller, Watch, Watched};
use faas_types::ErrorCode;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// The longest message after the first: a program that does not read leaves eight of them waiting.
pub(crate) const MAX_INPUT: usize = 1 << 20;
/// How many messages may wait for a program that does not read, each paid for like a body under way.
const WAITING: usize = 8;
/// How much of one is passed on at once.
const PIECE_BYTES: usize = 64 << 10;
const PING_EVERY: Duration = Duration::from_secs(20);
/// A peer that says nothing for so long, not even a pong, is gone.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// How long the closing handshake may take.
const FAREWELL: Duration = Duration::from_secs(2);

const NORMAL: u16 = 1000;
const AWAY: u16 = 1001;
const POLICY: u16 = 1008;
const TOO_BIG: u16 = 1009;
const BROKEN: u16 = 1011;
const LATER: u16 = 1013;
/// 4000 and the HTTP status: the reader was too slow, or gave no sign of life.
const TOO_SLOW: u16 = 4408;

/// How a session ends.
enum End {
    /// With this code and these words, after an event where there is one.
    Close(u16, &'static str, Option<Box<StreamEvent>>),
    /// The peer is gone.
    Gone,
}

/// One execution on one WebSocket.
pub(crate) struct Session {
    pub(crate) watch: Watch,
    /// Held as long as somebody reads.
    pub(crate) place: Place,
    /// The program's standard input, for a socket that brought the request.
    pub(crate) input: Option<InputSink>,
    /// What the request itself gives the program to read, and what paid for it.
    pub(crate) stdin: Option<(Bytes, Option<Lease>)>,
    pub(crate) from: u64,
    pub(crate) write_timeout: Duration,
    /// What pays for messages while they arrive.
    pub(crate) meter: Meter,
}

impl Session {
    /// Runs until either side ends it. The watch is dropped with it, which ends an execution that was
    /// to be cancelled when its caller goes away.
    pub(crate) async fn run(self, socket: WebSocket) {
        let Self { mut watch, place, input, stdin, from, write_timeout, mut meter } = self;
        let patience = patience(write_timeout);
        let canceller = watch.canceller();
        let (mut sink, mut stream) = socket.split();
        let end = tokio::select! {
            end = write(&mut sink, &mut watch, from, patience) => end,
            end = read(&mut stream, input, stdin, &canceller, &mut meter) => end,
        };
        drop((watch, place));
        if let End::Close(code, words, event) = end {
            // A slow reader needs longer to come to the words that say so.
            let farewell = if code == TOO_SLOW { patience } else { FAREWELL };
            let closing = close(&mut sink, &mut stream, code, words, event.map(|event| *event));
            // Either way nothing more can be said.
            let _ = timeout(farewell, closing).await;
        }
    }
}

async fn write(sink: &mut SplitSink<WebSocket, Message>, watch: &mut Watch, from: u64, patience: Duration) -> End {
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    let mut seen = false;
    let mut pace = Pace::new(patience);
    loop {
        let (message, last) = tokio::select! {
            (watched, waited) = noticing(watch.next()) => match watched {
                None if !seen && from > 1 => return End::Close(NORMAL, "nothing follows", None),
                None => return End::Close(AWAY, "the server is stopping", Some(Box::new(error_event(&stopping())))),
                Some(watched) => {
                    seen = true;
                    if waited {
                        pace.caught_up();
                    }
                    let last = if let Watched::Complete { record, .. } = &watched {
                        if let Some(refusal) = refusal(record)
                            && !matches!(timeout(patience, sink.send(text(&error_event(&refusal)))).await, Ok(Ok(())))
                        {
                            return End::Gone;
                        }
                        true
                    } else {
                        false
                    };
                    (text(&event(watched)), last)
                }
            },
            _ = pings.tick() => {
                // What comes next is not judged by the time in which there was nothing to take.
                pace.caught_up();
                (Message::Ping(Bytes::new()), false)
            }
        };
        let length = match &message {
            Message::Text(text) => text.len(),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Close(_) => 0,
        };
        match timeout(patience, sink.send(message)).await {
            Ok(Ok(())) if last => return End::Close(NORMAL, "complete", None),
            Ok(Ok(())) if pace.keeps_up(length) => {}
            Ok(Err(_)) => return End::Gone,
            Ok(Ok(())) | Err(_) => {
                return End::Close(TOO_SLOW, "reader_too_slow", Some(Box::new(error_event(&too_slow()))));
            }
        }
    }
}

/// Something for the program, and what paid for it while it came.
type Given = (InputItem, Option<Lease>);

async fn read(
    stream: &mut SplitStream<WebSocket>,
    input: Option<InputSink>,
    stdin: Option<(Bytes, Option<Lease>)>,
    canceller: &Canceller,
    meter: &mut Meter,
) -> End {
    let (given, waiting) = mpsc::channel(WAITING);
    let given = input.is_some().then_some(given);
    tokio::select! {
        end = hear(stream, given, stdin, canceller, meter) => end,
        end = feed(input, waiting) => end,
    }
}

/// Passes on what was given, as the program takes it. A program that takes nothing keeps nobody from hearing
/// what else the client says, until as many messages wait as may.
async fn feed(input: Option<InputSink>, mut waiting: mpsc::Receiver<Given>) -> End {
    // What was paid for a message goes back once the program's side has all of it.
    while let (Some(input), Some((item, _paid))) = (&input, waiting.recv().await) {
        match item {
            InputItem::Stdin(bytes) => give(input, &bytes).await,
            // The program may have ended meanwhile; its end is on its way.
            other => drop(input.send(other).await),
        }
    }
    std::future::pending().await
}

async fn hear(
    stream: &mut SplitStream<WebSocket>,
    given: Option<mpsc::Sender<Given>>,
    stdin: Option<(Bytes, Option<Lease>)>,
    canceller: &Canceller,
    meter: &mut Meter,
) -> End {
    if let (Some(given), Some((stdin, paid))) = (&given, stdin) {
        // There is room for the first ones.
        let _ = given.send((InputItem::Stdin(stdin), paid)).await;
        let _ = given.send((InputItem::Eof, None)).await;
    }
    loop {
        let next = timeout(SILENCE, stream.next()).await;
        let refused = meter.refused();
        let paid = meter.next();
        let item = match next {
            Err(_) => return End::Close(TOO_SLOW, "no pong", None),
            Ok(None) => return End::Gone,
            Ok(Some(Err(_))) if refused.is_some() => {
                let event = refused.map(|refused| Box::new(error_event(&refused)));
                return End::Close(LATER, "at_capacity", event);
            }
            Ok(Some(Err(_))) => return End::Close(POLICY, "a frame is malformed or too large", None),
            Ok(Some(Ok(Message::Close(_)))) => return End::Gone,
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            Ok(Some(Ok(Message::Binary(bytes)))) if bytes.len() > MAX_INPUT => {
                return End::Close(TOO_BIG, "a piece of standard input is above 1 MiB; send it in smaller ones", None);
            }
            Ok(Some(Ok(Message::Text(frame)))) if frame.len() > MAX_INPUT => {
                return End::Close(TOO_BIG, "a frame is above 1 MiB", None);
            }
            Ok(Some(Ok(Message::Binary(bytes)))) => InputItem::Stdin(bytes),
            Ok(Some(Ok(Message::Text(frame)))) => match ClientFrame::from_json(frame.as_bytes()) {
                Ok(ClientFrame::Eof) => InputItem::Eof,
                Ok(ClientFrame::Signal(signal)) => InputItem::Signal(signal),
                Ok(ClientFrame::Cancel) => {
                    canceller.cancel();
                    continue;
                }
                Err(error) => {
                    let event = error_event(&ApiError::from(error));
                    return End::Close(POLICY, "a frame is refused", Some(Box::new(event)));
                }
            },
        };
        let Some(given) = &given else {
            return End::Close(POLICY, "this socket only watches; it takes no input", None);
        };
        // Whoever passes it on is there as long as this.
        let _ = given.send((item, paid)).await;
    }
}

/// Gives the program standard input, in copies of pieces: what waits for a program that does not read is
/// then as small as the places to wait, and not as large as the messages it came in.
async fn give(input: &InputSink, bytes: &[u8]) {
    for piece in bytes.chunks(PIECE_BYTES) {
        if input.send(InputItem::Stdin(Bytes::copy_from_slice(piece))).await.is_err() {
            return;
        }
    }
}

fn text(event: &StreamEvent) -> Message {
    // Texts and numbers always serialise.
    Message::Text(serde_json::to_string(event).unwrap_or_default().into())
}

/// The first text frame of a socket that brings its request.
pub(crate) async fn first_text(socket: &mut WebSocket, patience: Duration) -> Result<Bytes, ApiError> {
    let refused = |detail: &str| ApiError::new(ErrorCode::InvalidJson, detail);
    let first = async {
        loop {
            match socket.recv().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(text))) => return Ok(Bytes::from(text)),
                Some(Ok(Message::Binary(_))) => {
                    return Err(refused("the first frame is binary; send an execution request as a text frame"));
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    return Err(refused("the socket ended before an execution request came, or it was too large"));
                }
            }
        }
    };
    timeout(patience, first).await.unwrap_or_else(|_| {
        let detail = format!("no execution request came within {} s", patience.as_secs());
        Err(ApiError::new(ErrorCode::BodyTimeout, detail))
    })
}

/// Ends a socket whose request is refused.
pub(crate) async fn close_with(socket: WebSocket, error: &ApiError) {
    let code = match error.status().as_u16() {
        503 => LATER,
        500.. => BROKEN,
        _ => POLICY,
    };
    let (mut sink, mut stream) = socket.split();
    let closing = close(&mut sink, &mut stream, code, error.code.as_str(), Some(error_event(error)));
    // Either way nothing more can be said.
    let _ = timeout(FAREWELL, closing).await;
}

/// The closing handshake; its callers bound it.
async fn close(
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    code: u16,
    words: &'static str,
    event: Option<StreamEvent>,
) -> Result<(), axum::Error> {
    if let Some(event) = event {
        sink.send(text(&event)).await?;
    }
    sink.send(Message::Close(Some(CloseFrame { code, reason: words.into() }))).await?;
    while stream.next().await.is_some_and(|item| item.is_ok()) {}
    Ok(())
}
