//! Rows become functions while the file changes: by the `sqlite3` command as the seed prints it, and in
//! every other way in which a file changes.

use super::harness::{INSERT, Place, Rows, STEP, UPDATE, execute, insert, route, sqlite3};
use faas_routes_file::{Change, Created, Event, INIT_SQL, RowRuntime, create_when_absent};
use std::fs;
use std::time::Duration;

#[test]
fn a_missing_file_is_created_with_the_samples_and_one_that_is_there_is_left_alone() {
    let place = Place::empty();
    assert_eq!(create_when_absent(&place.path).expect("created"), Created::New);
    let rows = place.read().expect("readable");
    assert!(rows.bad.is_empty(), "{:?}", rows.bad);
    let samples: Vec<String> = rows.good.keys().map(ToString::to_string).collect();
    assert_eq!(samples, ["POST:/api/hello", "GET:/api/info", "GET:/ping", "POST:/resize"]);
    assert_eq!(rows.good[&route("POST:/api/hello")].runtime, RowRuntime::Php);
    assert_eq!(rows.good[&route("GET:/ping")].runtime, RowRuntime::Wasm);
    let before = fs::read(&place.path).expect("its bytes");
    assert_eq!(create_when_absent(&place.path).expect("there"), Created::AlreadyThere);
    assert_eq!(fs::read(&place.path).expect("its bytes"), before);
    assert_eq!(fs::read_dir(place.directory.path()).expect("a directory").count(), 1, "something else was left");
}

#[test]
fn reading_never_writes_and_leaves_nothing_beside_the_file() {
    let place = Place::sample();
    let before = (fs::read(&place.path).expect("bytes"), fs::metadata(&place.path).expect("times").modified().ok());
    place.read().expect("readable");
    assert_eq!(
        (fs::read(&place.path).expect("bytes"), fs::metadata(&place.path).expect("times").modified().ok()),
        before
    );
    assert_eq!(fs::read_dir(place.directory.path()).expect("a directory").count(), 1);
}

#[test]
fn the_printed_statements_are_live() {
    let place = Place::empty();
    if !sqlite3(&place.path, INIT_SQL) {
        return;
    }
    let live = place.watch();
    assert_eq!(live.update().changes.len(), 4);
    assert!(sqlite3(&place.path, INSERT));
    live.until(|change| matches!(change, Change::Added(added, _) if *added == route("POST:/api/convert")));
    assert!(sqlite3(&place.path, UPDATE));
    let update = live.update();
    assert!(update.changes.is_empty(), "the last good version is served on: {update:?}");
    let [complaint] = &update.complaints[..] else { panic!("{update:?}") };
    assert_eq!(complaint.key, "POST:/resize");
    assert!(complaint.reason.contains("v is not accepted"), "{complaint:?}");
    assert!(sqlite3(&place.path, "DELETE FROM functions WHERE k='POST:/resize';"));
    live.until(|change| *change == Change::Removed(route("POST:/resize")));
}

#[test]
fn the_command_that_lists_the_rows_is_no_change() {
    let place = Place::sample();
    let live = place.watch();
    live.update();
    if !sqlite3(&place.path, "SELECT k,substr(v,1,60) FROM functions;") {
        return;
    }
    place.execute(&insert("GET:/later", "a.php"));
    live.until(|change| matches!(change, Change::Added(added, _) if *added == route("GET:/later")));
    assert!(live.is_quiet());
}

#[test]
fn writers_are_never_locked_out() {
    let place = Place::sample();
    let live = place.watch();
    live.update();
    // Without a busy timeout, as the command has it: one lock of ours would fail one of these.
    let connection = rusqlite::Connection::open(&place.path).expect("a database");
    connection.busy_timeout(Duration::ZERO).expect("set");
    for n in 0..200 {
        connection.execute_batch(&insert(&format!("GET:/n/{n}"), "a.php")).expect("no lock in the way");
    }
    live.until(|change| matches!(change, Change::Added(added, _) if *added == route("GET:/n/199")));
}

