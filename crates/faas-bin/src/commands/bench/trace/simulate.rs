//! The calls of a trace in simulated time: which of them find a warm instance, and what those take that wait.
//!
//! What decides is the scheduler's own code, asked as the orchestrator asks it (`faas-orchestrator`'s `warmth`): an
//! instance after each call, all of them every ten seconds, a place for each of a function's instances. What a start
//! takes is given, and nothing waits for a slot or a processor. Pure.

use super::calls::{Row, Trace};
use crate::commands::bench::percentiles::{Percentiles, rounded};
use faas_scheduler::{KeepAlive, KeepSettings, PRICE_EVERY};
use faas_types::ByteSize;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

/// What an instance is taken to hold where the trace does not say.
const MEMORY_MIB: u32 = 64;
/// As the orchestrator has it.
const PLACES: usize = 4096;
/// How often the budget is halved between two that are too much and too little.
const HALVINGS: u32 = 6;
/// By how much a budget may be above what is used of it on average.
const MARGIN: f64 = 1.5;
const MICROSECONDS: f64 = 1e6;

/// Who says for how long instances wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Policy {
    /// All for as long.
    Fixed(Duration),
    /// The scheduler, within so many MiB.
    Adaptive { budget_mib: f64 },
}

/// What a policy led to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// Of an adaptive one: what it might use.
    pub(super) budget_mib: Option<f64>,
    /// Of a fixed one.
    pub(super) idle_ttl_s: Option<f64>,
    pub(super) cold: u64,
    pub(super) cold_ratio: f64,
    /// What instances took while they waited, on average over the whole time.
    pub(super) mean_mib: f64,
    pub(super) gb_s: f64,
    /// Seconds of starting, for 1,000 calls.
    pub(super) start_s_per_1000: f64,
    /// What calls waited for starts.
    pub(super) overhead: Percentiles,
}

/// What is the same for all policies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) start: Duration,
    /// No instance waits longer.
    pub(super) longest: Duration,
}

/// One that waits.
#[derive(Debug, Clone, Copy)]
struct Idle {
    since: u64,
    until: u64,
}

struct Simulation<'a> {
    trace: &'a Trace,
    given: Given,
    decisions: Result<KeepAlive<(u32, u32)>, Duration>,
    epoch: Instant,
    /// Those of each function, the one that was used last at the end.
    idle: BTreeMap<u32, Vec<Idle>>,
    serving: BTreeMap<u32, u32>,
    /// When calls end, and of which function.
    ends: BinaryHeap<Reverse<(u64, u32)>>,
    decide_at: u64,
    /// Microseconds of a MiB.
    held: f64,
    cold: u64,
}

/// Fixed, adaptive with as much memory, and adaptive with as many cold starts.
pub(super) fn compare(trace: &Trace, given: Given, idle_ttl: Duration) -> [Outcome; 3] {
    let fixed = simulate(trace, given, Policy::Fixed(idle_ttl));
    let adaptive = |budget_mib| simulate(trace, given, Policy::Adaptive { budget_mib });
    // A budget is never exceeded for long, so what is used of it on average is less.
    let (mut low, mut high) = (fixed.mean_mib, fixed.mean_mib * MARGIN);
    let mut as_large = adaptive(low);
    for _ in 0..HALVINGS {
        let budget = f64::midpoint(low, high);
        let outcome = adaptive(budget);
        if outcome.mean_mib <= fixed.mean_mib {
            (low, as_large) = (budget, outcome);
        } else {
            high = budget;
        }
    }
    let mut as_cold = as_large.clone();
    let (mut low, mut high) = (0.0, low);
    for _ in 0..HALVINGS {
        let budget = f64::midpoint(low, high);
        let outcome = adaptive(budget);
        if outcome.cold <= fixed.cold {
            (high, as_cold) = (budget, outcome);
        } else {
            low = budget;
        }
    }
    [fixed, as_large, as_cold]
}

