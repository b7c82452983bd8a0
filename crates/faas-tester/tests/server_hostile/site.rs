//! A server of a test's own, with a routes file and a directory of modules; asked, changed, and ended well.

use anyhow::{Context, Result, ensure};
use faas_tester::server::{Answer, Connection, DataDirectory, Options, get, until};
use rusqlite::Connection as Database;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::task::LocalSet;

/// How long anything may take that is bound to happen.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// Where functions are made.
pub(crate) const FUNCTIONS: &str = "/api/v1/functions";
const ROUTES_FILE: &str = "faas_meta.db";

/// A running server.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) process: u32,
    /// A directory of its own.
    pub(crate) home: PathBuf,
}

/// Runs a trial on a server, which is well afterwards and ends when it is asked to.
pub(crate) fn on_server<F: Future<Output = Result<()>>>(trial: impl FnOnce(Site) -> F) -> Result<()> {
    on_server_with(|_| Ok(Vec::new()), trial)
}

/// Runs a trial on a server that is started with more flags, for which files may be put beside it.
pub(crate) fn on_server_with<F: Future<Output = Result<()>>>(
    prepare: impl FnOnce(&Path) -> Result<Vec<(&'static str, String)>>,
    trial: impl FnOnce(Site) -> F,
) -> Result<()> {
    let data = DataDirectory::make()?;
    let home = data.path().parent().context("a data directory lies in another")?.to_owned();
    fs::create_dir(modules(&home))?;
    let flags = prepare(&home)?;
    let path = |path: PathBuf| path.display().to_string();
    let options = Options::new(data.path())
        .flag("--routes-db", &path(home.join(ROUTES_FILE)))
        .flag("--function-roots", &path(modules(&home)));
    let options = flags.into_iter().fold(options, |options, (name, value)| options.flag(name, &value));
    let server = options.start()?;
    let site = Site { address: server.address(), process: server.process(), home };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tried = LocalSet::new().block_on(&runtime, async {
        trial(site.clone()).await?;
        let (status, health) = site.ask("GET", "/health", None).await?;
        ensure!((status, &health["status"]) == (200, &json!("ok")), "it is not well: {status} {health}");
        anyhow::Ok(())
    });
    tried.with_context(|| server.last_lines())?;
    server.stop(SOON)
}

/// Where the modules of rows are.
pub(crate) fn modules(home: &Path) -> PathBuf {
    home.join("functions")
}

/// Demands a refusal with this status and code, and a cause.
pub(crate) fn is_refusal(status: u16, problem: &Value, expected: (u16, &str)) -> Result<()> {
    let code = problem["code"].as_str().unwrap_or_default();
    ensure!((status, code) == expected, "{status} {problem}, not {expected:?}");
    ensure!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "no cause is given: {problem}");
    Ok(())
}

impl Site {
    /// An answer, whatever it is.
    pub(crate) async fn answer(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        Ok(Connection::open(self.address).await?.call(method, path, &[("connection", "close")], body).await?)
    }

    /// The status and the JSON of an answer.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let answer = self.answer(method, path, body).await?;
        Ok((answer.status(), answer.json()))
    }

    /// The answer to what has to work.
    pub(crate) async fn done(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.ask(method, path, Some(body)).await?;
        ensure!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        Ok(answer)
    }

    /// Makes a function.
    pub(crate) async fn deploy(&self, body: &Value) -> Result<Value> {
        self.done("POST", FUNCTIONS, body).await
    }

    /// The refusal of what has to be refused with this status and code.
    pub(crate) async fn refused(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        expected: (u16, &str),
    ) -> Result<Value> {
        let (status, problem) = self.ask(method, path, body).await?;
        let given = || body.map(Value::to_string).unwrap_or_default();
        is_refusal(status, &problem, expected).with_context(|| format!("{method} {path} {}", given()))?;
        Ok(problem)
    }

    /// Sends a body as it is. The answer is to be read.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Result<Connection> {
        let mut connection = Connection::open(self.address).await?;
        let (address, length) = (self.address, body.len());
        let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n");
        let head = format!("{head}content-type: application/json\r\nconnection: close\r\n\r\n");
        connection.stream().write_all(head.as_bytes()).await?;
        // A server that refuses early may close before it has read all: its answer is still there.
        drop(connection.stream().write_all(body.as_bytes()).await);
        Ok(connection)
    }

    /// The record of a call of a function.
    pub(crate) async fn invoke(&self, function: &str, payload: &str) -> Result<Value> {
        self.done("POST", &format!("{FUNCTIONS}/{function}/invoke"), &json!({"payload": payload})).await
    }

    /// How often a function was called.
    pub(crate) async fn calls_of(&self, function: &str) -> Result<u64> {
        let (_, stats) = self.ask("GET", &format!("{FUNCTIONS}/{function}/stats"), None).await?;
        let starts = stats["cold_starts"].as_u64().zip(stats["warm_starts"].as_u64());
        starts.map(|(cold, warm)| cold + warm).with_context(|| format!("no starts in {stats}"))
    }

    /// Writes a module for rows.
    pub(crate) fn module(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        Ok(fs::write(modules(&self.home).join(name), content)?)
    }

    pub(crate) fn routes_file(&self) -> PathBuf {
        self.home.join(ROUTES_FILE)
    }

    /// Changes the routes file.
    pub(crate) fn sql(&self, statements: &str) -> Result<()> {
        let database = Database::open(self.routes_file())?;
        Ok(database.execute_batch(statements)?)
    }

    /// Writes a row whose `v` is this text.
    pub(crate) fn row(&self, key: &str, value: &str) -> Result<()> {
        let database = Database::open(self.routes_file())?;
        database.execute("INSERT OR REPLACE INTO functions VALUES (?1, ?2, strftime('%s', 'now'))", [key, value])?;
        Ok(())
    }

    /// A row that is served, and goes on to be.
    pub(crate) async fn good_row(&self) -> Result<()> {
        self.module("good.py", "def handle(request):\n    return 'good'\n")?;
        self.row("GET:/good", &json!({"name": "good", "runtime": "python", "module": "good.py"}).to_string())?;
        until("the good row is served", SOON, async || Ok(self.good_row_is_served().await.ok())).await
    }

    /// Fails unless the good row is served.
    pub(crate) async fn good_row_is_served(&self) -> Result<()> {
        let answer = self.answer("GET", "/good", None).await?;
        ensure!((answer.status(), answer.body.as_slice()) == (200, b"good"), "the good row: {answer:?}");
        Ok(())
    }

    /// What was said of rows and files that are not served.
    pub(crate) async fn refusals(&self, kind: &str) -> Result<Vec<String>> {
        let events = get(self.address, "/api/v1/events").await?.json();
        let items = events["items"].as_array().context("items")?.iter();
        let refused = items.filter(|event| event["kind"] == kind);
        Ok(refused.filter_map(|event| event["detail"].as_str().map(str::to_owned)).collect())
    }

    /// Waits until it is said that a row is not served, and for this reason.
    pub(crate) async fn row_refused(&self, key: &str, reason: &str) -> Result<()> {
        let begins = format!("row {key}: ");
        let what = format!("{key:?} is told");
        let told = until(&what, SOON, async || {
            Ok(self.refusals("route_refused").await?.into_iter().find(|detail| detail.contains(&begins)))
        });
        let told = told.await?;
        ensure!(told.contains(reason), "expected {reason:?}: {told}");
        Ok(())
    }
}
