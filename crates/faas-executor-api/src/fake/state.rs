//! What a fake sandbox remembers between and during calls, shared by its handles.

use super::disk::Disk;
use super::sharing::Sharing;
use crate::{CallError, Health, Interrupt, Invocation, StayingProgram};
use faas_types::{LimitHit, LimitKind, Outcome, Resources, Usage};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Memory of a program that has allocated nothing.
const PROGRAM_MEMORY: u64 = 1024 * 1024;
/// Processor time of a program that has done nothing, in microseconds.
const PROGRAM_CPU: u64 = 10;

/// Closed while the sandbox is paused: programs wait before everything they do.
#[derive(Debug, Clone)]
pub(super) struct Gate(watch::Receiver<bool>);

impl Gate {
    pub(super) async fn open(&mut self) {
        if self.0.wait_for(|paused| !paused).await.is_err() {
            // The sandbox is gone; its end comes from elsewhere.
            std::future::pending::<()>().await;
        }
    }
}

/// What reaches a running program from outside.
#[derive(Debug, Clone)]
pub(super) struct RunHandle {
    /// Why it is to end; only the first reason is kept.
    pub(super) end: Arc<watch::Sender<Option<Outcome>>>,
    /// Whether the program has ended.
    pub(super) ended: watch::Receiver<bool>,
}

impl RunHandle {
    pub(super) fn interrupt_for(&self, why: Interrupt) {
        self.interrupt(match why {
            Interrupt::Cancel => Outcome::Cancelled,
            Interrupt::Deadline => Outcome::TimedOut,
            Interrupt::OutputLimit => Outcome::LimitExceeded { limit: LimitHit::Output },
        });
    }

    pub(super) fn interrupt(&self, outcome: Outcome) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(outcome);
            first
        });
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) health: Health,
    pub(super) disk: Disk,
    pub(super) run: Option<RunHandle>,
    /// Processes that outlived the call that started them.
    pub(super) daemons: u32,
    /// What the program that was loaded last has in memory.
    pub(super) module: Module,
    pub(super) staying: Option<Staying>,
    /// Who asks the program that stays, while it is shared.
    pub(super) sharing: Option<Sharing>,
    /// How often a program was shared.
    pub(super) sharings: u64,
    pub(super) peak: u64,
}

impl State {
    pub(super) fn health(&self) -> Health {
        if self.staying.is_some() && self.module.ended { Health::Poisoned } else { self.health }
    }

    /// Whether the program may be asked by those with whom it was shared then.
    pub(super) fn shared_health(&self, sharing: u64) -> Health {
        match &self.sharing {
            Some(shared) if shared.number == sharing && shared.ended.is_none() => self.health(),
            _ => Health::Unrecoverable,
        }
    }

    /// Why nothing can be begun now.
    pub(super) fn check_idle(&self) -> Result<(), CallError> {
        if self.run.is_some() || self.sharing.as_ref().is_some_and(|sharing| sharing.under_way() > 0) {
            return Err(CallError::Invalid {
                field: "call",
                reason: "another call is running".to_owned(),
                accepted: "one call at a time; read the running one to its Done first",
            });
        }
        if self.health != Health::Ready {
            return Err(CallError::Lost { reason: "an earlier call ended it".to_owned() });
        }
        Ok(())
    }
}

/// What a program has in memory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Module {
    /// How many requests it was asked.
    pub(super) calls: u32,
    /// Whether something of it goes on after its answers.
    pub(super) goes_on: bool,
    /// Whether it ended after an answer.
    pub(super) ended: bool,
}

/// A program that stays after its call, and the files there were when it was loaded.
#[derive(Debug, Clone)]
pub(super) struct Staying {
    pub(super) program: StayingProgram,
    pub(super) loaded: Disk,
}

/// One sandbox's limits and state.
#[derive(Debug)]
pub(super) struct Shared {
    resources: Resources,
    limits: Vec<LimitKind>,
    state: Mutex<State>,
    paused: watch::Sender<bool>,
    /// How many calls of the program that was loaded last came to meet others.
    arrivals: watch::Sender<u32>,
}

impl Shared {
    pub(super) fn new(resources: Resources, limits: Vec<LimitKind>, disk: Option<Disk>) -> Self {
        let disk = disk.unwrap_or_else(|| empty_disk(resources, &limits));
        let state = State {
            health: Health::Ready,
            disk,
            run: None,
            daemons: 0,
            module: Module::default(),
            staying: None,
            sharing: None,
            sharings: 0,
            peak: 0,
        };
        let (paused, arrivals) = (watch::Sender::new(false), watch::Sender::new(0));
        Self { resources, limits, state: Mutex::new(state), paused, arrivals }
    }

