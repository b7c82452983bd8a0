//! Rows and journal entries whose content cannot be read: each costs itself and nothing else.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod common;
mod history;

use common::{NODE, new};
use faas_store_api::{ExecutionStore, Expected, Finished, Lease};
use faas_store_sqlite::SqliteStore;
use faas_types::{ErrorKind, ExecutionId, ExecutionState, TenantId, Timestamp};
use history::{all, ended, entry};
use rusqlite::{Connection, params};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::tempdir;

fn database(directory: &Path) -> Connection {
    Connection::open(directory.join("faas.db")).expect("the database")
}

/// Puts something into the record of an execution that no record is.
fn spoil(directory: &Path, id: ExecutionId, record: &[u8]) {
    let spoilt = database(directory)
        .execute("UPDATE execution SET record = CAST(?2 AS TEXT) WHERE id = ?1", params![id.as_bytes(), record])
        .expect("an update");
    assert_eq!(spoilt, 1);
}

async fn accept(store: &SqliteStore) -> ExecutionId {
    let new = new();
    let id = new.record.id;
    store.insert(new).await.expect("room");
    id
}

#[tokio::test]
async fn an_unreadable_row_is_shown_by_its_columns() {
    let directory = tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path()).expect("a store");
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(accept(&store).await);
    }
    spoil(directory.path(), ids[1], br#"{"from":"a newer program"}"#);
    spoil(directory.path(), ids[2], b"\xff\xfe");
    assert_eq!(all(&store).await, Ok(ids.clone()));
    for id in [ids[1], ids[2]] {
        let record = store.get(TenantId::LOCAL, id).await.expect("a reading").expect("it is there");
        assert_eq!((record.id, record.execution_id, record.status), (id, id, ExecutionState::Queued));
        assert!(record.error.is_some_and(|error| error.contains("cannot be read")));
        let age = Timestamp::now().as_micros() - record.created_at.as_micros();
        assert!(age < 600_000_000, "created at {}", record.created_at);
    }
}

#[tokio::test]
async fn a_row_that_is_no_execution_is_left_out() {
    let directory = tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path()).expect("a store");
    let ids = [accept(&store).await, accept(&store).await, accept(&store).await];
    let other = database(directory.path());
    let sql = "UPDATE execution SET status = 9 WHERE id = ?1";
    assert_eq!(other.execute(sql, [ids[1].as_bytes()]), Ok(1));
    assert_eq!(all(&store).await, Ok(vec![ids[0], ids[2]]));
    let sql = "UPDATE execution SET tenant = x'00' WHERE id = ?1";
    assert_eq!(other.execute(sql, [ids[0].as_bytes()]), Ok(1));
    let queued = store.queued(None, 1).await.expect("a page");
    assert_eq!(queued.iter().map(|row| row.record.id).collect::<Vec<_>>(), [ids[2]], "a page of one");
}

#[tokio::test]
async fn an_unreadable_queued_row_can_be_ended() {
    let directory = tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path()).expect("a store");
    let ids = [accept(&store).await, accept(&store).await, accept(&store).await];
    spoil(directory.path(), ids[0], b"");
    let without_request = "DELETE FROM request WHERE execution = (SELECT number FROM execution WHERE id = ?1)";
    assert_eq!(database(directory.path()).execute(without_request, [ids[1].as_bytes()]), Ok(1));
    let queued = store.queued(None, 10).await.expect("a page");
    assert_eq!(queued.iter().map(|row| row.record.id).collect::<Vec<_>>(), ids);
    let requests: Vec<_> = queued.iter().map(|row| row.request.len()).collect();
    assert_eq!(requests, [0, 0, 1000], "an unreadable row has no request");
    for row in queued {
        assert_eq!((row.tenant, row.record.status), (TenantId::LOCAL, ExecutionState::Queued));
        let record = row.record.ended(ExecutionState::Failed, ErrorKind::Platform, "for the test");
        let finished = Finished { expected: Expected::Queued, record: record.clone() };
        assert_eq!(store.finish(finished).await, Ok(true));
        assert_eq!(store.get(TenantId::LOCAL, record.id).await, Ok(Some(record)));
    }
}

#[tokio::test]
async fn an_unreadable_held_row_ends_as_lost() {
    let directory = tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path()).expect("a store");
    let ids = [accept(&store).await, accept(&store).await];
    for id in ids {
        let lease = Lease { node: NODE, epoch: 1, until: Timestamp::now().plus(Duration::from_secs(60)) };
        store.claim(id, lease).await.expect("a claim").expect("the only claimer");
    }
    spoil(directory.path(), ids[0], b"nothing");
    drop(store);
    let store = SqliteStore::open(directory.path()).expect("a store");
    let recovered = store.recover(NODE, 2).await.expect("a recovery");
    assert_eq!(recovered.lost, ids);
    assert_eq!(recovered.dropped.len(), 1, "{:?}", recovered.dropped);
    assert!(recovered.dropped[0].contains(&ids[0].to_string()), "{:?}", recovered.dropped);
    for id in ids {
        let record = store.get(TenantId::LOCAL, id).await.expect("a reading").expect("it is there");
        assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::SandboxLost)));
    }
}

/// A whole frame, as the journal's documentation has it, around something that no entry is.
fn foreign_frame(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short");
    [&length.to_le_bytes(), &crc32fast::hash(content).to_le_bytes(), content].concat()
}

#[tokio::test]
async fn an_unreadable_journal_entry_costs_itself_only() {
    let directory = tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path()).expect("a store");
    let other = database(directory.path());
    other.execute_batch("BEGIN IMMEDIATE").expect("the right to write");
    let entries = [ended(), ended()];
    let ids = entries.each_ref().map(|record| record.id);
    let [first, second] = entries;
    store.journal(entry(&first)).expect("an entry");
    let read = || {
        let files = ["journal.0", "journal.1"].map(|name| fs::read(directory.path().join(name)).expect("a journal"));
        files.concat()
    };
    let first = read();
    store.journal(entry(&second)).expect("an entry");
    let both = read();
    let second = &both[first.len()..];
    other.execute_batch("ROLLBACK").expect("the end");

    let copy = tempdir().expect("a directory");
    let newer = foreign_frame(&[2; 100]);
    let journal = [&first, newer.as_slice(), second, &newer].concat();
    fs::write(copy.path().join("journal.0"), journal).expect("a journal");
    let copied = SqliteStore::open(copy.path()).expect("a store");
    let recovered = copied.recover(NODE, 1).await.expect("a recovery");
    assert_eq!(recovered.dropped.len(), 2, "{:?}", recovered.dropped);
    let place = format!("journal.0: the entry at byte {} was dropped", first.len());
    assert!(recovered.dropped[0].starts_with(&place), "{:?}", recovered.dropped);
    assert_eq!(all(&copied).await, Ok(ids.to_vec()));
}
