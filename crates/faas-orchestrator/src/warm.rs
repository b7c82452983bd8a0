//! Warm sandboxes: used, made as new, and kept for the next execution in mode `cached` that asks for the
//! same.
//!
//! The driver takes one and gives it back. Those that nobody comes for, or that are in somebody's way, are
//! taken out here and ended by tasks of the house ([`House::end_warm`](crate::house::House::end_warm)). Where there are
//! too many, the one goes that saves least ([`Warmth`]).
//!
//! Invariants: what is taken was made by the same spec, its tenant included, for the same version of the same
//! function. There are never more
//! sandboxes than slots, warm ones and those that are being ended included: whoever makes one waits until
//! there is room. Nothing is kept once the end has begun.

mod pressure;

use crate::standing::Standing;
use crate::warmth::Warmth;
use faas_executor_api::{Health, Sandbox, SandboxSpec};
use faas_types::{ByteSize, FunctionId, InstanceId, Scaling, TenantId};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How soon those that their function keeps are looked at again, at the earliest.
const LOOK: Duration = Duration::from_secs(1);

/// How many are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmSettings {
    /// The most over all tenants; none are kept at 0.
    pub sandboxes: u32,
    /// How long one waits for its next execution that serves no function.
    pub ttl: Duration,
    /// What those of functions that leave it to the platform may take together while they wait.
    pub memory: ByteSize,
    /// The longest that one of them waits.
    pub longest: Duration,
}

impl Default for WarmSettings {
    /// A handful, for some minutes.
    fn default() -> Self {
        let (ttl, longest) = (Duration::from_secs(5 * 60), Duration::from_secs(60 * 60));
        Self { sandboxes: 8, ttl, memory: ByteSize::mib(512), longest }
    }
}

/// How long a sandbox waits for its next execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ttl {
    /// As whoever deployed the function says, or the settings.
    Fixed(Duration),
    /// As long as it is worth it.
    Worth(Served),
}

/// See the module.
pub(crate) struct Warm {
    settings: WarmSettings,
    standing: Arc<Standing>,
    warmth: Arc<Warmth>,
    kept: Mutex<Kept>,
    seen: watch::Sender<Seen>,
}

/// What others wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    /// When the first is due.
    due: Option<Instant>,
    /// Those that wait, and those that are being ended.
    sandboxes: usize,
}

#[derive(Default)]
struct Kept {
    /// The one that waits longest first.
    waiting: VecDeque<Waiting>,
    /// Those that were taken out to be ended and are not gone yet.
    ending: usize,
    closed: bool,
}

/// A function and the number of its version.
pub(crate) type Served = (FunctionId, u32);

/// What a warm sandbox can be used for again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purpose {
    pub(crate) spec: SandboxSpec,
    /// The function and the number of its version, where it serves one.
    pub(crate) called: Option<Served>,
}

struct Waiting {
    purpose: Purpose,
    sandbox: Box<dyn Sandbox>,
    since: Instant,
    ttl: Ttl,
    due: Instant,
}

/// Sandboxes that were taken out to be ended; [`Warm::ended`] follows for each.
pub(crate) type Unneeded = Vec<Box<dyn Sandbox>>;

impl Warm {
    pub(crate) fn new(settings: WarmSettings, standing: Arc<Standing>, warmth: Arc<Warmth>) -> Self {
        Self { settings, standing, warmth, kept: Mutex::default(), seen: watch::Sender::default() }
    }

