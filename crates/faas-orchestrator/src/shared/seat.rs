//! One instance of the pool from outside: a seat in it, and a place for one.

use super::{Instance, Pool, Stage, Vacated, WARM};
use crate::warm::Served;
use faas_executor_api::{CallError, Sandbox, SharedProgram, Verb};
use faas_types::IsolationReport;
use std::sync::Arc;
use tokio::sync::watch;

/// An instance, from wherever it is dealt with.
#[derive(Clone)]
pub(crate) struct At {
    pub(super) pool: Arc<Pool>,
    pub(super) served: Served,
    pub(super) number: u64,
}

impl At {
    /// Looks at the instance, where it is there.
    fn look<T>(&self, look: impl FnOnce(&Instance, &watch::Sender<()>) -> T) -> Option<T> {
        let state = self.pool.state();
        let version = state.versions.get(&self.served)?;
        let instance = version.instances.iter().find(|instance| instance.number == self.number)?;
        Some(look(instance, &version.changed))
    }

    /// Changes it and tells those who wait.
    fn change<T>(&self, change: impl FnOnce(&mut Instance) -> T) -> Option<T> {
        let mut state = self.pool.state();
        let version = state.versions.get_mut(&self.served)?;
        let instance = version.instances.iter_mut().find(|instance| instance.number == self.number)?;
        let answer = change(instance);
        version.changed.send_replace(());
        Some(answer)
    }

    /// Has the sandbox, which is its maker's, share the program that is loaded.
    ///
    /// # Errors
    /// The sandbox does not share it.
    pub(crate) fn share(&self) -> Result<Arc<dyn SharedProgram>, CallError> {
        let sandbox = self.change(|instance| instance.sandbox.take()).flatten();
        let mut sandbox = sandbox.ok_or(CallError::Unsupported(Verb::Share))?;
        // It takes system calls, for which not every version's calls are to wait: so not under the lock.
        let program = sandbox.share();
        self.change(|instance| instance.sandbox = Some(sandbox));
        program
    }

    /// Calls may enter.
    pub(crate) fn open(&self, program: Arc<dyn SharedProgram>) {
        self.change(|instance| (instance.stage, instance.program) = (Stage::Open, Some(program)));
    }

    /// Nobody enters any more.
    fn close(&self) {
        self.change(|instance| {
            if instance.stage == Stage::Open {
                instance.stage = Stage::Closed;
            }
        });
    }

    /// Leaves the instance, with its sandbox where that is nobody else's any more.
    fn vacate(&self, role: Role) -> Option<Vacated> {
        let left = self.change(|instance| {
            instance.close_if_spent();
            instance.leave(role).map(|condition| (condition, instance.sandbox.take()))
        });
        let (condition, sandbox) = left??;
        let place = Place(self.clone());
        Some(Vacated { sandbox: sandbox?, condition, place: Some(place) })
    }
}

/// How a call came to its seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Joins,
    /// For the program.
    Waits,
    /// The instance is its own until the program is shared.
    Makes,
}

/// Where one call is.
pub(crate) struct Seat {
    at: At,
    role: Role,
    left: bool,
}

impl Seat {
    pub(super) const fn at(at: At, role: Role) -> Self {
        Self { at, role, left: false }
    }

    /// The instance.
    pub(crate) fn instance(&self) -> At {
        self.at.clone()
    }

    /// The sandbox that its maker found or made.
    pub(crate) fn put(&self, kind: &'static str, sandbox: Box<dyn Sandbox>) {
        self.at.change(|instance| (instance.kind, instance.sandbox) = (kind, Some(sandbox)));
    }

    /// What isolation the sandbox has, where there is one.
    pub(crate) fn isolation(&self) -> Option<Arc<IsolationReport>> {
        self.at.look(|instance, _| Some(Arc::clone(instance.sandbox.as_ref()?.isolation()))).flatten()
    }

    /// The program, once it may be asked, and how its sandbox came to be for this call. `None` where it comes to
    /// nothing.
    pub(crate) async fn program(&self) -> Option<(Arc<dyn SharedProgram>, &'static str)> {
        loop {
            let kind = |instance: &Instance| if self.role == Role::Waits { instance.kind } else { WARM };
            let found = self.at.look(|instance, changed| match instance.stage {
                Stage::Open => Ok(instance.program.clone().map(|program| (program, kind(instance)))),
                Stage::Closed | Stage::Apart { .. } => Ok(None),
                Stage::Made => Err(Changes(changed.subscribe())),
            })?;
            match found {
                Ok(program) => return program,
                Err(mut changes) => changes.next().await,
            }
        }
    }

    /// Nobody enters any more.
    pub(crate) fn close(&self) {
        self.at.close();
    }

    /// Gives the sandbox to whoever is the last to leave.
    pub(crate) fn leave(mut self) -> Option<Vacated> {
        self.left = true;
        self.at.vacate(self.role)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.left {
            self.at.close();
            drop(self.at.vacate(self.role));
        }
    }
}

/// A place of a version. Dropping it gives it up.
pub(crate) struct Place(pub(super) At);

impl Place {
    /// Whether calls wait for what is made.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.0.look(|instance, _| instance.seats > 0).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let At { pool, served, number } = &self.0;
        let mut state = pool.state();
        let Some(version) = state.versions.get_mut(served) else { return };
        let gone: Vec<_> = version.instances.extract_if(.., |instance| instance.number == *number).collect();
        version.changed.send_replace(());
        if version.instances.is_empty() {
            state.versions.remove(served);
        }
        // A sandbox is not dropped under the lock.
        drop(state);
        drop(gone);
    }
}

/// What changes when there may be room.
pub(crate) struct Changes(pub(super) watch::Receiver<()>);

impl Changes {
    pub(crate) async fn next(&mut self) {
        // Where nothing is left of the version there is room.
        drop(self.0.changed().await);
    }
}
