//! Python programs that begin in a copy of a zygote: what they find, what they share, and what becomes of them when
//! there is no zygote.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

mod found;
mod lost;
mod packages;
#[path = "../running/mod.rs"]
mod running;

use bytes::Bytes;
use faas_executor_api::{DestroyReason, Executor, Invocation, Origin, Program, Sandbox, SandboxSpec, Stay};
use faas_executor_process::{Launcher, ProcessExecutor, Settings};
use faas_types::{Contract, IsolationLevel, Language, OutputLimits, Resources, TenantId};
use std::time::{Duration, Instant};

/// How long it may take until something is there that is made beside the tests.
const PATIENCE: Duration = Duration::from_secs(60);

fn executor() -> ProcessExecutor {
    let launcher = Launcher::start(&Settings::default()).expect("a launcher");
    launcher.into_executor().expect("an executor").with_zygotes()
}

fn spec() -> SandboxSpec {
    let is_root = rustix::process::geteuid().is_root();
    SandboxSpec {
        tenant: TenantId::LOCAL,
        language: Some(Language::Python),
        resources: Resources::default(),
        isolation: if is_root { IsolationLevel::Strict } else { IsolationLevel::Standard },
        packages: None,
    }
}

fn script(code: &str) -> Invocation {
    Invocation {
        contract: Contract::Script,
        program: Program { code: Bytes::copy_from_slice(code.as_bytes()), name: "main.py".to_owned() },
        args: vec!["argument".to_owned()],
        env: Vec::new(),
        files: Vec::new(),
        request: None,
        stay: Stay::No,
        at_once: 1,
        deadline: Instant::now() + PATIENCE,
        output: OutputLimits::default(),
    }
}

async fn end(sandbox: Box<dyn Sandbox>) {
    sandbox.destroy(DestroyReason::Finished).await;
}

/// Asks until one was forked, which is when there is a zygote.
async fn forked(executor: &ProcessExecutor, spec: &SandboxSpec) -> Box<dyn Sandbox> {
    let until = Instant::now() + PATIENCE;
    loop {
        let sandbox = executor.create(spec.clone()).await.expect("a sandbox");
        if sandbox.origin() == Origin::Zygote {
            return sandbox;
        }
        end(sandbox).await;
        assert!(Instant::now() < until, "there was no zygote within {PATIENCE:?}");
    }
}
