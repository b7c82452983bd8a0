//! Those of commands, in which nothing waits but init.

use super::{SPARES, end, executor, inits, killed, settled, spare, spec};
use faas_executor_api::{CallError, Command, Event, Executor, Health, Origin, Sandbox, SandboxSpec};
use faas_types::{Outcome, OutputLimits, Resources, TenantId};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// What a command prints.
pub(crate) async fn printed(sandbox: &mut dyn Sandbox, script: &str) -> String {
    said(sandbox, script).await.expect("a call")
}

/// What a command prints, where it can be started.
async fn said(sandbox: &mut dyn Sandbox, script: &str) -> Result<String, CallError> {
    let command = Command {
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        env: Vec::new(),
        files: Vec::new(),
        deadline: Instant::now() + Duration::from_secs(20),
        output: OutputLimits::default(),
    };
    let mut session = sandbox.exec(command).await?;
    let mut printed = Vec::new();
    loop {
        match session.events.next().await.expect("an end") {
            Event::Stdout(bytes) => printed.extend_from_slice(&bytes),
            Event::Done(done) => {
                assert_eq!(done.outcome, Outcome::Exited { code: 0 });
                return Ok(String::from_utf8_lossy(&printed).into_owned());
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_first_is_made_when_it_is_asked_for_and_those_after_it_are_there() {
    let executor = executor();
    let first = executor.create(spec()).await.expect("a sandbox");
    assert_eq!(first.origin(), Origin::Cold);
    end(first).await;
    let mut ids = HashSet::new();
    for _ in 0..10 {
        let (mut sandbox, _) = spare(&executor, &spec()).await;
        assert!(ids.insert(sandbox.id()), "it was handed over before");
        assert_eq!(
            printed(sandbox.as_mut(), "ls -A /workspace /tmp | grep -c left; echo left > /workspace/left; true").await,
            "0\n"
        );
        end(sandbox).await;
    }
    let stats = executor.spares();
    let [shown] = stats.as_slice() else { panic!("one spec was asked for: {stats:?}") };
    assert_eq!(shown.spec, spec());
    assert!(shown.used >= 10 && shown.made >= shown.used + shown.unused && shown.wanted <= SPARES, "{shown:?}");
    assert!(shown.took.is_some() && !shown.reason.is_empty(), "{shown:?}");
    executor.shutdown().await;
}

#[tokio::test]
async fn nobody_gets_one_of_another_spec() {
    let executor = executor();
    let resources = Resources { pids: 32, ..Resources::default() };
    let others = [SandboxSpec { resources, ..spec() }, SandboxSpec { tenant: TenantId::from_bytes([7; 16]), ..spec() }];
    end(spare(&executor, &spec()).await.0).await;
    for other in others {
        let sandbox = executor.create(other.clone()).await.expect("a sandbox");
        assert_eq!(sandbox.origin(), Origin::Cold);
        end(sandbox).await;
        end(spare(&executor, &other).await.0).await;
    }
    executor.shutdown().await;
}

#[tokio::test]
async fn many_at_once_get_one_each() {
    let executor = executor();
    end(spare(&executor, &spec()).await.0).await;
    let mut sandboxes = Vec::new();
    for _ in 0..20 {
        sandboxes.push(executor.create(spec()).await.expect("a sandbox"));
    }
    let ids: HashSet<_> = sandboxes.iter().map(|sandbox| sandbox.id()).collect();
    assert_eq!(ids.len(), sandboxes.len());
    for sandbox in sandboxes {
        assert_eq!(sandbox.health(), Health::Ready);
        end(sandbox).await;
    }
    executor.shutdown().await;
}

/// Whoever asks gets one that lives, however many of those that wait were killed.
#[tokio::test]
async fn one_that_died_while_it_waited_is_not_handed_over() {
    let executor = executor();
    for _ in 0..5 {
        end(spare(&executor, &spec()).await.0).await;
        // One that dies while it is made has none of its spec made for a while.
        settled(&executor).await;
        killed(inits()).await;
        let mut sandbox = executor.create(spec()).await.expect("a sandbox");
        // What dies in the very moment in which it is handed over is found by its first call.
        if sandbox.health() == Health::Ready {
            match said(sandbox.as_mut(), "echo lives").await {
                Ok(said) => assert_eq!(said, "lives\n"),
                Err(error) => assert!(matches!(error, CallError::Unreached { .. }), "{error}"),
            }
        }
        end(sandbox).await;
    }
    executor.shutdown().await;
}
