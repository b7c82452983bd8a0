//! What goes into a running call: stdin bytes, window sizes, signals.

use bytes::Bytes;
use tokio::sync::mpsc;

/// One thing given to a running call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputItem {
    /// Bytes for its standard input.
    Stdin(Bytes),
    /// The end of its standard input.
    Eof,
    /// A signal for the program (not its whole tree).
    Signal(u8),
    /// A new terminal size, for calls with a terminal.
    Resize {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
}

/// The call no longer takes input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call no longer takes input")]
pub struct InputClosed;

/// The sending half. Dropping it is the end of standard input.
#[derive(Debug, Clone)]
pub struct InputSink {
    sender: mpsc::Sender<InputItem>,
}

impl InputSink {
    /// Gives one thing; waits while the guest is behind.
    ///
    /// # Errors
    /// The call ended.
    pub async fn send(&self, item: InputItem) -> Result<(), InputClosed> {
        self.sender.send(item).await.map_err(|_| InputClosed)
    }

    /// Waits until the call ended and takes no more input.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}

/// The receiving half, for backends, which drop it as soon as the program ended, whether or not
/// anybody reads the events.
#[derive(Debug)]
pub struct InputReceiver {
    receiver: mpsc::Receiver<InputItem>,
}

impl InputReceiver {
    /// The next thing; `None` when the sink was dropped.
    pub async fn next(&mut self) -> Option<InputItem> {
        self.receiver.recv().await
    }
}

/// A bounded channel of input; `capacity` is in items and at least 1.
#[must_use]
pub fn input_channel(capacity: usize) -> (InputSink, InputReceiver) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    (InputSink { sender }, InputReceiver { receiver })
}
