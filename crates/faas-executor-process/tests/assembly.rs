//! Every step of the assembly made to fail in turn: the error names it, nothing is left, and the
//! next sandbox works.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

use faas_executor_api::{Command, CreateError, DestroyReason, Event, Executor, Sandbox, SandboxSpec};
use faas_executor_process::{Launcher, ProcessExecutor, SLOT_UIDS, Settings, UIDS_PER_SLOT};
use faas_protocol::launcher::Step;
use faas_types::{IsolationLevel, Outcome, OutputLimits, Resources, SandboxId, TenantId};
use std::time::{Duration, Instant};

fn executor() -> ProcessExecutor {
    Launcher::start(&Settings::default()).expect("a launcher").into_executor().expect("an executor")
}

fn spec() -> SandboxSpec {
    SandboxSpec {
        tenant: TenantId::LOCAL,
        language: None,
        resources: Resources::default(),
        isolation: if rustix::process::geteuid().is_root() { IsolationLevel::Strict } else { IsolationLevel::Standard },
        packages: None,
    }
}

async fn works(mut sandbox: Box<dyn Sandbox>) -> bool {
    let command = Command {
        argv: vec!["/usr/bin/true".to_owned()],
        env: Vec::new(),
        files: Vec::new(),
        deadline: Instant::now() + Duration::from_secs(20),
        output: OutputLimits::default(),
    };
    let mut session = sandbox.exec(command).await.expect("a call");
    let mut ended = None;
    while let Some(event) = session.events.next().await {
        if let Event::Done(done) = event {
            ended = Some(done.outcome);
        }
    }
    sandbox.destroy(DestroyReason::Finished).await;
    ended == Some(Outcome::Exited { code: 0 })
}

/// Directories of sandboxes in this launcher's cgroups, in every hierarchy.
fn sandbox_directories(slot: u32) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let path = entry.path();
            let ours = dir.file_name().is_some_and(|name| name.to_string_lossy() == format!("faas-{slot}"));
            if ours { found.push(path) } else { pending.push(path) }
        }
    }
    found
}

#[tokio::test]
async fn every_step_can_fail_and_nothing_is_left() {
    let executor = executor();
    let slot = executor.server_uid().saturating_sub(SLOT_UIDS.start) / UIDS_PER_SLOT;
    for step in Step::ALL {
        let failed = executor.create_failing_at(SandboxId::generate(), spec(), Some(step)).await;
        match failed {
            Err(CreateError::Assembly { step: named, .. }) => assert_eq!(named, step.as_str()),
            Err(other) => panic!("{}: {other}", step.as_str()),
            Ok(_) => panic!("{} did not fail", step.as_str()),
        }
    }
    let sandbox = executor.create(spec()).await.expect("a sandbox after every failure");
    assert!(works(sandbox).await);
    executor.shutdown().await;
    if rustix::process::geteuid().is_root() {
        assert_eq!(sandbox_directories(slot), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test]
async fn capacity_is_a_typed_refusal_and_comes_back() {
    let settings = Settings { max_sandboxes: 2, ..Settings::default() };
    let executor = Launcher::start(&settings).expect("a launcher").into_executor().expect("an executor");
    let first = executor.create(spec()).await.expect("the first");
    let second = executor.create(spec()).await.expect("the second");
    match executor.create(spec()).await {
        Err(CreateError::AtCapacity { limit: 2 }) => {}
        other => panic!("{:?}", other.map(|sandbox| sandbox.id())),
    }
    first.destroy(DestroyReason::Finished).await;
    let third = executor.create(spec()).await.expect("the third");
    assert!(works(second).await && works(third).await);
    executor.shutdown().await;
}

#[tokio::test]
async fn an_id_is_used_once() {
    let executor = executor();
    let id = SandboxId::generate();
    let first = executor.create_failing_at(id, spec(), None).await.expect("the first");
    assert!(matches!(executor.create_failing_at(id, spec(), None).await, Err(CreateError::Assembly { .. })));
    assert!(works(first).await);
    executor.shutdown().await;
}

/// A reader that never reads must not keep a sandbox alive past the deadline, although the program
/// itself has ended and only its output is waiting.
#[tokio::test]
async fn a_reader_that_does_not_read_keeps_nothing_alive_past_the_deadline() {
    let executor = executor();
    let mut sandbox = executor.create(spec()).await.expect("a sandbox");
    let command = Command {
        argv: ["/usr/bin/bash", "-c", "sleep 1000 & exec head -c 1100000 /dev/zero"].map(str::to_owned).to_vec(),
        env: Vec::new(),
        files: Vec::new(),
        deadline: Instant::now() + Duration::from_secs(2),
        output: OutputLimits::default(),
    };
    let session = sandbox.exec(command).await.expect("a call");
    let gone = async {
        while sandbox.health() == faas_executor_api::Health::Ready {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the sandbox ends at the deadline, unread");
    drop(session);
    sandbox.destroy(DestroyReason::Finished).await;
    executor.shutdown().await;
}
