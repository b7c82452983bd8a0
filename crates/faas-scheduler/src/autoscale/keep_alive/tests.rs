//! Keep-alive on traces in simulated time, against a fixed time-out at the same memory.

mod trace;

use super::{Keep, KeepAlive, KeepReason, KeepSettings, PRICE_EVERY};
use faas_types::ByteSize;
use proptest::prelude::*;
use std::time::{Duration, Instant};
use trace::{Call, Function, Ways};

const SECONDS: f64 = 3.0 * 3600.0;
const SETTINGS: KeepSettings = KeepSettings {
    functions: 1000,
    budget: ByteSize::mib(64),
    longest: Duration::from_secs(3600),
    start: Duration::from_millis(30),
    memory: ByteSize::mib(14),
};

/// What a policy cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cold: usize,
    /// Seconds that calls waited for cold starts.
    waited: f64,
    /// MiB that waited warm, on average.
    mib: f64,
}

/// Says for how long sandboxes are kept.
trait Policy {
    /// After a call.
    fn after(&mut self, call: &Call, function: &Function, is_cold: bool) -> f64;
    /// From this moment on, of all that wait, when there is something to say.
    fn decide(&mut self, at: f64) -> Option<Vec<(usize, f64)>>;
}

/// The same for all.
impl Policy for f64 {
    fn after(&mut self, _: &Call, _: &Function, _: bool) -> f64 {
        *self
    }

    fn decide(&mut self, _: f64) -> Option<Vec<(usize, f64)>> {
        None
    }
}

struct Adaptive {
    keep_alive: KeepAlive<usize>,
    start: Instant,
}

impl Policy for Adaptive {
    fn after(&mut self, call: &Call, function: &Function, is_cold: bool) -> f64 {
        let Self { keep_alive, start } = self;
        keep_alive.arrived(*start + Duration::from_secs_f64(call.at), &call.function);
        keep_alive.served(&call.function, Duration::from_secs_f64(function.service));
        keep_alive.weighed(&call.function, ByteSize::from_bytes(bytes(function.mib)));
        if is_cold {
            keep_alive.started(&call.function, Duration::from_secs_f64(function.start));
        }
        keep_alive.keep_for(&call.function).keep_for.as_secs_f64()
    }

