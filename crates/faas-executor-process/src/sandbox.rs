//! One sandbox: its sockets, its health, its calls.

use crate::call::{self, CallPlan, Idle, Preparing, Resident, Waiting};
use crate::link::{Forked, Link, State};
use crate::packets::Packets;
use crate::recycle::recycle;
use crate::share::{Caller, Hub};
use async_trait::async_trait;
use faas_executor_api::{
    CallError, Command, DestroyReason, ExecSession, Health, Interrupt, Interrupter, Invocation, Origin, Sandbox,
    SandboxSpec, SharedProgram, check_command, check_invocation,
};
use faas_protocol::control::FromInit;
use faas_protocol::launcher::{Counters, Host};
use faas_sandbox_linux::cgroup::Meters;
use faas_types::{ByteSize, IsolationReport, SandboxId};
use rustix::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Room for the longest frame init sends: a file's path of 4096 bytes and its head. A longer one is a
/// breach of the protocol.
pub(crate) const INIT_FRAME: usize = 4096 + 256;

/// How long it may take until a shared program has read what it was told.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a call runs, and how it is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Running {
    /// No call; the sandbox takes one.
    Idle,
    /// A call runs.
    Call,
    /// A call runs and has to end.
    Ending(Interrupt),
    /// Its program is shared: [`Shared::hub`] knows its calls.
    Shared,
    /// The last call left the sandbox in a state that takes no further call.
    Spent,
}

/// What a sandbox and its running call share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: [u8; 16],
    pub(crate) link: Arc<Link>,
    pub(crate) control: Packets,
    pub(crate) running: watch::Sender<Running>,
    counters: Mutex<Counters>,
    /// The runner that waits for the first call.
    waiting: Mutex<Option<Waiting>>,
    /// The program that stays while no call runs.
    resident: Mutex<Option<Resident>>,
    /// The program that is shared.
    hub: Mutex<Option<Arc<Hub>>>,
    /// How many calls there were.
    calls: AtomicU32,
    /// Its limit.
    pub(crate) memory_bytes: u64,
    /// Where its usage is read, once a program has stayed in it.
    pub(crate) meters: OnceLock<Meters>,
}

impl Shared {
    /// The kernel's counters when the last call ended; all zero before the first one.
    pub(crate) fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the counters for the next call.
    pub(crate) fn remember(&self, counters: Counters) {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner) = counters;
    }

    /// Keeps a program for the next call.
    pub(crate) fn keep(&self, resident: Resident) {
        *self.resident() = Some(resident);
    }

    /// The program that stays, or none.
    pub(crate) fn resident(&self) -> MutexGuard<'_, Option<Resident>> {
        self.resident.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runner that waits for the first call, or none.
    pub(crate) fn waiting(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The program that is shared, or none.
    pub(crate) fn hub(&self) -> MutexGuard<'_, Option<Arc<Hub>>> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next call.
    pub(crate) fn next_call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// The next message of init, `None` for one that cannot be read, and the descriptors that came with it.
    pub(crate) async fn hear(&self) -> Result<(Option<FromInit>, Vec<OwnedFd>), CallError> {
        let heard = self.control.read::<INIT_FRAME, _>(|frame| FromInit::decode(frame).ok()).await;
        heard.map_err(|errno| lost(&errno.to_string()))
    }

    /// What ends a running call from outside.
    pub(crate) fn interrupter(self: &Arc<Self>) -> Interrupter {
        let shared = Arc::clone(self);
        Interrupter::new(move |why| {
            shared.running.send_if_modified(|running| {
                let first = *running == Running::Call;
                if first {
                    *running = Running::Ending(why);
                }
                first
            });
        })
    }
}

/// Something of several steps that is under way in a sandbox. Given up half-way, it ends the sandbox:
/// nobody knows what runs in it.
#[derive(Debug)]
pub(crate) struct Unfinished<'a> {
    shared: Option<&'a Shared>,
}

impl<'a> Unfinished<'a> {
    pub(crate) const fn new(shared: &'a Shared) -> Self {
        Self { shared: Some(shared) }
    }

    /// It came to its end.
    pub(crate) fn finished(mut self) {
        self.shared = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared {
            shared.running.send_replace(Running::Spent);
            shared.link.kill_now(shared.id);
        }
    }
}

/// A sandbox of the process executor.
#[derive(Debug)]
pub(crate) struct ProcessSandbox {
    id: SandboxId,
    spec: SandboxSpec,
    host: Arc<Host>,
    isolation: Arc<IsolationReport>,
    shared: Arc<Shared>,
    state: watch::Receiver<State>,
    origin: Origin,
    destroyed: bool,
}

