//! Which directories are opened, and what a damaged journal leaves.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod common;
mod history;

use common::NODE;
use faas_store_api::{ExecutionStore, StoreError};
use faas_store_sqlite::{OpenError, SqliteStore};
use faas_types::ExecutionId;
use history::{all, ended, entry};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::{TempDir, tempdir};

fn refusal(directory: &Path) -> OpenError {
    SqliteStore::open(directory).err().expect("a refusal")
}

#[tokio::test]
async fn a_second_server_is_refused_by_name() {
    let directory = tempdir().expect("a directory");
    let first = SqliteStore::open(directory.path()).expect("a store");
    let text = refusal(directory.path()).to_string();
    assert!(text.contains(&directory.path().display().to_string()), "{text}");
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains("stop that server"), "{text}");
    first.recover(NODE, 1).await.expect("the first is unharmed");
    first.close().await;
    let next = SqliteStore::open(directory.path()).expect("a closed store's directory is free");
    assert_eq!(next.last_epoch(NODE).await, Ok(1));
    let closed = first.recover(NODE, 2).await.expect_err("it is closed");
    assert!(matches!(closed, StoreError::Unavailable { .. }), "{closed}");
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let directory = tempdir().expect("a directory");
    let database = directory.path().join("faas.db");
    fs::write(&database, b"not a database".repeat(100)).expect("a file");
    let refusal = refusal(directory.path());
    assert!(
        matches!(&refusal, OpenError::Database { path, source: StoreError::Corrupt { .. } } if *path == database),
        "{refusal}"
    );
    assert_eq!(fs::read(&database).expect("a file"), b"not a database".repeat(100));
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let directory = tempdir().expect("a directory");
    drop(SqliteStore::open(directory.path()).expect("a store"));
    let database = Connection::open(directory.path().join("faas.db")).expect("a database");
    database.pragma_update(None, "user_version", 99).expect("a version");
    let refusal = refusal(directory.path());
    assert!(matches!(refusal, OpenError::Newer { found: 99, .. }), "{refusal}");
    let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a version");
    assert_eq!(version, 99);
}

#[test]
fn a_directory_that_cannot_be_made_is_refused_with_its_path() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().join("below");
    let refusal = refusal(&path);
    assert!(matches!(&refusal, OpenError::File { path: named, .. } if *named == path), "{refusal}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn change_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[tokio::test]
async fn what_it_makes_is_for_its_owner_only() {
    let parent = tempdir().expect("a directory");
    let directory = parent.path().join("data");
    let store = SqliteStore::open(&directory).expect("a store");
    store.journal(entry(&ended())).expect("an entry");
    assert_eq!(all(&store).await.map(|ids| ids.len()), Ok(1));
    assert_eq!(mode(&directory), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).expect("a directory") {
        let entry = entry.expect("an entry");
        names.push(entry.file_name());
        assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
    }
    for name in ["faas.db", "faas.db-wal", "faas.db-shm"] {
        assert!(names.iter().any(|found| found == name), "{name} of {names:?}");
    }
}

#[test]
fn a_directory_of_ours_is_closed_to_others() {
    let directory = tempdir().expect("a directory");
    for open in [0o755, 0o770, 0o701] {
        change_mode(directory.path(), open);
        drop(SqliteStore::open(directory.path()).expect("a store"));
        assert_eq!(mode(directory.path()), 0o700, "{open:o}");
    }
}

#[test]
fn a_directory_that_is_shared_or_another_users_is_refused_by_name() {
    let directory = tempdir().expect("a directory");
    let refused = |what: &str| {
        let before = mode(directory.path());
        let text = refusal(directory.path()).to_string();
        assert!(text.contains(&directory.path().display().to_string()), "{text}");
        assert!(text.contains("others may enter it") && text.contains(what), "{text}");
        assert_eq!(mode(directory.path()), before, "it is left as it is");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0, "nothing is put there");
    };
    change_mode(directory.path(), 0o1777);
    refused("shared");
    if !rustix::process::geteuid().is_root() {
        return println!("SKIP a directory of another user: only root can give one away");
    }
    change_mode(directory.path(), 0o755);
    std::os::unix::fs::chown(directory.path(), Some(12345), None).expect("given away");
    refused("user 12345");
    change_mode(directory.path(), 0o700);
    drop(SqliteStore::open(directory.path()).expect("a directory nobody else may enter"));
}

/// The journal of five ended executions, as a killed server leaves it, and these executions' ids. The
/// database is held by somebody else meanwhile, so that none of them is imported.
async fn journal_of_five() -> (Vec<u8>, Vec<ExecutionId>) {
    let directory = tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path()).expect("a store");
    let other = Connection::open(directory.path().join("faas.db")).expect("the database");
    other.execute_batch("BEGIN IMMEDIATE").expect("the right to write");
    let entries: Vec<_> = (0..5).map(|_| ended()).collect();
    let ids = entries.iter().map(|record| record.id).collect();
    for record in &entries {
        store.journal(entry(record)).expect("an entry");
    }
    let files = ["journal.0", "journal.1"].map(|name| fs::read(directory.path().join(name)).expect("a journal"));
    other.execute_batch("ROLLBACK").expect("the end");
    (files.concat(), ids)
}

/// What a store finds that opens a directory with this journal, and what it says of it.
async fn found(journal: &[u8]) -> (Vec<ExecutionId>, Vec<String>, TempDir) {
    let directory = tempdir().expect("a directory");
    fs::write(directory.path().join("journal.1"), journal).expect("a journal");
    let store = SqliteStore::open(directory.path()).expect("a store");
    let recovered = store.recover(NODE, 1).await.expect("a recovery");
    assert_eq!(recovered.lost, Vec::new());
    let ids = all(&store).await.expect("a list");
    (ids, recovered.dropped, directory)
}

#[tokio::test]
async fn a_whole_journal_is_imported() {
    let (journal, ids) = journal_of_five().await;
    let (found, dropped, _directory) = found(&journal).await;
    assert_eq!((found, dropped), (ids, Vec::new()));
}

#[tokio::test]
async fn a_torn_last_entry_is_dropped_and_reported() {
    let (journal, ids) = journal_of_five().await;
    for cut in [1, 7, 100] {
        let (found, dropped, directory) = found(&journal[..journal.len() - cut]).await;
        assert_eq!(found, ids[..4], "{cut} bytes less");
        assert_eq!(dropped.len(), 1, "{dropped:?}");
        assert!(dropped[0].starts_with("journal.1: after 4 entries, "), "{dropped:?}");
        let again = SqliteStore::open(directory.path()).expect("a store");
        let recovered = again.recover(NODE, 2).await.expect("a recovery");
        assert_eq!(recovered.dropped, Vec::<String>::new(), "the damage is reported once");
        assert_eq!(all(&again).await.map(|ids| ids.len()), Ok(4));
    }
}

#[tokio::test]
async fn what_follows_a_flipped_bit_is_dropped_and_reported() {
    let (journal, ids) = journal_of_five().await;
    let frame = journal.len() / 5;
    for (place, whole) in [(0, 0), (5, 0), (frame / 2, 0), (frame * 2 + frame / 2, 2), (journal.len() - 1, 4)] {
        let mut damaged = journal.clone();
        damaged[place] ^= 0x10;
        let (found, dropped, _directory) = found(&damaged).await;
        assert_eq!(found, ids[..whole], "a bit flipped at {place}");
        assert_eq!(dropped.len(), 1, "{dropped:?}");
    }
}
