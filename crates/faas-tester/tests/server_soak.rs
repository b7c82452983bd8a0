//! Two thousand executions, a hundred clients that go away and twenty restarts under load: nothing that was
//! accepted fails, and nothing is left.
//!
//! `FAAS_SOAK_EXECUTIONS` and `FAAS_SOAK_RESTARTS` change their numbers, `FAAS_SERVER_BIN` names the binary.

use anyhow::{Context, Result, bail, ensure};
use faas_tester::host::{Kind, Observer, State};
use faas_tester::server::{
    Client, Connection, DataDirectory, EXECUTIONS, EventStream, Frame, Options, Outcome, Server, Socket, Usage,
    every_record, files_below, get, is_terminal, number, record, shell, text, token, until,
};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);
/// How long after the server's end the kernel may take to let go of the last of it.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// Executions at once.
const AT_ONCE: usize = 50;
/// Clients that go away.
const DISCONNECTING: usize = 100;
/// How many ended executions the server is told to remember.
const HISTORY: usize = 200;
/// How much memory may have grown by all of it: what an allocator holds back, not what an execution takes.
const GROWTH_KIB: u64 = 32 << 10;
/// Descriptors more than before: connections of the store that are opened when they are needed.
const MORE_DESCRIPTORS: usize = 12;
/// Threads more than before: those that wait a while for more blocking work.
const MORE_THREADS: u64 = 16;

#[test]
fn two_thousand_executions_and_a_hundred_lost_clients_leave_nothing() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIP two_thousand_executions_and_a_hundred_lost_clients_leave_nothing: only root sees all processes");
        return Ok(());
    }
    let count = number("FAAS_SOAK_EXECUTIONS", 2000)?;
    let observer = Observer::new("faas-server", vec![PathBuf::from("/run/faas")]);
    let data = DataDirectory::make()?;
    let options = Options::new(data.path()).flag("--history-rows", &HISTORY.to_string());
    // What stays for good, such as the directory of slots, is there after the first life.
    options.start()?.stop(SOON)?;
    let before = observer.observe()?;
    let server = options.start()?;
    let address = server.address();

    let (kinds, lost, idle, after) = run(async {
        let _warm = many(address, 200, "warm").await?;
        disconnecting(address, 10, "warm").await?;
        let idle = settled(&server, &observer).await?;
        let kinds = many(address, count, "soak").await?;
        let lost = disconnecting(address, DISCONNECTING, "soak").await?;
        Ok((kinds, lost, idle, settled(&server, &observer).await?))
    })
    .with_context(|| server.last_lines())?;
    println!("{count} executions at {AT_ONCE} at once: {kinds:?}; lost clients: {lost:?}");
    println!("the server before {:?} and after {:?}", idle.server, after.server);
    println!("the launcher before {:?} and after {:?}", idle.launcher, after.launcher);
    println!("on the host before {:?} and after {:?}", idle.host, after.host);

    for (what, before, after, more) in [
        ("server", idle.server, after.server, MORE_DESCRIPTORS),
        ("launcher", idle.launcher, after.launcher, MORE_DESCRIPTORS + AT_ONCE),
    ] {
        ensure!(after.descriptors <= before.descriptors + more, "the {what} keeps descriptors");
        ensure!(after.memory_kib <= before.memory_kib + GROWTH_KIB, "the {what} keeps memory");
        ensure!(after.threads <= before.threads + MORE_THREADS, "the {what} keeps threads");
    }
    for (kind, count) in &after.host {
        // Network namespaces are kept for as many sandboxes as there ever were at once, which is chance.
        let more = if *kind == Kind::Namespace { AT_ONCE } else { 2 };
        let allowed = idle.host.get(kind).copied().unwrap_or(0) + more;
        ensure!(*count <= allowed, "{kind:?}: {count}, before {allowed}");
    }
    let files = run(history_is_pruned(address, &data)).with_context(|| server.last_lines())?;
    println!(
        "the data directory holds {} files, {} bytes",
        files.len(),
        files.iter().map(|(_, size)| size).sum::<u64>()
    );

    server.stop(SOON)?;
    let left = observer.wait_until_gone(&before, GONE_WITHIN)?;
    ensure!(left.is_empty(), "left after the server's end: {left:#?}");
    Ok(())
}

