//! Events as they come, over as many connections as that takes: those of an execution until its end,
//! those of the platform for ever.
//!
//! Invariant: whatever happens to connections, each event is given once, in order.

use crate::sse::{BadStream, Frame, Parser};
use crate::transport::Call;
use crate::{Client, ClientError, Event, answer, event};
use faas_api_model::PlatformEventAnswer;
use faas_types::ErrorCode;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use std::collections::VecDeque;
use std::time::Duration;

/// Connections in a row that may end without having brought anything.
const FRUITLESS_CONNECTIONS: u32 = 5;
/// The wait before a connection is made anew, doubled with each one that brought nothing.
const PAUSE: Duration = Duration::from_millis(100);

/// A stream of events that have numbers.
#[derive(Debug)]
pub struct EventStream<T> {
    client: Client,
    path: String,
    kind: Kind<T>,
    /// The number of the last event given.
    last: Option<u64>,
    connection: Option<Reading>,
    /// Whether the server has ever answered with this stream.
    begun: bool,
    ready: VecDeque<Frame>,
    fruitless: u32,
    ended: bool,
}

/// How the events of one kind of stream are told.
#[derive(Debug)]
pub(crate) struct Kind<T> {
    parse: fn(&str) -> Result<Option<T>, ClientError>,
    seq: fn(&T) -> u64,
    /// Whether nothing follows.
    is_last: fn(&T) -> bool,
}

impl Kind<Event> {
    pub(crate) const EXECUTION: Self =
        Self { parse: event::parse, seq: Event::seq, is_last: |event| matches!(event, Event::Complete { .. }) };
}

impl Kind<PlatformEventAnswer> {
    pub(crate) const PLATFORM: Self = Self { parse: event::parse_platform, seq: |event| event.seq, is_last: |_| false };
}

#[derive(Debug)]
struct Reading {
    body: Incoming,
    parser: Parser,
}

/// How reading a connection on went.
enum Piece {
    Frames(Vec<Frame>),
    /// It ended or fell silent; the stream may go on over another one.
    Gone(ClientError),
    Bad(BadStream),
}

impl<T> EventStream<T> {
    pub(crate) const fn new(client: Client, path: String, last: Option<u64>, kind: Kind<T>) -> Self {
        Self {
            client,
            path,
            kind,
            last,
            connection: None,
            begun: false,
            ready: VecDeque::new(),
            fruitless: 0,
            ended: false,
        }
    }

    /// The next event; `None` after the last one and after an error.
    pub async fn next(&mut self) -> Option<Result<T, ClientError>> {
        if self.ended {
            return None;
        }
        let next = self.advance().await;
        self.ended = next.as_ref().map_or(true, |event| (self.kind.is_last)(event));
        Some(next)
    }

    async fn advance(&mut self) -> Result<T, ClientError> {
        loop {
            while let Some(frame) = self.ready.pop_front() {
                match (self.kind.parse)(&frame.data) {
                    Ok(Some(event)) if self.last.is_none_or(|last| (self.kind.seq)(&event) > last) => {
                        self.last = Some((self.kind.seq)(&event));
                        self.fruitless = 0;
                        return Ok(event);
                    }
                    // Seen before the connection was made anew, or of a kind that is not known here.
                    Ok(_) => {}
                    Err(error) if may_go_on(&error) => self.lose(error)?,
                    Err(error) => return Err(error),
                }
            }
            match self.connection.as_mut() {
                None => self.connect().await?,
                Some(reading) => match reading.read(self.client.timeouts.silence).await {
                    Piece::Frames(frames) => self.ready.extend(frames),
                    Piece::Gone(error) => self.lose(error)?,
                    Piece::Bad(BadStream::TooLarge) => return Err(ClientError::broken("an event is too large")),
                    Piece::Bad(BadStream::NotText) => return Err(ClientError::broken("an event is not text")),
                },
            }
        }
    }

    /// Gives a connection up; the error is the end when too many have brought nothing.
    fn lose(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.connection = None;
        self.ready.clear();
        self.fruitless += 1;
        if self.fruitless > FRUITLESS_CONNECTIONS { Err(error) } else { Ok(()) }
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        if self.fruitless > 0 {
            tokio::time::sleep(PAUSE.saturating_mul(1 << (self.fruitless - 1).min(FRUITLESS_CONNECTIONS))).await;
        }
        let mut call = Call { accept: "text/event-stream", ..Call::get(self.path.clone()) };
        if let Some(last) = self.last {
            call.headers.push((HeaderName::from_static("last-event-id"), HeaderValue::from(last)));
        }
        let mut tried = 0;
        loop {
            tried += 1;
            let opened = match self.client.head(&call).await {
                Ok(answer) => answer::streamed(answer).await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(body) => {
                    self.begun = true;
                    self.connection = Some(Reading { body, parser: Parser::default() });
                    return Ok(());
                }
                // Nobody answers while a server is restarted under a stream that had begun.
                Err(error) if error.status.is_none() && (self.begun || self.last.is_some()) => return self.lose(error),
                Err(error) => self.client.pause(&call, error, tried).await?,
            }
        }
    }
}

/// Whether what ended a stream is no end of what it tells of: the reader was behind, or the server is
/// being restarted.
fn may_go_on(error: &ClientError) -> bool {
    matches!(error.known(), Some(ErrorCode::ReaderTooSlow | ErrorCode::Stopping))
}

impl Reading {
    async fn read(&mut self, silence: Duration) -> Piece {
        let frame = match tokio::time::timeout(silence, self.body.frame()).await {
            Err(_) => return Piece::Gone(ClientError::lost(&format!("silence for {silence:?}"))),
            Ok(None) => return Piece::Gone(ClientError::ended()),
            Ok(Some(Err(error))) => return Piece::Gone(ClientError::lost(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        let mut frames = Vec::new();
        match frame.data_ref().map_or(Ok(()), |bytes| self.parser.push(bytes, &mut frames)) {
            Ok(()) => Piece::Frames(frames),
            Err(bad) => Piece::Bad(bad),
        }
    }
}
