//! A disk that takes what is written and cannot sync it: nothing is accepted that is not synced, what was
//! accepted reaches its end, also when the server is killed meanwhile, and service returns by itself.
//!
//! `FAAS_SYNC_KILLS` changes the number of kills.

mod fault;

use anyhow::{Context, Result, bail, ensure};
use faas_tester::server::{
    Client, DataDirectory, Options, Outcome, Server, accept, every_record, get, is_terminal, number, record, running,
    shell, terminal, text, token, until,
};
use fault::Fault;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);
/// How long one life of the server may take.
const LONGEST_LIFE: Duration = Duration::from_secs(150);
/// How many run at once: so few that others wait when the fault begins.
const SANDBOXES: usize = 2;
/// How often the fault comes and goes under load.
const ROUNDS: u32 = 4;
/// How many answers of a kind make a round.
const ANSWERS: usize = 8;

#[test]
fn a_disk_that_cannot_sync_refuses_loses_nothing_and_recovers() -> Result<()> {
    const NAME: &str = "a_disk_that_cannot_sync_refuses_loses_nothing_and_recovers";
    if !rustix::process::geteuid().is_root() {
        println!("SKIP {NAME}: strict sandboxes need what only root has without more");
        return Ok(());
    }
    let data = DataDirectory::make()?;
    let Some(fault) = Fault::of(&data)? else {
        println!("SKIP {NAME}: there is no C compiler to build the fault with; install gcc or set CC");
        return Ok(());
    };
    let options = fault.within(Options::new(data.path()).flag("--max-sandboxes", &SANDBOXES.to_string()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut told = Told::default();

    let server = options.start()?;
    let lived = runtime.block_on(bounded(async {
        begins_and_ends(&server, &fault, &mut told).await?;
        comes_and_goes(&server, &fault, &mut told).await
    }));
    lived.with_context(|| server.last_lines())?;
    server.stop(SOON)?;

    let kills: u32 = number("FAAS_SYNC_KILLS", 5)?;
    let mut starts_meanwhile = 0;
    for round in 1..=kills {
        let mut server = options.start()?;
        let lived = runtime.block_on(bounded(async {
            agrees(server.address(), &told).await?;
            killed_meanwhile(&mut server, &fault, &mut told, round).await
        }));
        lived.with_context(|| format!("round {round}\n{}", server.last_lines()))?;
        match options.start() {
            Ok(mut started) => {
                started.kill()?;
                starts_meanwhile += 1;
            }
            Err(error) => {
                // It says what it could not do.
                let said = format!("{error:#}");
                let directory = data.path().display().to_string();
                let next = "see what the system's log says of it, then start again";
                let parts = ["storage_unavailable", &directory, next];
                ensure!(parts.iter().all(|part| said.contains(part)), "a start on a disk that cannot sync: {said}");
            }
        }
        fault.end()?;
    }
    let server = options.start()?;
    runtime.block_on(bounded(agrees(server.address(), &told))).with_context(|| server.last_lines())?;
    server.stop(SOON)?;
    println!(
        "sync: {} accepted, each succeeded; {} refused, none is known; {kills} kills, over which {} were not answered and \
         {} that ran were lost; {starts_meanwhile} starts on a disk that cannot sync",
        told.accepted.len(),
        told.refused.len(),
        told.unanswered.len(),
        told.lost.len()
    );
    Ok(())
}

/// A server that answers nothing at all must not hold the test.
async fn bounded<T>(life: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(LONGEST_LIFE, life).await.context("the server does not answer any more")?
}

/// What clients were told.
#[derive(Debug, Default)]
struct Told {
    /// Ids by marks.
    accepted: HashMap<String, String>,
    /// The marks of what was refused.
    refused: Vec<String>,
    /// The marks of what the server was killed over.
    unanswered: Vec<String>,
    /// The ids by marks of what ran then.
    lost: HashMap<String, String>,
}

impl Told {
    /// Notes an answer; anything but an id or a refusal that says why is an error.
    fn note(&mut self, token: String, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Accepted(id) => {
                self.accepted.insert(token, id);
            }
            Outcome::Ended(ended) if is_terminal(&ended) => {
                self.accepted.insert(token, text(&ended, "id").to_owned());
            }
            Outcome::Wrong(answer) if answer.starts_with("503") && answer.contains("storage_unavailable") => {
                self.refused.push(token);
            }
            other => bail!("{token}: {other:?}"),
        }
        Ok(())
    }
}

/// One that is handed over and one that is waited for.
async fn ask(address: SocketAddr, told: &mut Told, token: &str) -> Result<()> {
    for (token, wait) in [(format!("{token}-handed-over"), false), (format!("{token}-waited-for"), true)] {
        let mut body = shell(&token, "echo asked");
        body["wait"] = wait.into();
        let outcome = Client::default().execute(address, &[], &body).await;
        told.note(token, outcome)?;
    }
    Ok(())
}

async fn ready(address: SocketAddr) -> Result<u16> {
    let answer = get(address, "/ready").await?;
    ensure!(answer.status() == 200 || answer.text("code") == "storage_unavailable", "{answer:?}");
    Ok(answer.status())
}

/// Once, step by step.
async fn begins_and_ends(server: &Server, fault: &Fault, told: &mut Told) -> Result<()> {
    let address = server.address();
    let mut under_way = Vec::new();
    for number in 0..6 {
        let token = format!("before-{number}");
        // The first ones run when the fault begins, the others wait then.
        let id = accept(address, &token, if number < SANDBOXES { "sleep 3" } else { "echo waited" }).await?;
        told.accepted.insert(token, id.clone());
        under_way.push(id);
    }
    for id in &under_way[..SANDBOXES] {
        running(address, id).await?;
    }

    fault.begin()?;
    for number in 0..20 {
        ask(address, told, &format!("failing-{number}")).await?;
    }
    ensure!(told.refused.len() >= 20, "only {} of 20 were refused that are handed over", told.refused.len());
    let health = get(address, "/health").await?;
    ensure!(health.status() == 200, "a disk that cannot sync is no reason to be restarted: {health:?}");
    ensure!(ready(address).await? == 503, "it is ready");
    for id in &under_way[..SANDBOXES] {
        let ended = terminal(address, id).await?;
        ensure!(text(&ended, "status") == "succeeded", "what ran when the fault began: {ended}");
    }
    for id in &under_way[SANDBOXES..] {
        let waiting = record(address, id).await?;
        ensure!(text(&waiting, "status") == "queued", "it began, and a kill now would begin it again: {waiting}");
    }

    fault.end()?;
    until("it is ready again", SOON, async || Ok((ready(address).await? == 200).then_some(()))).await?;
    let refused = told.refused.len();
    ask(address, told, "mended").await?;
    ensure!(told.refused.len() == refused, "it refuses what can be synced");
    agrees(address, told).await
}

/// Several times, while clients go on asking.
async fn comes_and_goes(server: &Server, fault: &Fault, told: &mut Told) -> Result<()> {
    let (address, over, told) = (server.address(), Cell::new(false), RefCell::new(told));
    let faults = async {
        for _ in 0..ROUNDS {
            fault.begin()?;
            more("are refused", || told.borrow().refused.len()).await?;
            fault.end()?;
            more("are accepted", || told.borrow().accepted.len()).await?;
        }
        over.set(true);
        anyhow::Ok(())
    };
    let client = async |name: &str| {
        let mut number = 0;
        while !over.get() {
            number += 1;
            let token = format!("{name}-{number}");
            let mut body = shell(&token, "echo asked");
            body["wait"] = false.into();
            let outcome = Client::default().execute(address, &[], &body).await;
            told.borrow_mut().note(token, outcome)?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(faults, client("first"), client("second"), client("third"))?;
    agrees(address, told.into_inner()).await
}

/// Killed while it cannot sync and clients go on asking.
async fn killed_meanwhile(server: &mut Server, fault: &Fault, told: &mut Told, round: u32) -> Result<()> {
    let address = server.address();
    // What is accepted from now on waits behind these.
    for number in 0..SANDBOXES {
        let token = format!("lost-{round}-{number}");
        let id = accept(address, &token, "sleep 600").await?;
        running(address, &id).await?;
        told.lost.insert(token, id);
    }
    let (killed, told) = (Cell::new(false), RefCell::new(told));
    let kill = async {
        more("are accepted", || told.borrow().accepted.len()).await?;
        fault.begin()?;
        more("are refused", || told.borrow().refused.len()).await?;
        server.kill()?;
        killed.set(true);
        anyhow::Ok(())
    };
    let client = async |name: &str| {
        let mut number = 0;
        loop {
            number += 1;
            let token = format!("round-{round}-{name}-{number}");
            let mut body = shell(&token, "echo asked");
            body["wait"] = false.into();
            match Client::default().execute(address, &[], &body).await {
                Outcome::NotTaken(_) | Outcome::Unknown(_) if killed.get() => {
                    told.borrow_mut().unanswered.push(token);
                    return anyhow::Ok(());
                }
                outcome => told.borrow_mut().note(token, outcome)?,
            }
        }
    };
    tokio::try_join!(kill, client("first"), client("second"), client("third"))?;
    Ok(())
}

/// Waits for some more of what is counted.
async fn more(what: &str, count: impl Fn() -> usize) -> Result<()> {
    let enough = count() + ANSWERS;
    until(&format!("{ANSWERS} more {what}"), SOON, async || Ok((count() >= enough).then_some(()))).await
}

/// What was accepted succeeds, but for what ran at a kill, and is there once; of what was refused nothing is known.
async fn agrees(address: SocketAddr, told: &Told) -> Result<()> {
    for (token, id) in &told.accepted {
        let ended = terminal(address, id).await?;
        ensure!(text(&ended, "status") == "succeeded", "{token}: {ended}");
    }
    for (token, id) in &told.lost {
        let ended = terminal(address, id).await?;
        ensure!(text(&ended, "error_kind") == "sandbox_lost", "{token} ran when the server was killed: {ended}");
    }
    let mut known: HashMap<String, u32> = HashMap::new();
    for record in every_record(address).await? {
        *known.entry(token(&record).to_owned()).or_default() += 1;
    }
    for token in told.accepted.keys().chain(told.lost.keys()) {
        ensure!(known.get(token) == Some(&1), "{token} was accepted once and is known as {:?}", known.get(token));
    }
    for token in &told.refused {
        ensure!(!known.contains_key(token), "{token} was refused and is known");
    }
    for token in known.keys() {
        let is_told = told.accepted.contains_key(token) || told.lost.contains_key(token);
        ensure!(is_told || told.unanswered.contains(token), "nobody was told of {token}");
    }
    Ok(())
}
