//! Instances that a function keeps even when nobody calls it: made ahead, with the program loaded where it stays
//! between calls.
//!
//! One task looks what is missing, whenever an instance may have ended and once a second, and begins to make it.
//!
//! Invariants: only live versions have them; a place is taken for one only where nobody waits who can use it, and
//! given up for whoever comes while it is made, unless calls that have places wait for that instance; there are
//! never more of them than warm sandboxes may be, so that none goes for another; a version whose instances cannot be
//! made, or end unused, is tried ever less often.

mod make;

use crate::function::{CallInput, Version};
use crate::house::{House, Slot};
use crate::starts::Starts;
use crate::warm::Served;
use faas_types::{FunctionId, TenantId};
use make::make;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How often it is looked whether any are missing that nothing told of: one may die while it waits.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks: calls end more often than that.
const PAUSE: Duration = Duration::from_millis(2);
/// How many more than a version keeps are made while no call of it goes well, before the next is put off.
const IN_VAIN: u32 = 3;
/// The part of all places that instances take at most while they are made.
const PART: u32 = 4;
/// And however many places there are: more at once would only wait for each other's processor, and make whoever calls
/// wait as well.
const MOST_MADE: u32 = 16;

/// The live versions that keep instances.
#[derive(Default)]
pub(crate) struct Standing {
    wanted: Mutex<HashMap<FunctionId, Wanted>>,
    /// What became of making them. Whatever failed, the next try is put off: it may be the host's fault, or the
    /// program's that it cannot be loaded or kept.
    tries: Starts,
    /// How many are being made.
    making: AtomicUsize,
    look: Notify,
}

/// A live version that keeps instances.
#[derive(Clone)]
struct Wanted {
    tenant: TenantId,
    version: Arc<Version>,
    /// How many were made since a call of it went well.
    made: u32,
}

impl Wanted {
    fn served(&self) -> Served {
        (self.version.function, self.version.number)
    }

    fn is(&self, served: Served) -> bool {
        self.served() == served
    }

    /// How many there are that do not wait: they serve calls, or are being made or ended.
    fn at_work(&self, house: &House) -> usize {
        if house.shares(&self.version.spec.scaling) {
            return house.shared.count(self.served());
        }
        usize::try_from(house.state().running_of(self.served())).unwrap_or(usize::MAX)
    }

    fn least(&self) -> usize {
        usize::try_from(self.version.spec.scaling.min).unwrap_or(usize::MAX)
    }
}

/// One that is being made.
struct Making(Arc<Standing>);

impl Drop for Making {
    fn drop(&mut self) {
        self.0.making.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Standing {
    fn wanted(&self) -> MutexGuard<'_, HashMap<FunctionId, Wanted>> {
        // An entry is changed whole, so a panic elsewhere is no reason to give up.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A version is live now.
    pub(crate) fn set(&self, tenant: TenantId, version: &Arc<Version>) {
        if version.spec.scaling.min > 0 {
            self.wanted().insert(version.function, Wanted { tenant, version: Arc::clone(version), made: 0 });
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
    pub(crate) fn least(&self, served: Served) -> usize {
        self.wanted().get(&served.0).filter(|wanted| wanted.is(served)).map_or(0, Wanted::least)
    }

    /// A call of a version went well.
    pub(crate) fn used(&self, served: Served) {
        if let Some(wanted) = self.wanted().get_mut(&served.0).filter(|wanted| wanted.is(served)) {
            wanted.made = 0;
        }
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
            () = self.look.notified() => tokio::time::sleep(PAUSE).await,
            () = tokio::time::sleep(LOOK), if any => {}
        }
    }

    fn begin(self: &Arc<Self>, served: Served) -> Making {
        // Nothing else makes tries of it, and whether this one may be made was asked before.
        drop(self.tries.begin(served, Instant::now()));
        self.making.fetch_add(1, Ordering::Relaxed);
        Making(Arc::clone(self))
    }

    /// Takes down what became of a try.
    fn tried(&self, served: Served, began: Instant, made: Result<(), &str>) {
        let now = Instant::now();
        let in_vain = match made {
            Ok(()) => self.counts_as_vain(served).then_some("its instances end before anybody calls"),
            Err(why) => Some(why),
        };
        match in_vain {
            Some(why) => drop(self.tries.failed(served, began, now, why)),
            None => self.tries.loaded(served),
        }
    }

    fn counts_as_vain(&self, served: Served) -> bool {
        let mut wanted = self.wanted();
        let Some(wanted) = wanted.get_mut(&served.0).filter(|wanted| wanted.is(served)) else { return false };
        wanted.made = wanted.made.saturating_add(1);
        wanted.made > wanted.version.spec.scaling.min.saturating_add(IN_VAIN)
    }
}

/// Makes what is missing, as long as the orchestrator is there.
pub(crate) async fn run(house: Weak<House>, standing: Arc<Standing>) {
    loop {
        standing.changed().await;
        let Some(house) = house.upgrade() else { return };
        fill(&house);
    }
}

/// Begins to make those that are missing, as far as there is room.
fn fill(house: &Arc<House>) {
    let wanted: Vec<_> = house.standing.wanted().values().cloned().collect();
    let waiting = house.warm.counts();
    let wait = |wanted: &Wanted| waiting.get(&wanted.served()).copied().unwrap_or_default();
    // Those that serve a call come back to wait, and those that are being made come.
    let there = |wanted: &Wanted| wait(wanted).saturating_add(wanted.at_work(house));
    let mut standing: usize = wanted.iter().map(|wanted| there(wanted).min(wanted.least())).sum();
    let most = usize::try_from(house.settings.warm.sandboxes).unwrap_or(usize::MAX);
    let most_made = usize::try_from((house.settings.concurrency / PART).clamp(1, MOST_MADE)).unwrap_or(usize::MAX);
    for wanted in wanted {
        let served = wanted.served();
        for _ in there(&wanted)..wanted.least() {
            if standing >= most || house.standing.making.load(Ordering::Relaxed) >= most_made {
                return;
            }
            let is_put_off = |tries: &Starts| tries.put_off(served, Instant::now()).is_some();
            if is_put_off(&house.starts) || is_put_off(&house.standing.tries) {
                break;
            }
            let request = wanted.version.request(CallInput::default());
            let scaling = &wanted.version.spec.scaling;
            let shared = house.shares(scaling).then(|| house.shared.take_place(served, scaling));
            let Ok(place) = shared.transpose() else { break };
            let Some(slot) = Slot::ahead(house, request.function.as_ref()) else { break };
            standing += 1;
            let (house, making, tenant) = (Arc::clone(house), house.standing.begin(served), wanted.tenant);
            house.clone().spawn(async move {
                let called = request.function.clone();
                let began = Instant::now();
                let made = make(&house, tenant, request, place.as_ref()).await;
                house.standing.tried(served, began, made.as_ref().map(drop).map_err(String::as_str));
                if let (Some(called), Err(why)) = (&called, &made) {
                    house.note_not_ahead(called, why);
                }
                drop(making);
                drop(place);
                slot.pass_on();
            });
        }
    }
}
