//! A running execution as its caller sees it.

use crate::ExecutionRecord;
use bytes::Bytes;
use faas_executor_api::{InputSink, Interrupt, Interrupter};
use faas_types::ExecutionId;
use tokio::sync::mpsc;

/// One thing an execution says. Exactly one `Complete`, and nothing after it.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecutionEvent {
    /// A piece of its standard output, as it was written.
    Stdout(Bytes),
    /// A piece of its standard error, as it was written.
    Stderr(Bytes),
    /// It ended. Its sandbox may still be torn down; nothing of it runs on.
    Complete(Box<ExecutionRecord>),
}

/// A running execution. Dropping it cancels it; a slow reader holds its output back.
#[derive(Debug)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// Its standard input, open until `InputItem::Eof` is sent.
    pub input: InputSink,
    pub(crate) events: mpsc::Receiver<ExecutionEvent>,
    pub(crate) interrupter: Interrupter,
}

impl Execution {
    /// The next thing it says; `None` after `Complete`, and without one when the platform was shut
    /// down under it.
    pub async fn next(&mut self) -> Option<ExecutionEvent> {
        self.events.recv().await
    }

    /// What cancels it from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller { interrupter: self.interrupter.clone() }
    }

    /// Kills everything of it; it then ends with the status `cancelled`. Harmless after its end.
    pub fn cancel(&self) {
        self.interrupter.interrupt(Interrupt::Cancel);
    }
}

/// Cancels one execution. Cheap, cloneable, harmless after its end.
#[derive(Debug, Clone)]
pub struct Canceller {
    interrupter: Interrupter,
}

impl Canceller {
    /// See [`Execution::cancel`].
    pub fn cancel(&self) {
        self.interrupter.interrupt(Interrupt::Cancel);
    }
}
