//! The fake keeps the contract, whatever its host offers.

use faas_executor_api::fake::{FakeExecutor, FakeGuest, FakeHost};
use std::sync::Arc;

/// Every verb, layer and limit.
mod everything {
    use super::*;
    faas_executor_api::conformance_suite!(Arc::new(FakeExecutor::default()), FakeGuest; start_paused = true);
}

/// What a backend starts with: commands and user code, nothing saved, nothing paused. On the real
/// clock, unlike the others.
mod calls_only {
    use super::*;
    use faas_executor_api::Verb;

    async fn executor() -> Arc<FakeExecutor> {
        Arc::new(FakeExecutor::new(FakeHost { verbs: vec![Verb::Invoke, Verb::Exec], ..FakeHost::default() }))
    }

    faas_executor_api::conformance_suite!(executor().await, FakeGuest);
}

/// A host that enforces little and has no interpreter.
mod bare_host {
    use super::*;
    use faas_executor_api::Verb;
    use faas_types::{Layer, LimitKind};

    fn executor() -> Arc<FakeExecutor> {
        Arc::new(FakeExecutor::new(FakeHost {
            verbs: vec![Verb::Exec],
            limits: vec![LimitKind::Disk],
            layers: vec![Layer::Mount, Layer::Pid],
            languages: Vec::new(),
            ..FakeHost::default()
        }))
    }

    faas_executor_api::conformance_suite!(executor(), FakeGuest; start_paused = true);
}

/// What only the fake promises: a sandbox gives its place back, and a dropped one ends its call.
#[tokio::test]
async fn sandboxes_give_their_places_back() {
    use faas_executor_api::conformance::{Guest, within};
    use faas_executor_api::{Command, CreateError, DestroyReason, Event, Executor, SandboxSpec};
    use faas_types::{IsolationLevel, Outcome, OutputLimits, Resources, TenantId};
    use std::time::{Duration, Instant};

    let executor = FakeExecutor::new(FakeHost { max_sandboxes: 1, ..FakeHost::default() });
    let spec = SandboxSpec {
        tenant: TenantId::LOCAL,
        language: None,
        resources: Resources::default(),
        isolation: IsolationLevel::Strict,
        packages: None,
    };
    let mut only = executor.create(spec.clone()).await.expect("a place");
    let refusal = executor.create(spec.clone()).await.err().expect("no place");
    assert!(matches!(refusal, CreateError::AtCapacity { limit: 1 }), "{refusal}");

    let command = Command {
        argv: FakeGuest.sleep_forever(),
        env: Vec::new(),
        files: Vec::new(),
        deadline: Instant::now() + Duration::from_secs(3600),
        output: OutputLimits::default(),
    };
    let mut session = only.exec(command).await.expect("a running program");
    drop(only);
    assert_eq!(executor.live(), 0);
    let reading = async {
        while !matches!(session.events.next().await, Some(Event::Done(done)) if done.outcome == Outcome::SandboxLost) {}
    };
    within("sandboxes_give_their_places_back", "the end of a dropped sandbox's call", Duration::from_secs(10), reading)
        .await;

    let next = executor.create(spec).await.expect("the place of the one before");
    next.destroy(DestroyReason::Finished).await;
    assert_eq!(executor.live(), 0);
}
