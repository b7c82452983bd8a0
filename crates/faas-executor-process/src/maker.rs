//! Making a sandbox: asking the launcher, and waiting until init is there.
//!
//! Called by the executor for whoever asks, and by its stock.

use crate::capabilities::report;
use crate::link::{AskError, Forked, Link, State};
use crate::packets::Packets;
use crate::sandbox::{INIT_FRAME, ProcessSandbox};
use crate::zygotes::is_of_packages;
use faas_executor_api::{CreateError, DestroyReason, Sandbox as _, SandboxSpec, SpecError};
use faas_protocol::control::{FromInit, ToInit};
use faas_protocol::launcher::{Create, Host, Step};
use faas_sandbox_linux::packet;
use faas_types::{IsolationLevel, PackagesId, SandboxId};
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long an assembly may take. It takes milliseconds; this is for a host that hardly runs at all.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a runner may take to say Hello that has loaded packages, before it is taken for broken. It takes a
/// millisecond.
const GREETING: Duration = Duration::from_secs(2);

/// What makes sandboxes.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) link: Arc<Link>,
    pub(crate) host: Arc<Host>,
    /// The layers and limits that this host does not give.
    pub(crate) missing: Vec<String>,
}

impl Maker {
    /// Makes one of a spec that passes validation, with its language's runner in it where a zygote can be forked.
    ///
    /// # Errors
    /// As [`Maker::make_with`].
    pub(crate) async fn make(&self, spec: SandboxSpec) -> Result<ProcessSandbox, CreateError> {
        let zygote = self.link.zygotes.serving_for(&spec);
        self.make_with(SandboxId::generate(), spec, zygote, None).await
    }

    /// Makes one of a spec that passes validation, in which the runner can become a zygote itself.
    ///
    /// # Errors
    /// As [`Maker::make_with`].
    pub(crate) async fn make_stem(
        &self,
        id: SandboxId,
        spec: SandboxSpec,
        zygote: u32,
    ) -> Result<ProcessSandbox, CreateError> {
        let request = Create { stem: true, ..request(id, &spec, Some(zygote), None) };
        self.assemble(id, spec, request).await
    }

    /// Makes one of a spec that passes validation, with a runner forked from a zygote, where one is given; failing at a
    /// step of the assembly, where one is given.
    ///
    /// # Errors
    /// The step that failed, or that the launcher is gone. Nothing is left behind.
    pub(crate) async fn make_with(
        &self,
        id: SandboxId,
        spec: SandboxSpec,
        zygote: Option<u32>,
        fail_at: Option<Step>,
    ) -> Result<ProcessSandbox, CreateError> {
        let request = request(id, &spec, zygote, fail_at);
        self.assemble(id, spec, request).await
    }

    async fn assemble(&self, id: SandboxId, spec: SandboxSpec, request: Create) -> Result<ProcessSandbox, CreateError> {
        let zygote = request.zygote;
        let (ours, theirs) = packet::pair().map_err(|errno| failed("socket", errno.raw_os_error()))?;
        let control = Packets::new(ours).map_err(|error| failed("socket", error.raw_os_error().unwrap_or(0)))?;
        let hello = ToInit::Hello { version: faas_protocol::VERSION }
            .encode()
            .map_err(|_| failed("hello", Errno::MSGSIZE.raw_os_error()))?;
        let (state, fork) = self.link.create(request, theirs.as_fd()).await.map_err(|error| match error {
            AskError::LauncherLost => CreateError::LauncherLost,
            AskError::Exists => failed(Step::Check.as_str(), Errno::EXIST.raw_os_error()),
        })?;
        drop(theirs);
        let packages = spec.packages;
        let isolation = report(&self.host, spec.isolation);
        let mut sandbox =
            ProcessSandbox::new(id, spec, Arc::clone(&self.host), isolation, Arc::clone(&self.link), control, state);
        // Init reads it once it runs; a sandbox that fails before is heard below.
        let _ = sandbox.control().send(&hello, &[]).await;
        let made = async {
            sandbox.wait_ready().await?;
            match zygote {
                Some(zygote) => sandbox.adopt(zygote, fork).await,
                None => Ok(()),
            }
        };
        let ready = tokio::time::timeout(READY_TIMEOUT, made).await;
        match ready.unwrap_or(Err(Failure::Step { step: Some(Step::Exec), errno: Errno::TIMEDOUT.raw_os_error() })) {
            Ok(()) => Ok(sandbox),
            Err(error) => {
                Box::new(sandbox).destroy(DestroyReason::Unhealthy).await;
                Err(self.explain(error, packages))
            }
        }
    }

