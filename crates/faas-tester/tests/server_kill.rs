//! `kill -9` of the server at random moments under load: what was accepted reaches one terminal state, a
//! repeated request gives the same execution, the database is intact and nothing runs on.
//!
//! `FAAS_SERVER_KILLS` changes the number of kills, `FAAS_KILL_SEED` repeats the choices of an earlier run,
//! `FAAS_SERVER_BIN` names the binary.

use anyhow::{Context, Result, bail, ensure};
use faas_tester::host::{Observer, State};
use faas_tester::server::{
    Client, DataDirectory, Options, Outcome, Random, Server, every_record, files_below, get, is_terminal, number,
    record, shell, text, until,
};
use rusqlite::{Connection as Database, OpenFlags};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, LocalSet};

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(120);
/// How long after the last server's end the kernel may take to let go of the last of it.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// How many clients send requests, and how many each at most in one life of the server.
const CLIENTS: u32 = 8;
const REQUESTS: u32 = 6;
/// The database and the host are looked at after this many kills, so that a fault is found near its cause.
const ROUND: u32 = 20;
/// The kill comes after one of a life's answers, and at most this long after it: within what follows it.
const AFTER_AN_ANSWER: Duration = Duration::from_millis(10);

#[test]
fn what_was_accepted_survives_kills_at_random_moments() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIP what_was_accepted_survives_kills_at_random_moments: only root sees all processes");
        return Ok(());
    }
    let kills: u32 = number("FAAS_SERVER_KILLS", 100)?;
    let seed = number("FAAS_KILL_SEED", u64::from(std::process::id()))?;
    println!("FAAS_KILL_SEED={seed}");
    let mut random = Random::new(seed);
    let data = DataDirectory::make()?;
    // So few at once that others wait when the server dies.
    let options = Options::new(data.path()).flag("--max-sandboxes", "6");
    // Nothing else on this host sleeps for so long; sandboxes' processes keep it in their arguments.
    let observer = Observer::new(format!("86399.{}", std::process::id()), vec![PathBuf::from("/run/faas")]);
    // The first start may have to build the server, and says nothing about the next.
    options.start()?.stop(SOON)?;
    let started = Instant::now();
    let server = options.start()?;
    let usual_start = started.elapsed();
    server.stop(SOON)?;
    let before = observer.observe()?;

    let told = Rc::new(RefCell::new(Told::default()));
    let mut ends = BTreeMap::new();
    let mut slowest_start = Duration::ZERO;
    for round in 1..=kills {
        if round.is_multiple_of(5) {
            // In the middle of the start: what is repaired there must stand being interrupted.
            let starting = options.spawn()?;
            wait_for(up_to(usual_start, &mut random)?);
            starting.kill()?;
        }
        let begin = Instant::now();
        let mut server = options.start().with_context(|| format!("the start of round {round}"))?;
        slowest_start = slowest_start.max(begin.elapsed());
        // Fewer answers than requests, so that some are always under way.
        let answers = random.below(u64::from(CLIENTS * REQUESTS));
        let after = up_to(AFTER_AN_ANSWER, &mut random)?;
        let lived = run(lives_until(&mut server, answers, after, round, &told));
        lived.with_context(|| format!("round {round}\n{}", server.last_lines()))?;
        if round.is_multiple_of(ROUND) || round == kills {
            intact(&data.path()).with_context(|| format!("after kill {round}"))?;
            processes_are_gone(&observer, &before).with_context(|| format!("after kill {round}"))?;
        }
    }

    let server = options.start()?;
    let address = server.address();
    let told = told.take();
    run(ends_agree(address, &told, &mut ends)).with_context(|| server.last_lines())?;
    server.stop(SOON)?;
    intact(&data.path())?;
    let left = observer.wait_until_gone(&before, GONE_WITHIN)?;
    ensure!(left.is_empty(), "left after {kills} kills: {left:#?}");
    println!(
        "{kills} kills, slowest start {slowest_start:?}: {} accepted and ended {ends:?}; {} waited for and ended; \
         {} unanswered; {} keys repeated, {} of them unanswered the first time; the database is intact; nothing left",
        told.accepted.len(),
        told.ended.len(),
        told.unanswered,
        told.repeated,
        told.repeated_unanswered,
    );
    // Else the moments were wrong, and the test shows nothing.
    ensure!(kills < 100 || (told.accepted.len() > 200 && told.unanswered > 50), "hardly anything was hit");
    ensure!(kills < 100 || ends.get("sandbox_lost").copied().unwrap_or(0) > 0, "no execution was hit: {ends:?}");
    Ok(())
}

