//! One backend on one host.

use crate::{Capabilities, CreateError, RecoverError, Sandbox, SandboxSpec, SpareStats, SpecError, Verb};
use async_trait::async_trait;
use faas_types::SandboxId;

/// One backend on one host. Built by the composition root, held as `Arc<dyn Executor>`.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Probed once at start, constant afterwards. Plain data, so that placement needs no call.
    fn capabilities(&self) -> &Capabilities;

    /// Pure. A spec that passes is honoured in full; whatever cannot be honoured is refused here.
    ///
    /// # Errors
    /// Names the field, the host's limit and the next step.
    fn validate(&self, spec: &SandboxSpec) -> Result<(), SpecError>;

    /// Gives a sandbox with an id of its own, in which nothing ran.
    ///
    /// # Errors
    /// The spec does not pass `validate`, or the platform failed; nothing is left behind.
    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, CreateError>;

    /// Starts a sandbox from a saved state under a fresh identity.
    ///
    /// # Errors
    /// `Unsupported` unless the capabilities declare it.
    async fn restore(&self, _snapshot: &str, _id: SandboxId) -> Result<Box<dyn Sandbox>, CreateError> {
        Err(CreateError::Unsupported(Verb::Restore))
    }

    /// Starts siblings from one saved state, all or none.
    ///
    /// # Errors
    /// `Unsupported` unless the capabilities declare it.
    async fn branch(&self, _snapshot: &str, _ids: &[SandboxId]) -> Result<Vec<Box<dyn Sandbox>>, CreateError> {
        Err(CreateError::Unsupported(Verb::Branch))
    }

    /// What it makes before anybody asks, and why: of the specs that were asked for last, a bounded number. An executor
    /// that makes nothing ahead has nothing to show.
    fn spares(&self) -> Vec<SpareStats> {
        Vec::new()
    }

    /// Deals with what an earlier run on this host left behind. Idempotent; returns how many
    /// sandboxes were removed.
    ///
    /// # Errors
    /// The platform failed.
    async fn recover(&self) -> Result<u32, RecoverError>;
}
