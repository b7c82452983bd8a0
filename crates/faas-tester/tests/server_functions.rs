//! Functions on the built server: changed under load, answered as they are made, more called than may run,
//! many, and there again after a restart.

use anyhow::{Context, Result, bail, ensure};
use faas_tester::server::{Connection, DataDirectory, Options, ask, done, get, number, until};
use serde_json::{Value, json};
use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, LocalSet};

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);
const FUNCTIONS: &str = "/api/v1/functions";

/// Runs a trial on a server of its own.
fn on_server<F: Future<Output = Result<()>>>(trial: impl FnOnce(SocketAddr) -> F) -> Result<()> {
    let data = DataDirectory::make()?;
    let server = Options::new(data.path()).start()?;
    let ran = block_on(trial(server.address()))?;
    ran.with_context(|| server.last_lines())?;
    server.stop(SOON)
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(LocalSet::new().block_on(&runtime, future))
}

/// Two files that must be of one version.
fn version(number: u32) -> Value {
    let main = format!(
        "import lib\ncalls = 0\ndef handle(request):\n    global calls\n    calls += 1\n    return {{'main': {number}, 'lib': lib.number}}\n"
    );
    json!({"main.py": main, "lib.py": format!("number = {number}\n")})
}

#[test]
fn twenty_updates_and_twenty_rollbacks_under_load_fail_no_call() -> Result<()> {
    on_server(|address| async move {
        let mut admin = Connection::open(address).await?;
        let body = json!({"name": "steady", "runtime": "python", "files": version(1), "routes": ["GET:/live"]});
        done(&mut admin, "POST", FUNCTIONS, body).await?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut load = JoinSet::new();
        for _ in 0..3 {
            load.spawn_local(call_until(address, stopped.clone()));
        }
        for number in 2..=21 {
            done(&mut admin, "PUT", "/api/v1/functions/steady", json!({"files": version(number)})).await?;
            // Whoever asks after it was answered gets it.
            let (status, answer) = ask(&mut admin, "GET", "/live", None).await?;
            ensure!(status == 200 && answer["main"] == number, "after the update to {number}: {status} {answer}");
        }
        for number in (1..=20).rev() {
            done(&mut admin, "POST", "/api/v1/functions/steady/rollback", json!({})).await?;
            let (status, answer) = ask(&mut admin, "GET", "/live", None).await?;
            ensure!(status == 200 && answer["main"] == number, "after the rollback to {number}: {status} {answer}");
        }
        stop.send_replace(true);
        let mut calls = 0;
        while let Some(called) = load.join_next().await {
            calls += called??;
        }
        println!("{calls} calls during 20 updates and 20 rollbacks, none failed, none mixed");
        ensure!(calls > 40, "only {calls} calls were made");
        Ok(())
    })
}

/// Calls until it is told to stop; every answer must be whole and of one version.
async fn call_until(address: SocketAddr, stopped: tokio::sync::watch::Receiver<bool>) -> Result<u32> {
    let mut connection = Connection::open(address).await?;
    let mut calls = 0;
    while !*stopped.borrow() {
        let (status, answer) = ask(&mut connection, "GET", "/live", None).await?;
        ensure!(status == 200 && answer["main"] == answer["lib"] && answer["main"].is_u64(), "{status} {answer}");
        calls += 1;
    }
    Ok(calls)
}

/// Row 19: the first byte does not wait for the last.
#[test]
fn row_19_an_answer_comes_as_it_is_made() -> Result<()> {
    on_server(|address| async move {
        let python = "import time\ndef handle(request):\n    for piece in ('one ', 'two ', 'three'):\n        yield piece\n        time.sleep(0.5)\n";
        let javascript = "exports.handle = async function* () { for (const piece of ['one ', 'two ', 'three']) { yield piece; await new Promise((then) => setTimeout(then, 500)); } };\n";
        for (name, runtime, code) in [("python", "python", python), ("javascript", "javascript", javascript)] {
            let mut connection = Connection::open(address).await?;
            let body = json!({"name": name, "runtime": runtime, "code": code});
            done(&mut connection, "POST", FUNCTIONS, body).await?;
            connection.send("GET", &format!("{FUNCTIONS}/{name}/http"), &[], None).await?;
            ensure!(connection.head().await?.status == 200);
            let first = connection.piece().await?.context("a piece")?;
            let began = Instant::now();
            let mut whole = first.clone();
            while let Some(piece) = connection.piece().await? {
                whole.extend_from_slice(&piece);
            }
            let rest = began.elapsed();
            ensure!(first == b"one " && whole == b"one two three", "{name}: {whole:?}");
            ensure!(rest >= Duration::from_millis(900), "{name}: the first piece came {rest:?} before the end");
        }
        Ok(())
    })
}

