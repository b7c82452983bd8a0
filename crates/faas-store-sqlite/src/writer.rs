//! The one thread that writes: group commit.
//!
//! It takes whatever operations wait, does each in a savepoint of one transaction, imports what the
//! journal holds in the same transaction, commits once, and only then answers all of them. Invariant:
//! an operation that is answered well is synced; one that is answered with an error left nothing.

use crate::directory::Directory;
use crate::error::Failure;
use crate::journal::Journal;
use crate::transaction::{in_savepoint, transaction};
use crate::write;
use faas_store_api::StoreError;
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Operations of one commit at most, so that the first of them does not wait for ever.
const GROUP: usize = 512;
/// Bytes of what is written after which a commit takes no further operation, for the same reason.
const GROUP_BYTES: usize = 8 << 20;
/// How long a journaled entry may stay out of the database, and so off the disk; with the time the
/// import itself takes, 50 ms.
const IMPORT_WITHIN: Duration = Duration::from_millis(30);
/// How long until an import that failed is tried again.
const RETRY_WITHIN: Duration = Duration::from_secs(1);

/// One operation on its way through the writer.
trait Operation: Send {
    /// Does it, in a savepoint of its own.
    fn execute(&mut self, connection: &Connection) -> Result<(), Failure>;
    /// Says what became of it. `failure`: what it left was taken back.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Asked<W, T> {
    work: Option<W>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, W: FnOnce(&Connection) -> Result<T, Failure> + Send> Operation for Asked<W, T> {
    fn execute(&mut self, connection: &Connection) -> Result<(), Failure> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let outcome = work(connection);
        let result = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
        self.outcome = Some(outcome.map_err(|failure| failure.0));
        result
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let outcome = failure.map_or(self.outcome, |failure| Some(Err(failure)));
        // Whoever asked may have gone; then nobody is to be told.
        let _ = self.reply.send(outcome.unwrap_or_else(|| Err(ended())));
    }
}

enum Message {
    /// With how much it writes, about.
    Operation(Box<dyn Operation>, usize),
    /// The journal has its first entry since the last import.
    Journaled,
    /// Import what the journal holds.
    Import(oneshot::Sender<Result<(), StoreError>>),
    /// Import, fold the log into the database, end.
    Close(oneshot::Sender<()>),
}

/// The handle of the thread. Dropping it ends the thread after what was already asked.
pub(crate) struct Writer {
    messages: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

fn ended() -> StoreError {
    StoreError::Unavailable { reason: "the store is closed".to_owned() }
}

impl Writer {
    pub(crate) fn start(connection: Connection, journal: Arc<Journal>, directory: Directory) -> std::io::Result<Self> {
        let (messages, receiver) = channel();
        let work = Work { connection, journal, import_due: None, import_failed: false, _directory: directory };
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || work.run(&receiver))?;
        Ok(Self { messages: Some(messages), thread: Some(thread) })
    }

    /// Does something small in the next transaction and waits until it is synced.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_bytes(0, work).await
    }

    /// The same for something that writes about so many bytes.
    pub(crate) async fn write_bytes<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Operation(Box::new(Asked { work: Some(work), outcome: None, reply }), bytes))?;
        answer.await.map_err(|_| ended())?
    }

    /// Waits until the database holds everything journaled before.
    pub(crate) async fn import(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Import(reply))?;
        answer.await.map_err(|_| ended())?
    }

    /// Says that the journal holds something.
    pub(crate) fn journaled(&self) -> Result<(), StoreError> {
        self.send(Message::Journaled)
    }

    /// Waits until everything is written and the database is closed.
    pub(crate) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.send(Message::Close(reply)).is_ok() {
            // An error means that it has been closed before.
            let _ = answer.await;
        }
    }

    fn send(&self, message: Message) -> Result<(), StoreError> {
        self.messages.as_ref().and_then(|messages| messages.send(message).ok()).ok_or_else(ended)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook and answered by closed channels.
            let _ = thread.join();
        }
    }
}

struct Work {
    connection: Connection,
    journal: Arc<Journal>,
    /// When what the journal holds is to be in the database.
    import_due: Option<Instant>,
    /// The last import failed. Until one succeeds it is tried apart from the operations, so that these
    /// need no room but their own.
    import_failed: bool,
    /// Free for another server once the connection above is closed.
    _directory: Directory,
}

/// What one transaction is to do.
#[derive(Default)]
struct Group {
    operations: Vec<Box<dyn Operation>>,
    bytes: usize,
    imports: Vec<oneshot::Sender<Result<(), StoreError>>>,
    close: Option<oneshot::Sender<()>>,
}

impl Work {
    fn run(mut self, receiver: &Receiver<Message>) {
        while let Some(Group { operations, imports, close, .. }) = self.gather(receiver) {
            let is_asked = !imports.is_empty() || close.is_some();
            let imported = self.commit(operations, is_asked);
            for import in imports {
                // Whoever asked may have gone.
                let _ = import.send(imported.clone());
            }
            if let Some(close) = close {
                // What is not folded into the database now is read from its log at the next start.
                let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
                drop(self);
                let _ = close.send(());
                return;
            }
        }
    }

