//! A disk without room, and a disk that cannot sync: nothing is accepted, nothing accepted is lost,
//! and it goes on by itself when the room is back.
//!
//! The disk is a small file system in memory. For the one that cannot sync, a second file system lies
//! in a sparse file of the first: what is written to it is taken at once, and fails when it is synced,
//! for its file finds no room. Both need root and mounts; elsewhere the tests say SKIP and why.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod common;
mod history;

use common::{NODE, new};
use faas_store_api::{ExecutionStore, InsertError, StoreError};
use faas_store_sqlite::SqliteStore;
use faas_types::{ExecutionId, TenantId};
use history::{all, ended, entry};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

/// More insertions than fit.
const TOO_MANY: usize = 20_000;
/// Journal entries of one round: more than fit on a full disk, and a small part of an empty one.
const JOURNALED: usize = 300;
/// How long the end of a condition may take to be noticed: imports are tried again every second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something mounted, until it is dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // The last one out of a test that failed must not hide why it failed.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// A disk that can be filled.
struct Disk {
    /// Where the store goes.
    place: PathBuf,
    ballast: PathBuf,
    /// Unmounted in this order.
    _mounts: Vec<Mounted>,
    _directory: TempDir,
}

impl Disk {
    /// A file system in memory of this size; the reason when there is none.
    fn small(size: &std::ffi::CStr) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting needs root".to_owned());
        }
        let directory = tempdir().expect("a directory");
        let path = directory.path().join("small");
        fs::create_dir(&path).expect("a directory");
        mount("tmpfs", &path, "tmpfs", MountFlags::NODEV, size).map_err(|error| format!("mounting tmpfs: {error}"))?;
        Ok(Self {
            place: path.join("data"),
            ballast: path.join("ballast"),
            _mounts: vec![Mounted(path)],
            _directory: directory,
        })
    }

    /// A file system in a file of a small one.
    fn unsyncable() -> Result<Self, String> {
        let mut disk = Self::small(c"size=24m")?;
        let image = disk.ballast.with_file_name("image");
        File::create(&image).and_then(|file| file.set_len(64 << 20)).expect("an image");
        let features = ["-q", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard"];
        run(Command::new("mkfs.ext4").args(features).arg(&image))?;
        let inner = disk.ballast.with_file_name("inner");
        fs::create_dir(&inner).expect("a directory");
        run(Command::new("mount").args(["-o", "loop,errors=continue"]).args([&image, &inner]))?;
        disk.place = inner.join("data");
        disk._mounts.insert(0, Mounted(inner));
        Ok(disk)
    }

    fn fill(&self) {
        let mut ballast = File::create(&self.ballast).expect("a ballast");
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    fn relieve(&self) {
        fs::remove_file(&self.ballast).expect("the ballast");
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("starting {name}: {error}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{name}: {}", complaint.trim())) }
}

fn open(place: &Path) -> SqliteStore {
    SqliteStore::open(place).expect("a store")
}

/// Fills the store until it refuses: what it accepted, and what it refused.
async fn insert_until_refused(store: &SqliteStore, accepted: &mut HashSet<ExecutionId>) -> ExecutionId {
    for _ in 0..TOO_MANY {
        let new = new();
        let id = new.record.id;
        match store.insert(new).await {
            Ok(_) => accepted.insert(id),
            Err(InsertError::Store(StoreError::Unavailable { reason })) => {
                assert!(!reason.is_empty());
                return id;
            }
            Err(other) => panic!("a disk that fails gave {other:?}"),
        };
    }
    panic!("{TOO_MANY} insertions were accepted");
}

