//! A client that reads one byte a second from a program that prints a gigabyte: the program is not slowed,
//! the server's memory stays flat, and the client is sent away with a code.

use anyhow::{Context, Result, bail, ensure};
use faas_tester::server::{
    Client, Connection, DataDirectory, EXECUTIONS, Frame, Frames, Options, Outcome, Server, Usage, is_terminal,
    open_socket, record, text, text_frame, until,
};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::task::{JoinSet, LocalSet};

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(120);
/// What the program prints.
const BYTES: u64 = 1_000_000_000;
/// How long a reader may take nothing. It is told some time before.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// After how many bytes, and so seconds, readers become quick: some after they were told and before their
/// connection is ended. How soon its buffers are full nobody knows beforehand.
const QUICK_AFTER: [u32; 6] = [7, 8, 10, 12, 14, 16];
/// How much more memory the server may use than before, whatever the program prints and nobody reads.
const GROWTH_KIB: u64 = 24 << 10;
/// How much longer the program may take than one without a reader. Machines are noisy; a program that waits
/// for its reader takes years.
const SLOWER: f64 = 2.0;
/// The code that a reader is told who is too slow.
const CODE: &str = "reader_too_slow";

/// How the slow reader is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Events,
    Socket,
}

#[test]
fn a_slow_reader_of_events_slows_nothing_and_is_sent_away() -> Result<()> {
    let told = slow_reader(Over::Events)?;
    println!("server-sent events: {told}");
    Ok(())
}

#[test]
fn a_slow_reader_of_a_socket_slows_nothing_and_is_sent_away() -> Result<()> {
    let told = slow_reader(Over::Socket)?;
    println!("WebSocket: {told}");
    Ok(())
}

fn slow_reader(over: Over) -> Result<String> {
    let data = DataDirectory::make()?;
    let server = Options::new(data.path()).flag("--http-write-timeout", &format!("{}s", WRITE_TIMEOUT.as_secs()));
    // Sockets are counted, and those that are made ahead have some.
    let server = server.flag("--spares-sandboxes", "0").start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = LocalSet::new().block_on(&runtime, beside_slow_readers(&server, over));
    let told = told.with_context(|| server.last_lines())?;
    server.stop(SOON)?;
    Ok(told)
}

async fn beside_slow_readers(server: &Server, over: Over) -> Result<String> {
    let (address, process) = (server.address(), server.process());
    let first = run_time(&ended(address, &detached(address).await?).await?)?;

    let before = Usage::of(process)?;
    let (caller, id) = match over {
        Over::Events => {
            let id = detached(address).await?;
            (followed(address, over, &id).await?, id)
        }
        Over::Socket => {
            let mut connection = open_socket(address, "/api/v1/execute/stream").await?;
            let mut body = program();
            body["on_disconnect"] = "detach".into();
            text_frame(&mut connection, &body.to_string()).await?;
            let id = started(&mut connection).await?;
            (connection, id)
        }
    };
    // This one never becomes quick.
    let stubborn = tokio::task::spawn_local(one_byte_a_second(caller, u32::MAX));
    let mut readers = JoinSet::new();
    for seconds in QUICK_AFTER {
        readers.spawn_local(one_byte_a_second(followed(address, over, &id).await?, seconds));
    }

    let mut peak = before.memory_kib;
    let beside = until("the program ends beside slow readers", SOON, async || {
        peak = peak.max(Usage::of(process)?.memory_kib);
        Ok(Some(record(address, &id).await?).filter(is_terminal))
    })
    .await?;
    let beside = run_time(&beside)?;
    let (mut told, mut on_their_way) = (0, 0);
    while let Some(read) = readers.join_next().await {
        let read = read??;
        on_their_way = on_their_way.max(read.rest);
        told += u32::from(read.told.contains(CODE));
    }
    until("the server lets go of the reader that stays slow", WRITE_TIMEOUT * 2, async || {
        let now = Usage::of(process)?;
        peak = peak.max(now.memory_kib);
        Ok((now.sockets <= before.sockets).then_some(()))
    })
    .await?;
    stubborn.abort();
    let last = run_time(&ended(address, &detached(address).await?).await?)?;

    let found = format!(
        "alone {first:?} and {last:?}, beside slow readers {beside:?}; memory {} KiB before, {peak} KiB at most; of {} \
         readers that became quick {told} were told {CODE}, at most {on_their_way} bytes were on their way; the one \
         that stayed slow was cut off",
        before.memory_kib,
        QUICK_AFTER.len(),
    );
    let alone = first.max(last).as_secs_f64();
    ensure!(beside.as_secs_f64() <= alone * SLOWER + 1.0, "slowed: {found}");
    ensure!(peak <= before.memory_kib + GROWTH_KIB, "memory grew: {found}");
    ensure!(told > 0, "nobody was told: {found}");
    Ok(found)
}