    /// Waits for something to do, and takes everything there is; `None` when nobody can ask any more.
    fn gather(&mut self, receiver: &Receiver<Message>) -> Option<Group> {
        let mut group = Group::default();
        loop {
            let message = match self.import_due {
                None => receiver.recv().ok()?,
                Some(due) => match receiver.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => return Some(group),
                    Err(RecvTimeoutError::Disconnected) => return None,
                },
            };
            self.add(&mut group, message);
            while group.close.is_none()
                && group.operations.len() < GROUP
                && group.bytes < GROUP_BYTES
                && let Ok(message) = receiver.try_recv()
            {
                self.add(&mut group, message);
            }
            if !group.operations.is_empty() || !group.imports.is_empty() || group.close.is_some() {
                return Some(group);
            }
        }
    }

    fn add(&mut self, group: &mut Group, message: Message) {
        match message {
            Message::Operation(operation, bytes) => {
                group.operations.push(operation);
                group.bytes = group.bytes.saturating_add(bytes);
            }
            Message::Journaled => {
                self.import_due.get_or_insert_with(|| Instant::now() + IMPORT_WITHIN);
            }
            Message::Import(reply) => group.imports.push(reply),
            Message::Close(reply) => group.close = Some(reply),
        }
    }

    /// One transaction with everything in it; answers the operations and says whether everything that
    /// was journaled before is in the database, as far as that was tried.
    fn commit(&mut self, mut operations: Vec<Box<dyn Operation>>, is_asked: bool) -> Result<(), StoreError> {
        let mut imported = Ok(());
        let is_due = is_asked || self.import_due.is_some_and(|due| due <= Instant::now());
        if self.import_failed && is_due {
            let batch = self.journal.take();
            imported = transaction(&self.connection, |connection| write::import(connection, &batch));
            self.note_import(imported.is_ok());
        }
        let batch = if self.import_failed { Arc::default() } else { self.journal.take() };
        if !operations.is_empty() || !batch.is_empty() {
            let mut import = Ok(());
            let outcome = transaction(&self.connection, |connection| {
                if !batch.is_empty() {
                    import = in_savepoint(connection, || write::import(connection, &batch))?;
                }
                operations.iter_mut().try_for_each(|operation| {
                    // What failed in it alone, its answer carries.
                    in_savepoint(connection, || operation.execute(connection)).map(drop)
                })
            });
            if !batch.is_empty() {
                imported = outcome.clone().and(import);
                self.note_import(imported.is_ok());
            }
            let failure = outcome.err().map(|failure| failure.0);
            for operation in operations {
                operation.answer(failure.clone());
            }
        }
        let wait = if self.import_failed { RETRY_WITHIN } else { IMPORT_WITHIN };
        let is_waiting = self.journal.is_waiting();
        self.import_due = self.import_due.filter(|due| *due > Instant::now()).filter(|_| self.import_failed);
        if is_waiting {
            self.import_due.get_or_insert_with(|| Instant::now() + wait);
        }
        imported.map_err(|failure| failure.0)
    }

    /// Empties the file of what the database holds, or carries to the disk what it does not take.
    fn note_import(&mut self, succeeded: bool) {
        self.import_failed = !succeeded;
        // A file that is not emptied now is read again at the next start, which changes nothing; one
        // that is not synced is no worse off than before.
        let _ = if succeeded { self.journal.imported() } else { self.journal.sync() };
    }
}

#[cfg(test)]
mod tests {
    use super::{GROUP, GROUP_BYTES, Message, Work, Writer, channel};
    use crate::directory::Directory;
    use crate::journal::{Journal, Opened};
    use std::sync::Arc;

    #[test]
    fn a_commit_is_bounded_by_operations_and_by_bytes() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = Directory::take(place.path()).expect("ours");
        let Opened { journal, .. } = Journal::open(&directory).expect("a journal");
        let connection = crate::schema::open_writer(&directory.database()).expect("a database");
        let (messages, receiver) = channel();
        let mut work = Work {
            connection,
            journal: Arc::new(journal),
            import_due: None,
            import_failed: false,
            _directory: directory,
        };
        let writer = Writer { messages: Some(messages), thread: None };
        let part = GROUP_BYTES / 2;
        let sizes = [part - 1, part - 1, part, GROUP_BYTES * 3, 0, part, part, 1];
        for bytes in sizes.into_iter().chain([0; GROUP]) {
            let (reply, _) = tokio::sync::oneshot::channel();
            let asked = super::Asked { work: Some(|_: &rusqlite::Connection| Ok(())), outcome: None, reply };
            writer.send(Message::Operation(Box::new(asked), bytes)).expect("it listens");
        }
        let groups = [3, 1, 3, GROUP, 1].map(|_| work.gather(&receiver).expect("a group").operations.len());
        assert_eq!(groups, [3, 1, 3, GROUP, 1]);
    }
}
