//! A running execution as a caller in the same process sees it.

use bytes::Bytes;
use faas_executor_api::InputSink;
use faas_orchestrator::{Canceller, StreamName, Watch, Watched};
use faas_types::{ExecutionId, ExecutionRecord};

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

/// A running execution. Dropping it cancels it; a slow reader holds nothing up.
#[derive(Debug)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// Its standard input, open until `InputItem::Eof` is sent.
    pub input: InputSink,
    pub(crate) watch: Watch,
    /// What was read from the watch and not given yet.
    pub(crate) read: Option<Watched>,
}

impl Execution {
    /// The next thing it says; `None` after `Complete`.
    pub async fn next(&mut self) -> Option<ExecutionEvent> {
        loop {
            let watched = match self.read.take() {
                Some(watched) => watched,
                None => self.watch.next().await?,
            };
            return Some(match watched {
                Watched::Started { .. } => continue,
                Watched::Output { stream: StreamName::Stdout, bytes, .. } => ExecutionEvent::Stdout(bytes),
                Watched::Output { stream: StreamName::Stderr, bytes, .. } => ExecutionEvent::Stderr(bytes),
                Watched::Complete { record, .. } => ExecutionEvent::Complete(record),
            });
        }
    }

    /// What cancels it from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.watch.canceller()
    }

    /// Kills everything of it; it then ends with the status `cancelled`. Harmless after its end.
    pub fn cancel(&self) {
        self.watch.canceller().cancel();
    }
}