/// Tries until the store does it again.
async fn until_ok<T, E, F>(what: &str, mut work: impl FnMut() -> F) -> T
where
    E: std::fmt::Debug,
    F: Future<Output = Result<T, E>>,
{
    let begin = Instant::now();
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) if begin.elapsed() > PATIENCE => panic!("room is back, and it does not {what}: {error:?}"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Whether the store holds exactly what it accepted, once it can say.
async fn holds_exactly(store: &SqliteStore, accepted: &HashSet<ExecutionId>) {
    let held = until_ok("list", || all(store)).await;
    let held: HashSet<_> = held.into_iter().collect();
    assert!(held == *accepted, "{} are held, {} were accepted", held.len(), accepted.len());
}

/// What a server finds that starts after this one was killed at this moment: exactly what was accepted.
async fn would_survive_a_kill(place: &Path, accepted: &HashSet<ExecutionId>) {
    let copy = tempdir().expect("a directory");
    for name in ["faas.db", "faas.db-wal", "journal.0", "journal.1"] {
        fs::copy(place.join(name), copy.path().join(name)).expect("a copy");
    }
    holds_exactly(&open(copy.path()), accepted).await;
}

/// Accepts, refuses while the disk fails, accepts again; holds exactly what it accepted.
async fn survives(disk: &Disk, is_full: bool) {
    let store = open(&disk.place);
    store.recover(NODE, 1).await.expect("a recovery");
    let mut accepted = HashSet::new();
    for _ in 0..20 {
        let new = new();
        accepted.insert(new.record.id);
        store.insert(new).await.expect("room");
    }
    for _ in 0..3 {
        disk.fill();
        let mut refused = Vec::new();
        for _ in 0..6 {
            refused.push(insert_until_refused(&store, &mut accepted).await);
            would_survive_a_kill(&disk.place, &accepted).await;
        }
        let mut journal_refused = false;
        for _ in 0..JOURNALED {
            let record = ended();
            let id = record.id;
            match store.journal(entry(&record)) {
                Ok(()) => accepted.insert(id),
                Err(_) => {
                    journal_refused = true;
                    refused.push(id);
                    true
                }
            };
        }
        assert_eq!(journal_refused, is_full, "the journal needs room, and no sync");
        for id in &refused {
            assert_eq!(store.get(TenantId::LOCAL, *id).await, Ok(None), "{id} was refused");
        }
        for id in accepted.iter().take(50) {
            assert!(matches!(store.get(TenantId::LOCAL, *id).await, Ok(Some(_))), "{id} was accepted");
        }
        disk.relieve();
        let accept = || async {
            let new = new();
            let id = new.record.id;
            store.insert(new).await.map(|_| id)
        };
        accepted.insert(until_ok("accept", accept).await);
        holds_exactly(&store, &accepted).await;
    }
    drop(store);
    let store = open(&disk.place);
    let recovered = store.recover(NODE, 2).await.expect("a recovery");
    assert_eq!((recovered.lost, recovered.dropped), (Vec::new(), Vec::new()));
    holds_exactly(&store, &accepted).await;
    store.close().await;
    drop(store);
    let database = rusqlite::Connection::open(disk.place.join("faas.db")).expect("the database");
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_accepts_nothing_and_loses_nothing() {
    match Disk::small(c"size=24m") {
        Ok(disk) => survives(&disk, true).await,
        Err(reason) => println!("SKIP a_full_disk_accepts_nothing_and_loses_nothing: {reason}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_sync_accepts_nothing_and_loses_nothing() {
    match Disk::unsyncable() {
        Ok(disk) => survives(&disk, false).await,
        Err(reason) => println!("SKIP a_disk_that_cannot_sync_accepts_nothing_and_loses_nothing: {reason}"),
    }
}

/// The database is held by somebody else meanwhile, so that the journal's files are all there is.
#[tokio::test]
async fn an_entry_without_room_leaves_the_journal_whole() {
    let disk = match Disk::small(c"size=8m") {
        Ok(disk) => disk,
        Err(reason) => return println!("SKIP an_entry_without_room_leaves_the_journal_whole: {reason}"),
    };
    let store = open(&disk.place);
    let database = rusqlite::Connection::open(disk.place.join("faas.db")).expect("the database");
    database.execute_batch("BEGIN IMMEDIATE").expect("the right to write");
    let mut accepted = Vec::new();
    let mut write = |count| {
        for _ in 0..count {
            let record = ended();
            let id = record.id;
            match store.journal(entry(&record)) {
                Ok(()) => accepted.push(id),
                Err(_) => return true,
            }
        }
        false
    };
    assert!(!write(3), "there is room");
    disk.fill();
    assert!(write(JOURNALED), "there is no room");
    disk.relieve();
    assert!(!write(3), "there is room again");

    let copy = tempdir().expect("a directory");
    for name in ["journal.0", "journal.1"] {
        fs::copy(disk.place.join(name), copy.path().join(name)).expect("a copy");
    }
    database.execute_batch("ROLLBACK").expect("the end");
    let copied = open(copy.path());
    let recovered = copied.recover(NODE, 1).await.expect("a recovery");
    assert_eq!(recovered.dropped, Vec::<String>::new());
    assert_eq!(all(&copied).await, Ok(accepted));
}
