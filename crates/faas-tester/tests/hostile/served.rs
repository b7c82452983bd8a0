//! The servers whose zygotes and spares the programs of trials are started from: one for each way and user,
//! shared by its trials, started when the first of them needs it.
//!
//! A program that was started in another way than the trial is about proves nothing, so every run's record is
//! asked how it was. Called by `launch`, and by `suite` for the end.

use crate::start::Start;
use crate::suite::Identity;
use faas_tester::server::{Answer, Server, Starting, get, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long it may take until there is a zygote, or a spare. None of a kind is made for a minute where one
/// was not ready in time.
const PATIENCE: Duration = Duration::from_secs(150);

/// For how long after a program of a kind more of that kind are kept ready, with a margin.
const IN_MIND: Duration = Duration::from_secs(20);

/// The label by which a run is found again.
pub(crate) const LABEL: &str = "hostile";

/// Servers by way and user.
pub(crate) struct Servers(BTreeMap<(Start, Identity), OnceLock<Result<Served, String>>>);

impl Servers {
    /// None of them runs yet.
    pub(crate) fn new() -> Self {
        let every = [Start::Zygote, Start::Spare].into_iter().flat_map(|start| Identity::ALL.map(|who| (start, who)));
        Self(every.map(|which| (which, OnceLock::new())).collect())
    }

    /// The one for this way, started by `command` in `directory` where it was not yet; `None` for cold.
    pub(crate) fn get(
        &self,
        start: Start,
        identity: Identity,
        begin: impl FnOnce() -> Result<Served, String>,
    ) -> Result<Option<&Served>, String> {
        match self.0.get(&(start, identity)) {
            None => Ok(None),
            Some(server) => server.get_or_init(begin).as_ref().map(Some).map_err(Clone::clone),
        }
    }

    /// Ends all of them, which must go well.
    pub(crate) fn stop(&mut self, bound: Duration) -> Result<(), String> {
        let running = std::mem::take(&mut self.0).into_values().filter_map(OnceLock::into_inner);
        let stopped = running.flatten().map(|served| served.server.stop(bound).map_err(|e| format!("{e:#}")));
        let wrong: Vec<_> = stopped.filter_map(Result::err).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}

/// A server that runs.
pub(crate) struct Served {
    server: Server,
    directory: PathBuf,
    start: Start,
    /// When a program of a kind was last run.
    asked: Mutex<BTreeMap<Vec<String>, Instant>>,
}

/// What a spare must be like to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kind {
    /// A name; `None` for commands.
    pub(crate) language: Option<String>,
    /// The options that a sandbox depends on, with their values.
    pub(crate) options: Vec<String>,
}

impl Served {
    /// Starts one by the platform's own command.
    pub(crate) fn begin(mut command: Command, directory: &Path, start: Start) -> Result<Self, String> {
        command.args(["serve", "--listen", "127.0.0.1:0", "--drain-timeout", "1s", "--log-level", "warn"]);
        command.arg("--data-dir").arg(directory.join("data")).args(["--zygotes-enabled", "true"]);
        match start {
            Start::Cold | Start::Zygote => command.args(["--spares-sandboxes", "0"]),
            // Room for all kinds at once: how they share what is scarce is judged elsewhere.
            Start::Spare => command.args(["--spares-sandboxes", "16", "--spares-memory", "1Gi"]),
        };
        let server = Starting::by(command).and_then(Starting::ready).map_err(|e| format!("{e:#}"))?;
        let asked = Mutex::new(BTreeMap::new());
        Ok(Self { server, directory: directory.to_owned(), start, asked })
    }

    /// For `--server`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The process from which its sandboxes descend.
    pub(crate) fn process(&self) -> u32 {
        self.server.process()
    }

    /// All it keeps on the disk.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Has what the next program of this kind is started from, as far as nobody else takes it: a zygote, or a
    /// spare. `run` runs a program of the kind that does nothing and answers how it was started.
    pub(crate) fn make_ready(
        &self,
        kind: &Kind,
        bound: u32,
        mut run: impl FnMut() -> Result<String, String>,
    ) -> Result<(), String> {
        let key: Vec<_> = kind.language.iter().chain(&kind.options).cloned().collect();
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let expected = self.start.kind(kind.language.as_deref());
        let is_known = match self.start {
            Start::Cold | Start::Zygote => asked.is_some(),
            Start::Spare => asked.is_some_and(|moment| moment.elapsed() < IN_MIND),
        };
        let deadline = Instant::now() + PATIENCE * bound;
        let mut seen = if is_known { expected.to_owned() } else { run()? };
        while seen != expected {
            if Instant::now() > deadline {
                return Err(format!("no program of {key:?} was started as {expected} within {:?}", PATIENCE * bound));
            }
            seen = run()?;
        }
        if self.start == Start::Spare {
            self.spares_are_ready(kind, PATIENCE * bound)?;
        }
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Instant::now());
        Ok(())
    }

    fn spares_are_ready(&self, kind: &Kind, bound: Duration) -> Result<(), String> {
        let address = self.server.address();
        let language = kind.language.as_deref();
        let is_ready = async || {
            let stats = get(address, "/api/v1/stats").await?.json();
            let spares = stats["spares"].as_array().cloned().unwrap_or_default();
            let mut wanted = spares.iter().filter(|each| each["language"].as_str() == language && each["wanted"] != 0);
            Ok(wanted.all(|each| each["ready"].as_u64() >= each["wanted"].as_u64()).then_some(()))
        };
        wait(until(&format!("there are spares for {language:?}"), bound, is_ready))
    }

    /// How the run with this mark was started; `None` where the server never heard of it.
    pub(crate) fn kind_of(&self, mark: &str) -> Result<Option<String>, String> {
        let answer = self.read(&format!("/api/v1/executions?label={LABEL}={mark}"))?;
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        match items.as_slice() {
            [] => Ok(None),
            [one] => Ok(one["start"]["kind"].as_str().map(str::to_owned)),
            several => Err(format!("{} executions have the mark {mark}", several.len())),
        }
    }

    /// Fails where the server lost a zygote, or complained of anything else: no program may bring that about.
    pub(crate) fn is_well(&self) -> Result<(), String> {
        let events = self.read("/api/v1/events")?;
        let items = events["items"].as_array().cloned().unwrap_or_default();
        let told: Vec<_> = items.iter().filter(|event| event["kind"] != "started").map(Value::to_string).collect();
        if told.is_empty() {
            Ok(())
        } else {
            Err(format!("the server's events: {}; it said:\n{}", told.join(", "), self.server.last_lines()))
        }
    }

    fn read(&self, path: &str) -> Result<Value, String> {
        let answer = wait(answer(self.server.address(), path))?;
        if answer.status() == 200 {
            Ok(answer.json())
        } else {
            Err(format!("{path}: {} {}", answer.status(), String::from_utf8_lossy(&answer.body)))
        }
    }
}

async fn answer(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    Ok(get(address, path).await?)
}

fn wait<T>(asked: impl Future<Output = anyhow::Result<T>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(asked).map_err(|e| format!("{e:#}"))
}