/// Runs a trace from its first call to its last.
pub(super) fn simulate(trace: &Trace, given: Given, policy: Policy) -> Outcome {
    let (decisions, budget_mib, idle_ttl_s) = match policy {
        Policy::Fixed(ttl) => (Err(ttl), None, Some(rounded(ttl.as_secs_f64()))),
        Policy::Adaptive { budget_mib } => {
            let settings = KeepSettings {
                functions: PLACES,
                budget: ByteSize::from_bytes(bytes(budget_mib)),
                longest: given.longest,
                start: given.start,
                memory: ByteSize::mib(MEMORY_MIB.into()),
            };
            (Ok(KeepAlive::new(settings)), Some(rounded(budget_mib)), None)
        }
    };
    let begin = trace.rows.first().map_or(0, |row| row.t_us);
    let mut simulation = Simulation {
        trace,
        given,
        decisions,
        epoch: Instant::now(),
        idle: BTreeMap::new(),
        serving: BTreeMap::new(),
        ends: BinaryHeap::new(),
        decide_at: begin,
        held: 0.0,
        cold: 0,
    };
    for row in &trace.rows {
        simulation.up_to(row.t_us);
        simulation.call(row);
    }
    let end = trace.rows.last().map_or(begin, |row| row.t_us);
    simulation.finish(end);
    let calls = trace.rows.len() as f64;
    let seconds = trace.span().as_secs_f64();
    let mib_s = simulation.held / MICROSECONDS;
    let cold = simulation.cold;
    let start = given.start;
    let mut waits: Vec<Duration> =
        (0..trace.rows.len() as u64).map(|call| if call < cold { start } else { Duration::ZERO }).collect();
    Outcome {
        budget_mib,
        idle_ttl_s,
        cold,
        cold_ratio: cold as f64 / calls.max(1.0),
        mean_mib: if seconds > 0.0 { mib_s / seconds } else { 0.0 },
        gb_s: mib_s * 1024.0 * 1024.0 / 1e9,
        start_s_per_1000: rounded(cold as f64 * start.as_secs_f64() * 1000.0 / calls.max(1.0)),
        overhead: Percentiles::of(&mut waits),
    }
}

impl Simulation<'_> {
    /// Everything that happens before this moment.
    fn up_to(&mut self, now: u64) {
        loop {
            let end = self.ends.peek().map(|Reverse((at, _))| *at).filter(|at| *at <= now);
            if self.decisions.is_ok() && self.decide_at <= end.unwrap_or(now) {
                self.decide(self.decide_at);
                self.decide_at += u64::try_from(PRICE_EVERY.as_micros()).unwrap_or(u64::MAX);
            } else if end.is_some() {
                let Some(Reverse((at, function))) = self.ends.pop() else { return };
                self.end(at, function);
            } else {
                return;
            }
        }
    }

    fn call(&mut self, row: &Row) {
        let Row { t_us: now, function, duration_us } = *row;
        let mib = f64::from(self.mib(function));
        let idle = self.idle.entry(function).or_default();
        // Those that are past their time have ended.
        idle.retain(|one| {
            let waits = one.until > now;
            if !waits {
                self.held += one.until.saturating_sub(one.since) as f64 * mib;
            }
            waits
        });
        let found = idle.pop();
        let serving = self.serving.entry(function).or_default();
        let place = (function, *serving);
        *serving += 1;
        let start = match found {
            Some(one) => {
                self.held += now.saturating_sub(one.since) as f64 * mib;
                0
            }
            None => {
                self.cold += 1;
                u64::try_from(self.given.start.as_micros()).unwrap_or(u64::MAX)
            }
        };
        let at = self.moment(now);
        let memory = ByteSize::mib(self.mib(function).into());
        if let Ok(decisions) = &mut self.decisions {
            decisions.arrived(at, &place);
            decisions.served(&place, Duration::from_micros(duration_us));
            decisions.weighed(&place, memory);
            if found.is_none() {
                decisions.started(&place, self.given.start);
            }
        }
        self.ends.push(Reverse((now.saturating_add(start).saturating_add(duration_us), function)));
    }

    fn end(&mut self, at: u64, function: u32) {
        let serving = self.serving.entry(function).or_default();
        *serving = serving.saturating_sub(1);
        let until = at.saturating_add(self.keep_for(function, 0));
        self.idle.entry(function).or_default().push(Idle { since: at, until });
    }

    /// Microseconds for which the instance waits that is the next one after those that serve and so many more.
    fn keep_for(&self, function: u32, beside: u32) -> u64 {
        let serving = self.serving.get(&function).copied().unwrap_or_default();
        let keep = match &self.decisions {
            Ok(decisions) => decisions.keep_for(&(function, serving.saturating_add(beside))).keep_for,
            Err(ttl) => *ttl,
        };
        u64::try_from(keep.as_micros()).unwrap_or(u64::MAX)
    }

    fn decide(&mut self, now: u64) {
        let at = self.moment(now);
        if let Ok(decisions) = &mut self.decisions {
            drop(decisions.decide(at));
        }
        let mut idle = std::mem::take(&mut self.idle);
        for (function, idle) in &mut idle {
            let waiting = idle.iter_mut().rev().filter(|one| one.until > now);
            for (beside, one) in (0..).zip(waiting) {
                // One that has waited for longer ends now.
                one.until = one.since.saturating_add(self.keep_for(*function, beside)).max(now);
            }
        }
        self.idle = idle;
    }

    fn finish(&mut self, end: u64) {
        for (function, idle) in std::mem::take(&mut self.idle) {
            let waited = idle.iter().map(|one| one.until.min(end).saturating_sub(one.since) as f64);
            self.held += waited.sum::<f64>() * f64::from(self.mib(function));
        }
    }

    fn mib(&self, function: u32) -> u32 {
        let known = usize::try_from(function).ok().and_then(|place| self.trace.memory_mib.get(place));
        known.copied().flatten().unwrap_or(MEMORY_MIB)
    }

    fn moment(&self, now: u64) -> Instant {
        self.epoch + Duration::from_micros(now)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "MiB of a host's memory")]
