//! Sandboxes that share their program in an odd way.

use async_trait::async_trait;
use faas_executor_api::{
    CallError, Command, DestroyReason, ExecSession, Health, Interrupter, Invocation, Sandbox, SharedCall, SharedProgram,
};
use faas_types::{IsolationReport, SandboxId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// A sandbox whose program ends before it is shared, or is slow to be asked first.
pub(crate) struct OddSandbox {
    sandbox: Box<dyn Sandbox>,
    asking: Option<watch::Receiver<bool>>,
}

impl OddSandbox {
    pub(crate) fn ended(sandbox: Box<dyn Sandbox>) -> Self {
        Self { sandbox, asking: None }
    }

    pub(crate) fn slow(sandbox: Box<dyn Sandbox>, asking: watch::Receiver<bool>) -> Self {
        Self { sandbox, asking: Some(asking) }
    }
}

#[async_trait]
impl Sandbox for OddSandbox {
    fn id(&self) -> SandboxId {
        self.sandbox.id()
    }

    fn health(&self) -> Health {
        self.sandbox.health()
    }

    fn isolation(&self) -> &Arc<IsolationReport> {
        self.sandbox.isolation()
    }

    async fn invoke(&mut self, call: Invocation) -> Result<ExecSession, CallError> {
        self.sandbox.invoke(call).await
    }

    fn share(&mut self) -> Result<Arc<dyn SharedProgram>, CallError> {
        let ended = || CallError::Unreached { reason: "it ended".to_owned() };
        let asking = self.asking.clone().ok_or_else(ended)?;
        Ok(Arc::new(OddProgram { program: self.sandbox.share()?, asking, is_asked: AtomicBool::new(false) }))
    }

    async fn exec(&mut self, command: Command) -> Result<ExecSession, CallError> {
        self.sandbox.exec(command).await
    }

    async fn recycle(&mut self) -> Result<(), CallError> {
        self.sandbox.recycle().await
    }

    fn interrupter(&self) -> Interrupter {
        self.sandbox.interrupter()
    }

    async fn destroy(self: Box<Self>, reason: DestroyReason) {
        self.sandbox.destroy(reason).await;
    }
}

#[derive(Debug)]
struct OddProgram {
    program: Arc<dyn SharedProgram>,
    asking: watch::Receiver<bool>,
    is_asked: AtomicBool,
}

#[async_trait]
impl SharedProgram for OddProgram {
    async fn ask(&self, call: Invocation) -> Result<SharedCall, CallError> {
        if !self.is_asked.swap(true, Ordering::SeqCst) {
            self.asking.clone().wait_for(|open| *open).await.expect("the gate is there");
        }
        self.program.ask(call).await
    }

    fn health(&self) -> Health {
        self.program.health()
    }
}
