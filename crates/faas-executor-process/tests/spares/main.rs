//! Sandboxes that are made before anybody asks: handed over once, to whom they fit, alive, and never too many.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

mod blank;
mod runner;
#[path = "../running/mod.rs"]
mod running;

use faas_executor_api::{DestroyReason, Executor, Origin, Sandbox, SandboxSpec};
use faas_executor_process::{Launcher, ProcessExecutor, Settings, SpareLimits};
use faas_types::{ByteSize, IsolationLevel, Resources, TenantId};
use running::children;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::time::Duration;

/// How many are kept.
const SPARES: u32 = 2;
/// How often it is looked for what comes by itself.
const LOOKS: u32 = 10_000;

fn executor() -> ProcessExecutor {
    let launcher = Launcher::start(&Settings::default()).expect("a launcher");
    launcher.into_executor().expect("an executor").with_spares(SpareLimits { most: SPARES, memory: ByteSize::mib(256) })
}

fn spec() -> SandboxSpec {
    let is_root = rustix::process::geteuid().is_root();
    SandboxSpec {
        tenant: TenantId::LOCAL,
        language: None,
        resources: Resources::default(),
        isolation: if is_root { IsolationLevel::Strict } else { IsolationLevel::Standard },
        packages: None,
    }
}

async fn end(sandbox: Box<dyn Sandbox>) {
    sandbox.destroy(DestroyReason::Finished).await;
}

/// Asks until one is there that was made before; how many were made for whoever asked until then.
async fn spare(executor: &ProcessExecutor, spec: &SandboxSpec) -> (Box<dyn Sandbox>, u32) {
    for cold in 0..LOOKS {
        let sandbox = executor.create(spec.clone()).await.expect("a sandbox");
        if sandbox.origin() == Origin::Spare {
            return (sandbox, cold);
        }
        end(sandbox).await;
        tokio::task::yield_now().await;
    }
    panic!("none was made before {LOOKS} were asked for");
}

/// Until those of one spec are all there that are wanted, and none is being made.
async fn settled(executor: &ProcessExecutor) {
    for _ in 0..LOOKS {
        let kinds = executor.spares();
        if kinds.iter().all(|kind| kind.ready == kind.wanted) && kinds.iter().any(|kind| kind.wanted > 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("they are not there: {:?}", executor.spares());
}

/// Kills them, and returns when they are collected.
async fn killed(processes: Vec<Pid>) {
    for process in &processes {
        // It may have ended meanwhile.
        let _ = kill_process(*process, Signal::KILL);
    }
    for _ in 0..LOOKS {
        if processes.iter().all(|process| test_kill_process(*process).is_err()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("they live on: {processes:?}");
}

/// The first processes of sandboxes of launchers that this process started.
fn inits() -> Vec<Pid> {
    pids(children(std::process::id()).into_iter().flat_map(children))
}

fn pids(numbers: impl Iterator<Item = u32>) -> Vec<Pid> {
    numbers.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
}
