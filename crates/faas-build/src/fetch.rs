//! One run of a package tool in a sandbox without network.

use crate::dependency::Dependencies;
use crate::error::BuildError;
use crate::frame::{Frames, FromBridge};
use crate::limits::{Limits, TooLarge};
use crate::log::Log;
use crate::relay::Relay;
use crate::tool;
use faas_executor_api::{CallError, Command, DestroyReason, Event, ExecSession, Executor, Sandbox, SandboxSpec};
use faas_types::{
    ByteSize, CpuAmount, IsolationLevel, OnOutputLimit, Outcome, OutputLimits, Resources, SandboxId, TenantId,
};
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// What a tool needs to hold the pages of an index and the packages of a build.
const RESOURCES: Resources =
    Resources { cpu: CpuAmount::from_milli(1000), memory: ByteSize::mib(1024), disk: ByteSize::mib(512), pids: 128 };
/// The most bytes of the document and the most files a tool leaves.
const MAX_DOCUMENT: usize = 32 << 20;
const MAX_FILES: usize = 10_000;

/// What a tool left.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) files: Vec<(String, [u8; 32])>,
    pub(crate) document: Vec<u8>,
}

/// Who runs a tool, and for whom.
pub(crate) struct Fetch<'a> {
    pub(crate) executor: &'a dyn Executor,
    pub(crate) tenant: TenantId,
    pub(crate) dependencies: &'a Dependencies,
    pub(crate) relay: &'a Arc<Relay>,
    pub(crate) log: &'a Log,
    pub(crate) limits: &'a Limits,
    pub(crate) deadline: Instant,
}

impl Fetch<'_> {
    /// Runs the tool to its end. Dropping it ends the sandbox.
    pub(crate) async fn run(&self) -> Result<Left, BuildError> {
        let isolation = if self.executor.capabilities().report.missing.is_empty() {
            IsolationLevel::Strict
        } else {
            IsolationLevel::Standard
        };
        let spec = SandboxSpec { tenant: self.tenant, language: None, resources: RESOURCES, isolation, packages: None };
        let mut sandbox = self.executor.create(SandboxId::generate(), spec).await?;
        let left = self.within(sandbox.as_mut()).await;
        sandbox.destroy(DestroyReason::Finished).await;
        left
    }

    async fn within(&self, sandbox: &mut dyn Sandbox) -> Result<Left, BuildError> {
        let command = Command {
            argv: tool::command(),
            env: Vec::new(),
            files: tool::files(self.dependencies, self.relay.index()),
            deadline: self.deadline,
            output: OutputLimits { bytes: ByteSize::mib(128), on_limit: OnOutputLimit::Kill },
        };
        let session = sandbox.exec(command).await.map_err(|error| match error {
            CallError::NotFound { .. } => BuildError::ToolMissing { tool: "python3", package: "python3" },
            other => self.failed(other.to_string()),
        })?;
        self.converse(session).await
    }

    async fn converse(&self, mut session: ExecSession) -> Result<Left, BuildError> {
        let mut frames = Frames::default();
        let mut left = Left::default();
        let mut status = None;
        // Dropping it ends the requests that are under way.
        let mut requests = JoinSet::new();
        let outcome = loop {
            let event = tokio::select! {
                exceeded = self.relay.exceeded() => return Err(exceeded.into()),
                event = session.events.next() => event,
            };
            match event {
                None => break Outcome::SandboxLost,
                Some(Event::Done(done)) => break done.outcome,
                Some(Event::Stderr(bytes)) => {
                    String::from_utf8_lossy(&bytes).lines().for_each(|line| self.log.say(line));
                }
                Some(Event::Stdout(bytes)) => frames.push(&bytes),
                Some(
                    Event::Loaded | Event::ResponseHead(_) | Event::Body(_) | Event::ResponseEnd | Event::Failed(_),
                ) => {}
            }
            while let Some(frame) = frames.next().map_err(|nonsense| self.failed(nonsense.to_string()))? {
                match frame {
                    FromBridge::Get { number, accept, path } => {
                        requests.spawn(Arc::clone(self.relay).answer(number, accept, path, session.input.clone()));
                    }
                    FromBridge::Line(line) => self.log.say(&line),
                    FromBridge::File { name, sha256 } => left.files.push((name, sha256)),
                    FromBridge::Piece(piece) => left.document.extend_from_slice(&piece),
                    FromBridge::Done(ended) => status = Some(ended),
                    FromBridge::Missing => return Err(tool::missing(self.dependencies.language())),
                }
                if left.files.len() > MAX_FILES || left.document.len() > MAX_DOCUMENT {
                    return Err(TooLarge::new("what the tool resolved", format!("{MAX_FILES} packages")).into());
                }
                while requests.try_join_next().is_some() {}
            }
        };
        self.judge(&outcome, status)?;
        Ok(left)
    }

    fn judge(&self, outcome: &Outcome, status: Option<u32>) -> Result<(), BuildError> {
        match (outcome, status) {
            (Outcome::Exited { code: 0 }, Some(0)) => Ok(()),
            (Outcome::Exited { .. }, Some(_)) => Err(tool::explain(self.dependencies.language(), self.log)),
            (Outcome::TimedOut, _) => Err(BuildError::TimedOut { after: self.limits.time, log: self.log.text() }),
            (Outcome::OutOfMemory, _) => Err(TooLarge::new("what the tool holds in memory", RESOURCES.memory).into()),
            (other, _) => Err(self.failed(format!("the tool's sandbox ended: {other:?}"))),
        }
    }

    fn failed(&self, reason: String) -> BuildError {
        BuildError::Failed { reason, log: self.log.text() }
    }
}
