//! The fake sandbox.

use super::disk::Disk;
use super::executor::{Estate, Saved};
use super::program::Process;
use super::run;
use super::shared::FakeProgram;
use super::state::{Shared, Staying};
use crate::{
    CallError, Command, DestroyReason, ExecSession, FileIn, Health, Interrupter, Invocation, Sandbox, SandboxSpec,
    SharedProgram, Stay, StayingProgram, Verb, check_command, check_invocation,
};
use async_trait::async_trait;
use faas_types::{IsolationReport, Outcome, SandboxId};
use std::sync::{Arc, PoisonError};

#[derive(Debug)]
pub(super) struct FakeSandbox {
    id: SandboxId,
    spec: SandboxSpec,
    isolation: Arc<IsolationReport>,
    shared: Arc<Shared>,
    estate: Arc<Estate>,
    _place: Arc<()>,
}

impl FakeSandbox {
    pub(super) fn new(
        id: SandboxId,
        spec: SandboxSpec,
        disk: Option<Disk>,
        estate: Arc<Estate>,
        place: Arc<()>,
    ) -> Self {
        let isolation = Arc::new(estate.host.report(spec.isolation));
        let shared = Arc::new(Shared::new(spec.resources, estate.host.limits.clone(), disk));
        Self { id, spec, isolation, shared, estate, _place: place }
    }

    fn check_offered(&self, verb: Verb) -> Result<(), CallError> {
        if self.estate.host.verbs.contains(&verb) { Ok(()) } else { Err(CallError::Unsupported(verb)) }
    }

    fn place(&self, files: &[FileIn]) -> Result<(), CallError> {
        let mut state = self.shared.lock();
        for file in files {
            if state.disk.place(file).is_err() {
                let disk = self.shared.resources().disk;
                let reason = format!("it does not fit into the writable area of {disk}; raise disk or pass less");
                return Err(CallError::File { path: file.path.clone(), reason });
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Sandbox for FakeSandbox {
    fn id(&self) -> SandboxId {
        self.id
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn isolation(&self) -> &Arc<IsolationReport> {
        &self.isolation
    }

    async fn invoke(&mut self, call: Invocation) -> Result<ExecSession, CallError> {
        self.check_offered(Verb::Invoke)?;
        if call.stay != Stay::No {
            self.check_offered(Verb::Stay)?;
        }
        if call.at_once > 1 {
            self.check_offered(Verb::Share)?;
        }
        self.shared.check_idle()?;
        check_invocation(&call)?;
        if self.spec.language.is_none() {
            return Err(CallError::Invalid {
                field: "language",
                reason: "the sandbox was made for plain commands".to_owned(),
                accepted: "a sandbox made for a language",
            });
        }
        let (staying, process) = match self.shared.take_staying(&call)? {
            Some(staying) => (staying, Process::of_loaded(call.clone())),
            None => {
                self.place(&call.files)?;
                self.shared.forget_module();
                let loaded = self.shared.lock().disk.clone();
                (Staying { program: StayingProgram::of(&call), loaded }, Process::of_code(call.clone()))
            }
        };
        let staying = (call.stay != Stay::No).then_some(staying);
        Ok(run::start(&self.shared, process, call.deadline, call.output, staying))
    }

    fn share(&mut self) -> Result<Arc<dyn SharedProgram>, CallError> {
        self.check_offered(Verb::Share)?;
        let number = self.shared.share()?;
        Ok(Arc::new(FakeProgram::new(Arc::clone(&self.shared), number)))
    }

    async fn exec(&mut self, command: Command) -> Result<ExecSession, CallError> {
        self.check_offered(Verb::Exec)?;
        self.shared.check_idle()?;
        self.shared.check_nobody_stays()?;
        check_command(&command)?;
        self.place(&command.files)?;
        let process = Process::find(&command.argv, command.env, &self.shared.lock().disk)?;
        Ok(run::start(&self.shared, process, command.deadline, command.output, None))
    }

    async fn recycle(&mut self) -> Result<(), CallError> {
        self.check_offered(Verb::Recycle)?;
        self.shared.recycle()
    }

    async fn pause(&mut self) -> Result<(), CallError> {
        self.check_offered(Verb::Pause)?;
        self.shared.pause(true);
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), CallError> {
        self.check_offered(Verb::Resume)?;
        self.shared.pause(false);
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<String, CallError> {
        self.check_offered(Verb::Checkpoint)?;
        self.shared.check_idle()?;
        let saved = Saved { spec: self.spec.clone(), disk: self.shared.lock().disk.clone() };
        let mut all = self.estate.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("fake-{}", all.len());
        all.insert(name.clone(), saved);
        Ok(name)
    }

    fn interrupter(&self) -> Interrupter {
        let shared = Arc::downgrade(&self.shared);
        Interrupter::new(move |why| {
            let run = shared.upgrade().and_then(|shared| shared.lock().run.clone());
            if let Some(run) = run {
                run.interrupt_for(why);
            }
        })
    }

    async fn destroy(self: Box<Self>, _reason: DestroyReason) {
        for mut run in self.shared.end(Outcome::Cancelled) {
            // A run task that is gone has ended too.
            drop(run.ended.wait_for(|ended| *ended).await);
        }
    }
}

impl Drop for FakeSandbox {
    fn drop(&mut self) {
        self.shared.end(Outcome::SandboxLost);
    }
}
