//! The executor: making sandboxes, or having made them.

use crate::link::Link;
use crate::maker::Maker;
use crate::stock::{self, SpareLimits, Stock};
use crate::validate::validate;
use crate::zygotes::{self, ZygoteEnded};
use async_trait::async_trait;
use faas_executor_api::{
    Capabilities, CreateError, Executor, RecoverError, Sandbox, SandboxSpec, SpareStats, SpecError,
};
use faas_protocol::launcher::{Host, Step};
use faas_types::{ByteSize, SandboxId};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// The process executor. Dropping it ends the launcher and every sandbox.
#[derive(Debug)]
pub struct ProcessExecutor {
    child: Mutex<Child>,
    capabilities: Capabilities,
    maker: Arc<Maker>,
    stock: Arc<Stock>,
}

impl ProcessExecutor {
    pub(crate) fn new(link: Arc<Link>, child: Child, capabilities: Capabilities, host: Host) -> Self {
        let maker = Maker { link, host: Arc::new(host), missing: capabilities.report.missing.clone() };
        let stock = Arc::new(Stock::new(SpareLimits { most: 0, memory: ByteSize::from_bytes(0) }));
        Self { child: Mutex::new(child), capabilities, maker: Arc::new(maker), stock }
    }

    /// Has sandboxes ready for the specs that are asked for, as many as their arrivals are worth. Called inside a tokio
    /// runtime, before the first is made.
    #[must_use]
    pub fn with_spares(mut self, limits: SpareLimits) -> Self {
        self.stock = Arc::new(Stock::new(limits));
        if limits.most > 0 {
            tokio::spawn(stock::keep(Arc::clone(&self.stock), Arc::clone(&self.maker)));
        }
        self
    }

    /// Has a zygote ready from which Python's runners are forked. Called inside a tokio runtime.
    #[must_use]
    pub fn with_zygotes(self) -> Self {
        self.maker.link.zygotes.want(&self.maker.host);
        tokio::spawn(zygotes::keep(Arc::clone(&self.maker.link)));
        self
    }

    /// Has zygotes ready, beside the one that all share, that have loaded a tenant's packages: at most so many, from this
    /// directory of all packages. Called inside a tokio runtime, after [`ProcessExecutor::with_zygotes`].
    #[must_use]
    pub fn with_package_zygotes(self, most: u32, packages: PathBuf) -> Self {
        self.maker.link.zygotes.want_packages(most);
        if most > 0 {
            tokio::spawn(zygotes::keep_packages(Arc::clone(&self.maker), packages));
        }
        self
    }

    /// What happens to zygotes, for one listener.
    #[must_use]
    pub fn zygote_events(&self) -> Option<mpsc::Receiver<ZygoteEnded>> {
        self.maker.link.zygotes.events()
    }

    /// The uid a server of real root becomes; 0 for an ordinary user's.
    #[must_use]
    pub fn server_uid(&self) -> u32 {
        self.maker.host.server_uid
    }

    /// Ends every sandbox and the launcher, and returns when they are gone.
    pub async fn shutdown(&self) {
        self.stock.close();
        self.maker.link.close().await;
        // It closed its socket by ending, so this does not wait. That it ended is what is wanted.
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }

    /// Makes a sandbox with this id, failing at a step of the assembly on purpose: how the tests walk through every
    /// failure.
    ///
    /// # Errors
    /// As [`Executor::create`].
    pub async fn create_failing_at(
        &self,
        id: SandboxId,
        spec: SandboxSpec,
        fail_at: Option<Step>,
    ) -> Result<Box<dyn Sandbox>, CreateError> {
        validate(&spec, &self.maker.host)?;
        Ok(Box::new(self.maker.make_with(id, spec, None, fail_at).await?))
    }
}

impl Drop for ProcessExecutor {
    fn drop(&mut self) {
        self.stock.close();
        self.maker.link.hang_up();
    }
}

#[async_trait]
impl Executor for ProcessExecutor {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, spec: &SandboxSpec) -> Result<(), SpecError> {
        validate(spec, &self.maker.host)
    }

    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, CreateError> {
        validate(&spec, &self.maker.host)?;
        let _caller = match self.stock.take(&spec) {
            Ok(spare) => return Ok(Box::new(spare)),
            Err(caller) => caller,
        };
        Ok(Box::new(self.maker.make(spec).await?))
    }

    fn spares(&self) -> Vec<SpareStats> {
        self.stock.stats()
    }

    /// The launcher ended what dead launchers left before it said hello.
    async fn recover(&self) -> Result<u32, RecoverError> {
        Ok(self.maker.host.reconciled)
    }
}

/// The same executor for what is asked for once in a while: it takes none that was made before, and has none made.
#[derive(Debug)]
pub struct WithoutSpares(pub Arc<ProcessExecutor>);

#[async_trait]
impl Executor for WithoutSpares {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn validate(&self, spec: &SandboxSpec) -> Result<(), SpecError> {
        self.0.validate(spec)
    }

    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, CreateError> {
        self.0.create_failing_at(SandboxId::generate(), spec, None).await
    }

    async fn recover(&self) -> Result<u32, RecoverError> {
        self.0.recover().await
    }
}
