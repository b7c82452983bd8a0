//! What a running call says: ordered events and exactly one `Done`.

use bytes::Bytes;
use faas_types::{Outcome, OutputStats, Usage};
use tokio::sync::mpsc;

/// The head of a response, for contracts that have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// Names and values in order.
    pub headers: Vec<(String, Bytes)>,
}

/// How a call ended and what it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// How it ended.
    pub outcome: Outcome,
    /// What it used, from the kernel's accounting.
    pub usage: Usage,
    /// What became of its output.
    pub output: OutputStats,
}

/// One thing a call says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The program of a handler is loaded, which is said before any answer of it: at once where it stayed.
    Loaded,
    /// The head of its response, before any `Body`.
    ResponseHead(ResponseHead),
    /// A piece of its response.
    Body(Bytes),
    /// Its response is complete.
    ResponseEnd,
    /// User code gave no response, or not the rest of it, and why, in a line.
    Failed(String),
    /// A piece of its standard output.
    Stdout(Bytes),
    /// A piece of its standard error.
    Stderr(Bytes),
    /// It ended. Nothing follows.
    Done(Done),
}

/// The receiving half. Slow readers hold the guest's output back; dropping it does not stop the call.
#[derive(Debug)]
pub struct EventStream {
    receiver: mpsc::Receiver<Event>,
}

impl EventStream {
    /// The next event; `None` after `Done`.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }
}

/// The sending half, for backends. Consumed by [`EventSender::done`], so a second `Done` cannot be sent.
#[derive(Debug)]
pub struct EventSender {
    sender: mpsc::Sender<Event>,
}

impl EventSender {
    /// Sends a piece of output; waits while the reader is behind. `false` when nobody reads any more.
    pub async fn send(&self, event: OutputEvent) -> bool {
        self.sender.send(event.into()).await.is_ok()
    }

    /// The same where that is possible at once, as it is of a stream that has nothing yet.
    pub fn send_now(&self, event: OutputEvent) -> bool {
        self.sender.try_send(event.into()).is_ok()
    }

    /// Ends the stream.
    pub async fn done(self, done: Done) {
        // Nobody reading is fine: the call ended all the same.
        drop(self.sender.send(Event::Done(done)).await);
    }
}

/// An event that is not the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputEvent {
    /// See [`Event::Loaded`].
    Loaded,
    /// See [`Event::ResponseHead`].
    ResponseHead(ResponseHead),
    /// See [`Event::Body`].
    Body(Bytes),
    /// See [`Event::ResponseEnd`].
    ResponseEnd,
    /// See [`Event::Failed`].
    Failed(String),
    /// See [`Event::Stdout`].
    Stdout(Bytes),
    /// See [`Event::Stderr`].
    Stderr(Bytes),
}

impl From<OutputEvent> for Event {
    fn from(event: OutputEvent) -> Self {
        match event {
            OutputEvent::Loaded => Self::Loaded,
            OutputEvent::ResponseHead(head) => Self::ResponseHead(head),
            OutputEvent::Body(bytes) => Self::Body(bytes),
            OutputEvent::ResponseEnd => Self::ResponseEnd,
            OutputEvent::Failed(message) => Self::Failed(message),
            OutputEvent::Stdout(bytes) => Self::Stdout(bytes),
            OutputEvent::Stderr(bytes) => Self::Stderr(bytes),
        }
    }
}

/// A bounded channel of events; `capacity` is in events and at least 1.
#[must_use]
pub fn event_channel(capacity: usize) -> (EventSender, EventStream) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    (EventSender { sender }, EventStream { receiver })
}
