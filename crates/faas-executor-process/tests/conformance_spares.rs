//! The conformance suite in sandboxes that were made before anybody asked for them.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

use async_trait::async_trait;
use faas_executor_api::conformance::ShellGuest;
use faas_executor_api::{
    Capabilities, CreateError, DestroyReason, Executor, Origin, RecoverError, Sandbox, SandboxSpec, SpecError,
};
use faas_executor_process::{Launcher, ProcessExecutor, Settings, SpareLimits};
use faas_types::ByteSize;
use std::sync::Arc;

/// How many are asked for until one was there before.
const LOOKS: u32 = 1000;

/// Gives nothing but spares.
struct Spared(ProcessExecutor);

#[async_trait]
impl Executor for Spared {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn validate(&self, spec: &SandboxSpec) -> Result<(), SpecError> {
        self.0.validate(spec)
    }

    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, CreateError> {
        for _ in 0..LOOKS {
            let sandbox = self.0.create(spec.clone()).await?;
            if sandbox.origin() == Origin::Spare {
                return Ok(sandbox);
            }
            sandbox.destroy(DestroyReason::Finished).await;
        }
        panic!("none of {LOOKS} was made before it was asked for: {spec:?}: {:?}", self.0.spares());
    }

    async fn recover(&self) -> Result<u32, RecoverError> {
        self.0.recover().await
    }
}

async fn executor() -> Arc<dyn Executor> {
    // Some tests ask for sandboxes of every language, and those that are cheap to make are the first to be done without.
    let limits = SpareLimits { most: 16, memory: ByteSize::mib(1024) };
    let launcher = Launcher::start(&Settings::default()).expect("a launcher");
    Arc::new(Spared(launcher.into_executor().expect("an executor").with_spares(limits)))
}

faas_executor_api::conformance_suite!(executor().await, ShellGuest::patient(1));
