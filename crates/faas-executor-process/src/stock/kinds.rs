//! What spares there are and how many of each spec are wanted, apart from who makes them.
//!
//! Pure: moments are passed in. The stock asks it after every change. Invariants: as many specs are known as
//! [`KEYS`], and the one that was asked for longest ago is forgotten for a new one; what is taken is of exactly the spec
//! that is asked for, and well.

use super::SpareLimits;
use crate::sandbox::ProcessSandbox;
use faas_executor_api::{Health, Sandbox as _, SandboxSpec, SpareStats};
use faas_scheduler::{Bounds, Reason, SpareSettings, Spares};
use faas_types::ByteSize;
use std::time::{Duration, Instant};

/// How many specs are known.
const KEYS: usize = 64;

/// For how long none is made of a spec of which one could not be made.
const REST: Duration = Duration::from_secs(60);

/// For how long the program that was given one has the processors to itself, where calls come less often than that: to
/// make the next takes as much of them as a short program does, which then ended a millisecond later.
const LULL: Duration = Duration::from_millis(10);

/// What one is taken to cost until one was made: a runner of a scripting language, on a host that is not idle.
const START: Duration = Duration::from_millis(30);
const MEMORY: ByteSize = ByteSize::mib(16);

/// What can be kept ready.
pub(super) trait Spare {
    /// Whether it can still be handed over.
    fn is_well(&self) -> bool;
}

impl Spare for ProcessSandbox {
    fn is_well(&self) -> bool {
        self.health() == Health::Ready
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Kinds<S> {
    decisions: Spares<u64>,
    /// The spec that was asked for last first.
    kinds: Vec<Kind<S>>,
    /// Those that are of no use.
    useless: Vec<S>,
    /// The last number that was given.
    number: u64,
}

#[derive(Debug)]
struct Kind<S> {
    /// By which the decisions know it.
    number: u64,
    spec: SandboxSpec,
    ready: Vec<S>,
    wanted: u32,
    reason: Reason,
    /// None are made until then.
    rests: Option<Instant>,
    /// When it was asked for last.
    asked: Option<Instant>,
    /// None are made until then: one was handed over just now, and that is no rush.
    lull: Option<Instant>,
    took: Option<Duration>,
    weight: Option<ByteSize>,
    made: u64,
    used: u64,
    unused: u64,
}

impl<S> Kind<S> {
    fn new(number: u64, spec: SandboxSpec) -> Self {
        Self {
            number,
            spec,
            ready: Vec::new(),
            wanted: 0,
            reason: Reason::Rare,
            rests: None,
            asked: None,
            lull: None,
            took: None,
            weight: None,
            made: 0,
            used: 0,
            unused: 0,
        }
    }

    fn ready(&self) -> u32 {
        u32::try_from(self.ready.len()).unwrap_or(u32::MAX)
    }

    /// From when on one is to be made, where there are too few.
    fn lacks(&self) -> Option<Option<Instant>> {
        (self.ready() < self.wanted).then(|| self.rests.max(self.lull))
    }

    fn stats(&self) -> SpareStats {
        SpareStats {
            spec: self.spec.clone(),
            wanted: self.wanted,
            reason: name(self.reason),
            ready: self.ready(),
            made: self.made,
            used: self.used,
            unused: self.unused,
            took: self.took,
            memory: self.weight,
        }
    }
}

const fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::Arrivals { .. } => "arrivals",
        Reason::Rare => "rare",
        Reason::Min { .. } => "min",
        Reason::Most { .. } => "most",
        Reason::Calming { .. } => "calming",
        Reason::Short { .. } => "short",
    }
}

impl<S: Spare> Kinds<S> {
    pub(super) fn new(SpareLimits { most, memory }: SpareLimits) -> Self {
        let bounds = Bounds::up_to(most);
        let settings = SpareSettings { keys: KEYS, budget: memory, most, bounds, start: START, memory: MEMORY };
        Self { decisions: Spares::new(settings), kinds: Vec::new(), useless: Vec::new(), number: 0 }
    }

    /// Somebody asks for one.
    pub(super) fn take(&mut self, spec: &SandboxSpec, now: Instant) -> Option<S> {
        let mut kind = match self.kinds.iter().position(|kind| kind.spec == *spec) {
            Some(index) => self.kinds.remove(index),
            None => {
                self.number += 1;
                Kind::new(self.number, spec.clone())
            }
        };
        self.decisions.arrived(now, &kind.number);
        let rush = kind.asked.replace(now).is_some_and(|before| now < before + LULL);
        kind.lull = (!rush).then(|| now + LULL);
        let mut taken = None;
        while taken.is_none() && !kind.ready.is_empty() {
            // The one that has waited longest.
            let spare = kind.ready.remove(0);
            if spare.is_well() {
                kind.used += 1;
                taken = Some(spare);
            } else {
                kind.unused += 1;
                self.useless.push(spare);
            }
        }
        self.kinds.insert(0, kind);
        for forgotten in self.kinds.drain(KEYS.min(self.kinds.len())..) {
            self.useless.extend(forgotten.ready);
        }
        taken
    }