#[test]
fn no_reading_sees_half_of_a_transaction() {
    const ROWS: u32 = 300;
    for mode in ["DELETE", "TRUNCATE", "PERSIST", "WAL"] {
        let place = Place::with("");
        let insert_all: String = (0..ROWS).map(|n| insert(&format!("GET:/n/{n}"), "0.php")).collect();
        place.execute(&format!("PRAGMA journal_mode = {mode}; BEGIN; {insert_all} COMMIT;"));
        let path = place.path.clone();
        let writer = std::thread::spawn(move || {
            let connection = rusqlite::Connection::open(path).expect("a database");
            // Pages go to the database in the middle of a transaction, or by a checkpoint after each.
            connection.execute_batch("PRAGMA cache_size = 2; PRAGMA wal_autocheckpoint = 20;").expect("set");
            for n in 1..=60 {
                let update = format!("UPDATE functions SET v = replace(v, '{}.php', '{n}.php');", n - 1);
                connection.execute_batch(&update).expect("written");
            }
        });
        let (file, mut states) = (place.file(), std::collections::BTreeSet::new());
        loop {
            let is_over = writer.is_finished();
            if let Ok(rows) = Rows::of(&file) {
                assert_eq!(rows.good.len(), ROWS as usize, "{mode}");
                let modules: std::collections::BTreeSet<String> =
                    rows.good.into_values().map(|function| function.module).collect();
                assert_eq!(modules.len(), 1, "{mode}: {modules:?}");
                states.extend(modules);
            } else {
                assert!(!is_over, "{mode}: it is quiet and not readable");
            }
            if is_over {
                break;
            }
        }
        writer.join().expect("all was written");
        assert!(states.contains("60.php"), "{mode}");
        println!("{mode}: {} states were seen", states.len());
    }
}

#[test]
fn every_journal_mode_is_read() {
    for mode in ["DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF"] {
        let place = Place::sample();
        let live = place.watch();
        live.update();
        let writer = rusqlite::Connection::open(&place.path).expect("a database");
        writer.execute_batch(&format!("PRAGMA journal_mode = {mode};")).expect("a mode");
        for n in 0..5 {
            writer.execute_batch(&insert(&format!("GET:/n/{n}"), "a.php")).expect("a row");
            let key = route(&format!("GET:/n/{n}"));
            live.until(|change| matches!(change, Change::Added(added, _) if *added == key));
        }
        writer.execute_batch("DELETE FROM functions WHERE k = 'GET:/n/3';").expect("deleted");
        live.until(|change| *change == Change::Removed(route("GET:/n/3")));
        drop(writer);
        assert_eq!(place.read().expect("readable").good.len(), 8, "{mode}");
    }
}

#[test]
fn a_file_that_another_one_replaces_is_read() {
    let place = Place::sample();
    let live = place.watch();
    live.update();
    for n in 0..3 {
        let other = place.directory.path().join("other.db");
        create_when_absent(&other).expect("created");
        execute(&other, &format!("DELETE FROM functions; {}", insert(&format!("GET:/n/{n}"), "a.php")));
        fs::rename(&other, &place.path).expect("replaced");
        live.until(|change| matches!(change, Change::Added(added, _) if *added == route(&format!("GET:/n/{n}"))));
    }
    fs::remove_file(&place.path).expect("removed");
    create_when_absent(&place.path).expect("created");
    live.until(|change| matches!(change, Change::Added(added, _) if *added == route("GET:/ping")));
}

#[test]
fn a_file_and_a_directory_that_come_later_are_read() {
    let mut place = Place::empty();
    let inner = place.directory.path().join("later");
    place.path = inner.join("faas_meta.db");
    let live = place.watch();
    assert!(matches!(live.next(), Event::Unreadable(_)), "it is told that it is missing");
    fs::create_dir(&inner).expect("a directory");
    create_when_absent(&place.path).expect("created");
    assert_eq!(live.update().changes.len(), 4);
    fs::rename(&inner, place.directory.path().join("gone")).expect("moved");
    assert!(matches!(live.next(), Event::Unreadable(_)));
    fs::create_dir(&inner).expect("a directory");
    create_when_absent(&place.path).expect("created");
    place.execute(&insert("GET:/again", "a.php"));
    live.until(|change| matches!(change, Change::Added(added, _) if *added == route("GET:/again")));
}

#[test]
fn the_end_of_a_watch_ends_its_thread_at_once() {
    let place = Place::sample();
    let live = place.watch();
    live.update();
    let begun = std::time::Instant::now();
    drop(live);
    assert!(begun.elapsed() < STEP);
}
