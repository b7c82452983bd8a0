use super::{Bounds, Reason, SpareSettings, Spares, Target, TooManyBounds};
use faas_types::ByteSize;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const MIB: u64 = 1024 * 1024;
const TICK: Duration = Duration::from_millis(500);
const MOST: u32 = 8;

fn settings() -> SpareSettings {
    SpareSettings {
        keys: 16,
        budget: ByteSize::mib(1024),
        most: u32::MAX,
        bounds: Bounds::new(0, MOST).expect("bounds"),
        start: Duration::from_millis(30),
        memory: ByteSize::mib(14),
    }
}

/// Runs so long with calls at the moments that are given, in order; what is wanted of each key at each decision.
fn run(
    spares: &mut Spares<u8>,
    length: Duration,
    calls: impl IntoIterator<Item = (Duration, u8)>,
) -> Vec<Vec<Target<u8>>> {
    let start = Instant::now();
    let mut calls = calls.into_iter().peekable();
    let ticks = length.as_millis() / TICK.as_millis();
    let mut at = Duration::ZERO;
    (0..ticks)
        .map(|_| {
            at += TICK;
            while let Some((call, key)) = calls.next_if(|(call, _)| *call <= at) {
                spares.arrived(start + call, &key);
            }
            spares.decide(start + at)
        })
        .collect()
}

fn wanted(decided: &[Vec<Target<u8>>], key: u8) -> Vec<u32> {
    let of =
        |targets: &Vec<Target<u8>>| targets.iter().find(|target| target.key == key).map_or(0, |target| target.wanted);
    decided.iter().map(of).collect()
}

/// How often it rose by one, and how often it fell by one.
fn changes(wanted: &[u32]) -> (u32, u32) {
    let pairs = wanted.windows(2);
    pairs
        .fold((0, 0), |(up, down), pair| (up + pair[1].saturating_sub(pair[0]), down + pair[0].saturating_sub(pair[1])))
}

fn every(period: Duration) -> impl Iterator<Item = (Duration, u8)> {
    (0_u32..).map(move |number| (period * number, 0))
}

/// Calls at an even pace, for a while on, for a while off.
fn on_off(key: u8, period: Duration, on: Duration, off: Duration, length: Duration) -> Vec<(Duration, u8)> {
    let mut calls = Vec::new();
    let mut begin = Duration::ZERO;
    while begin < length {
        let count = u32::try_from(on.as_micros() / period.as_micros()).expect("few") + 1;
        calls.extend((0..count).map(|number| (begin + period * number, key)));
        begin += on + off;
    }
    calls
}

/// From 1 to so many times as much, each scale as often as another.
fn scaled(least: f64, times: f64) -> impl Strategy<Value = Duration> {
    (0.0..times.ln()).prop_map(move |log| Duration::from_secs_f64(least * log.exp()))
}

