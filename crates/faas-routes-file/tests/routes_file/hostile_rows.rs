//! Files and rows made to harm (row 79 of the hostile inputs): each is told, and nothing else happens.

use super::harness::{Place, Rows, STEP, insert, route, value};
use faas_routes_file::{Bounds, Event, ReadError};
use rustix::fs::{CWD, Mode, mkfifoat};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// The one row that is good, so that nothing was lost beside the bad one.
const GOOD: &str = "GET:/good";

/// Why the one bad row of a table with one good row is bad.
fn reason(sql: &str) -> String {
    let place = Place::with(&format!("{}{sql}", insert(GOOD, "a.php")));
    let rows = place.read().expect("readable");
    assert_eq!(rows.good.keys().map(ToString::to_string).collect::<Vec<_>>(), [GOOD], "{sql}");
    let [bad] = &rows.bad[..] else { panic!("{sql}: {:?}", rows.bad) };
    bad.reason.clone()
}

/// Why a file made so is not read.
fn refusal(sql: &str) -> String {
    let place = Place::empty();
    place.execute(sql);
    place.read().expect_err(sql).to_string()
}

fn row(key: &str, value: &str) -> String {
    format!("INSERT INTO functions VALUES ('{key}', '{value}', 1);")
}

#[test]
fn row_79_broken_json() {
    for value in ["{", "", "nothing", r#"{"name":"a"}"#, r#"{"module":"/new/path.wasm",...}"#, "[[[[[["] {
        assert!(reason(&row("GET:/bad", value)).contains("v is not accepted"), "{value}");
    }
}

#[test]
fn row_79_module_outside_the_roots() {
    for module in ["/etc/passwd", "/opt/functionsx/a.php", "/opt/functions"] {
        let reason = reason(&insert("GET:/bad", module));
        assert!(reason.contains("outside the function roots (/opt/functions, "), "{reason}");
    }
    for module in ["../a.php", "a/../../b.php", "/opt/functions/../../etc/passwd", "./a", "a//b", ""] {
        assert!(reason(&insert("GET:/bad", module)).contains("is not accepted"), "{module}");
    }
}

#[test]
fn row_79_runtime_sh() {
    for runtime in ["sh", "bash", "/bin/sh", "PHP", ""] {
        let value = format!(r#"{{"name":"a","runtime":"{runtime}","module":"a"}}"#);
        assert!(reason(&row("GET:/bad", &value)).contains("accepted: php, wasm, python, javascript"), "{runtime}");
    }
}

#[test]
fn row_78_routes_of_the_system() {
    for (key, named) in [
        ("POST:/api/v1/execute", "POST:/api/v1/execute"),
        ("GET:/health", "GET:/health"),
        ("POST:/auth/login", "ANY:/auth/"),
        ("ANY:/", "ANY:/"),
        ("ANY:/*rest", "POST:/api/v1/execute"),
    ] {
        let reason = reason(&insert(key, "a.php"));
        assert!(reason.contains(named) && reason.contains("of the system"), "{key}: {reason}");
    }
    for key in ["//x", "/x", "GET:/../x", "GET:/API/v1/x", "GET:/x;y=z", "nonsense", "", "GET:/x\u{1b}[2J"] {
        let place = Place::with(&insert(key, "a.php"));
        let rows = place.read().expect("readable");
        assert!(rows.good.is_empty() && rows.bad.len() == 1, "{key}");
        assert!(!rows.bad[0].key.contains(char::is_control), "{key}");
    }
}

#[test]
fn columns_of_other_types() {
    let good = value("a.php");
    for (sql, named) in [
        ("INSERT INTO functions VALUES (NULL, '{}', 1)".to_owned(), "k is NULL"),
        (format!("INSERT INTO functions VALUES (x'00ff', '{good}', 1)"), "k is a blob"),
        ("INSERT INTO functions VALUES ('GET:/bad', NULL, 1)".to_owned(), "v is NULL"),
        ("INSERT INTO functions VALUES ('GET:/bad', x'7b7d', 1)".to_owned(), "v is a blob"),
        (format!("INSERT INTO functions VALUES ('GET:/bad', '{good}', 'soon')"), "updated is not accepted"),
        (format!("INSERT INTO functions VALUES ('GET:/bad', '{good}', randomblob(100))"), "updated is not accepted"),
        (format!("INSERT INTO functions VALUES ('GET:/bad', CAST(x'ff' AS TEXT) || '{good}', 1)"), "v is not UTF-8"),
    ] {
        assert!(reason(&sql).contains(named), "{sql}");
    }
}

#[test]
fn a_huge_blob_or_text_is_not_loaded() {
    for (sql, named) in [
        ("INSERT INTO functions VALUES ('GET:/bad', zeroblob(50000000), 1)", "v has 50000000 bytes"),
        ("INSERT INTO functions VALUES ('GET:/bad', hex(zeroblob(10000000)), 1)", "v has 20000000 bytes"),
        ("INSERT INTO functions VALUES ('GET:/' || hex(zeroblob(10000000)), '{}', 1)", "k has 20000005 bytes"),
        ("INSERT INTO functions VALUES ('GET:/bad', '{}', zeroblob(20000000))", "updated is not accepted"),
    ] {
        assert!(reason(sql).contains(named), "{sql}");
    }
}

#[test]
fn row_79_a_million_rows() {
    let place = Place::empty();
    place.execute(
        "CREATE TABLE functions (k, v, updated);
         WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000)
         INSERT INTO functions SELECT 'GET:/n/' || x, '{}', 1 FROM n;",
    );
    let patient = Bounds { time: STEP, ..Bounds::default() };
    let error = Rows::of(&place.file_with(patient)).expect_err("too many");
    assert!(matches!(error, ReadError::TooManyRows { rows: 200_000 }), "{error}");
    let small = Bounds { database_bytes: 1 << 20, ..Bounds::default() };
    assert!(matches!(Rows::of(&place.file_with(small)), Err(ReadError::TooLarge { .. })));
}

