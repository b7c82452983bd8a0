//! Instances that a function keeps even when nobody calls it: made ahead, with the program loaded where it stays
//! between calls.
//!
//! Invariants: only live versions have them; a place is taken for one only where nobody waits for it and no warm
//! sandbox has to go; a version whose program cannot be loaded is tried ever less often; a call that needs the
//! place goes before.

use crate::function::{CallInput, Called, Version};
use crate::house::{House, Slot};
use crate::request::Call;
use crate::starts::Starts;
use crate::submit::purpose_of;
use crate::warm::Served;
use crate::{ExecutionRequest, driver};
use faas_executor_api::{DestroyReason, Event, ExecSession, Sandbox, Stay};
use faas_types::{FunctionId, Outcome, SandboxId, TenantId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How often it is looked whether any are missing that nothing told of: one may die while it waits.
const LOOK: Duration = Duration::from_secs(1);
/// How much of what a program says last is shown where it could not be loaded.
const LAST_WORDS: usize = 1024;

/// The live versions that keep instances.
#[derive(Default)]
pub(crate) struct Standing {
    wanted: Mutex<HashMap<FunctionId, Wanted>>,
    /// What became of making them. Whatever failed, the next try is put off: it may be the host's fault, or the
    /// program's that it cannot be loaded or kept.
    tries: Starts,
    look: Notify,
}

/// A live version that keeps instances.
#[derive(Clone)]
struct Wanted {
    tenant: TenantId,
    version: Arc<Version>,
}

impl Standing {
    fn wanted(&self) -> MutexGuard<'_, HashMap<FunctionId, Wanted>> {
        // An entry is changed whole, so a panic elsewhere is no reason to give up.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A version is live now.
    pub(crate) fn set(&self, tenant: TenantId, version: &Arc<Version>) {
        if version.spec.scaling.min > 0 {
            self.wanted().insert(version.function, Wanted { tenant, version: Arc::clone(version) });
            self.look();
        } else {
            self.forget(version.function);
        }
    }

    /// A function is gone.
    pub(crate) fn forget(&self, function: FunctionId) {
        self.wanted().remove(&function);
    }

    /// How many instances of a version are kept.
    pub(crate) fn least(&self, (function, number): Served) -> usize {
        let wanted = self.wanted();
        let version = wanted.get(&function).filter(|wanted| wanted.version.number == number);
        version.map_or(0, |wanted| usize::try_from(wanted.version.spec.scaling.min).unwrap_or(usize::MAX))
    }

    /// There may be fewer than there were.
    pub(crate) fn look(&self) {
        if !self.wanted().is_empty() {
            self.look.notify_one();
        }
    }

    async fn changed(&self) {
        let any = !self.wanted().is_empty();
        tokio::select! {
            () = self.look.notified() => {}
            () = tokio::time::sleep(LOOK), if any => {}
        }
    }
}

/// Makes what is missing, as long as the orchestrator is there.
pub(crate) async fn run(house: Weak<House>, standing: Arc<Standing>) {
    loop {
        standing.changed().await;
        let Some(house) = house.upgrade() else { return };
        let wanted: Vec<_> = standing.wanted().values().cloned().collect();
        for wanted in wanted {
            fill(&house, &wanted);
        }
    }
}

/// Begins to make those that are missing of one version, as far as there is room.
fn fill(house: &Arc<House>, wanted: &Wanted) {
    let request = wanted.version.request(CallInput::default());
    let Some(served) = request.function.as_ref().map(Called::served) else { return };
    let least = house.standing.least(served);
    // Each round has a place of its own, so there are never more of them than places.
    for _ in house.instances_of(served)..least {
        let now = Instant::now();
        let is_put_off = |tries: &Starts| tries.put_off(served, now).is_some();
        if is_put_off(&house.starts) || is_put_off(&house.standing.tries) {
            return;
        }
        let Some(slot) = Slot::ahead(house, &request) else { return };
        // Nothing else makes tries.
        drop(house.standing.tries.begin(served, now));
        house.spawn(prepare(Arc::clone(house), wanted.tenant, request.clone(), slot));
    }
}

/// Makes one and keeps it.
async fn prepare(house: Arc<House>, tenant: TenantId, request: ExecutionRequest, slot: Slot) {
    let called = request.function.clone();
    let mut stopping = house.stopping.subscribe();
    let began = Instant::now();
    let made = tokio::select! {
        // Dropped, a sandbox that was made is gone.
        () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => Ok(()),
        made = make(&house, tenant, request) => made,
    };
    if let Some(called) = called {
        let served = called.served();
        match made {
            Ok(()) => house.standing.tries.loaded(served),
            Err(why) => {
                house.standing.tries.failed(served, began, Instant::now(), &why);
                house.note_not_ahead(&called, &why);
            }
        }
    }
    slot.pass_on();
}

/// Makes a sandbox with the program loaded, where it stays between calls, and keeps it; or why that failed.
async fn make(house: &Arc<House>, tenant: TenantId, request: ExecutionRequest) -> Result<(), String> {
    let ttl = request.function.as_ref().map(|called| called.scaling.idle_ttl);
    let purpose = purpose_of(tenant, &request);
    house.make_room().await;
    let created = house.executor.create(SandboxId::generate(), purpose.spec.clone()).await;
    let mut sandbox = created.map_err(|error| error.to_string())?;
    let began = Instant::now();
    if house.stays(tenant, &request)
        && let Err(why) = load(house, sandbox.as_mut(), request.clone()).await
    {
        sandbox.destroy(DestroyReason::Finished).await;
        if let Some(called) = &request.function {
            house.start_failed(called.served(), called.name.as_str(), began, &why);
        }
        return Err(why);
    }
    driver::keep(house, purpose, ttl, sandbox).await.map_err(|error| error.to_string())
}

/// Loads the program; or why it could not be.
async fn load(house: &House, sandbox: &mut dyn Sandbox, request: ExecutionRequest) -> Result<(), String> {
    let deadline = Instant::now() + house.settings.cold_start_timeout;
    let Call::Invoke(invocation) = request.into_call(deadline, Stay::Loaded) else { return Ok(()) };
    let session = sandbox.invoke(*invocation).await.map_err(|error| error.to_string())?;
    let ExecSession { input, mut events } = session;
    drop(input);
    let (mut loaded, mut said) = (false, Vec::new());
    while let Some(event) = events.next().await {
        match event {
            Event::Loaded => loaded = true,
            Event::Stderr(bytes) => {
                said.extend_from_slice(&bytes);
                said.drain(..said.len().saturating_sub(LAST_WORDS));
            }
            Event::Done(done) if loaded && done.outcome == (Outcome::Exited { code: 0 }) => return Ok(()),
            Event::Done(done) => {
                let said = String::from_utf8_lossy(&said);
                let said = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
                return Err(format!("{:?} while it was loaded: {said}", done.outcome));
            }
            // What a program prints while it is loaded ahead is of no call.
            Event::Stdout(_) | Event::ResponseHead(_) | Event::Body(_) | Event::ResponseEnd | Event::Failed(_) => {}
        }
    }
    Err("its sandbox was lost".to_owned())
}
