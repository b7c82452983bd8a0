//! Mode `cached` on the built server: the next execution gets the sandbox and nothing of the one before;
//! what cannot be removed, or died, costs a sandbox and no execution.

use anyhow::{Context, Result, ensure};
use faas_tester::host::{descendants, processes};
use faas_tester::server::{Client, DataDirectory, Options, Outcome, get, text, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::LocalSet;

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);
/// What init is called.
const INIT: &str = "faas-init";

/// A thread and a process go on writing, files lie everywhere, a variable is set.
const LEAVES: &str = r"
import os, threading, time
os.environ['LEFT'] = 'left'
for area in '/workspace', '/tmp', '/code', '/dev/shm':
    open(area + '/left', 'w').write('secret')
threading.Thread(target=lambda: [time.sleep(0.01) for _ in iter(int, 1)], daemon=True).start()
if os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(0.001)
        try:
            os.write(1, b'late\n')
        except OSError:
            pass
print('end', flush=True)
";

const LOOKS: &str = r"
import os
for area in '/workspace', '/tmp', '/code', '/dev/shm':
    left = set(os.listdir(area)) - {'main.py'}
    assert not left, (area, left)
assert 'LEFT' not in os.environ
assert len([name for name in os.listdir('/proc') if name.isdigit()]) == 2
print('clean')
";

const LEAVES_SHARED_MEMORY: &str = "import ctypes\nassert ctypes.CDLL(None).shmget(7, 4096, 0o1600) >= 0\nprint('end')";

#[test]
fn a_warm_sandbox_has_nothing_of_the_call_before() -> Result<()> {
    let data = DataDirectory::make()?;
    // One of those that are made ahead would be as clean.
    let server =
        Options::new(data.path()).flag("--spares-sandboxes", "0").flag("--zygotes-enabled", "false").start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ran = LocalSet::new().block_on(&runtime, calls(server.address(), server.process()));
    ran.with_context(|| server.last_lines())?;
    server.stop(SOON)
}

async fn calls(address: SocketAddr, server: u32) -> Result<()> {
    ran(&cached(address, LEAVES).await?, "cold", "end\n")?;
    for _ in 0..3 {
        warm(address, 1).await?;
        ran(&cached(address, LOOKS).await?, "warm", "clean\n")?;
        warm(address, 1).await?;
        // What the one before wrote after its end would be in this one's output.
        ran(&cached(address, LEAVES).await?, "warm", "end\n")?;
    }
    warm(address, 1).await?;
    ran(&cached(address, LEAVES_SHARED_MEMORY).await?, "warm", "end\n")?;
    warm(address, 0).await?;
    ensure!(get(address, "/api/v1/stats").await?.json()["retired"] == 1, "it was kept");
    ran(&cached(address, LOOKS).await?, "cold", "clean\n")?;

    warm(address, 1).await?;
    kill_init(server)?;
    // It is noticed without anybody having to meet it.
    warm(address, 0).await?;
    ran(&cached(address, LOOKS).await?, "cold", "clean\n")?;
    warm(address, 1).await?;
    ran(&cached(address, LOOKS).await?, "warm", "clean\n")
}

async fn cached(address: SocketAddr, code: &str) -> Result<Value> {
    let body = json!({ "code": code, "mode": "cached", "timeout": 30 });
    match Client::default().execute(address, &[], &body).await {
        Outcome::Ended(record) => Ok(record),
        other => anyhow::bail!("{other:?}"),
    }
}

fn ran(record: &Value, kind: &str, stdout: &str) -> Result<()> {
    ensure!(text(record, "status") == "succeeded", "{record}");
    // What the child of this call writes is its output until it ends.
    let said = text(record, "stdout");
    let said = if stdout == "end\n" { said.replace("late\n", "") } else { said.to_owned() };
    ensure!(said == stdout, "{record}");
    ensure!(record["start"]["kind"] == kind, "expected a {kind} start: {record}");
    Ok(())
}

/// Waits until nothing runs and so many sandboxes are kept.
async fn warm(address: SocketAddr, count: u64) -> Result<()> {
    until("the sandbox is kept or gone", SOON, async || {
        let stats = get(address, "/api/v1/stats").await?.json();
        Ok((stats["running"] == 0 && stats["warm"] == count).then_some(()))
    })
    .await
}

/// Ends the one sandbox that is kept, as the kernel does when memory is short.
fn kill_init(server: u32) -> Result<()> {
    let all = processes()?;
    let inits: Vec<_> = descendants(server, &all).into_iter().filter(|process| process.is_named(INIT)).collect();
    let [init] = inits.as_slice() else { anyhow::bail!("there are {} of {INIT}: {all:?}", inits.len()) };
    let pid = Pid::from_raw(i32::try_from(init.pid)?).context("a pid")?;
    Ok(kill_process(pid, Signal::KILL)?)
}