/// What clients were told, over all lives of the server.
#[derive(Debug, Default)]
struct Told {
    /// Marks by the ids of what was accepted.
    accepted: HashMap<String, String>,
    /// Records of what was waited for, by their ids.
    ended: HashMap<String, Value>,
    /// Keys with their bodies, and the id they gave; `None` where no answer came.
    keys: Vec<(String, Value, Option<String>)>,
    /// Terminal records that were read, by their ids: nothing may follow them.
    terminal: HashMap<String, Value>,
    unanswered: u32,
    repeated: u32,
    repeated_unanswered: u32,
}

/// Runs on one thread, tasks of its own included.
fn run<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, future)
}

/// Clients send requests until the kill: `after` the given number of answers. What an earlier life answered is
/// asked for again.
async fn lives_until(
    server: &mut Server,
    answers: u64,
    after: Duration,
    round: u32,
    told: &Rc<RefCell<Told>>,
) -> Result<()> {
    let address = server.address();
    let (answered, mut to_come) = unbounded_channel();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn_local(sends(address, number, round, Rc::clone(told), answered.clone()));
    }
    clients.spawn_local(asks_again(address, Rc::clone(told)));
    let killed = async {
        for _ in 0..answers {
            to_come.recv().await;
        }
        tokio::time::sleep(after).await;
    };
    let killed = tokio::time::timeout(SOON, killed);
    tokio::pin!(killed);
    loop {
        tokio::select! {
            known = &mut killed => break known.with_context(|| format!("waited {SOON:?} for {answers} answers"))?,
            Some(client) = clients.join_next() => client??,
        }
    }
    // Before the clients end: the server must not learn that they go away.
    server.kill()
}

async fn sends(
    address: SocketAddr,
    number: u32,
    round: u32,
    told: Rc<RefCell<Told>>,
    answered: UnboundedSender<()>,
) -> Result<()> {
    let mut client = Client::default();
    for turn in 0..REQUESTS {
        let token = format!("kill-{round}-{number}-{turn}");
        // Half of what is waited for is under way when the server dies, some of it in several processes.
        let script = match (number + turn) % 4 {
            0 => format!("sleep 0.2; echo {token}"),
            1 => format!("sleep 86399.{} & echo {token}", std::process::id()),
            _ => format!("echo {token}"),
        };
        let mut body = shell(&token, &script);
        if number < CLIENTS / 2 {
            body["wait"] = false.into();
        }
        let headers = [("idempotency-key", token.as_str())];
        let headers = if number.is_multiple_of(2) { &headers[..] } else { &[] };
        let slot = (!headers.is_empty()).then(|| {
            let keys = &mut told.borrow_mut().keys;
            keys.push((token.clone(), body.clone(), None));
            keys.len() - 1
        });
        told.borrow_mut().unanswered += 1;
        let outcome = client.execute(address, headers, &body).await;
        // Nobody counts any more once the kill is due.
        let _ = answered.send(());
        let mut told = told.borrow_mut();
        told.unanswered -= 1;
        let id = match outcome {
            Outcome::Accepted(id) => {
                told.accepted.insert(id.clone(), token);
                id
            }
            Outcome::Ended(ended) => {
                let id = text(&ended, "id").to_owned();
                ensure!(text(&ended, "status") == "succeeded", "{token}: {ended}");
                ensure!(text(&ended, "stdout") == format!("{token}\n"), "{token}: {ended}");
                told.ended.insert(id.clone(), ended);
                id
            }
            other => bail!("{token}: {other:?}"),
        };
        if let Some(slot) = slot {
            told.keys[slot].2 = Some(id);
        }
    }
    Ok(())
}

/// Repeats the requests of earlier lives that came with a key, and reads again what had ended.
async fn asks_again(address: SocketAddr, told: Rc<RefCell<Told>>) -> Result<()> {
    let (keys, terminal) = {
        let told = told.borrow();
        let keys: Vec<_> = told.keys.iter().rev().take(10).cloned().collect();
        let terminal: Vec<_> = told.terminal.iter().take(10).map(|(id, record)| (id.clone(), record.clone())).collect();
        (keys, terminal)
    };
    for (key, body, id) in keys {
        repeats(address, &key, &body, id.as_deref(), &told).await?;
    }
    for (id, known) in terminal {
        same_end(&known, &record(address, &id).await?)?;
    }
    let ids: Vec<String> = told.borrow().accepted.keys().take(20).cloned().collect();
    for id in ids {
        let found = record(address, &id).await?;
        if is_terminal(&found) {
            told.borrow_mut().terminal.insert(id, found);
        }
    }
    Ok(())
}