impl ProcessSandbox {
    pub(crate) fn new(
        id: SandboxId,
        spec: SandboxSpec,
        host: Arc<Host>,
        isolation: IsolationReport,
        link: Arc<Link>,
        control: Packets,
        state: watch::Receiver<State>,
    ) -> Self {
        let fresh = Counters { cpu_us: Some(0), memory_peak_bytes: Some(0), oom_kills: Some(0), pids_refused: Some(0) };
        let shared = Arc::new(Shared {
            id: *id.as_bytes(),
            link,
            control,
            running: watch::Sender::new(Running::Idle),
            counters: Mutex::new(fresh),
            waiting: Mutex::new(None),
            resident: Mutex::new(None),
            hub: Mutex::new(None),
            calls: AtomicU32::new(0),
            memory_bytes: spec.resources.memory.as_bytes(),
            meters: OnceLock::new(),
        });
        Self { id, spec, host, isolation: Arc::new(isolation), shared, state, origin: Origin::Cold, destroyed: false }
    }

    /// Makes it one that was there before anybody asked: its language's runner is started, where it has one, and
    /// waits.
    pub(crate) async fn make_spare(&mut self) -> Result<(), CallError> {
        let forked = self.shared.waiting().take();
        let waiting = match forked {
            Some(forked) => Some(forked),
            None => Waiting::start(&self.shared, &self.spec, &self.host).await?,
        };
        if let Some(waiting) = waiting {
            waiting.settle(&self.shared).await?;
            *self.shared.waiting() = Some(waiting);
        }
        self.origin = Origin::Spare;
        Ok(())
    }

    /// Its language's runner was forked into it, and waits for its call.
    pub(crate) async fn take_runner(&mut self, forked: Forked) -> Result<(), CallError> {
        let language = self.spec.language.ok_or_else(|| lost("there is no runner without a language"))?;
        let waiting = Waiting::adopt(&self.shared, language, &self.host, forked).await?;
        *self.shared.waiting() = waiting;
        self.origin = Origin::Zygote;
        Ok(())
    }

    /// Whether the runner that was forked into it says Hello within this time, and nothing else.
    pub(crate) async fn is_greeted(&self, within: Duration) -> bool {
        let waiting = self.shared.waiting().take();
        let Some(waiting) = waiting else { return false };
        let greeted = tokio::time::timeout(within, waiting.greeting()).await == Ok(true);
        let greeted = greeted && waiting.is_well(&self.shared);
        *self.shared.waiting() = Some(waiting);
        greeted
    }

    /// Ends the runner that waits; programs are started in it as in one without.
    pub(crate) async fn give_up_runner(&mut self) -> Result<(), CallError> {
        self.origin = Origin::Cold;
        let waiting = self.shared.waiting().take();
        match waiting {
            Some(waiting) => waiting.end(&self.shared).await,
            None => Ok(()),
        }
    }

    /// Has the runner that waits load distributions of its packages and then stand still, to be copied.
    pub(crate) async fn prepare(&self, distributions: Vec<String>) -> Result<Preparing, CallError> {
        let waiting = self.shared.waiting().take().ok_or_else(|| lost("no runner waits in it"))?;
        waiting.settle(&self.shared).await?;
        waiting.prepare_packages(distributions).await
    }

    /// What init says next.
    pub(crate) async fn hear(&self) -> Option<FromInit> {
        self.shared.hear().await.ok()?.0
    }

    pub(crate) fn link(&self) -> &Link {
        &self.shared.link
    }

    /// The memory that it took until it waited, where that was looked at.
    pub(crate) fn weight(&self) -> Option<ByteSize> {
        self.shared.counters().memory_peak_bytes.filter(|bytes| *bytes > 0).map(ByteSize::from_bytes)
    }

    pub(crate) fn control(&self) -> &Packets {
        &self.shared.control
    }

    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Why nothing can be begun now.
    fn check_idle(&self) -> Result<(), CallError> {
        match *self.shared.running.borrow() {
            Running::Idle => Ok(()),
            Running::Call | Running::Ending(_) => Err(CallError::Invalid {
                field: "call",
                reason: "another call runs in this sandbox".to_owned(),
                accepted: "one call at a time",
            }),
            Running::Shared => Err(CallError::Invalid {
                field: "call",
                reason: "its program is shared".to_owned(),
                accepted: "calls through what shares it, until it is recycled",
            }),
            Running::Spent => Err(lost("an earlier call ended it")),
        }
    }

    /// The program that stays, taken for a call of it; `None` when none does.
    fn resident_for(&self, call: &Invocation) -> Result<Option<Resident>, CallError> {
        let mut resident = self.shared.resident();
        resident.as_ref().map_or(Ok(()), |resident| resident.check(call))?;
        if resident.as_ref().is_some_and(Resident::is_shareable) {
            return Err(CallError::Invalid {
                field: "call",
                reason: "its program answers several calls at once".to_owned(),
                accepted: "calls through what shares it",
            });
        }
        Ok(resident.take())
    }

    async fn start(&mut self, plan: CallPlan) -> Result<ExecSession, CallError> {
        call::start(&self.shared, self.state.clone(), self.shared.next_call(), plan).await
    }

