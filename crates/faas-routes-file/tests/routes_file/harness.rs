//! A directory with a routes file, the `sqlite3` command, and a channel for what a watch tells.

use faas_routes::{Reserved, Route};
use faas_routes_file::{
    BadRow, Bounds, Change, Event, FunctionRoots, ReadError, RoutesFile, RowFunction, Rules, Serving, Update, Watch,
    create_when_absent,
};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before a test fails.
pub(crate) const STEP: Duration = Duration::from_secs(30);

/// What the seed prints, word for word.
pub(crate) const INSERT: &str = r#"INSERT INTO functions (k, v, updated) VALUES (
  'POST:/api/convert',
  '{"name":"imageConverter","runtime":"wasm","module":"/opt/functions/convert.wasm","handler":"convert","memory":512,"timeout":30}',
  strftime('%s','now')
);
"#;

/// What the seed prints, word for word.
pub(crate) const UPDATE: &str = r#"UPDATE functions 
SET v='{"module":"/new/path.wasm",...}', 
    updated=strftime('%s','now') 
WHERE k='POST:/resize';
"#;

/// What a file holds, read for the first time.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) good: BTreeMap<Route, RowFunction>,
    pub(crate) bad: Vec<BadRow>,
}

impl Rows {
    pub(crate) fn of(file: &RoutesFile) -> Result<Self, ReadError> {
        let mut serving = Serving::default();
        let bad = file.read(&mut serving)?.complaints;
        let good = serving.functions().map(|(key, function)| (route(key), function.clone())).collect();
        Ok(Self { good, bad })
    }
}

pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) path: PathBuf,
}

impl Place {
    /// A directory without a file.
    pub(crate) fn empty() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("faas_meta.db");
        Self { directory, path }
    }

    /// A directory with the file as it is created.
    pub(crate) fn sample() -> Self {
        let place = Self::empty();
        create_when_absent(&place.path).expect("created");
        place
    }

    /// A directory with the table and these statements executed.
    pub(crate) fn with(sql: &str) -> Self {
        let place = Self::empty();
        place.execute("CREATE TABLE functions (k TEXT PRIMARY KEY, v TEXT, updated INTEGER);");
        place.execute(sql);
        place
    }

    /// Executes statements by SQLite in this process.
    pub(crate) fn execute(&self, sql: &str) {
        execute(&self.path, sql);
    }

    pub(crate) fn file(&self) -> RoutesFile {
        self.file_with(Bounds::default())
    }

    pub(crate) fn file_with(&self, bounds: Bounds) -> RoutesFile {
        let roots = FunctionRoots::new([PathBuf::from("/opt/functions"), self.directory.path().join("functions")]);
        let rules = Rules {
            reserved: Reserved::new([("POST", "/api/v1/execute"), ("GET", "/health")]),
            roots: Arc::new(roots.expect("absolute roots")),
        };
        RoutesFile::new(&self.path, rules, bounds)
    }

    pub(crate) fn read(&self) -> Result<Rows, ReadError> {
        Rows::of(&self.file())
    }

    pub(crate) fn watch(&self) -> Live {
        let (tell, told) = channel();
        let deliver = move |event| drop(tell.send(event));
        Live { told, _watch: Watch::start(self.file(), deliver).expect("a watch") }
    }
}

pub(crate) fn execute(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).expect("a database");
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

pub(crate) fn route(text: &str) -> Route {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A good row's `v`.
pub(crate) fn value(module: &str) -> String {
    format!(r#"{{"name":"a","runtime":"php","module":"{module}"}}"#)
}

/// A statement that puts a row in.
pub(crate) fn insert(key: &str, module: &str) -> String {
    format!("INSERT INTO functions VALUES ('{key}', '{}', 1);", value(module))
}

/// A watch and what it tells.
pub(crate) struct Live {
    told: Receiver<Event>,
    _watch: Watch,
}

impl Live {
    pub(crate) fn next(&self) -> Event {
        self.told.recv_timeout(STEP).expect("an event")
    }

    pub(crate) fn update(&self) -> Update {
        match self.next() {
            Event::Read(update) => update,
            Event::Unreadable(error) => panic!("{error}"),
        }
    }

    /// Waits for this change.
    pub(crate) fn until(&self, wanted: impl Fn(&Change) -> bool) {
        let begun = Instant::now();
        while !self.update().changes.iter().any(&wanted) {
            assert!(begun.elapsed() < STEP, "the change does not come");
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.told.try_recv().is_err()
    }
}

/// Runs `sqlite3 FILE` in the file's directory; `false` where the command is not installed.
#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
pub(crate) fn sqlite3(path: &Path, input: &str) -> bool {
    let command = Command::new("sqlite3")
        .arg(path.file_name().expect("a name"))
        .current_dir(path.parent().expect("a directory"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = command else {
        println!("SKIP: sqlite3 is not installed; run scripts/install-test-deps");
        return false;
    };
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}
