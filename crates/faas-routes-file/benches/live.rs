//! What a routes file costs: to read whole, and from a commit to the changed route.
//!
//! `cargo bench --package faas-routes-file` prints the table.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use faas_routes::Reserved;
use faas_routes_file::{Bounds, Event, FunctionRoots, RoutesFile, Rules, Serving, Watch};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

fn main() {
    println!("| what | n | p50 | p95 | p99 |\n|---|---|---|---|---|");
    for rows in [10_u32, 1000, 100_000] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("faas_meta.db");
        let writer = fill(&path, rows);
        let before = resident();
        let begun = Instant::now();
        let mut serving = Serving::default();
        file(&path).read(&mut serving).expect("readable");
        let time = begun.elapsed();
        println!(
            "| start: {rows} rows read and taken | 1 | {time:?} | | |\n| its memory | | {} KiB, {} KiB while reading | | |",
            resident().saturating_sub(before) >> 10,
            peak().saturating_sub(before) >> 10
        );
        let count = 100;
        row(&format!("from commit to change, {rows} rows"), changes(&path, &writer, count));
    }
}

/// One row after the other, each from its commit to its event.
fn changes(path: &Path, writer: &Connection, count: u32) -> Vec<Duration> {
    let (tell, told) = channel();
    let deliver = move |event| {
        if let Event::Read(update) = event {
            drop(tell.send(update));
        }
    };
    let watch = Watch::start(file(path), deliver).expect("a watch");
    told.recv_timeout(Duration::from_secs(30)).expect("the first reading");
    let mut times = Vec::new();
    for n in 0..count {
        // At any phase of the watch's rest, as people do it.
        while told.recv_timeout(Duration::from_millis(u64::from(n * 37 % 250) + 1)).is_ok() {}
        writer
            .execute("UPDATE functions SET v = replace(v, '.php', 'x.php') WHERE rowid = ?1", [n % 10 + 1])
            .expect("written");
        let begun = Instant::now();
        let update = told.recv_timeout(Duration::from_secs(30)).expect("the change");
        assert_eq!(update.changes.len(), 1);
        times.push(begun.elapsed());
    }
    drop(watch);
    times
}

fn fill(path: &Path, rows: u32) -> Connection {
    let connection = Connection::open(path).expect("a database");
    let made = "CREATE TABLE functions (k TEXT PRIMARY KEY, v TEXT, updated INTEGER); BEGIN;";
    connection.execute_batch(made).expect("a table");
    for n in 0..rows {
        let value = format!(
            r#"{{"name":"function{n}","runtime":"php","module":"functions/{n}.php","handler":"handle","memory":128,"timeout":30}}"#
        );
        let key = format!("POST:/team-{}/resource-{}/{{id}}", n / 100, n % 100);
        connection.execute("INSERT INTO functions VALUES (?1, ?2, 1700000000)", [key, value]).expect("a row");
    }
    connection.execute_batch("COMMIT").expect("committed");
    connection
}

fn file(path: &Path) -> RoutesFile {
    let roots = FunctionRoots::new([PathBuf::from("/opt/functions")]).expect("absolute");
    let rules = Rules { reserved: Reserved::new([("GET", "/health")]), roots: Arc::new(roots) };
    RoutesFile::new(path, rules, Bounds::default())
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("| {what} | {} | {:?} | {:?} | {:?} |", times.len(), at(50), at(95), at(99));
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    status("VmRSS:")
}

/// The most there ever were.
fn peak() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process of its own");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}