/// The same key and body twice more: each time the execution of the first time.
async fn repeats(
    address: SocketAddr,
    key: &str,
    body: &Value,
    first: Option<&str>,
    told: &RefCell<Told>,
) -> Result<()> {
    let mut known = first.map(str::to_owned);
    for _ in 0..2 {
        let outcome = Client::default().execute(address, &[("idempotency-key", key)], body).await;
        let id = match outcome {
            Outcome::Accepted(id) => id,
            Outcome::Ended(ended) => text(&ended, "id").to_owned(),
            other => bail!("{key} again: {other:?}"),
        };
        ensure!(known.as_deref().is_none_or(|known| known == id), "{key} gave {known:?}, and now {id}");
        let mut told = told.borrow_mut();
        if body["wait"] == false {
            told.accepted.insert(id.clone(), key.to_owned());
        }
        if let Some(entry) = told.keys.iter_mut().find(|(known, _, _)| known == key) {
            entry.2 = Some(id.clone());
        }
        known = Some(id);
    }
    let mut told = told.borrow_mut();
    told.repeated += 1;
    told.repeated_unanswered += u32::from(first.is_none());
    Ok(())
}

/// Everything accepted has ended once, and everything that was told is still so.
async fn ends_agree(address: SocketAddr, told: &Told, ends: &mut BTreeMap<String, u32>) -> Result<()> {
    until("nothing is left to run", SOON, async || {
        let stats = get(address, "/api/v1/stats").await?.json();
        Ok((stats["running"] == 0 && stats["queued"] == 0).then_some(()))
    })
    .await?;
    let mut listed: HashMap<String, u32> = HashMap::new();
    for one in every_record(address).await? {
        ensure!(is_terminal(&one), "nothing runs, but {one}");
        *listed.entry(text(&one, "id").to_owned()).or_default() += 1;
    }
    for (id, token) in &told.accepted {
        ensure!(listed.get(id) == Some(&1), "{id} ({token}) is listed {:?} times", listed.get(id));
        let found = record(address, id).await?;
        let end = match (text(&found, "status"), text(&found, "error_kind")) {
            ("succeeded", _) => {
                ensure!(text(&found, "stdout") == format!("{token}\n"), "{token}: {found}");
                "succeeded"
            }
            ("failed", "sandbox_lost") => "sandbox_lost",
            _ => bail!("{token} ended as nothing ends here: {found}"),
        };
        *ends.entry(end.to_owned()).or_default() += 1;
    }
    for (id, known) in &told.terminal {
        same_end(known, &record(address, id).await?)?;
    }
    for (id, known) in &told.ended {
        ensure!(listed.get(id) == Some(&1), "{id} was answered and is listed {:?} times", listed.get(id));
        same_end(known, &record(address, id).await?)?;
    }
    Ok(())
}

fn same_end(known: &Value, found: &Value) -> Result<()> {
    for field in ["id", "status", "error_kind", "exit_code", "finished_at"] {
        ensure!(known[field] == found[field], "{field} changed after the end: {known} and then {found}");
    }
    Ok(())
}

/// Looks at a copy, as the next server will find it.
fn intact(data: &Path) -> Result<()> {
    let copy = tempfile::Builder::new().prefix("server-test-copy-").tempdir()?;
    for (path, _) in files_below(data)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.contains(".db") {
            fs::copy(&path, copy.path().join(name))?;
        }
    }
    let mut checked = 0;
    for entry in fs::read_dir(copy.path())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "db") {
            let database = Database::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            let said: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            ensure!(said == "ok", "{}: {said}", path.display());
            checked += 1;
        }
    }
    ensure!(checked > 0, "there is no database in {}", data.display());
    Ok(())
}

/// Waits until nothing of a killed server is still ending.
fn processes_are_gone(observer: &Observer, before: &State) -> Result<()> {
    let left = observer.wait_until_processes_are_gone(before, GONE_WITHIN)?;
    ensure!(left.is_empty(), "runs on: {left:#?}");
    Ok(())
}

/// Some time below `bound`.
fn up_to(bound: Duration, random: &mut Random) -> Result<Duration> {
    Ok(Duration::from_micros(random.below(u64::try_from(bound.as_micros())?)))
}

/// Waits exactly so long. A kill at a moment is what is tested: there is no event to wait for.
fn wait_for(time: Duration) {
    let (sender, receiver) = channel::<()>();
    assert_eq!(receiver.recv_timeout(time), Err(RecvTimeoutError::Timeout));
    drop(sender);
}