/// Row 58: many cold starts of one function at once are bounded, and each is answered or refused with 429.
#[test]
fn row_58_a_herd_on_a_cold_function_is_bounded() -> Result<()> {
    const HERD: usize = 1000;
    const MOST: u64 = 4;
    on_server(|address| async move {
        let mut connection = Connection::open(address).await?;
        let code = "import time\ndef handle(request):\n    time.sleep(0.02)\n    return 'ok'\n";
        let body = json!({"name": "herd", "runtime": "python", "code": code, "scaling": {"max": MOST}});
        done(&mut connection, "POST", FUNCTIONS, body).await?;
        let mut herd = JoinSet::new();
        for _ in 0..HERD {
            herd.spawn_local(async move {
                let mut connection = Connection::open(address).await?;
                let answer = connection.call("GET", "/api/v1/functions/herd/http", &[], None).await?;
                anyhow::Ok((answer.status(), answer.head.header("retry-after").map(str::to_owned)))
            });
        }
        let (mut answered, mut refused, mut most) = (0, 0, 0);
        while !herd.is_empty() {
            let stats = get(address, "/api/v1/functions/herd/stats").await?.json();
            most = most.max(stats["running"].as_u64().context("a number")?);
            match herd.join_next().await.context("one of them")?? {
                Ok((200, _)) => answered += 1,
                Ok((429, Some(_))) => refused += 1,
                other => bail!("{other:?}"),
            }
        }
        println!("{answered} answered, {refused} refused, at most {most} at once");
        ensure!(answered + refused == HERD && answered > 0 && most <= MOST, "{most} ran at once");
        Ok(())
    })
}

/// Row 57: a program that is loaded for ever is ended, not started again for each call, and another version is
/// answered at once.
#[test]
fn row_57_a_program_that_sleeps_while_it_is_imported_is_ended_and_put_off() -> Result<()> {
    let data = DataDirectory::make()?;
    let server = Options::new(data.path()).flag("--cold-start-timeout", "300ms").start()?;
    let address = server.address();
    let ran = block_on(async {
        let mut connection = Connection::open(address).await?;
        let sleeps = "import time\ntime.sleep(3600)\ndef handle(request):\n    return 'never'\n";
        let well = "def handle(request):\n    return 'well'\n";
        done(&mut connection, "POST", FUNCTIONS, json!({"name": "sleeps", "runtime": "python", "code": sleeps}))
            .await?;
        done(&mut connection, "POST", FUNCTIONS, json!({"name": "well", "runtime": "python", "code": well})).await?;
        let http = "/api/v1/functions/sleeps/http";
        for _ in 0..3 {
            let (status, answer) = ask(&mut connection, "GET", http, None).await?;
            ensure!(status == 504 && answer.to_string().contains("cold_start.timeout"), "{status} {answer}");
        }
        let put_off = connection.call("GET", http, &[], None).await.map_err(anyhow::Error::new)?;
        let seconds = put_off.head.header("retry-after").and_then(|text| text.parse::<u64>().ok());
        ensure!(put_off.status() == 503 && seconds.is_some_and(|seconds| seconds > 0), "{}", put_off.json());
        ensure!(put_off.json()["code"] == "function_failing", "{}", put_off.json());
        let (status, _) = ask(&mut connection, "GET", "/api/v1/functions/well/http", None).await?;
        ensure!(status == 200, "another function: {status}");
        done(&mut connection, "PUT", "/api/v1/functions/sleeps", json!({"code": well})).await?;
        let (status, answer) = ask(&mut connection, "GET", http, None).await?;
        ensure!(status == 200, "another version: {status} {answer}");
        Ok(())
    })?;
    ran.with_context(|| server.last_lines())?;
    server.stop(SOON)
}