    /// Says anew how many are wanted, and gives those that are too many or of no use.
    pub(super) fn decide(&mut self, now: Instant) -> Vec<S> {
        let targets = self.decisions.decide(now);
        let mut out = std::mem::take(&mut self.useless);
        for kind in &mut self.kinds {
            let target = targets.binary_search_by_key(&kind.number, |target| target.key);
            let target = target.ok().and_then(|place| targets.get(place));
            (kind.wanted, kind.reason) = target.map_or((0, Reason::Rare), |target| (target.wanted, target.reason));
            let over = kind.ready().saturating_sub(kind.wanted);
            kind.unused += u64::from(over);
            out.extend(kind.ready.drain(..usize::try_from(over).unwrap_or(usize::MAX).min(kind.ready.len())));
        }
        out
    }

    /// The spec of which one is to be made: that of which there are fewest, and of those what was asked for last.
    pub(super) fn lacks(&self, now: Instant) -> Option<&SandboxSpec> {
        let lacks =
            self.kinds.iter().filter(|kind| kind.lacks().is_some_and(|from| from.is_none_or(|from| from <= now)));
        lacks.min_by_key(|kind| kind.ready.len()).map(|kind| &kind.spec)
    }

    /// When there is something to be made, although nothing changes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.kinds.iter().filter_map(Kind::lacks).flatten().min()
    }

    /// Whether what is decided may change although nobody asks.
    pub(super) fn any_wanted(&self) -> bool {
        self.kinds.iter().any(|kind| kind.wanted > 0)
    }

    /// One was made in so long and weighs so much, or could not be: then none of its spec are for a while.
    pub(super) fn made(
        &mut self,
        spec: &SandboxSpec,
        now: Instant,
        took: Duration,
        spare: Option<S>,
        weight: Option<ByteSize>,
    ) {
        let Some(kind) = self.kinds.iter_mut().find(|kind| kind.spec == *spec) else {
            self.useless.extend(spare);
            return;
        };
        let Some(spare) = spare else {
            kind.rests = Some(now + REST);
            return;
        };
        kind.ready.push(spare);
        kind.made += 1;
        kind.took = Some(took);
        self.decisions.started(&kind.number, took);
        if let Some(weight) = weight {
            kind.weight = Some(weight);
            self.decisions.weighed(&kind.number, weight);
        }
    }

    /// Those of which there are or were any, what was asked for last first.
    pub(super) fn stats(&self) -> Vec<SpareStats> {
        self.kinds.iter().filter(|kind| kind.wanted > 0 || kind.made > 0).map(Kind::stats).collect()
    }

    /// Forgets all, and gives what there was.
    pub(super) fn clear(&mut self) -> Vec<S> {
        let ready = self.kinds.drain(..).flat_map(|kind| kind.ready);
        ready.chain(self.useless.drain(..)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{KEYS, Kinds, LULL, Spare, SpareLimits};
    use faas_executor_api::SandboxSpec;
    use faas_types::{ByteSize, IsolationLevel, Resources, TenantId};
    use std::time::{Duration, Instant};

    const MOST: u32 = 8;
    const TOOK: Duration = Duration::from_millis(10);

    #[derive(Debug)]
    struct Fake {
        is_well: bool,
    }

    impl Spare for Fake {
        fn is_well(&self) -> bool {
            self.is_well
        }
    }

    fn spec(pids: u32) -> SandboxSpec {
        let resources = Resources { pids, ..Resources::default() };
        let (tenant, isolation) = (TenantId::LOCAL, IsolationLevel::Strict);
        SandboxSpec { tenant, language: None, resources, isolation, packages: None }
    }

    fn kinds() -> Kinds<Fake> {
        Kinds::new(SpareLimits { most: MOST, memory: ByteSize::mib(128) })
    }

    /// Makes what is wanted, and gives how many were ended without use.
    fn settle(kinds: &mut Kinds<Fake>, now: Instant) -> usize {
        let ended = kinds.decide(now).len();
        while let Some(spec) = kinds.lacks(now).cloned() {
            kinds.made(&spec, now, TOOK, Some(Fake { is_well: true }), Some(ByteSize::mib(10)));
        }
        ended
    }

    #[test]
    fn a_rush_gets_more_and_they_go_slowly() {
        let (mut kinds, start) = (kinds(), Instant::now());
        assert!(kinds.take(&spec(1), start).is_none());
        assert!(kinds.take(&spec(1), start).is_none());
        settle(&mut kinds, start);
        let stats = kinds.stats();
        assert_eq!((stats[0].ready, stats[0].reason), (1, "arrivals"));
        let mut now = start;
        let mut cold = 0;
        for _ in 0..500 {
            now += Duration::from_millis(2);
            cold += u32::from(kinds.take(&spec(1), now).is_none());
            settle(&mut kinds, now);
        }
        let stats = kinds.stats();
        assert!(stats[0].ready > 1 && stats[0].ready <= MOST && cold == 0, "{stats:?}, {cold} found none");
        let (mut ended, mut left) = (0, Vec::new());
        for second in 0..400 {
            ended += settle(&mut kinds, now + Duration::from_secs(second));
            left.push(kinds.stats()[0].ready);
        }
        let stats = kinds.stats();
        assert_eq!((stats[0].ready, stats[0].wanted, stats[0].reason), (0, 0, "rare"));
        assert_eq!(stats[0].unused, u64::try_from(ended).expect("few"));
        assert_eq!(stats[0].made, stats[0].used + stats[0].unused);
        assert!(left.windows(2).all(|pair| pair[1] <= pair[0] && pair[0] - pair[1] <= 1), "{left:?}");
        assert!(!kinds.any_wanted());
    }

    #[test]
    fn all_together_are_bounded_by_number_and_by_memory() {
        for (memory, most) in [(ByteSize::mib(1000), MOST), (ByteSize::mib(35), 3)] {
            let mut kinds = Kinds::new(SpareLimits { most: MOST, memory });
            let mut now = Instant::now();
            for call in 0..2000 {
                now += Duration::from_millis(1);
                kinds.take(&spec(call % 5), now);
                settle(&mut kinds, now);
                // What one weighs is known once there is one.
                let ready: u32 = kinds.stats().iter().map(|stats| stats.ready).sum();
                assert!(ready <= MOST && (call < 1000 || ready <= most), "{ready}");
            }
        }
    }

    #[test]
    fn what_died_is_given_to_nobody() {
        let (mut kinds, now) = (kinds(), Instant::now());
        assert!(kinds.take(&spec(1), now).is_none() && kinds.take(&spec(1), now).is_none());
        kinds.decide(now);
        kinds.made(&spec(1), now, TOOK, Some(Fake { is_well: false }), None);
        assert!(kinds.take(&spec(1), now).is_none());
        assert_eq!(kinds.decide(now).len(), 1, "it is to be ended");
        assert_eq!((kinds.stats()[0].used, kinds.stats()[0].unused), (0, 1));
    }

    #[test]
    fn none_are_made_for_a_while_where_one_could_not_be() {
        let (mut kinds, now) = (kinds(), Instant::now());
        assert!(kinds.take(&spec(1), now).is_none() && kinds.take(&spec(1), now).is_none());
        kinds.decide(now);
        assert_eq!(kinds.lacks(now), Some(&spec(1)));
        kinds.made(&spec(1), now, TOOK, None, None);
        assert_eq!(kinds.lacks(now), None);
        assert_eq!(kinds.lacks(now + super::REST), Some(&spec(1)));
    }

    #[test]
    fn what_was_taken_runs_before_the_next_is_made_unless_there_is_a_rush() {
        let (mut kinds, start) = (kinds(), Instant::now());
        assert!(kinds.take(&spec(1), start).is_none() && kinds.take(&spec(1), start).is_none());
        settle(&mut kinds, start);
        let later = start + LULL;
        assert!(kinds.take(&spec(1), later).is_some());
        kinds.decide(later);
        assert_eq!((kinds.lacks(later), kinds.due()), (None, Some(later + LULL)));
        assert_eq!(kinds.lacks(later + LULL), Some(&spec(1)));
        assert!(kinds.take(&spec(1), later + LULL / 2).is_none());
        kinds.decide(later + LULL / 2);
        assert_eq!(kinds.lacks(later + LULL / 2), Some(&spec(1)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut kinds, now) = (kinds(), Instant::now());
        for pids in 0..1000 {
            assert!(kinds.take(&spec(pids), now).is_none());
            assert!(kinds.kinds.len() <= KEYS);
        }
        // Of one that is forgotten nothing is kept, whether it was being made or not.
        kinds.made(&spec(0), now, TOOK, Some(Fake { is_well: true }), None);
        assert_eq!(kinds.decide(now).len(), 1);
    }
}