const MINUTE: usize = 120;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn even_calls_change_nothing_once_it_has_settled(period in scaled(0.02, 5000.0), start in scaled(0.001, 5000.0)) {
        let mut spares = Spares::new(SpareSettings { start, ..settings() });
        let wanted = wanted(&run(&mut spares, Duration::from_secs(500), every(period)), 0);
        let (up, down) = changes(&wanted[3 * MINUTE..]);
        prop_assert!(up + down <= 1, "{up} up and {down} down with {period:?} between calls, {start:?} to make one");
        // One that is called at least every 25 s finds a spare.
        prop_assert!(period > Duration::from_secs(25) || wanted.last() > Some(&0), "none for {period:?}");
        prop_assert!(period < Duration::from_secs(31) || wanted.last() == Some(&0), "some for {period:?}");
    }

    /// Of any period: it falls by one in ten seconds at most, so that it cannot rise again more than that.
    #[test]
    fn calls_that_come_and_go_change_little(
        period in scaled(0.01, 500.0), on in scaled(0.1, 1500.0), off in scaled(0.1, 1500.0), start in scaled(0.005, 200.0),
    ) {
        let length = Duration::from_secs(600);
        let mut spares = Spares::new(SpareSettings { start, ..settings() });
        let calls = on_off(0, period, on, off, length);
        let wanted = wanted(&run(&mut spares, length, calls), 0);
        for minute in wanted.windows(MINUTE + 1) {
            let (up, down) = changes(minute);
            prop_assert!(down <= 6 && up <= MOST + 6, "{up} up and {down} down in a minute");
        }
        // Pauses that are shorter than the calm are not seen at all.
        if on + off < Duration::from_secs(25) {
            let (up, down) = changes(&wanted[4 * MINUTE..]);
            prop_assert!(up + down <= 1, "{up} up and {down} down with pauses of {off:?}");
        }
    }

    /// Keys whose calls come and go and that have to share: what one gains another loses, still at a bounded pace.
    #[test]
    fn keys_that_share_too_little_memory_do_not_take_turns(
        ways in prop::collection::vec((scaled(0.05, 100.0), scaled(1.0, 100.0), scaled(1.0, 100.0)), 2..5), room in 1..8_u64,
    ) {
        let length = Duration::from_secs(600);
        let budget = ByteSize::mib(14 * room);
        let mut calls = Vec::new();
        for (key, (period, on, off)) in (0..).zip(ways.iter().copied()) {
            calls.extend(on_off(key, period, on, off, length));
        }
        calls.sort_unstable();
        let mut spares = Spares::new(SpareSettings { budget, start: Duration::from_millis(500), ..settings() });
        let decided = run(&mut spares, length, calls);
        for key in 0..u8::try_from(ways.len()).expect("few") {
            for minute in wanted(&decided, key).windows(MINUTE + 1) {
                let (up, down) = changes(minute);
                prop_assert!(up + down <= 2 * MOST + 6, "{up} up and {down} down of {key} in a minute");
            }
        }
        for targets in &decided {
            prop_assert!(targets.iter().map(|target| u64::from(target.wanted)).sum::<u64>() <= room);
        }
    }
}

