//! The fake executor.

use super::disk::Disk;
use super::host::FakeHost;
use super::sandbox::FakeSandbox;
use crate::{Capabilities, CreateError, Executor, RecoverError, Sandbox, SandboxSpec, SpareStats, SpecError, Verb};
use async_trait::async_trait;
use faas_types::SandboxId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A saved state: the files and what kind of sandbox they belong to.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub(super) spec: SandboxSpec,
    pub(super) disk: Disk,
}

/// What all sandboxes of one executor share.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) host: FakeHost,
    pub(super) saved: Mutex<HashMap<String, Saved>>,
}

/// An executor whose sandboxes interpret a tiny language instead of running processes.
#[derive(Debug)]
pub struct FakeExecutor {
    capabilities: Capabilities,
    estate: Arc<Estate>,
    /// Every live sandbox holds a clone.
    places: Arc<()>,
}

impl FakeExecutor {
    /// On this host.
    #[must_use]
    pub fn new(host: FakeHost) -> Self {
        let capabilities = host.capabilities();
        let estate = Arc::new(Estate { host, saved: Mutex::new(HashMap::new()) });
        Self { capabilities, estate, places: Arc::new(()) }
    }

    /// How many sandboxes live now.
    #[must_use]
    pub fn live(&self) -> usize {
        Arc::strong_count(&self.places) - 1
    }

    fn make(&self, id: SandboxId, spec: SandboxSpec, disk: Option<Disk>) -> Result<Box<dyn Sandbox>, CreateError> {
        self.estate.host.validate(&spec)?;
        let limit = self.estate.host.max_sandboxes;
        if self.live() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(CreateError::AtCapacity { limit });
        }
        Ok(Box::new(FakeSandbox::new(id, spec, disk, Arc::clone(&self.estate), Arc::clone(&self.places))))
    }

    fn saved(&self, verb: Verb, snapshot: &str) -> Result<Saved, CreateError> {
        if !self.capabilities.offers(verb) {
            return Err(CreateError::Unsupported(verb));
        }
        let saved = self.estate.saved.lock().unwrap_or_else(PoisonError::into_inner);
        saved.get(snapshot).cloned().ok_or_else(|| CreateError::Assembly {
            step: "open snapshot".to_owned(),
            cause: format!("no snapshot {snapshot:?}"),
        })
    }
}

impl Default for FakeExecutor {
    fn default() -> Self {
        Self::new(FakeHost::default())
    }
}

#[async_trait]
impl Executor for FakeExecutor {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, spec: &SandboxSpec) -> Result<(), SpecError> {
        self.estate.host.validate(spec)
    }

    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, CreateError> {
        self.make(SandboxId::generate(), spec, None)
    }

    async fn restore(&self, snapshot: &str, id: SandboxId) -> Result<Box<dyn Sandbox>, CreateError> {
        let saved = self.saved(Verb::Restore, snapshot)?;
        self.make(id, saved.spec, Some(saved.disk))
    }

    async fn branch(&self, snapshot: &str, ids: &[SandboxId]) -> Result<Vec<Box<dyn Sandbox>>, CreateError> {
        let saved = self.saved(Verb::Branch, snapshot)?;
        ids.iter().map(|id| self.make(*id, saved.spec.clone(), Some(saved.disk.clone()))).collect()
    }

    fn spares(&self) -> Vec<SpareStats> {
        self.estate.host.spares.clone()
    }

    async fn recover(&self) -> Result<u32, RecoverError> {
        // Nothing of a fake outlives its process.
        Ok(0)
    }
}
