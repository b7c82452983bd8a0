//! Functions whose instances answer several calls at once, on the built server.

use anyhow::{Context, Result, ensure};
use faas_tester::server::{Connection, DataDirectory, Options, ask, done, get, record, until};
use serde_json::json;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet};

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);
const FUNCTIONS: &str = "/api/v1/functions";

/// How many calls meet in one instance.
const TOGETHER: usize = 12;

/// Nobody is answered before all have come.
const PYTHON: &str = "\
import asyncio
came, all_came = 0, None
async def handle(request):
    global came, all_came
    all_came = all_came or asyncio.Event()
    name = request.query_params['name']
    print('came', name)
    came += 1
    if came == 12: all_came.set()
    await all_came.wait()
    print('goes', name)
    return name
";
const THREADS: &str = "\
import threading
all_came = threading.Barrier(12)
def handle(request):
    name = request.query_params['name']
    print('came', name)
    all_came.wait()
    print('goes', name)
    return name
";
const JAVASCRIPT: &str = "\
let came = 0, wake;
const allCame = new Promise((resolve) => { wake = resolve; });
exports.handle = async (request) => {
  const { name } = request.queryParams;
  console.log('came', name);
  came += 1;
  if (came === 12) wake();
  await allCame;
  console.log('goes', name);
  return name;
};
";

fn on_server<F: Future<Output = Result<()>>>(trial: impl FnOnce(SocketAddr) -> F) -> Result<()> {
    let data = DataDirectory::make()?;
    let server = Options::new(data.path()).start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, trial(server.address())).with_context(|| server.last_lines())?;
    server.stop(SOON)
}

/// Calls that wait for each other are answered by one cold instance: they cannot have come one after the other, nor
/// to several. What each prints is in its own record.
#[test]
fn calls_that_wait_for_each_other_meet_in_one_instance() -> Result<()> {
    on_server(|address| async move {
        let mut connection = Connection::open(address).await?;
        for (name, language, code) in
            [("tasks", "python", PYTHON), ("threads", "python", THREADS), ("promises", "javascript", JAVASCRIPT)]
        {
            let scaling = json!({"max": 1, "concurrency": TOGETHER});
            let body = json!({"name": name, "runtime": language, "code": code, "scaling": scaling});
            done(&mut connection, "POST", FUNCTIONS, body).await?;
            let mut calls = JoinSet::new();
            for caller in 0..TOGETHER {
                calls.spawn_local(async move {
                    let mut connection = Connection::open(address).await?;
                    let path = format!("{FUNCTIONS}/{name}/http?name=caller-{caller}");
                    let answer = connection.call("GET", &path, &[], None).await?;
                    let id = answer.head.header("x-faas-execution-id").unwrap_or_default().to_owned();
                    anyhow::Ok((caller, answer.status(), String::from_utf8_lossy(&answer.body).into_owned(), id))
                });
            }
            while let Some(called) = calls.join_next().await {
                let (caller, status, body, id) = called??;
                ensure!(
                    (status, body.as_str()) == (200, format!("caller-{caller}").as_str()),
                    "{name}: {status} {body}"
                );
                let record = until("the record", SOON, async || {
                    let record = record(address, &id).await?;
                    Ok((record["status"] == "succeeded").then_some(record))
                })
                .await?;
                let said = format!("came caller-{caller}\ngoes caller-{caller}\n");
                ensure!(record["stdout"] == said, "{name}: {record}");
            }
            // The last one's place is free a moment after its record says that it has ended.
            until("all places to be free", SOON, async || {
                let stats = get(address, &format!("{FUNCTIONS}/{name}/stats")).await?.json();
                Ok((stats["running"] == 0).then_some(()))
            })
            .await?;
        }
        Ok(())
    })
}

/// Updates while calls share instances: none fails, and each is of one version.
#[test]
fn updates_while_calls_share_an_instance_fail_none() -> Result<()> {
    const UPDATES: u32 = 10;
    let code = |version: u32| {
        format!("import asyncio\nasync def handle(request):\n    await asyncio.sleep(0.005)\n    return {version}\n")
    };
    on_server(|address| async move {
        let mut admin = Connection::open(address).await?;
        let scaling = json!({"max": 2, "concurrency": 4});
        let body = json!({"name": "many", "runtime": "python", "code": code(1), "scaling": scaling});
        done(&mut admin, "POST", FUNCTIONS, body).await?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut load = JoinSet::new();
        for _ in 0..6 {
            load.spawn_local(call_until(address, stopped.clone()));
        }
        for version in 2..=UPDATES {
            done(&mut admin, "PUT", &format!("{FUNCTIONS}/many"), json!({"code": code(version)})).await?;
            let (status, answer) = ask(&mut admin, "GET", &format!("{FUNCTIONS}/many/http"), None).await?;
            ensure!(status == 200 && answer == version, "after the update to {version}: {status} {answer}");
        }
        stop.send_replace(true);
        let mut calls = 0;
        while let Some(called) = load.join_next().await {
            calls += called??;
        }
        println!("{calls} calls during {UPDATES} versions, none failed");
        ensure!(calls > 20, "only {calls} calls were made");
        Ok(())
    })
}

/// Calls until it is told to stop; versions only grow.
async fn call_until(address: SocketAddr, stopped: tokio::sync::watch::Receiver<bool>) -> Result<u32> {
    let mut connection = Connection::open(address).await?;
    let (mut calls, mut newest) = (0, 0);
    while !*stopped.borrow() {
        let (status, answer) = ask(&mut connection, "GET", &format!("{FUNCTIONS}/many/http"), None).await?;
        let version = answer.as_u64().with_context(|| format!("{status} {answer}"))?;
        ensure!(status == 200 && version >= newest, "{status} {answer} after {newest}");
        (calls, newest) = (calls + 1, version);
    }
    Ok(calls)
}

/// One call that passes its deadline ends alone: the others of its instance are answered, and calls after it too.
#[test]
fn one_that_passes_its_deadline_ends_alone() -> Result<()> {
    let code = "\
import asyncio
here = 0
async def handle(request):
    global here
    here += 1
    while request.query_params['until'] != str(here): await asyncio.sleep(0.001)
    return 'met'
";
    on_server(|address| async move {
        let mut connection = Connection::open(address).await?;
        let scaling = json!({"max": 2, "concurrency": 8});
        let body = json!({"name": "late", "runtime": "python", "code": code, "timeout_ms": 5000, "scaling": scaling});
        done(&mut connection, "POST", FUNCTIONS, body).await?;
        let call = |until: &'static str| async move {
            let mut connection = Connection::open(address).await?;
            let answer = connection.call("GET", &format!("{FUNCTIONS}/late/http?until={until}"), &[], None).await?;
            anyhow::Ok(answer.status())
        };
        let running = |count: u64| {
            until("calls run", SOON, async move || {
                let stats = get(address, &format!("{FUNCTIONS}/late/stats")).await?.json();
                Ok((stats["running"] == count).then_some(()))
            })
        };
        let late = tokio::task::spawn_local(call("never"));
        running(1).await?;
        let waits = tokio::task::spawn_local(call("3"));
        running(2).await?;
        let third = call("3").await?;
        ensure!((third, waits.await??) == (200, 200), "the others were not answered");
        ensure!(late.await?? == 504, "the late one was answered");
        ensure!(call("1").await? == 200, "a new instance counts anew");
        Ok(())
    })
}
