//! A runner that was started before anybody asked, and waits for its call.
//!
//! ```text
//! started, said Hello ── asked for a program of its language ──▶ files are put, Settle ──▶ Begin with the environment
//!                     └─ asked for anything else ─────────────▶ killed; what was asked for is started
//! ```
//! Invariants: it has run nothing but our own runner; it is given one call, at most; the processor time it took until
//! it waited is nobody's usage. Its memory is part of the call's, as that of a runner always is. Made by the executor's
//! stock, which bounds how long that may take; taken by the sandbox's first call. None waits where the memory of
//! what it loads ahead would be a good part of what the program may have.

use super::plan::{CallPlan, runner_command};
use super::start::{Program, refused, send, spawn};
use crate::link::Forked;
use crate::packets::peek;
use crate::sandbox::{ProcessSandbox, Shared, lost};
use faas_executor_api::{CallError, SandboxSpec};
use faas_protocol::call::ToRunner;
use faas_protocol::control::{FromInit, ToInit};
use faas_protocol::launcher::Host;
use faas_types::{ByteSize, Language};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// The least memory with which a runner waits: it takes 10 MiB for modules that the program may not need.
const LEAST_MEMORY: ByteSize = ByteSize::mib(64);

/// How long init may take to say that a program ended that has ended.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct Waiting {
    argv: Vec<String>,
    /// By which init knows it.
    started_by: u32,
    program: Program,
}

impl Waiting {
    /// Starts the runner of the spec's language in a sandbox in which nothing runs; `None` where programs are started
    /// by what they are asked.
    pub(crate) async fn start(shared: &Shared, spec: &SandboxSpec, host: &Host) -> Result<Option<Self>, CallError> {
        let Some(language) = spec.language else { return Ok(None) };
        if language == Language::Python && spec.resources.memory < LEAST_MEMORY {
            return Ok(None);
        }
        let Some(argv) = runner_command(language, host) else { return Ok(None) };
        let started_by = shared.next_call();
        let plan = CallPlan::of_runner(argv);
        let program = spawn(shared, started_by, &plan).await?;
        Ok(Some(Self { argv: plan.argv, started_by, program }))
    }

    /// Takes one that was forked into the sandbox, and has init know it.
    pub(crate) async fn adopt(
        shared: &Shared,
        language: Language,
        host: &Host,
        forked: Forked,
    ) -> Result<Option<Self>, CallError> {
        let Some(argv) = runner_command(language, host) else { return Ok(None) };
        let call = shared.next_call();
        tell(shared, &ToInit::Adopt { call, pid: forked.pid }).await?;
        let program = Program::new(forked.descriptors, true).map_err(|error| lost(&error.to_string()))?;
        Ok(Some(Self { argv, started_by: call, program }))
    }

    /// Returns when it says something, which is its Hello, or has ended; whether it is the former.
    pub(crate) async fn greeting(&self) -> bool {
        let Some(socket) = &self.program.call_socket else { return false };
        socket.readable().await.is_ok() && peek(socket).is_ok_and(|length| length > 0)
    }

    /// Returns when it waits, however long that takes; from then on what it uses is its call's. What it said stays to
    /// be read by whoever has it run something.
    pub(crate) async fn settle(&self, shared: &Shared) -> Result<(), CallError> {
        if !self.greeting().await {
            return Err(lost("its runner ended before it waited for a call"));
        }
        shared.remember(shared.link.usage(shared.id).await.ok_or_else(|| lost("it ended"))?);
        Ok(())
    }

    /// Whether it still waits, as far as can be told without asking it: init says nothing of it, and neither does it
    /// but its Hello.
    pub(crate) fn is_well(&self, shared: &Shared) -> bool {
        shared.control.is_silent()
            && self.program.stdout.waiting() + self.program.stderr.waiting() == 0
            && self.program.call_socket.as_ref().is_some_and(is_open)
    }

    /// Tells it to load packages in place of a call.
    pub(crate) async fn prepare_packages(mut self, distributions: Vec<String>) -> Result<Preparing, CallError> {
        let frame = ToRunner::Prepare { distributions }.encode().map_err(|error| lost(&error.to_string()))?;
        let socket = self.program.call_socket.as_mut().ok_or_else(|| lost("init sent no call socket"))?;
        socket.write_all(&frame).await.map_err(|error| lost(&error.to_string()))?;
        Ok(Preparing(self))
    }

    /// Whether it can run what a call asks for.
    pub(super) fn suits(&self, plan: &CallPlan) -> bool {
        plan.can_be_given_to(&self.argv)
    }

    /// Has files of the call placed, where there are any; whether it still waits then.
    pub(super) async fn prepare(&self, shared: &Shared, plan: &CallPlan) -> Result<bool, CallError> {
        if plan.files.is_empty() {
            return Ok(true);
        }
        plan.place(shared).await?;
        tell(shared, &ToInit::Settle).await?;
        let (mut problem, mut waits) = (None, true);
        loop {
            match shared.hear().await?.0 {
                Some(FromInit::FileFailed { path, errno }) => drop(problem.get_or_insert(refused(plan, &path, errno))),
                Some(FromInit::Settled { failed: false }) => return Ok(waits),
                Some(FromInit::Settled { failed: true }) if waits => {
                    return Err(problem.unwrap_or_else(|| lost("init did not say which file failed")));
                }
                // It is not put back, and nobody is left who could take the call.
                Some(FromInit::Settled { failed: true }) => return Err(lost("its runner ended while it waited")),
                Some(FromInit::Exited { call, .. }) if call == self.started_by => waits = false,
                _ => return Err(lost("init broke the protocol")),
            }
        }
    }

    /// It runs what it was started for.
    pub(super) fn into_program(self) -> (u32, Program) {
        (self.started_by, self.program)
    }

    /// Ends it, so that something else can be started.
    pub(crate) async fn end(self, shared: &Shared) -> Result<(), CallError> {
        let signal = u8::try_from(Signal::KILL.as_raw()).unwrap_or_default();
        tell(shared, &ToInit::Signal { signal }).await?;
        match shared.hear().await?.0 {
            Some(FromInit::Exited { call, .. }) if call == self.started_by => Ok(()),
            _ => Err(lost("init broke the protocol")),
        }
    }
}

/// A runner that loads packages, and takes no call.
#[derive(Debug)]
pub(crate) struct Preparing(Waiting);

impl Preparing {
    /// Whether anything was written to its streams.
    pub(crate) fn has_printed(&self) -> bool {
        self.0.program.stdout.waiting() + self.0.program.stderr.waiting() > 0
    }

    /// What it ended with, where init says so.
    pub(crate) async fn exit_code(&self, sandbox: &ProcessSandbox) -> Option<u8> {
        match tokio::time::timeout(END_TIMEOUT, sandbox.hear()).await.ok()?? {
            FromInit::Exited { call, code, signal: 0 } if call == self.0.started_by => Some(code),
            _ => None,
        }
    }
}

async fn tell(shared: &Shared, message: &ToInit) -> Result<(), CallError> {
    send(shared, &message.encode().map_err(|error| lost(&error.to_string()))?).await
}

/// Whether nobody has closed the other end.
fn is_open(socket: &tokio::net::UnixStream) -> bool {
    let mut ready = [PollFd::new(socket, PollFlags::RDHUP)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut ready, Some(&now)) == Ok(0)
}