    /// Gives a failed step the meaning it has to the caller.
    fn explain(&self, failure: Failure, packages: Option<PackagesId>) -> CreateError {
        match failure {
            Failure::Step { step: Some(Step::Packages), errno }
                if errno == Errno::NOENT.raw_os_error()
                    && let Some(packages) = packages =>
            {
                CreateError::Spec(SpecError::PackagesMissing { packages })
            }
            Failure::Step { step: Some(Step::Check), errno } if errno == Errno::AGAIN.raw_os_error() => {
                CreateError::AtCapacity { limit: self.host.max_sandboxes }
            }
            Failure::Step { step: Some(Step::Check), errno } if errno == Errno::PERM.raw_os_error() => {
                CreateError::Spec(SpecError::Isolation {
                    missing: self.missing.clone(),
                    fix: self.host.missing.first().map(|(_, _, fix)| fix.clone()).unwrap_or_default(),
                })
            }
            Failure::Step { step, errno } => failed(step.map_or("an unknown step", Step::as_str), errno),
            Failure::LauncherLost => CreateError::LauncherLost,
        }
    }
}

/// Why a sandbox did not get ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A step failed.
    Step { step: Option<Step>, errno: i32 },
    /// The launcher is gone.
    LauncherLost,
}

impl Failure {
    /// It ended as soon as it was there.
    const BROKEN: Self = Self::Step { step: Some(Step::Exec), errno: Errno::CONNRESET.raw_os_error() };
}

impl ProcessSandbox {
    /// Takes the runner that the launcher forked into it, where that worked. Otherwise it is as without a zygote.
    async fn adopt(&mut self, zygote: u32, fork: oneshot::Receiver<Option<Forked>>) -> Result<(), Failure> {
        let Ok(forked) = fork.await else { return Err(self.why_gone().await) };
        let Some(forked) = forked else {
            self.link().zygotes.forked(zygote, false);
            return Ok(());
        };
        self.take_runner(forked).await.map_err(|_| Failure::BROKEN)?;
        // What a package left in it is not believed to go on.
        let goes_on = !is_of_packages(zygote) || self.is_greeted(GREETING).await;
        self.link().zygotes.forked(zygote, goes_on);
        if goes_on { Ok(()) } else { self.give_up_runner().await.map_err(|_| Failure::BROKEN) }
    }

    /// It is not there any more: the launcher knows why, or will in a moment.
    async fn why_gone(&self) -> Failure {
        match self.state().wait_for(|state| *state != State::Alive).await.map(|state| *state) {
            Ok(State::Failed { step, errno }) => Failure::Step { step: Some(step), errno },
            Ok(State::Alive | State::Ended(_)) => Failure::BROKEN,
            Ok(State::LauncherLost) | Err(_) => Failure::LauncherLost,
        }
    }

    /// Waits until init runs, or somebody says why it does not.
    async fn wait_ready(&mut self) -> Result<(), Failure> {
        let mut state = self.state();
        let message = tokio::select! {
            biased;
            heard = self.control().read::<INIT_FRAME, _>(|frame| FromInit::decode(frame).ok()) => {
                heard.ok().and_then(|(message, _)| message)
            }
            _ = state.wait_for(|state| *state != State::Alive) => None,
        };
        match message {
            Some(FromInit::Ready { version }) if version == faas_protocol::VERSION => Ok(()),
            Some(FromInit::AssemblyFailed { step, errno }) => Err(Failure::Step { step: Step::from_u8(step), errno }),
            // Init ended without a word.
            _ => Err(self.why_gone().await),
        }
    }
}

fn request(id: SandboxId, spec: &SandboxSpec, zygote: Option<u32>, fail_at: Option<Step>) -> Create {
    Create {
        sandbox: *id.as_bytes(),
        tenant: *spec.tenant.as_bytes(),
        strict: spec.isolation == IsolationLevel::Strict,
        memory_bytes: spec.resources.memory.as_bytes(),
        disk_bytes: spec.resources.disk.as_bytes(),
        inodes: spec.resources.inodes(),
        cpu_milli: spec.resources.cpu.as_milli(),
        pids: spec.resources.pids,
        packages: spec.packages.map(|packages| *packages.as_bytes()),
        zygote,
        stem: false,
        fail_at,
    }
}

fn failed(step: &str, errno: i32) -> CreateError {
    CreateError::Assembly { step: step.to_owned(), cause: Errno::from_raw_os_error(errno).to_string() }
}