/// What may happen.
#[derive(Debug, Clone)]
enum Step {
    Arrive(u8, u32),
    Started(u8, u64),
    Weighed(u8, u64),
    Bound(u8, u32, u32),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..8_u8, 1..60_u32).prop_map(|(key, calls)| Step::Arrive(key, calls)),
        2 => (0..8_u8, 0..5000_u64).prop_map(|(key, time)| Step::Started(key, time)),
        2 => (0..8_u8, 0..60_u64).prop_map(|(key, mib)| Step::Weighed(key, mib)),
        1 => (0..8_u8, 0..3_u32, 0..9_u32).prop_map(|(key, min, more)| Step::Bound(key, min, min + more)),
        3 => (1..40_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn bounds_and_budget_hold_and_the_same_steps_lead_to_the_same_decisions(
        steps in prop::collection::vec(step(), 0..120), keys in 1..8_usize, budget in 0..600_u64,
    ) {
        let run = || {
            let budget = ByteSize::mib(budget);
            let mut spares = Spares::new(SpareSettings { keys, budget, ..settings() });
            let start = Instant::now();
            let mut at = Duration::ZERO;
            let mut all = Vec::new();
            for step in &steps {
                match step {
                    Step::Arrive(key, calls) => (0..*calls).for_each(|_| spares.arrived(start + at, key)),
                    Step::Started(key, time) => spares.started(key, Duration::from_millis(*time)),
                    Step::Weighed(key, mib) => spares.weighed(key, ByteSize::mib(*mib)),
                    Step::Bound(key, min, most) => {
                        let bounded = spares.bound(key, Bounds::new(*min, *most).expect("bounds"));
                        assert!(bounded.is_ok() || spares.keys.iter().all(|(_, known)| known.bounds().min() > 0));
                    }
                    Step::Wait(time) => at += Duration::from_millis(*time),
                }
                let decided = spares.decide(start + at);
                assert!(decided.len() <= keys);
                let known = || decided.iter().zip(spares.keys.iter().map(|(_, demand)| demand));
                let memory = |count: fn(u32, u32) -> u32| -> u64 {
                    known().map(|(target, demand)| u64::from(count(target.wanted, demand.bounds().min())) * demand.costs.memory()).sum()
                };
                assert!(memory(|wanted, _| wanted) <= budget.as_bytes());
                let mins_fit = memory(|_, min| min) <= budget.as_bytes();
                for (target, demand) in known() {
                    let bounds = demand.bounds();
                    assert!(target.wanted <= bounds.most() && (!mins_fit || target.wanted >= bounds.min()), "{target:?}");
                }
                all.push(decided);
            }
            all
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn a_decision_says_why() {
    let start = Instant::now();
    let mut spares = Spares::new(settings());
    let second = |second: u64| start + Duration::from_secs(second);
    let reason =
        |spares: &mut Spares<u8>, at| spares.decide(second(at)).pop().map(|target| (target.wanted, target.reason));

    spares.arrived(second(0), &0);
    assert_eq!(reason(&mut spares, 0), Some((0, Reason::Rare)));
    (1..=10).for_each(|at| spares.arrived(second(at), &0));
    let Some((1, Reason::Arrivals { per_second, start })) = reason(&mut spares, 10) else { panic!("not so few") };
    assert!((0.1..1.0).contains(&per_second) && start == Duration::from_millis(30), "{per_second} in {start:?}");
    spares.bound(&0, Bounds::new(3, 4).expect("bounds")).expect("room");
    assert_eq!(reason(&mut spares, 10), Some((3, Reason::Min { asked: 1 })));
    (0..2000).for_each(|_| spares.arrived(second(11), &0));
    let Some((4, Reason::Most { asked })) = reason(&mut spares, 11) else { panic!("not so many") };
    assert!(asked > 4);
    assert!(matches!(reason(&mut spares, 12), Some((4, Reason::Most { .. }))), "it goes on");
    // Nobody calls any more: half a minute later by one, ten seconds later by one more.
    let after: Vec<_> = (13..300).filter_map(|at| reason(&mut spares, at)).collect();
    assert!(after.iter().any(|(wanted, reason)| *wanted == 4 && matches!(reason, Reason::Calming { .. })), "{after:?}");
    assert_eq!(after.last(), Some(&(3, Reason::Min { asked: 0 })));
    spares.weighed(&0, ByteSize::from_bytes(500 * MIB));
    assert_eq!(reason(&mut spares, 300), Some((2, Reason::Short { asked: 3 })));
}

#[test]
fn a_burst_is_seen_at_once_and_forgotten_slowly() {
    let mut spares = Spares::new(SpareSettings { start: Duration::from_millis(100), ..settings() });
    let burst = (0..100).map(|number| (Duration::from_millis(10 * number), 0));
    let wanted = wanted(&run(&mut spares, Duration::from_secs(200), burst), 0);
    assert!(wanted[1] >= 6, "{wanted:?}");
    let falls: Vec<_> = (1..wanted.len()).filter(|at| wanted[*at] < wanted[at - 1]).collect();
    assert!((60..=124).contains(&falls[0]), "the first after {} half seconds", falls[0]);
    assert!(falls.windows(2).all(|pair| pair[1] - pair[0] >= 20) && falls.len() >= 6, "{falls:?}");
    assert_eq!(wanted.last(), Some(&0));
}

#[test]
fn keys_with_a_lower_bound_are_not_forgotten_and_the_others_are() {
    let mut spares = Spares::new(SpareSettings { keys: 2, ..settings() });
    let start = Instant::now();
    let one = Bounds::new(1, 1).expect("bounds");
    spares.bound(&0, one).expect("room");
    (1..100).for_each(|key| spares.arrived(start, &key));
    let keys = |spares: &mut Spares<u8>| spares.decide(start).iter().map(|target| target.key).collect::<Vec<_>>();
    assert_eq!(keys(&mut spares), [0, 99]);
    spares.bound(&7, one).expect("room");
    assert_eq!(spares.bound(&8, one), Err(TooManyBounds { keys: 2 }));
    spares.arrived(start, &8);
    assert_eq!(keys(&mut spares), [0, 7]);
    spares.bound(&0, Bounds::new(0, 1).expect("bounds")).expect("known");
    spares.bound(&8, one).expect("room again");
    assert_eq!(keys(&mut spares), [7, 8]);
    assert!(Bounds::new(2, 1).is_err_and(|error| error.to_string().starts_with("min 2 is above most 1")));
}