/// Instances that are kept are there before anybody calls, with the program loaded, and again after an update.
#[test]
fn instances_that_are_kept_are_loaded_before_anybody_calls() -> Result<()> {
    on_server(|address| async move {
        let mut connection = Connection::open(address).await?;
        for (language, extension, number) in [("python", "py", 1), ("javascript", "js", 2)] {
            let code = |version: u32| match language {
                "python" => {
                    format!("import time\nat = time.time()\ndef handle(request):\n    return [{version}, at]\n")
                }
                _ => format!("const at = Date.now() / 1000;\nexports.handle = () => [{version}, at];\n"),
            };
            let name = format!("kept-{extension}");
            let body = json!({"name": name, "runtime": language, "code": code(1), "scaling": {"min": number}});
            done(&mut connection, "POST", FUNCTIONS, body).await?;
            for version in 1..=2 {
                if version == 2 {
                    done(&mut connection, "PUT", &format!("{FUNCTIONS}/{name}"), json!({"code": code(2)})).await?;
                }
                until("the instances that are kept", SOON, async || {
                    let stats = get(address, &format!("{FUNCTIONS}/{name}/stats")).await?.json();
                    Ok((stats["warm"] == number && stats["running"] == 0).then_some(()))
                })
                .await?;
                let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
                let called = done(&mut connection, "POST", &format!("{FUNCTIONS}/{name}/invoke"), json!({})).await?;
                ensure!(called["start"]["kind"] == "warm" && called["result"][0] == version, "{called}");
                ensure!(called["result"][1].as_f64().is_some_and(|loaded| loaded <= before), "{before}: {called}");
            }
        }
        Ok(())
    })
}

/// Functions and their routes survive a restart; how many is `FAAS_FUNCTIONS`.
#[test]
fn functions_and_routes_are_there_again_after_a_restart() -> Result<()> {
    let count: u32 = number("FAAS_FUNCTIONS", 200)?;
    let data = DataDirectory::make()?;
    let server = Options::new(data.path()).start()?;
    let address = server.address();
    block_on(async {
        let mut makers = JoinSet::new();
        for maker in 0..8 {
            makers.spawn_local(async move {
                let mut connection = Connection::open(address).await?;
                for number in (maker..count).step_by(8) {
                    let routes: Vec<String> =
                        (0..10).map(|route| format!("GET:/many/{number}/{route}/{{id}}")).collect();
                    let code = format!("def handle(request):\n    return {{'number': {number}}}\n");
                    let body = json!({"name": format!("many-{number}"), "code": code, "routes": routes});
                    done(&mut connection, "POST", FUNCTIONS, body).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(made) = makers.join_next().await {
            made??;
        }
        anyhow::Ok(())
    })?
    .with_context(|| server.last_lines())?;
    server.stop(SOON)?;
    let began = Instant::now();
    let server = Options::new(data.path()).start()?;
    let took = began.elapsed();
    let address = server.address();
    block_on(async {
        let stats = get(address, "/api/v1/stats").await?.json();
        ensure!(stats["routes"]["deployed"] == u64::from(count) * 10, "{stats}");
        let memory = faas_tester::server::peak_memory_of(server.process())? >> 10;
        println!("{count} functions with {} routes: ready in {took:?}, {memory} MiB at most", count * 10);
        let last = count - 1;
        let path = format!("/many/{last}/9/some");
        until("the answer of the last function", SOON, async || {
            let answer = get(address, &path).await?;
            ensure!(answer.status() == 200 && answer.json()["number"] == last, "{} {}", answer.status(), answer.json());
            Ok(Some(()))
        })
        .await
    })?
    .with_context(|| server.last_lines())?;
    server.stop(SOON)
}