    /// How long a sandbox waits that serves this version, or none.
    pub(crate) fn ttl(&self, called: Option<(Served, &Scaling)>) -> Ttl {
        match called {
            Some((served, scaling)) => scaling.idle_ttl.map_or(Ttl::Worth(served), Ttl::Fixed),
            None => Ttl::Fixed(self.settings.ttl),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        let mut kept = self.kept();
        kept.forget_dead();
        self.show(&kept);
        kept.waiting.len()
    }

    /// How many wait for a call of a function.
    pub(crate) fn count(&self, function: FunctionId) -> usize {
        let kept = self.kept();
        kept.waiting.iter().filter(|waiting| waiting.purpose.called.is_some_and(|(id, _)| id == function)).count()
    }

    /// How many wait for a call of a version; `None` where none are kept.
    pub(crate) fn idle(&self, served: Served) -> Option<usize> {
        if self.settings.sandboxes == 0 {
            return None;
        }
        let kept = self.kept();
        Some(kept.waiting.iter().filter(|waiting| waiting.purpose.called == Some(served)).count())
    }

    /// How many wait for a call of each version.
    pub(crate) fn counts(&self) -> HashMap<Served, usize> {
        let mut kept = self.kept();
        kept.forget_dead();
        self.show(&kept);
        kept.counts()
    }

    /// A tenant's, with what they serve and how long they still wait.
    pub(crate) fn list(&self, tenant: TenantId) -> Vec<(InstanceId, Option<Served>, Duration)> {
        let now = Instant::now();
        let kept = self.kept();
        let of_tenant = kept.waiting.iter().filter(|waiting| waiting.purpose.spec.tenant == tenant);
        let shown =
            |waiting: &Waiting| (waiting.id(), waiting.purpose.called, waiting.due.saturating_duration_since(now));
        of_tenant.map(shown).collect()
    }

    /// The versions of a tenant's that wait for as long as they are worth it.
    pub(crate) fn kept_by_worth(&self, tenant: TenantId) -> BTreeSet<Served> {
        let kept = self.kept();
        let of_tenant = kept.waiting.iter().filter(|waiting| waiting.purpose.spec.tenant == tenant);
        let by_worth = |waiting: &Waiting| match waiting.ttl {
            Ttl::Worth(served) => Some(served),
            Ttl::Fixed(_) => None,
        };
        of_tenant.filter_map(by_worth).collect()
    }

    /// Takes out one of a tenant's.
    #[must_use]
    pub(crate) fn take_out_one(&self, tenant: TenantId, id: InstanceId) -> Unneeded {
        let mut kept = self.kept();
        self.take_out_where(&mut kept, |waiting| waiting.purpose.spec.tenant == tenant && waiting.id() == id)
    }

    /// Whether a sandbox that is given back may be kept.
    pub(crate) fn keeps(&self) -> bool {
        self.settings.sandboxes > 0 && !self.kept().closed
    }

    /// The one of this purpose that was used last. Those that died meanwhile are dropped.
    pub(crate) fn take(&self, purpose: &Purpose) -> Option<Box<dyn Sandbox>> {
        let mut kept = self.kept();
        let mut next = || {
            let index = kept.waiting.iter().rposition(|waiting| waiting.purpose == *purpose)?;
            kept.waiting.remove(index).map(|waiting| waiting.sandbox)
        };
        let taken = std::iter::from_fn(&mut next).find(|sandbox| sandbox.health() == Health::Ready);
        self.show(&kept);
        taken
    }

    /// Keeps a sandbox that is as new. Gives those that are to be ended for it, which may be itself.
    #[must_use]
    pub(crate) fn keep(&self, purpose: Purpose, ttl: Ttl, sandbox: Box<dyn Sandbox>) -> Unneeded {
        let since = Instant::now();
        // It is the one that the next call takes.
        let wait = match ttl {
            Ttl::Fixed(wait) => wait,
            Ttl::Worth(served) => self.warmth.keep_for(served, 0),
        };
        let mut kept = self.kept();
        kept.waiting.push_back(Waiting { purpose, sandbox, since, ttl, due: since + wait });
        let most = if kept.closed { 0 } else { usize::try_from(self.settings.sandboxes).unwrap_or(usize::MAX) };
        let over = kept.too_many(|waiting, _| waiting.saturating_sub(most));
        self.take_out(&mut kept, over)
    }

    /// Takes out those that stand in the way of somebody who leaves so much room.
    #[must_use]
    pub(crate) fn evict(&self, room: usize) -> Unneeded {
        let mut kept = self.kept();
        let over = kept.too_many(|waiting, ending| (waiting + ending).saturating_sub(room).min(waiting));
        self.take_out(&mut kept, over)
    }

    /// Takes out those that nobody may use any more.
    #[must_use]
    pub(crate) fn retire(&self, is_over: impl Fn(FunctionId, u32) -> bool) -> Unneeded {
        let mut kept = self.kept();
        let over =
            |waiting: &Waiting| waiting.purpose.called.is_some_and(|(function, version)| is_over(function, version));
        self.take_out_where(&mut kept, over)
    }

    /// Takes out every one, and keeps none from here on.
    #[must_use]
    pub(crate) fn close(&self) -> Unneeded {
        let mut kept = self.kept();
        kept.closed = true;
        let all = kept.waiting.len();
        self.take_out(&mut kept, all)
    }

    /// Decides anew for how long those wait that wait for as long as they are worth it.
    pub(crate) fn review(&self) {
        self.warmth.decide();
        let mut kept = self.kept();
        let mut beside = HashMap::<Served, u32>::new();
        for waiting in kept.waiting.iter_mut().rev() {
            let Ttl::Worth(served) = waiting.ttl else { continue };
            let beside = beside.entry(served).or_default();
            waiting.due = waiting.since + self.warmth.keep_for(served, *beside);
            *beside += 1;
        }
        self.show(&kept);
    }

    /// Takes out the oldest of those that no function keeps.
    fn take_out_spare(&self, kept: &mut Kept, mut is_over: impl FnMut(&Waiting) -> bool) -> Unneeded {
        let mut spare = self.spare(kept);
        self.take_out_where(kept, |waiting| is_over(waiting) && waiting.is_spare(&mut spare))
    }

    fn take_out_where(&self, kept: &mut Kept, mut is_over: impl FnMut(&Waiting) -> bool) -> Unneeded {
        let (over, left): (VecDeque<_>, VecDeque<_>) = kept.waiting.drain(..).partition(|waiting| is_over(waiting));
        kept.waiting = left;
        kept.ending += over.len();
        self.show(kept);
        over.into_iter().map(|waiting| waiting.sandbox).collect()
    }

    /// One that was taken out is gone.
    pub(crate) fn ended(&self) {
        let mut kept = self.kept();
        kept.ending = kept.ending.saturating_sub(1);
        self.show(&kept);
    }

    /// What changes when there may be more room.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.seen.subscribe())
    }