    /// No step between two locks leaves the state half changed, so a panic elsewhere is no reason
    /// to give up.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything earlier calls left, but for a program that stays.
    pub(super) fn recycle(&self) -> Result<(), CallError> {
        let mut state = self.lock();
        match state.check_idle() {
            Err(lost @ CallError::Lost { .. }) => {
                state.health = Health::Unrecoverable;
                return Err(lost);
            }
            checked => checked?,
        }
        state.sharing = None;
        state.daemons = 0;
        state.peak = 0;
        if state.module.ended {
            state.staying = None;
        }
        state.disk = match &state.staying {
            None => empty_disk(self.resources, &self.limits),
            Some(staying) if !state.module.goes_on && state.disk.has_all_of(&staying.loaded) => staying.loaded.clone(),
            Some(_) => {
                state.health = Health::Unrecoverable;
                return Err(CallError::Lost { reason: "an earlier call left something".to_owned() });
            }
        };
        Ok(())
    }

    /// The program that stays, taken for a call of it; `None` when none does.
    pub(super) fn take_staying(&self, call: &Invocation) -> Result<Option<Staying>, CallError> {
        let mut state = self.lock();
        let Some(staying) = &state.staying else { return Ok(None) };
        staying.program.check(call)?;
        if staying.program.at_once() > 1 {
            return Err(CallError::Invalid {
                field: "call",
                reason: "the program that stays answers several calls at once".to_owned(),
                accepted: "calls of that program when it is shared",
            });
        }
        if state.module.ended {
            state.health = Health::Unrecoverable;
            return Err(CallError::Unreached { reason: "the program that stayed has ended".to_owned() });
        }
        Ok(state.staying.take())
    }

    /// Why no command can be run now.
    pub(super) fn check_nobody_stays(&self) -> Result<(), CallError> {
        if self.lock().staying.is_none() {
            return Ok(());
        }
        Err(CallError::Invalid {
            field: "command",
            reason: "a program stays in this sandbox".to_owned(),
            accepted: "calls of that program",
        })
    }

    pub(super) fn health(&self) -> Health {
        self.lock().health()
    }

    pub(super) const fn resources(&self) -> Resources {
        self.resources
    }

    pub(super) fn gate(&self) -> Gate {
        Gate(self.paused.subscribe())
    }

    pub(super) fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    /// Why no call can be taken now.
    pub(super) fn check_idle(&self) -> Result<(), CallError> {
        self.lock().check_idle()
    }

    /// A program is loaded: nothing is in its memory yet.
    pub(super) fn forget_module(&self) {
        self.lock().module = Module::default();
        self.arrivals.send_replace(0);
    }

    /// Waits until so many calls of the program have come here as make whole groups of `size`, this one in them.
    pub(super) async fn meet(&self, size: u32) {
        let mut whole = 0;
        let mut arrivals = self.arrivals.subscribe();
        self.arrivals.send_modify(|arrived| {
            *arrived += 1;
            whole = arrived.next_multiple_of(size.max(1));
        });
        // The sender is this sandbox's.
        drop(arrivals.wait_for(|arrived| *arrived >= whole).await);
    }

    /// Ends everything: no further call is taken. What runs has been told so, and is given.
    pub(super) fn end(&self, outcome: Outcome) -> Vec<RunHandle> {
        let mut state = self.lock();
        state.health = Health::Unrecoverable;
        let runs = state.sharing.iter().flat_map(Sharing::runs).chain(state.run.clone()).collect::<Vec<_>>();
        for run in &runs {
            run.interrupt(outcome);
        }
        runs
    }

    /// Takes memory for a moment; `false` when there is not enough.
    pub(super) fn allocate(&self, bytes: u64) -> bool {
        let mut state = self.lock();
        let used = PROGRAM_MEMORY + state.disk.used() + bytes;
        if self.enforces(LimitKind::Memory) && used > self.resources.memory.as_bytes() {
            state.peak = self.resources.memory.as_bytes();
            return false;
        }
        state.peak = state.peak.max(used);
        true
    }

    /// How many of the processes wanted can live beside init, the program and what runs already.
    pub(super) fn spawnable(&self, wanted: u32) -> u32 {
        let running = 2 + self.lock().daemons;
        if self.enforces(LimitKind::Pids) { wanted.min(self.resources.pids.saturating_sub(running)) } else { wanted }
    }

    /// Closes the run: from here the sandbox takes the next call, or none any more.
    pub(super) fn finish(&self, outcome: Outcome, staying: Option<Staying>) -> Usage {
        let mut state = self.lock();
        state.run = None;
        state.staying = staying;
        if state.health == Health::Ready {
            state.health = Health::after(outcome);
        }
        let peak = std::mem::take(&mut state.peak);
        self.usage(PROGRAM_CPU, peak)
    }

    pub(super) fn usage(&self, cpu_us: u64, peak: u64) -> Usage {
        Usage {
            cpu_us: self.enforces(LimitKind::Cpu).then_some(cpu_us),
            memory_peak_bytes: self.enforces(LimitKind::Memory).then_some(peak),
        }
    }

    fn enforces(&self, limit: LimitKind) -> bool {
        self.limits.contains(&limit)
    }
}

fn empty_disk(resources: Resources, limits: &[LimitKind]) -> Disk {
    if limits.contains(&LimitKind::Disk) {
        Disk::new(resources.disk.as_bytes(), resources.inodes())
    } else {
        Disk::new(u64::MAX, u64::MAX)
    }
}