#[test]
fn twenty_restarts_under_load_fail_nothing_that_was_accepted() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        println!("SKIP twenty_restarts_under_load_fail_nothing_that_was_accepted: only root sees all processes");
        return Ok(());
    }
    let restarts: u32 = number("FAAS_SOAK_RESTARTS", 20)?;
    let observer = Observer::new("faas-server", vec![PathBuf::from("/run/faas")]);
    let data = DataDirectory::make()?;
    let options = Options::new(data.path());
    options.start()?.stop(SOON)?;
    let before = observer.observe()?;

    let tally = run(restarted_under_load(options.clone(), restarts))?;
    println!(
        "{restarts} restarts, the slowest end {:?}, the slowest start {:?}: {} ended while waited for, {} accepted and \
         ended later, {} streamed, {} not taken",
        tally.slowest_end,
        tally.slowest_start,
        tally.ended.len(),
        tally.accepted.len(),
        tally.streamed.len(),
        tally.not_taken.len()
    );
    // Else the moments were wrong, and the test shows nothing.
    ensure!(tally.ended.len() > 100 && tally.accepted.len() > 50 && tally.streamed.len() > 20, "hardly any load");

    let server = options.start()?;
    let checked = run(accounts_agree(server.address(), &tally)).with_context(|| server.last_lines())?;
    println!("{checked} records: each what its client was told");
    server.stop(SOON)?;
    let files = files_below(&data.path())?;
    println!(
        "the data directory holds {} files, {} bytes",
        files.len(),
        files.iter().map(|(_, size)| size).sum::<u64>()
    );
    let left = observer.wait_until_gone(&before, GONE_WITHIN)?;
    ensure!(left.is_empty(), "left after the server's end: {left:#?}");
    Ok(())
}

/// Runs on one thread, tasks of its own included.
fn run<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, future)
}

