//! `kill -9` in the middle of work: what was answered is there, whatever the moment.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod common;

use common::{NODE, new};
use faas_store_api::{ExecutionStore, Expected, Finished, Journaled, Lease};
use faas_store_sqlite::SqliteStore;
use faas_types::{ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, TenantId, Timestamp};
use std::collections::HashSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::tempdir;

/// The variable that makes this program the one that is killed: the store's directory.
const DIRECTORY: &str = "FAAS_STORE_TEST_DIRECTORY";
const EPOCH: &str = "FAAS_STORE_TEST_EPOCH";
/// How often it is killed.
const LIVES: u64 = 10;

/// Says what the store has answered. One write, so that what is said is whole.
fn say(what: &str, id: ExecutionId) {
    std::io::stderr().lock().write_all(format!("{what} {id}\n").as_bytes()).expect("the parent reads");
}

/// Not a test by itself: what the test below starts and kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker() {
    let (Ok(directory), Ok(epoch)) = (env::var(DIRECTORY), env::var(EPOCH)) else { return };
    let epoch = epoch.parse().expect("an epoch");
    let store = Arc::new(SqliteStore::open(Path::new(&directory)).expect("a store"));
    store.recover(NODE, epoch).await.expect("a recovery");
    let workers: Vec<_> = (0..6).map(|_| tokio::spawn(work(Arc::clone(&store), epoch))).collect();
    for worker in workers {
        worker.await.expect("it ends when it is killed");
    }
}

async fn work(store: Arc<SqliteStore>, epoch: u64) {
    loop {
        let queued = new();
        let id = queued.record.id;
        store.insert(queued.clone()).await.expect("an insertion");
        say("inserted", id);
        let lease = Lease { node: NODE, epoch, until: Timestamp::now().plus(Duration::from_secs(60)) };
        store.claim(id, lease).await.expect("a claim").expect("the only claimer");
        say("claimed", id);
        let mut record = queued.record;
        record.status = ExecutionState::Succeeded;
        let expected = Expected::Held { node: NODE, epoch };
        assert!(store.finish(Finished { expected, record }).await.expect("an end"));
        say("ended", id);
        store.insert(new()).await.expect("one that stays queued");

        let journal =
            |record: &ExecutionRecord| store.journal(Journaled { tenant: TenantId::LOCAL, node: NODE, record });
        let mut record = new().record;
        let id = record.id;
        record.status = ExecutionState::Starting;
        journal(&record).expect("a mark");
        say("claimed", id);
        record.status = ExecutionState::Succeeded;
        journal(&record).expect("an end");
        say("ended", id);
    }
}

fn start(directory: &Path, epoch: u64) -> Child {
    Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "worker", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(EPOCH, epoch.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a worker")
}

#[tokio::test]
async fn what_was_answered_survives_kill_9() {
    let directory = tempdir().expect("a directory");
    let mut last = std::collections::HashMap::new();
    for epoch in 1..=LIVES {
        let mut child = start(directory.path(), epoch * 2);
        let said = BufReader::new(child.stderr.take().expect("a pipe"));
        // The moment differs from life to life; lines already said are read after the end, too.
        let moment = 40 + epoch * 37;
        let mut lines = 0;
        for line in said.lines() {
            let line = line.expect("a line");
            let (what, id) = line.split_once(' ').unwrap_or_else(|| panic!("the worker failed: {line}"));
            let id: ExecutionId = id.parse().unwrap_or_else(|_| panic!("the worker failed: {line}"));
            last.insert(id, what.to_owned());
            lines += 1;
            if lines == moment {
                child.kill().expect("it runs");
            }
        }
        child.wait().expect("it is gone");
        assert!(lines >= moment, "the worker ended by itself after {lines} lines");

        let store = SqliteStore::open(directory.path()).expect("the directory of a killed server");
        let recovered = store.recover(NODE, epoch * 2 + 1).await.expect("a recovery");
        assert_eq!(recovered.dropped, Vec::<String>::new());
        let lost: HashSet<_> = recovered.lost.into_iter().collect();
        for (id, said) in &last {
            let record = store.get(TenantId::LOCAL, *id).await.expect("a reading");
            let record = record.unwrap_or_else(|| panic!("{id} was {said} and is gone"));
            match said.as_str() {
                "ended" => assert_eq!(record.status, ExecutionState::Succeeded, "{id} had ended"),
                _ if record.status == ExecutionState::Queued => assert_eq!(said, "inserted", "{id}"),
                _ if record.status == ExecutionState::Succeeded => {}
                _ => {
                    let end = (record.status, record.error_kind);
                    assert_eq!(end, (ExecutionState::Failed, Some(ErrorKind::SandboxLost)), "{id} was {said}");
                }
            }
        }
        assert_eq!(store.counts().await.expect("counts").running, 0);
        assert!(lost.len() <= 12, "six workers hold two at most, {} were lost", lost.len());
        store.close().await;
        drop(store);
        let database = rusqlite::Connection::open(directory.path().join("faas.db")).expect("the database");
        let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(check, "ok");
    }
}
