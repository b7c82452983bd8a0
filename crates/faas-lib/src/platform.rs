//! The embedded platform: starts executions, and ends with nothing left of them.
//!
//! Every sandbox is owned by one driver task from before it exists until it is destroyed, so a
//! caller that goes away at any point leaves nothing behind.

use crate::driver::{self, Job};
use crate::{ExecuteError, Execution, ExecutionRequest, Timestamp};
use faas_executor_api::{Capabilities, Executor, SandboxSpec};
use faas_executor_process::ProcessExecutor;
use faas_types::{ExecutionId, TenantId};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// The embedded platform.
pub struct Platform {
    executor: Arc<dyn Executor>,
    /// The same executor where it owns a process that is to be ended.
    process: Option<Arc<ProcessExecutor>>,
    drivers: Mutex<JoinSet<()>>,
    stopping: watch::Sender<bool>,
}

impl Platform {
    /// A platform on any executor.
    pub fn from_executor(executor: Arc<dyn Executor>) -> Self {
        Self { executor, process: None, drivers: Mutex::new(JoinSet::new()), stopping: watch::Sender::new(false) }
    }

    pub(crate) fn from_process_executor(process: Arc<ProcessExecutor>) -> Self {
        Self { process: Some(Arc::clone(&process)), ..Self::from_executor(process) }
    }

    /// What its executor offers on this host.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        self.executor.capabilities()
    }

    /// Starts an execution in a fresh sandbox; returns once its program was started.
    ///
    /// Dropping the future cancels what it began.
    ///
    /// # Errors
    /// The request is refused or the platform failed; nothing ran and nothing is left.
    pub async fn start(&self, request: ExecutionRequest) -> Result<Execution, ExecuteError> {
        let created_at = Timestamp::now();
        let created = Instant::now();
        request.check()?;
        let spec = SandboxSpec {
            tenant: TenantId::LOCAL,
            language: request.language(),
            resources: request.resources,
            isolation: request.isolation,
        };
        self.executor.validate(&spec)?;

        let id = ExecutionId::generate();
        let (started, answer) = oneshot::channel();
        let job = Job {
            id,
            executor: Arc::clone(&self.executor),
            spec,
            request,
            created_at,
            created,
            stopping: self.stopping.subscribe(),
        };
        {
            let mut drivers = self.drivers.lock().unwrap_or_else(PoisonError::into_inner);
            if *self.stopping.borrow() {
                return Err(ExecuteError::Stopping);
            }
            while drivers.try_join_next().is_some() {}
            drivers.spawn(driver::drive(job, started));
        }
        // A driver that ends without an answer was stopped.
        answer.await.unwrap_or(Err(ExecuteError::Stopping))
    }

    /// Cancels every execution and returns when nothing of any is left. Idempotent.
    pub async fn shutdown(&self) {
        self.stopping.send_replace(true);
        let mut drivers = std::mem::take(&mut *self.drivers.lock().unwrap_or_else(PoisonError::into_inner));
        while drivers.join_next().await.is_some() {}
        if let Some(process) = &self.process {
            process.shutdown().await;
        }
    }
}