    /// Waits until some are due and takes them out.
    pub(crate) async fn due(&self) -> Unneeded {
        let mut seen = self.seen.subscribe();
        loop {
            let due = seen.borrow_and_update().due;
            tokio::select! {
                () = async { tokio::time::sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                    let now = Instant::now();
                    let mut kept = self.kept();
                    let taken = self.take_out_spare(&mut kept, |waiting| waiting.due <= now);
                    // The others are kept as long again.
                    for waiting in kept.waiting.iter_mut().filter(|waiting| waiting.due <= now) {
                        let again = match waiting.ttl {
                            Ttl::Fixed(wait) => wait,
                            Ttl::Worth(_) => LOOK,
                        };
                        waiting.due = now + again.max(LOOK);
                    }
                    self.show(&kept);
                    return taken;
                }
                // The sender lives as long as this.
                _ = seen.changed() => {}
            }
        }
    }

    fn show(&self, kept: &Kept) {
        let due = kept.waiting.iter().map(|waiting| waiting.due).min();
        let now = Seen { due, sandboxes: kept.waiting.len() + kept.ending };
        self.seen.send_if_modified(|seen| std::mem::replace(seen, now) != now);
    }
}

impl Waiting {
    /// What its user knows it as.
    fn id(&self) -> InstanceId {
        InstanceId::from_bytes(*self.sandbox.id().as_bytes())
    }
}

impl Kept {
    fn counts(&self) -> HashMap<Served, usize> {
        let mut counts = HashMap::new();
        for served in self.waiting.iter().filter_map(|waiting| waiting.purpose.called) {
            *counts.entry(served).or_default() += 1;
        }
        counts
    }

    /// How many are too many, by how many wait and how many are being ended. Only where there are any it is looked
    /// who died: to look at each asks the kernel, and this is part of every call.
    fn too_many(&mut self, over: impl Fn(usize, usize) -> usize) -> usize {
        if over(self.waiting.len(), self.ending) > 0 {
            self.forget_dead();
        }
        over(self.waiting.len(), self.ending)
    }

    /// Drops those that died while they waited: they take nobody's place.
    fn forget_dead(&mut self) {
        self.waiting.retain(|waiting| waiting.sandbox.health() == Health::Ready);
    }
}

/// How many sandboxes there are without an execution.
pub(crate) struct Changes(watch::Receiver<Seen>);

impl Changes {
    pub(crate) fn sandboxes(&mut self) -> usize {
        self.0.borrow_and_update().sandboxes
    }

    pub(crate) async fn next(&mut self) {
        // The sender lives as long as the house, whose task waits here.
        drop(self.0.changed().await);
    }
}
