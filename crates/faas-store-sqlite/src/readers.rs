//! Reading beside the writer: a few read-only connections, on blocking threads.

use crate::error::Failure;
use crate::schema;
use faas_store_api::StoreError;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Connections at most. More wait: each holds some memory, and reads take microseconds.
const CONNECTIONS: usize = 4;

/// The connections, made when first needed and kept.
pub(crate) struct Readers {
    database: PathBuf,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(database: PathBuf) -> Arc<Self> {
        Arc::new(Self { database, turns: Arc::new(Semaphore::new(CONNECTIONS)), idle: Mutex::default() })
    }

    /// Reads on one of the connections, when it is this caller's turn. The turn lasts as long as the
    /// reading does, which goes on when the caller has gone.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let unavailable = |reason: String| StoreError::Unavailable { reason };
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|error| unavailable(error.to_string()))?;
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let outcome = readers.read_now(work);
            drop(turn);
            outcome
        });
        let outcome = reading.await.map_err(|error| unavailable(format!("a reader ended early: {error}")))?;
        outcome.map_err(|failure| failure.0)
    }

    fn read_now<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => schema::open_reader(&self.database)?,
        };
        let outcome = work(&connection);
        idle().push(connection);
        outcome
    }

    /// Closes what nobody uses at this moment.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{CONNECTIONS, Readers};
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    /// How long a step may take before the test fails.
    const STEP: Duration = Duration::from_secs(30);

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_whose_caller_has_gone_keeps_its_turn() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("faas.db");
        drop(crate::schema::open_writer(&database).expect("a database"));
        let readers = Readers::new(database);
        let (begun, begins) = channel();
        let (mut ends, mut callers) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            let (end, ended) = channel::<()>();
            let (readers, begun) = (Arc::clone(&readers), begun.clone());
            ends.push(end);
            callers.push(tokio::spawn(async move {
                let work = move |_: &rusqlite::Connection| {
                    begun.send(()).expect("the test waits");
                    ended.recv_timeout(STEP).expect("its end");
                    Ok(())
                };
                readers.read(work).await
            }));
        }
        // All of them: the first that begins need not be the first that was spawned.
        for _ in 0..CONNECTIONS {
            begins.recv_timeout(STEP).expect("a reading begins");
        }
        for caller in callers {
            caller.abort();
            assert!(caller.await.is_err(), "it has gone");
        }
        assert_eq!(readers.turns.available_permits(), 0);
        for end in ends {
            end.send(()).expect("it reads");
        }
        let next = tokio::time::timeout(STEP, readers.read(|_| Ok(7)));
        assert_eq!(next.await.expect("in time"), Ok(7));
    }
}
