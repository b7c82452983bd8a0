//! One run of a package tool in a sandbox without network.

use crate::error::BuildError;
use crate::frame::{Frames, FromBridge};
use crate::interpreter::Interpreter;
use crate::limits::{Limits, TooLarge};
use crate::log::Log;
use crate::relay::Relay;
use crate::tool;
use faas_executor_api::{
    CallError, Command, DestroyReason, Event, ExecSession, Executor, FileIn, Sandbox, SandboxSpec,
};
use faas_types::{
    ByteSize, CpuAmount, IsolationLevel, Language, OnOutputLimit, Outcome, OutputLimits, Resources, TenantId,
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

/// Why a run left nothing.
#[derive(Debug)]
pub(crate) enum RunError {
    /// The tool says no; the log has its words.
    Tool,
    /// Anything else.
    Other(BuildError),
}

impl From<BuildError> for RunError {
    fn from(error: BuildError) -> Self {
        Self::Other(error)
    }
}

impl From<TooLarge> for RunError {
    fn from(exceeded: TooLarge) -> Self {
        Self::Other(exceeded.into())
    }
}

/// Who runs tools, for whom, and how long: the same for every run of a build.
pub(crate) struct Tools<'a> {
    pub(crate) executor: &'a dyn Executor,
    pub(crate) tenant: TenantId,
    pub(crate) language: Language,
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) log: &'a Log,
    pub(crate) limits: &'a Limits,
    pub(crate) deadline: Instant,
}

impl Tools<'_> {
    /// Runs what the files say in a sandbox of its own, to its end. Without a relay nothing in there reaches
    /// anything: only such a run may have code of a package in it. Dropping it ends the sandbox.
    pub(crate) async fn run(&self, files: Vec<FileIn>, relay: Option<&Arc<Relay>>) -> Result<Left, RunError> {
        let isolation = if self.executor.capabilities().report.missing.is_empty() {
            IsolationLevel::Strict
        } else {
            IsolationLevel::Standard
        };
        let spec = SandboxSpec { tenant: self.tenant, language: None, resources: RESOURCES, isolation, packages: None };
        let mut sandbox = self.executor.create(spec).await.map_err(BuildError::from)?;
        let left = self.within(sandbox.as_mut(), files, relay).await;
        sandbox.destroy(DestroyReason::Finished).await;
        left
    }

    async fn within(
        &self,
        sandbox: &mut dyn Sandbox,
        files: Vec<FileIn>,
        relay: Option<&Arc<Relay>>,
    ) -> Result<Left, RunError> {
        let command = Command {
            argv: tool::command(),
            env: Vec::new(),
            files,
            deadline: self.deadline,
            output: OutputLimits { bytes: ByteSize::mib(128), on_limit: OnOutputLimit::Kill },
        };
        let session = sandbox.exec(command).await.map_err(|error| match error {
            CallError::NotFound { .. } => BuildError::ToolMissing { tool: "python3", package: "python3" },
            other => self.failed(other.to_string()),
        })?;
        self.converse(session, relay).await
    }

    async fn converse(&self, mut session: ExecSession, relay: Option<&Arc<Relay>>) -> Result<Left, RunError> {
        let mut frames = Frames::default();
        let mut left = Left::default();
        let mut status = None;
        // Dropping it ends the requests that are under way.
        let mut requests = JoinSet::new();
        let outcome = loop {
            let event = tokio::select! {
                exceeded = too_large(relay) => return Err(exceeded.into()),
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
                        let relay =
                            relay.ok_or_else(|| self.failed("a package asks for the index while it is built"))?;
                        requests.spawn(Arc::clone(relay).answer(number, accept, path, session.input.clone()));
                    }
                    FromBridge::Line(line) => self.log.say(&line),
                    FromBridge::File { name, sha256 } => left.files.push((name, sha256)),
                    FromBridge::Piece(piece) => left.document.extend_from_slice(&piece),
                    FromBridge::Done(ended) => status = Some(ended),
                    FromBridge::Missing => return Err(tool::missing(self.language).into()),
                }
                if left.files.len() > MAX_FILES {
                    return Err(TooLarge::new("what the tool resolved", format!("{MAX_FILES} packages")).into());
                }
                if left.document.len() > MAX_DOCUMENT {
                    return Err(TooLarge::new("what the tool made", "32Mi").into());
                }
                while requests.try_join_next().is_some() {}
            }
        };
        self.judge(&outcome, status)?;
        Ok(left)
    }

    fn judge(&self, outcome: &Outcome, status: Option<u32>) -> Result<(), RunError> {
        match (outcome, status) {
            (Outcome::Exited { code: 0 }, Some(0)) => Ok(()),
            (Outcome::Exited { .. }, Some(_)) => Err(RunError::Tool),
            (Outcome::TimedOut, _) => {
                Err(BuildError::TimedOut { after: self.limits.time, log: self.log.text() }.into())
            }
            (Outcome::OutOfMemory, _) => Err(TooLarge::new("what the tool holds in memory", RESOURCES.memory).into()),
            (other, _) => Err(self.failed(format!("the tool's sandbox ended: {other:?}")).into()),
        }
    }

    /// Why a build failed, with everything that was said.
    pub(crate) fn failed(&self, reason: impl Into<String>) -> BuildError {
        BuildError::Failed { reason: reason.into(), log: self.log.text() }
    }

    /// What it means that the tool says no, where it had to resolve or to fetch.
    pub(crate) fn explained(&self, error: RunError) -> BuildError {
        match error {
            RunError::Tool => tool::explain(self.language, self.log),
            RunError::Other(error) => error,
        }
    }
}

async fn too_large(relay: Option<&Arc<Relay>>) -> TooLarge {
    match relay {
        Some(relay) => relay.exceeded().await,
        None => std::future::pending().await,
    }
}