    /// Has nobody share it any more. Given up half-way, it ends the sandbox.
    async fn end_sharing(&self) -> Result<(), CallError> {
        let Some(hub) = self.shared.hub().clone() else { return Ok(()) };
        if hub.is_asked() {
            return Err(CallError::Invalid {
                field: "call",
                reason: "calls run in this sandbox".to_owned(),
                accepted: "a sandbox whose calls have ended",
            });
        }
        let unfinished = Unfinished::new(&self.shared);
        let closed = tokio::time::timeout(CLOSE_TIMEOUT, hub.close()).await;
        *self.shared.resident() = closed.map_err(|_| lost("its program reads nothing of what it is told"))??;
        unfinished.finished();
        *self.shared.hub() = None;
        self.shared.running.send_replace(Running::Idle);
        Ok(())
    }
}

#[async_trait]
impl Sandbox for ProcessSandbox {
    fn id(&self) -> SandboxId {
        self.id
    }

    fn health(&self) -> Health {
        if *self.state.borrow() != State::Alive || *self.shared.running.borrow() == Running::Spent {
            Health::Unrecoverable
        } else if self.shared.waiting().as_ref().is_some_and(|waiting| !waiting.is_well(&self.shared)) {
            Health::Poisoned
        } else if let Some(hub) = self.shared.hub().as_ref() {
            hub.health_of_sandbox()
        } else if self.shared.resident().as_ref().is_some_and(|resident| resident.idle() != Idle::Waits) {
            Health::Poisoned
        } else {
            Health::Ready
        }
    }

    fn isolation(&self) -> &Arc<IsolationReport> {
        &self.isolation
    }

    fn origin(&self) -> Origin {
        self.origin
    }

    async fn invoke(&mut self, call: Invocation) -> Result<ExecSession, CallError> {
        check_invocation(&call)?;
        self.check_idle()?;
        if let Some(resident) = self.resident_for(&call)? {
            return call::ask(&self.shared, self.state.clone(), self.shared.next_call(), resident, call);
        }
        let plan = CallPlan::from_invocation(call, self.spec.language, &self.host)?;
        self.start(plan).await
    }

    fn share(&mut self) -> Result<Arc<dyn SharedProgram>, CallError> {
        if let Some(hub) = self.shared.hub().as_ref() {
            return Ok(Arc::new(Caller(Arc::clone(hub))));
        }
        self.check_idle()?;
        let resident = self.shared.resident().take_if(|resident| resident.is_shareable());
        let resident = resident.ok_or_else(|| CallError::Invalid {
            field: "at_once",
            reason: "no program stays in this sandbox that answers several calls at once".to_owned(),
            accepted: "a sandbox in which one was loaded for more than one",
        })?;
        // What it prints beside its calls is nobody's, and is heard.
        if resident.asks() != Idle::Waits {
            self.shared.running.send_replace(Running::Spent);
            self.shared.link.kill_now(self.shared.id);
            return Err(CallError::Unreached { reason: "the program that stayed has ended".to_owned() });
        }
        let hub = Hub::start(&self.shared, &self.state, resident);
        *self.shared.hub() = Some(Arc::clone(&hub));
        self.shared.running.send_replace(Running::Shared);
        Ok(Arc::new(Caller(hub)))
    }

    async fn exec(&mut self, command: Command) -> Result<ExecSession, CallError> {
        check_command(&command)?;
        self.check_idle()?;
        if self.shared.resident().is_some() {
            return Err(CallError::Invalid {
                field: "command",
                reason: "a program stays in this sandbox".to_owned(),
                accepted: "calls of that program",
            });
        }
        self.start(CallPlan::from_command(command)).await
    }

    async fn recycle(&mut self) -> Result<(), CallError> {
        self.end_sharing().await?;
        self.check_idle()?;
        recycle(&self.shared).await
    }

    fn interrupter(&self) -> Interrupter {
        self.shared.interrupter()
    }

    async fn destroy(mut self: Box<Self>, _reason: DestroyReason) {
        self.shared.interrupter().interrupt(Interrupt::Cancel);
        if *self.state.borrow() == State::Alive {
            self.shared.link.kill(self.shared.id).await;
        }
        // The sender is dropped only with the launcher's table, when nothing lives any more.
        let _ = self.state.wait_for(|state| *state != State::Alive).await;
        self.shared.link.forget(self.shared.id);
        self.destroyed = true;
    }
}

impl Drop for ProcessSandbox {
    fn drop(&mut self) {
        if !self.destroyed {
            self.shared.link.kill_now(self.shared.id);
            self.shared.link.forget(self.shared.id);
        }
        // Whoever can interrupt a call shares this, and needs no connection to a program.
        drop(self.shared.waiting().take());
        drop(self.shared.resident().take());
        drop(self.shared.hub().take());
    }
}

/// The sandbox is gone, or is about to be.
pub(crate) fn lost(reason: &str) -> CallError {
    CallError::Lost { reason: reason.to_owned() }
}