fn bytes(mib: f64) -> u64 {
    (mib * 1024.0 * 1024.0) as u64
}

#[cfg(test)]
mod tests {
    use super::{Given, Policy, compare, simulate};
    use crate::commands::bench::trace::calls::{Row, Trace};
    use crate::commands::bench::trace::synthetic::{Synthetic, generate};
    use proptest::prelude::*;
    use std::time::Duration;

    const GIVEN: Given = Given { start: Duration::from_millis(30), longest: Duration::from_secs(3600) };

    fn trace(rows: &[(u64, u32, u64)]) -> Trace {
        let row = |(seconds, function, duration_us): &(u64, u32, u64)| Row {
            t_us: seconds * 1_000_000,
            function: *function,
            duration_us: *duration_us,
        };
        Trace::new(vec![Some(100), None], rows.iter().map(row).collect(), 0).expect("calls")
    }

    #[test]
    fn a_fixed_time_out_is_kept_to_and_paid_for() {
        // The second finds the first's, the third comes too late, the fourth finds none free beside it.
        let trace = trace(&[(0, 0, 1_000_000), (60, 0, 0), (121, 0, 2_000_000), (122, 0, 0)]);
        let outcome = simulate(&trace, GIVEN, Policy::Fixed(Duration::from_secs(60)));
        assert_eq!((outcome.cold, outcome.overhead.n), (3, 4));
        // 60 s less one call and its start, 60 s after the second, and from the fourth's end on nothing.
        let expected = 100.0 * (58.97 + 60.0) / 122.0;
        assert!((outcome.mean_mib - expected).abs() < 0.1, "{outcome:?} is not {expected}");
    }

    #[test]
    fn with_room_for_all_none_is_started_twice() {
        let trace = trace(&[(0, 0, 0), (0, 1, 0), (1500, 0, 0), (1600, 1, 0), (3000, 0, 0), (3100, 1, 0)]);
        assert_eq!(simulate(&trace, GIVEN, Policy::Adaptive { budget_mib: 1000.0 }).cold, 2);
        assert_eq!(simulate(&trace, GIVEN, Policy::Fixed(Duration::from_secs(600))).cold, 6);
    }

    #[test]
    fn as_few_cold_starts_take_less_memory() {
        let wanted = Synthetic { functions: 150, seconds: 5400.0, rate: 0.7, zipf: 1.0, seed: 3 };
        let [fixed, as_large, as_cold] = compare(&generate(wanted).expect("calls"), GIVEN, Duration::from_secs(600));
        assert!(
            as_cold.cold <= fixed.cold && as_cold.mean_mib < 0.95 * fixed.mean_mib,
            "{as_cold:?} against {fixed:?}"
        );
        assert!(as_cold.mean_mib < as_large.mean_mib && as_cold.cold >= as_large.cold, "{as_cold:?}, {as_large:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

        /// Whatever the seed, where some functions are called less often than every time-out: no more memory than
        /// that takes, and fewer cold starts.
        #[test]
        fn the_adaptive_pool_beats_a_fixed_time_out(seed in any::<u64>(), ttl in 120..600_u64, zipf in 0.8..1.2) {
            let wanted = Synthetic { functions: 200, seconds: 7200.0, rate: 0.8, zipf, seed };
            let trace = generate(wanted).expect("calls");
            let fixed = simulate(&trace, GIVEN, Policy::Fixed(Duration::from_secs(ttl)));
            let adaptive = || simulate(&trace, GIVEN, Policy::Adaptive { budget_mib: fixed.mean_mib });
            let found = adaptive();
            prop_assert!(found.mean_mib <= fixed.mean_mib && found.cold < fixed.cold, "{found:?} against {fixed:?}");
            prop_assert_eq!(found, adaptive());
        }
    }
}
