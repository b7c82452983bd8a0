//! Runs many executions at once through the embedded platform, for `tests/leak.rs`.
//!
//! A program of its own because the platform wants to be started before a process has threads and then
//! gives up its privileges; the test that starts this one keeps its own, and looks at the host from
//! outside. Arguments: how many runs, how many at once, and the isolation to insist on. Exits 0 when every
//! run ended as it had to.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use faas_config::{Config, Flags};
use faas_lib::{Bootstrap, ExecutionEvent, ExecutionRecord, ExecutionRequest, ExecutionState, Platform, Work};
use faas_types::{Contract, ErrorKind, IsolationLevel, Language};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [runs, at_once, isolation] = &arguments[..] else {
        bail!("usage: faas-embedded-runs RUNS AT_ONCE strict|standard");
    };
    let runs: u32 = runs.parse().context("RUNS")?;
    let at_once: usize = at_once.parse().context("AT_ONCE")?;
    let isolation = match isolation.as_str() {
        "strict" => IsolationLevel::Strict,
        "standard" => IsolationLevel::Standard,
        _ => bail!("isolation {isolation}: expected strict or standard"),
    };

    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let config = Config::resolve(None, &environment, &Flags::default())?;
    let bootstrap = Bootstrap::start(&config)?;
    bootstrap.become_unprivileged()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let platform = Arc::new(bootstrap.into_platform().await?);
        let result = run_all(&platform, runs, at_once, isolation).await;
        platform.shutdown().await;
        result
    })
}

async fn run_all(platform: &Arc<Platform>, runs: u32, at_once: usize, isolation: IsolationLevel) -> Result<()> {
    let mut running = JoinSet::new();
    for number in 0..runs {
        if running.len() >= at_once
            && let Some(ended) = running.join_next().await
        {
            ended??;
        }
        let platform = Arc::clone(platform);
        running.spawn(async move { run(&platform, number, isolation).await.with_context(|| format!("run {number}")) });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

/// One run; the kinds take turns, so that each way in which a sandbox can end is among them.
async fn run(platform: &Platform, number: u32, isolation: IsolationLevel) -> Result<()> {
    let request = |work, timeout| ExecutionRequest { isolation, timeout, ..ExecutionRequest::new(work) };
    let ample = Duration::from_secs(60);
    match number % 6 {
        0 => {
            let record = finish(platform, request(command(&["/bin/echo", "hello"]), ample)).await?;
            ensure!(record.status == ExecutionState::Succeeded && record.stdout == "hello\n", "{record:?}");
        }
        1 => {
            let record = finish(platform, request(script(Language::Python, "print(6 * 7)"), ample)).await?;
            ensure!(record.status == ExecutionState::Succeeded && record.stdout == "42\n", "{record:?}");
        }
        2 => {
            // Leaves processes behind, in sessions of their own.
            let code = "for i in 1 2 3; do setsid sleep 1000 > /dev/null 2>&1 & done; echo left";
            let record = finish(platform, request(script(Language::Bash, code), ample)).await?;
            ensure!(record.status == ExecutionState::Succeeded && record.stdout == "left\n", "{record:?}");
        }
        3 => {
            let code = "open('full', 'wb').write(b'x' * 1000000)\nraise SystemExit(7)";
            let record = finish(platform, request(script(Language::Python, code), ample)).await?;
            ensure!(record.exit_code == Some(7), "{record:?}");
        }
        4 => {
            let short = Duration::from_millis(100);
            let record = finish(platform, request(command(&["/bin/sleep", "1000"]), short)).await?;
            ensure!(record.error_kind == Some(ErrorKind::Timeout), "{record:?}");
        }
        _ => {
            // Nobody waits for it.
            drop(platform.start(request(command(&["/bin/sleep", "1000"]), ample)).await?);
        }
    }
    Ok(())
}

async fn finish(platform: &Platform, request: ExecutionRequest) -> Result<ExecutionRecord> {
    let mut execution = platform.start(request).await?;
    loop {
        match execution.next().await {
            Some(ExecutionEvent::Complete(record)) => return Ok(*record),
            Some(_) => {}
            None => bail!("it never completed"),
        }
    }
}

fn command(argv: &[&str]) -> Work {
    Work::Command { argv: argv.iter().map(|&word| word.to_owned()).collect() }
}

fn script(language: Language, code: &'static str) -> Work {
    Work::Script {
        code: Bytes::from_static(code.as_bytes()),
        name: "main".to_owned(),
        language,
        contract: Contract::Script,
    }
}
