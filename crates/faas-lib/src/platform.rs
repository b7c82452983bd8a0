//! The platform in this process: the orchestrator on a concrete executor and store.
//!
//! There is one path for every execution, the orchestrator's; what is here is a view on it.

use crate::bootstrap::{EMBEDDED_HISTORY, EMBEDDED_LOGS};
use crate::{ExecuteError, Execution, ExecutionRequest, PlatformError};
use faas_build::Builder;
use faas_executor_api::{Capabilities, Executor};
use faas_executor_process::ProcessExecutor;
use faas_orchestrator::{
    Logs, OnDisconnect, Orchestrator, Parts, Respond, Settings, Stdin, Submission, Submitted, Wait, WarmSettings,
    Watched,
};
use faas_store_api::{MemoryStore, Store};
use faas_types::{ExecutionState, NodeId, TenantId};
use std::sync::Arc;
use std::time::Duration;

/// Executions at once and waiting, where the executor's own bound is not known.
const ANY_NUMBER: u32 = 10_000;

/// The platform in this process.
pub struct Platform {
    orchestrator: Orchestrator,
    /// The executor where it owns a process that is to be ended.
    process: Option<Arc<ProcessExecutor>>,
}

impl Platform {
    /// A platform on any executor, which forgets everything with the process. Called inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// The executor cannot deal with what an earlier process left.
    pub async fn from_executor(executor: Arc<dyn Executor>) -> Result<Self, PlatformError> {
        let settings = Settings {
            node: NodeId::generate(),
            concurrency: ANY_NUMBER,
            queue: ANY_NUMBER,
            warm: WarmSettings::default(),
            cold_start_timeout: Settings::COLD_START_TIMEOUT,
            retention: EMBEDDED_HISTORY,
            log_retention_bytes: EMBEDDED_LOGS.as_bytes(),
        };
        let store = Arc::new(MemoryStore::new(EMBEDDED_HISTORY));
        Self::new(executor, store, None, Logs::memory(), settings).await
    }

    /// A platform on any executor and any store; without a builder functions have no dependencies. Called inside a tokio runtime.
    ///
    /// # Errors
    /// The executor or the store cannot deal with what an earlier process left.
    pub async fn new(
        executor: Arc<dyn Executor>,
        store: Arc<dyn Store>,
        builder: Option<Arc<Builder>>,
        logs: Logs,
        settings: Settings,
    ) -> Result<Self, PlatformError> {
        let orchestrator = Orchestrator::start(Parts { executor, store, builder, logs, settings }).await?;
        Ok(Self { orchestrator, process: None })
    }

    pub(crate) async fn on_process_executor(
        process: Arc<ProcessExecutor>,
        store: Arc<dyn Store>,
        builder: Option<Arc<Builder>>,
        logs: Logs,
        settings: Settings,
    ) -> Result<Self, PlatformError> {
        let executor: Arc<dyn Executor> = process.clone();
        let platform = Self::new(executor, store, builder, logs, settings).await?;
        if let Some(ends) = process.zygote_events() {
            platform.orchestrator.note_zygotes(ends);
        }
        Ok(Self { process: Some(process), ..platform })
    }

    /// What runs the executions; what a gateway serves.
    #[must_use]
    pub const fn orchestrator(&self) -> &Orchestrator {
        &self.orchestrator
    }

    /// What its executor offers on this host.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        self.orchestrator.capabilities()
    }

    /// Starts an execution of the local tenant; returns once its program was started.
    ///
    /// Dropping the future cancels what it began.
    ///
    /// # Errors
    /// The request is refused or the platform failed; nothing ran and nothing is left.
    pub async fn start(&self, request: ExecutionRequest) -> Result<Execution, ExecuteError> {
        let submission = Submission {
            tenant: TenantId::LOCAL,
            request,
            wait: Wait::Attached,
            stdin: Stdin::Open,
            idempotency: None,
            on_disconnect: OnDisconnect::Cancel,
            respond: Respond::Record,
        };
        let Submitted::Attached(attached) = self.orchestrator.submit(submission).await? else {
            return Err(ExecuteError::Stopping);
        };
        let (mut watch, Some(input)) = (attached.watch, attached.input) else { return Err(ExecuteError::Stopping) };
        let first = watch.next().await;
        if let Some(why) = watch.not_started()
            && let Some(code) = why.code()
        {
            return Err(ExecuteError::NotStarted { why, code });
        }
        match first {
            None => Err(ExecuteError::Stopping),
            // Nobody but a stopping platform knows of it yet.
            Some(Watched::Complete { record, .. }) if record.status == ExecutionState::Cancelled => {
                Err(ExecuteError::Stopping)
            }
            Some(read) => Ok(Execution { id: attached.id, input, watch, read: Some(read) }),
        }
    }

    /// Lets what runs come to its end within `patience`, cancels the rest, and returns when nothing of
    /// any execution is left. What waits in the store stays there. Idempotent.
    pub async fn drain(&self, patience: Duration) {
        self.orchestrator.drain(patience).await;
        self.orchestrator.close().await;
        if let Some(process) = &self.process {
            process.shutdown().await;
        }
    }

    /// Cancels every execution and returns when nothing of any is left. Idempotent.
    pub async fn shutdown(&self) {
        self.drain(Duration::ZERO).await;
    }
}