/// A reader of an execution's stream that has read nothing of it yet.
async fn followed(address: SocketAddr, over: Over, id: &str) -> Result<Connection> {
    let path = format!("{EXECUTIONS}/{id}/stream");
    match over {
        Over::Events => {
            let mut connection = Connection::open(address).await?;
            let headers = [("accept", "text/event-stream"), ("connection", "close")];
            connection.send("GET", &path, &headers, None).await?;
            let head = connection.head().await?;
            ensure!(head.status == 200, "the stream: {head:?}");
            Ok(connection)
        }
        Over::Socket => Ok(open_socket(address, &path).await?),
    }
}

/// A program that prints far more than is kept of it.
fn program() -> Value {
    json!({
        "command": ["/bin/sh", "-c", format!("yes 0123456789012345678901234567890123456789 | head -c {BYTES}")],
        "timeout_ms": 300_000,
    })
}

async fn detached(address: SocketAddr) -> Result<String> {
    let mut body = program();
    body["wait"] = false.into();
    match Client::default().execute(address, &[], &body).await {
        Outcome::Accepted(id) => Ok(id),
        other => bail!("{other:?}"),
    }
}

async fn ended(address: SocketAddr, id: &str) -> Result<Value> {
    until("the program ends", SOON, async || Ok(Some(record(address, id).await?).filter(is_terminal))).await
}

/// How long the program ran; it has to have printed everything.
fn run_time(record: &Value) -> Result<Duration> {
    ensure!(text(record, "status") == "succeeded", "{record}");
    ensure!(record["stdout_bytes"] == BYTES && record["stdout_truncated"] == true, "{record}");
    Ok(Duration::from_micros(record["start"]["run_us"].as_u64().context("run_us")?))
}

/// Reads the first event of a socket, byte by byte, so that nothing is read ahead.
async fn started(connection: &mut Connection) -> Result<String> {
    let mut frames = Frames::default();
    loop {
        frames.push(&[connection.stream().read_u8().await?]);
        match frames.next() {
            Some(Frame::Text(event)) => {
                let event: Value = serde_json::from_str(&event)?;
                ensure!(text(&event, "type") == "started", "{event}");
                return Ok(text(&event, "execution_id").to_owned());
            }
            Some(Frame::Close(code, reason)) => bail!("closed with {code} {reason}"),
            Some(Frame::Other(_)) | None => {}
        }
    }
}

/// What a slow reader got once it was quick.
struct Read {
    rest: usize,
    /// The end of it.
    told: String,
}

/// Reads one byte a second for so many seconds, then what is on its way.
async fn one_byte_a_second(mut connection: Connection, seconds: u32) -> Result<Read> {
    let mut pace = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..seconds {
        pace.tick().await;
        if connection.stream().read_u8().await.is_err() {
            break;
        }
    }
    let mut rest = 0;
    let mut last = Vec::new();
    let mut piece = vec![0; 64 << 10];
    let drained = async {
        loop {
            match connection.stream().read(&mut piece).await {
                // A reset after the last byte ends it as well.
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    rest += count;
                    last.extend_from_slice(&piece[..count]);
                    let surplus = last.len().saturating_sub(4096);
                    last.drain(..surplus);
                }
            }
        }
    };
    tokio::time::timeout(SOON, drained).await.context("the server does not end the connection")?;
    Ok(Read { rest, told: String::from_utf8_lossy(&last).into_owned() })
}
