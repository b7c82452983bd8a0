//! The store: the contract's methods over the writer, the readers and the journal.

use crate::directory::Directory;
use crate::error::Failure;
use crate::journal::{Batch, Journal, Opened};
use crate::readers::Readers;
use crate::write::{self, Inserted};
use crate::writer::Writer;
use crate::{OpenError, read, schema};
use async_trait::async_trait;
use faas_store_api::{
    Counts, ExecutionStore, Finished, InsertError, Insertion, Journaled, Lease, ListQuery, NewExecution, Page,
    QueuedExecution, Recovered, Retention, StoreError,
};
use faas_types::{ExecutionId, ExecutionRecord, NodeId, TenantId, Timestamp};
use rusqlite::Connection;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Executions in SQLite. Needs a tokio runtime for its methods, and one thread of its own. Dropping it
/// without [`close`](ExecutionStore::close) loses nothing.
pub struct SqliteStore {
    readers: Arc<Readers>,
    journal: Arc<Journal>,
    writer: Writer,
    /// What the journal had that could not be read, until it is told.
    dropped: Mutex<Vec<String>>,
    /// One prunes at a time: how much is too much is counted beside the writer, for it takes long.
    pruning: tokio::sync::Mutex<()>,
}

impl SqliteStore {
    /// Takes the directory, made when it is missing, and imports what its journal holds.
    ///
    /// # Errors
    /// Another server has it, or its files cannot be used.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let directory = Directory::take(directory)?;
        let database = directory.database();
        let mut connection = schema::open_writer(&database)?;
        let Opened { journal, left, dropped } = Journal::open(&directory)?;
        import(&mut connection, &left)
            .map_err(|failure| OpenError::Database { path: database.clone(), source: failure.0 })?;
        let [first, _] = directory.journals();
        journal.clear().map_err(|source| OpenError::File { path: first, source })?;
        let journal = Arc::new(journal);
        let writer = Writer::start(connection, Arc::clone(&journal), directory)
            .map_err(|source| OpenError::File { path: database.clone(), source })?;
        Ok(Self {
            readers: Readers::new(database),
            journal,
            writer,
            dropped: Mutex::new(dropped),
            pruning: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) const fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(crate) const fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// Brings what was journaled into the database, so that it takes part in what is asked next.
    async fn settle(&self) -> Result<(), StoreError> {
        if self.journal.is_waiting() { self.writer.import().await } else { Ok(()) }
    }
}

fn import(connection: &mut Connection, left: &Batch) -> Result<(), Failure> {
    if left.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    write::import(&transaction, left)?;
    Ok(transaction.commit()?)
}

fn json(record: &ExecutionRecord) -> Result<String, StoreError> {
    serde_json::to_string(record)
        .map_err(|error| StoreError::Unavailable { reason: format!("a record is no JSON: {error}") })
}

#[async_trait]
impl ExecutionStore for SqliteStore {
    async fn recover(&self, node: NodeId, epoch: u64) -> Result<Recovered, StoreError> {
        self.settle().await?;
        let mut recovered = self.writer.write(move |connection| write::recover(connection, node, epoch)).await?;
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        recovered.dropped.append(&mut dropped);
        Ok(recovered)
    }

    async fn last_epoch(&self, node: NodeId) -> Result<u64, StoreError> {
        self.readers.read(move |connection| read::last_epoch(connection, node)).await
    }

    async fn insert(&self, new: NewExecution) -> Result<Insertion, InsertError> {
        if let Some(refusal) = new.refusal() {
            return Err(refusal.into());
        }
        let new = NewExecution { record: new.record.without_output(), ..new };
        let json = json(&new.record)?;
        let bytes = new.request.len() + json.len();
        match self.writer.write_bytes(bytes, move |connection| write::insert(connection, &new, &json)).await? {
            Inserted::Insertion(insertion) => Ok(insertion),
            Inserted::KeyConflict => Err(InsertError::KeyConflict),
        }
    }

    async fn queued(&self, after: Option<ExecutionId>, limit: u32) -> Result<Vec<QueuedExecution>, StoreError> {
        self.readers.read(move |connection| read::queued(connection, after, limit)).await
    }

    async fn claim(&self, id: ExecutionId, lease: Lease) -> Result<Option<u32>, StoreError> {
        self.writer.write(move |connection| write::claim(connection, id, lease)).await
    }

    async fn renew(&self, node: NodeId, epoch: u64, until: Timestamp) -> Result<(), StoreError> {
        self.writer.write(move |connection| write::renew(connection, node, epoch, until)).await
    }

    async fn finish(&self, finished: Finished) -> Result<bool, StoreError> {
        let finished = Finished { record: finished.record.without_output(), ..finished };
        let json = json(&finished.record)?;
        self.writer.write_bytes(json.len(), move |connection| write::finish(connection, &finished, &json)).await
    }

    fn journal(&self, entry: Journaled<'_>) -> Result<(), StoreError> {
        if self.journal.append(entry)? { self.writer.journaled() } else { Ok(()) }
    }

    async fn get(&self, tenant: TenantId, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError> {
        // Looked at first: an entry leaves the journal only for a row that the reading then finds.
        let waiting = self.journal.find(tenant, id);
        let row = self.readers.read(move |connection| read::get(connection, tenant, id)).await?;
        match waiting {
            // The end of a row is final, whatever the journal says later.
            Some(entry) if row.as_ref().is_none_or(|row| !row.status.is_terminal()) => {
                entry.record().map(Some).map_err(|failure| failure.0)
            }
            _ => Ok(row),
        }
    }

    async fn list(&self, tenant: TenantId, query: &ListQuery) -> Result<Page, StoreError> {
        self.settle().await?;
        let query = query.clone();
        self.readers.read(move |connection| read::list(connection, tenant, &query)).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.settle().await?;
        self.readers.read(read::counts).await
    }

    async fn prune(&self, keep: Retention, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        let _turn = self.pruning.lock().await;
        self.settle().await?;
        match self.readers.read(move |connection| read::excess(connection, keep)).await? {
            Some(excess) => self.writer.write(move |connection| write::prune(connection, excess, limit)).await,
            None => Ok(Vec::new()),
        }
    }

    async fn close(&self) {
        self.readers.close();
        self.writer.close().await;
    }
}