#[test]
fn row_79_triggers_are_never_fired() {
    let place = Place::with(&insert(GOOD, "a.php"));
    place.execute(
        "CREATE TRIGGER a AFTER INSERT ON functions BEGIN DELETE FROM functions; END;
         CREATE TRIGGER b BEFORE UPDATE ON functions BEGIN SELECT randomblob(1000000000); END;
         CREATE VIEW w AS SELECT * FROM functions;
         CREATE TRIGGER c INSTEAD OF DELETE ON w BEGIN DELETE FROM functions; END;",
    );
    let before = fs::read(&place.path).expect("bytes");
    assert!(place.read().expect("readable").good.contains_key(&route(GOOD)));
    assert_eq!(fs::read(&place.path).expect("bytes"), before);
}

#[test]
fn views_triggers_and_virtual_tables_named_functions() {
    for (sql, named) in [
        ("CREATE VIEW functions AS SELECT 'GET:/x' AS k, '{}' AS v, 1 AS updated", "a view"),
        (
            "CREATE VIEW FUNCTIONS AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
                SELECT x AS k, x AS v, x AS updated FROM n",
            "a view",
        ),
        (
            "CREATE TABLE functions (k, v, updated);
             CREATE TRIGGER functions AFTER INSERT ON functions BEGIN SELECT 1; END",
            "a trigger",
        ),
        ("CREATE VIRTUAL TABLE functions USING fts5(k, v, updated)", "a virtual table"),
        ("CREATE TABLE functions (k, v, updated AS (hex(zeroblob(400000000))))", "a generated one"),
        ("CREATE TABLE functions (k, v AS (k || k) STORED, updated)", "a generated one"),
        ("CREATE TABLE functions (k, v)", "no column updated"),
        ("CREATE TABLE other (k, v, updated)", "no table functions"),
        ("PRAGMA user_version = 7", "no table functions"),
    ] {
        let error = refusal(sql);
        assert!(error.contains(named), "{sql}: {error}");
    }
}

#[test]
fn another_cause_is_told_too_and_a_cause_that_stays_only_once() {
    let place = Place::sample();
    let live = place.watch();
    live.update();
    let mut causes = Vec::new();
    for sql in [
        "ALTER TABLE functions RENAME TO kept",
        "CREATE TABLE another (k, v, updated)",
        "CREATE VIEW functions AS SELECT * FROM kept",
        "DROP VIEW functions; CREATE VIRTUAL TABLE functions USING fts5(k, v, updated)",
    ] {
        place.execute(sql);
        if sql.contains("another") {
            // The cause is the one that was told: what is told next is the next one.
            continue;
        }
        let Event::Unreadable(error) = live.next() else { panic!("{sql}") };
        causes.push(error.to_string());
    }
    for (cause, named) in causes.iter().zip(["no table functions", "a view", "a virtual table"]) {
        assert!(cause.contains(named), "{causes:?}");
    }
    place.execute("DROP TABLE functions; ALTER TABLE kept RENAME TO functions");
    assert!(live.update().changes.is_empty(), "the last good rows were not kept");
}

#[test]
fn a_table_without_a_key_takes_the_first_of_two_rows() {
    let place = Place::empty();
    place.execute(&format!(
        "CREATE TABLE functions (k, v, updated); {}{}",
        insert(GOOD, "first.php"),
        insert(GOOD, "second.php")
    ));
    let rows = place.read().expect("readable");
    assert_eq!(rows.good[&route(GOOD)].module, "first.php");
    assert!(rows.bad[0].reason.contains("another row"), "{:?}", rows.bad);
}