/// `count` executions, [`AT_ONCE`] at a time, in every way a client may ask; answers how many of each.
async fn many(address: SocketAddr, count: usize, name: &'static str) -> Result<BTreeMap<&'static str, u32>> {
    let next = Rc::new(Cell::new(0));
    let kinds = Rc::new(RefCell::new(BTreeMap::new()));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (next, kinds) = (Rc::clone(&next), Rc::clone(&kinds));
        workers.spawn_local(async move {
            let mut client = Client::default();
            loop {
                let number = next.replace(next.get() + 1);
                if number >= count {
                    return anyhow::Ok(());
                }
                let token = format!("{name}-{number}");
                let kind = one(address, &mut client, number, &token).await.with_context(|| token.clone())?;
                *kinds.borrow_mut().entry(kind).or_default() += 1;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(kinds.take())
}

/// One execution, from the request to the right output.
async fn one(address: SocketAddr, client: &mut Client, number: usize, token: &str) -> Result<&'static str> {
    let command = shell(token, &format!("echo {token}"));
    let (kind, found) = match number % 10 {
        0..=4 => ("command", waited_for(client, address, &command).await?),
        5 | 6 => {
            let script = json!({ "code": format!("print('{token}')"), "labels": { "token": token } });
            ("script", waited_for(client, address, &script).await?)
        }
        7 => ("events", followed(client, address, &command, token).await?),
        8 => match Socket::execute(address, &command).await?.outcome().await {
            Outcome::Ended(ended) => ("socket", record(address, text(&ended, "id")).await?),
            other => bail!("over a socket: {other:?}"),
        },
        _ => {
            let id = accepted(client, address, &command).await?;
            ("detached", terminal(address, &id).await?)
        }
    };
    ensure!(text(&found, "status") == "succeeded", "{kind}: {found}");
    ensure!(text(&found, "stdout") == format!("{token}\n"), "{kind}: the output of another: {found}");
    Ok(kind)
}

async fn waited_for(client: &mut Client, address: SocketAddr, body: &Value) -> Result<Value> {
    match client.execute(address, &[], body).await {
        Outcome::Ended(found) => Ok(found),
        other => bail!("{other:?}"),
    }
}

async fn accepted(client: &mut Client, address: SocketAddr, body: &Value) -> Result<String> {
    let mut body = body.clone();
    body["wait"] = false.into();
    match client.execute(address, &[], &body).await {
        Outcome::Accepted(id) => Ok(id),
        other => bail!("{other:?}"),
    }
}

/// The record once it is terminal.
async fn terminal(address: SocketAddr, id: &str) -> Result<Value> {
    let look = async || Ok(Some(record(address, id).await?).filter(is_terminal));
    until(&format!("{id} ends"), SOON, look).await
}

/// Detached, then read as server-sent events to the end.
async fn followed(client: &mut Client, address: SocketAddr, body: &Value, token: &str) -> Result<Value> {
    let id = accepted(client, address, body).await?;
    let mut connection = Connection::open(address).await?;
    connection.send("GET", &format!("{EXECUTIONS}/{id}/stream"), &[("accept", "text/event-stream")], None).await?;
    let head = connection.head().await?;
    ensure!(head.status == 200, "the stream of {id}: {head:?}");
    let mut events = EventStream::new(connection);
    let mut output = String::new();
    while let Some(event) = events.next().await? {
        match event.name.as_str() {
            "output" => output.push_str(text(&event.data, "data")),
            "complete" => {
                ensure!(output == format!("{token}\n"), "streamed {output:?}");
                return record(address, &id).await;
            }
            "started" => {}
            _ => bail!("{event:?}"),
        }
    }
    bail!("the stream of {id} ended before it did")
}

/// Clients that go away while their program runs: half of them over HTTP, half over a socket, and of each
/// half their executions detach. Answers how many ended how.
async fn disconnecting(address: SocketAddr, count: usize, name: &'static str) -> Result<BTreeMap<String, u32>> {
    let mut ends = BTreeMap::new();
    // Never more than may run at once: each has to be running when its client goes away.
    for wave in (0..count).collect::<Vec<_>>().chunks(AT_ONCE) {
        let mut clients = JoinSet::new();
        for &number in wave {
            clients.spawn_local(disconnects(address, number, format!("{name}-lost-{number}")));
        }
        while let Some(client) = clients.join_next().await {
            *ends.entry(client??).or_default() += 1;
        }
    }
    Ok(ends)
}

async fn disconnects(address: SocketAddr, number: usize, token: String) -> Result<String> {
    let (detaches, over_a_socket) = (number.is_multiple_of(2), number % 4 < 2);
    // It ends by itself only where that is waited for.
    let seconds = if detaches { "3" } else { "600" };
    let mut body = shell(&token, &format!("sleep {seconds}; echo {token}"));
    if detaches {
        body["on_disconnect"] = "detach".into();
    }
    let id = if over_a_socket {
        let mut socket = Socket::execute(address, &body).await?;
        let Frame::Text(started) = socket.next().await? else { bail!("{token}: no event") };
        let started: Value = serde_json::from_str(&started)?;
        ensure!(text(&started, "type") == "started", "{token}: {started}");
        text(&started, "execution_id").to_owned()
    } else {
        let mut connection = Connection::open(address).await?;
        connection.send("POST", EXECUTIONS, &[], Some(&body)).await?;
        let running = async || {
            let page = get(address, &format!("{EXECUTIONS}?status=running&limit=200")).await?.json();
            let all = page["items"].as_array().context("a list has items")?;
            let ours = all.iter().find(|record| token == self::token(record));
            Ok(ours.map(|record| text(record, "id").to_owned()))
        };
        until(&format!("{token} runs"), SOON, running).await?
    };
    let end = terminal(address, &id).await.with_context(|| token.clone())?;
    let wanted = if detaches { "succeeded" } else { "cancelled" };
    ensure!(text(&end, "status") == wanted, "{token}: not {wanted}: {end}");
    ensure!(!detaches || text(&end, "stdout") == format!("{token}\n"), "{token}: {end}");
    Ok(wanted.to_owned())
}

/// What there is of the server when nothing runs.
struct Idle {
    server: Usage,
    launcher: Usage,
    host: BTreeMap<Kind, usize>,
}

async fn settled(server: &Server, observer: &Observer) -> Result<Idle> {
    let address = server.address();
    until("nothing runs", SOON, async || {
        let stats = get(address, "/api/v1/stats").await?.json();
        Ok((stats["running"] == 0 && stats["queued"] == 0).then_some(()))
    })
    .await?;
    // Ends the connections of this test in the server's view; sandboxes are torn down after the answer.
    let mut last = (0, BTreeMap::new());
    let mut since = Instant::now();
    until("the host is at rest", SOON, async || {
        let now = (Usage::of(server.process())?.descriptors, counts(&observer.observe()?));
        if now != last {
            (last, since) = (now, Instant::now());
        }
        Ok((since.elapsed() > Duration::from_secs(1)).then_some(()))
    })
    .await?;
    let table = faas_tester::host::processes()?;
    let family = faas_tester::host::descendants(server.process(), &table);
    let launcher = family.iter().find(|process| process.is_named("faas-launcher")).context("there is a launcher")?;
    Ok(Idle { server: Usage::of(server.process())?, launcher: Usage::of(launcher.pid)?, host: last.1 })
}

fn counts(state: &State) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for item in state.items.keys() {
        *counts.entry(item.kind).or_default() += 1;
    }
    counts
}

/// The server forgets what is beyond its history, the output of it included.
async fn history_is_pruned(address: SocketAddr, data: &DataDirectory) -> Result<Vec<(PathBuf, u64)>> {
    until("the history is as short as configured", SOON, async || {
        let rows = every_record(address).await?.len();
        let files = files_below(&data.path())?;
        // Beside the logs: the database with its two companions, the journals, the lock.
        Ok((rows <= HISTORY && files.len() <= HISTORY + 10).then_some(files))
    })
    .await
}

/// What clients were told while the server was restarted, by the marks of their requests.
#[derive(Debug, Default)]
struct Tally {
    ended: Vec<String>,
    streamed: Vec<String>,
    accepted: HashMap<String, String>,
    not_taken: Vec<(String, String)>,
    slowest_end: Duration,
    slowest_start: Duration,
}

async fn restarted_under_load(options: Options, restarts: u32) -> Result<Tally> {
    let mut server = options.start()?;
    let (address, addresses) = watch::channel(Some(server.address()));
    let tally = Rc::new(RefCell::new(Tally::default()));
    let mut workers = JoinSet::new();
    for number in 0..12 {
        workers.spawn_local(works(number, addresses.clone(), Rc::clone(&tally)));
    }
    drop(addresses);
    for round in 1..=restarts {
        let done = |tally: &Tally| tally.ended.len() + tally.accepted.len() + tally.streamed.len();
        let before = done(&tally.borrow());
        let moved = until("clients get on", SOON, async || {
            if let Some(worker) = workers.try_join_next() {
                worker??;
                bail!("a client ended early");
            }
            Ok((done(&tally.borrow()) >= before + 20).then_some(()))
        });
        moved.await.with_context(|| format!("round {round}\n{}", server.last_lines()))?;
        let asked = Instant::now();
        server.ask_to_stop()?;
        tokio::task::spawn_blocking(move || server.end_within(SOON))
            .await?
            .with_context(|| format!("round {round}"))?;
        let ended = Instant::now();
        let next = options.clone();
        server = tokio::task::spawn_blocking(move || next.start()).await??;
        let mut tally = tally.borrow_mut();
        tally.slowest_end = tally.slowest_end.max(ended - asked);
        tally.slowest_start = tally.slowest_start.max(ended.elapsed());
        address.send(Some(server.address()))?;
    }
    address.send(None)?;
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    server.stop(SOON)?;
    Ok(tally.take())
}

/// One client that goes on until there is no address any more. Whatever is not taken is asked for again
/// under another mark.
async fn works(
    number: u32,
    mut addresses: watch::Receiver<Option<SocketAddr>>,
    tally: Rc<RefCell<Tally>>,
) -> Result<()> {
    let mut client = Client::default();
    for turn in 0_u64.. {
        let Some(address) = *addresses.borrow_and_update() else { return Ok(()) };
        let token = format!("restart-{number}-{turn}");
        // Some last long enough to be under way when the server is told to stop.
        let seconds = if turn.is_multiple_of(3) { "0.3" } else { "0" };
        let mut body = shell(&token, &format!("sleep {seconds}; echo {token}"));
        let outcome = match number % 4 {
            0 | 1 => client.execute(address, &[], &body).await,
            2 => match Socket::execute(address, &body).await {
                Ok(socket) => socket.outcome().await,
                Err(error) => Outcome::NotTaken(error.to_string()),
            },
            _ => {
                body["wait"] = false.into();
                client.execute(address, &[], &body).await
            }
        };
        match outcome {
            Outcome::Ended(ended) => {
                ensure!(text(&ended, "status") == "succeeded", "{token}: {ended}");
                let mut tally = tally.borrow_mut();
                if number % 4 == 2 { &mut tally.streamed } else { &mut tally.ended }.push(token);
            }
            Outcome::Accepted(id) => {
                tally.borrow_mut().accepted.insert(token, id.clone());
                ends_at_last(&mut addresses, &id).await?;
            }
            Outcome::NotTaken(why) | Outcome::Unknown(why) => {
                tally.borrow_mut().not_taken.push((token, why));
                // Until there is another server; at the end there is none.
                if *addresses.borrow() == Some(address) && addresses.changed().await.is_err() {
                    return Ok(());
                }
            }
            Outcome::Wrong(what) => bail!("{token}: {what}"),
        }
    }
    Ok(())
}

/// Waits until an accepted execution has ended, over restarts.
async fn ends_at_last(addresses: &mut watch::Receiver<Option<SocketAddr>>, id: &str) -> Result<()> {
    until(&format!("{id} ends"), SOON, async || {
        let Some(address) = *addresses.borrow_and_update() else { return Ok(Some(())) };
        // Between two servers nobody answers.
        let Ok(found) = record(address, id).await else { return Ok(None) };
        Ok(is_terminal(&found).then_some(()))
    })
    .await
}

/// Every record says what its client was told, and what was not taken has none.
async fn accounts_agree(address: SocketAddr, tally: &Tally) -> Result<usize> {
    until("nothing is left to run", SOON, async || {
        let stats = get(address, "/api/v1/stats").await?.json();
        Ok((stats["running"] == 0 && stats["queued"] == 0).then_some(()))
    })
    .await?;
    let all = every_record(address).await?;
    let mut by_token: HashMap<&str, Vec<&Value>> = HashMap::new();
    for record in &all {
        by_token.entry(token(record)).or_default().push(record);
    }
    for token in tally.ended.iter().chain(&tally.streamed).chain(tally.accepted.keys()) {
        let records = by_token.get(token.as_str()).map_or(&[][..], Vec::as_slice);
        ensure!(records.len() == 1, "{token} has {} records", records.len());
        ensure!(text(records[0], "status") == "succeeded", "{token}: {}", records[0]);
    }
    for (token, id) in &tally.accepted {
        let found = record(address, id).await?;
        ensure!(text(&found, "stdout") == format!("{token}\n"), "{token}: {found}");
    }
    for (token, why) in &tally.not_taken {
        let records = by_token.get(token.as_str());
        ensure!(records.is_none(), "{token}: its client was told {why}, and it ran: {records:?}");
    }
    Ok(all.len())
}