    fn decide(&mut self, at: f64) -> Option<Vec<(usize, f64)>> {
        let decided = self.keep_alive.decide(self.start + Duration::from_secs_f64(at));
        Some(decided.into_iter().map(|keep| (keep.function, keep.keep_for.as_secs_f64())).collect())
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some MiB")]
fn bytes(mib: f64) -> u64 {
    (mib * 1024.0 * 1024.0) as u64
}

/// Runs a trace with one sandbox for each function.
fn run(functions: &[Function], calls: &[Call], policy: &mut dyn Policy) -> Cost {
    // When each became free, and until when it is kept.
    let mut waiting = vec![(0.0_f64, f64::NEG_INFINITY); functions.len()];
    let (mut cold, mut waited, mut held) = (0, 0.0, 0.0);
    let mut decide_at = 0.0;
    for call in calls {
        while decide_at < call.at {
            for (function, keep_for) in policy.decide(decide_at).into_iter().flatten() {
                let (free, until) = &mut waiting[function];
                if *until > decide_at {
                    *until = (*free + keep_for).max(decide_at);
                }
            }
            decide_at += PRICE_EVERY.as_secs_f64();
        }
        let function = &functions[call.function];
        let (free, until) = &mut waiting[call.function];
        let is_cold = call.at > *until;
        if is_cold {
            cold += 1;
            waited += function.start;
        }
        held += (call.at.min(*until) - *free).max(0.0) * function.mib;
        *free = call.at + function.service;
        *until = *free + policy.after(call, function, is_cold);
    }
    for ((free, until), function) in waiting.into_iter().zip(functions) {
        held += (until.min(SECONDS) - free).max(0.0) * function.mib;
    }
    Cost { cold, waited, mib: held / SECONDS }
}

fn adaptive(functions: &[Function], calls: &[Call], budget: f64) -> Cost {
    let keep_alive = KeepAlive::new(KeepSettings { budget: ByteSize::from_bytes(bytes(budget)), ..SETTINGS });
    run(functions, calls, &mut Adaptive { keep_alive, start: Instant::now() })
}

/// The fixed time-out that takes as much memory, or a little more.
fn fixed_with(functions: &[Function], calls: &[Call], mib: f64, longest: f64) -> (f64, Cost) {
    let (mut low, mut high) = (0.0, longest);
    for _ in 0..14 {
        let mut middle = f64::midpoint(low, high);
        if run(functions, calls, &mut middle).mib < mib { low = middle } else { high = middle }
    }
    (high, run(functions, calls, &mut high.clone()))
}

#[test]
fn it_beats_a_fixed_time_out_at_equal_memory_on_a_zipf_trace() {
    for (name, ways, seed) in [("mixed", Ways::Mixed, 1), ("independent", Ways::Independent, 2)] {
        let (functions, calls) = trace::make(seed, 300, SECONDS, ways);
        for mut time_out in [60.0, 600.0] {
            // As much memory as a usual time-out takes; and the time-out that takes what was then used of it.
            let budget = run(&functions, &calls, &mut time_out).mib;
            let adaptive = adaptive(&functions, &calls, budget);
            let (time_out, fixed) = fixed_with(&functions, &calls, adaptive.mib, 2.0 * time_out);
            println!("{name} calls: {}, budget {budget:.0} MiB", calls.len());
            println!("  fixed, {time_out:.0} s: {fixed:.1?}\n  adaptive:     {adaptive:.1?}");
            assert!(adaptive.mib < 1.01 * budget && adaptive.mib <= 1.001 * fixed.mib, "{adaptive:?} is not equal");
            assert!(adaptive.cold * 10 < fixed.cold * 9, "{adaptive:?} against {fixed:?}");
            assert!(adaptive.waited < 0.7 * fixed.waited, "{adaptive:?} against {fixed:?}");
        }
    }
}

fn moment(start: Instant, milliseconds: u64) -> Instant {
    start + Duration::from_millis(milliseconds)
}

proptest! {
    /// What a decision leaves waiting fits the budget, whatever happened; and the same happenings lead to the same.
    #[test]
    fn what_waits_fits_the_budget(
        steps in prop::collection::vec((0..12_u8, 0..100_000_u64, 0..40_u64, 0..3000_u64), 1..150),
        functions in 1..10_usize, budget in 0..200_u64,
    ) {
        let budget = ByteSize::mib(budget);
        let run = || {
            let mut keep_alive = KeepAlive::new(KeepSettings { functions, budget, ..SETTINGS });
            let start = Instant::now();
            let mut at = 0;
            let mut sizes = std::collections::BTreeMap::new();
            // Since when each waits, and for how long it is kept.
            let mut waits = std::collections::BTreeMap::new();
            let mut decisions = Vec::new();
            for (function, pause, mib, took) in &steps {
                at += pause;
                let decided = keep_alive.decide(moment(start, at));
                assert!(decided.len() <= functions);
                let is_kept = |since: u64, keep_for| Duration::from_millis(at - since) < keep_for;
                waits.retain(|function, (since, keep_for)| {
                    let keep = decided.iter().find(|keep| keep.function == *function);
                    is_kept(*since, *keep_for)
                        && keep.is_some_and(|keep: &Keep<u8>| {
                            *keep_for = keep.keep_for;
                            is_kept(*since, *keep_for)
                        })
                });
                let sum: u64 = waits.keys().map(|function| sizes[function]).sum();
                assert!(sum <= budget.as_bytes(), "{sum} bytes wait");
                assert!(decided.iter().all(|keep| keep.keep_for <= SETTINGS.longest));
                decisions.push(decided);
                keep_alive.arrived(moment(start, at), function);
                keep_alive.started(function, Duration::from_millis(*took));
                // Sizes only grow here: what is smoothed is never below what is.
                let size = sizes.entry(*function).or_insert(512 * 1024);
                *size = (*size).max(mib * 1024 * 1024);
                keep_alive.weighed(function, ByteSize::from_bytes(*size));
                waits.insert(*function, (at, keep_alive.keep_for(function).keep_for));
            }
            decisions
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn a_decision_says_why() {
    let start = Instant::now();
    let mut keep_alive = KeepAlive::new(KeepSettings { budget: ByteSize::mib(14), ..SETTINGS });
    for second in 0..600 {
        keep_alive.arrived(moment(start, second * 1000), &"often");
        if second % 120 == 0 {
            keep_alive.arrived(moment(start, second * 1000), &"seldom");
        }
    }
    keep_alive.arrived(moment(start, 600_000), &"new");
    let decided = keep_alive.decide(moment(start, 600_000));
    assert_eq!(decided, ["new", "often", "seldom"].map(|function| keep_alive.keep_for(&function)));
    assert_eq!(decided[0].reason, KeepReason::New { gaps: 0 });
    assert!(matches!(decided[1].reason, KeepReason::Returns { share } if share > 0.99), "{decided:?}");
    assert!(decided[1].keep_for >= Duration::from_secs(1));
    assert_eq!((decided[2].keep_for, decided[2].reason), (Duration::ZERO, KeepReason::Memory));
    assert!(keep_alive.price() > 0.0);
    assert_eq!(keep_alive.keep_for(&"never called").reason, KeepReason::New { gaps: 0 });
}

#[test]
fn what_is_called_often_and_starts_slowly_saves_most() {
    let start = Instant::now();
    let mut keep_alive = KeepAlive::new(SETTINGS);
    for second in 0..600 {
        for (function, every) in [("often", 1), ("slow to start", 1), ("seldom", 120)] {
            if second % every == 0 {
                keep_alive.arrived(moment(start, second * 1000), &function);
            }
        }
    }
    keep_alive.started(&"slow to start", Duration::from_millis(300));
    let saves = |function, waited| keep_alive.saves(Some(&function), Duration::from_secs(waited));
    assert!(saves("slow to start", 0) > 5.0 * saves("often", 0));
    assert!(saves("often", 0) > 5.0 * saves("seldom", 0));
    assert!(saves("often", 60) < saves("often", 0) / 5.0, "it should have come back long ago");
    assert!(saves("seldom", 4000) <= 0.0, "no longer than the longest");
    assert!(keep_alive.saves(None, Duration::ZERO) > saves("seldom", 0), "of one that is new most is to be hoped");
}