#[test]
fn other_encodings_and_tables_without_rowid_are_read() {
    for sql in [
        "PRAGMA encoding = 'UTF-16'; CREATE TABLE functions (k TEXT PRIMARY KEY, v TEXT, updated INTEGER);",
        "CREATE TABLE functions (k TEXT PRIMARY KEY, v TEXT, updated TEXT) WITHOUT ROWID;",
        "PRAGMA page_size = 65536; CREATE TABLE functions (k TEXT, v TEXT, updated INTEGER, more TEXT DEFAULT 'x');",
    ] {
        let place = Place::empty();
        place.execute(sql);
        place.execute(&insert(GOOD, "a.php").replace("functions", "functions (k, v, updated)"));
        assert_eq!(place.read().expect(sql).good.len(), 1, "{sql}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let place = Place::empty();
    let kind = || place.read().expect_err("refused").to_string();
    mkfifoat(CWD, &place.path, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    assert!(kind().contains("a FIFO"), "{}", kind());
    fs::remove_file(&place.path).expect("removed");
    let listener = UnixListener::bind(&place.path).expect("a socket");
    assert!(kind().contains("a socket"), "{}", kind());
    drop(listener);
    fs::remove_file(&place.path).expect("removed");
    fs::create_dir(&place.path).expect("a directory");
    assert!(kind().contains("a directory"), "{}", kind());
    fs::remove_dir(&place.path).expect("removed");
    let other = Place::sample();
    symlink(&other.path, &place.path).expect("a link");
    assert!(kind().contains("a symbolic link"), "{}", kind());
    fs::remove_file(&place.path).expect("removed");
    place.execute("CREATE TABLE functions (k, v, updated)");
    symlink(&other.path, place.directory.path().join("faas_meta.db-wal")).expect("a link");
    assert!(kind().contains("faas_meta.db-wal is a symbolic link"), "{}", kind());
}

#[test]
fn a_damaged_file_is_told_and_the_last_good_rows_stay() {
    let place = Place::sample();
    let live = place.watch();
    assert_eq!(live.update().changes.len(), 4);
    let good = fs::read(&place.path).expect("bytes");
    for bytes in [&b"not a database at all, but long enough to look at"[..], &[], &good[..good.len() / 2], &good[..50]]
    {
        fs::write(&place.path, bytes).expect("damaged");
        let event = live.next();
        assert!(matches!(event, Event::Unreadable(_)), "{event:?}");
        fs::write(&place.path, &good).expect("mended");
        assert!(live.update().changes.is_empty(), "the last good rows were not kept");
    }
}

#[test]
fn bytes_changed_anywhere_do_no_harm() {
    let place = Place::sample();
    let good = fs::read(&place.path).expect("bytes");
    let file = place.file();
    for at in (0..good.len()).step_by(29) {
        let mut bytes = good.clone();
        bytes[at] ^= 0xff;
        fs::write(&place.path, &bytes).expect("damaged");
        // Rows or a refusal: which of the two is SQLite's to say.
        let _ = Rows::of(&file);
    }
}

#[test]
fn a_transaction_that_does_not_end_is_told_and_then_read() {
    let place = Place::sample();
    let live = place.watch();
    live.update();
    let writer = rusqlite::Connection::open(&place.path).expect("a database");
    // A small cache makes it write pages before the end.
    writer.execute_batch("PRAGMA cache_size = 2; BEGIN IMMEDIATE;").expect("begun");
    for n in 0..300 {
        writer.execute_batch(&insert(&format!("GET:/n/{n}"), "a.php")).expect("a row");
    }
    let Event::Unreadable(error) = live.next() else { panic!("half a transaction was read") };
    assert!(matches!(error, ReadError::UnderWay), "{error}");
    writer.execute_batch("COMMIT").expect("committed");
    assert_eq!(live.update().changes.len(), 300);
}

#[test]
fn a_locked_file_is_read_and_one_cut_under_us_is_refused() {
    let place = Place::sample();
    let writer = rusqlite::Connection::open(&place.path).expect("a database");
    writer.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;").expect("locked");
    assert_eq!(place.read().expect("no lock stops us").good.len(), 4);
    drop(writer);
    let file = OpenOptions::new().write(true).open(&place.path).expect("opened");
    file.set_len(4096 + 100).expect("cut");
    assert!(place.read().is_err());
}

#[test]
fn a_log_made_to_harm_changes_nothing() {
    let place = Place::sample();
    let log = place.directory.path().join("faas_meta.db-wal");
    fs::write(&log, [0xff; 100_000]).expect("a log");
    assert_eq!(place.read().expect("ignored").good.len(), 4);
    let mut sparse = File::create(&log).expect("a log");
    sparse.seek(SeekFrom::Start(1 << 40)).expect("far");
    sparse.write_all(b"x").expect("sparse");
    assert!(matches!(place.read(), Err(ReadError::TooLarge { .. })));
}

#[test]
fn a_reading_ends_in_time() {
    let rows = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000)
        INSERT INTO functions SELECT 'GET:/n/' || x, '{}', 1 FROM n;";
    let place = Place::with(rows);
    let error = Rows::of(&place.file_with(Bounds { time: Duration::ZERO, ..Bounds::default() })).expect_err("no time");
    assert!(error.to_string().contains("takes too long"), "{error}");
}
