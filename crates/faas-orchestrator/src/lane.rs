//! How loaded this host is: the one lane there is, sampled from `/proc` and scored by `faas-scheduler`.
//!
//! With one lane there is nothing to choose, and nobody asks where a sandbox goes: what is here is what a choice would
//! go by, for `/stats`. What cannot be read is no sample, and the lane keeps what it had. The upkeep samples.

use faas_scheduler::{Lanes, Parts, Policy, Sample};
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The lane that is this host.
const HERE: &str = "local";

/// How loaded a lane is.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneStats {
    /// Its name.
    pub name: &'static str,
    /// How many sandboxes it may hold for calls.
    pub capacity: u32,
    /// How many it holds: those of calls that run, and those that wait warm.
    pub in_use: u32,
    /// The smoothed shares of what is in use; `None` before the first sample.
    pub shares: Option<Parts>,
    /// How it is compared, from 0 to 1: the lower, the better.
    pub score: Option<f64>,
}

/// See the module.
pub(crate) struct Lane(Mutex<Lanes<&'static str>>);

/// What the kernel has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counters {
    /// Clock ticks of all processors, and those without work.
    ticks: u64,
    idle: u64,
    waiting: u64,
    /// Microseconds in which something waited for input or output, where the kernel counts them.
    stalled: Option<u64>,
}

/// Samples from one moment to the next.
#[derive(Default)]
pub(crate) struct Sampler {
    before: Option<(Instant, Counters)>,
}

impl Lane {
    pub(crate) fn new(capacity: u32) -> Self {
        let mut lanes = Lanes::new(Policy::default());
        lanes.set(HERE, capacity);
        Self(Mutex::new(lanes))
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes<&'static str>> {
        // Every method leaves it whole, so a panic elsewhere is no reason to give up.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is read now.
    pub(crate) fn sample(&self, sampler: &mut Sampler) {
        if let Some(sample) = sampler.next() {
            self.lanes().sample(&HERE, sample);
        }
    }

    /// With so many sandboxes in it.
    pub(crate) fn stats(&self, in_use: u32) -> Vec<LaneStats> {
        let lanes = self.lanes();
        let shown = lanes.states().map(|state| LaneStats {
            name: state.id,
            capacity: state.capacity,
            in_use,
            shares: state.shares,
            score: state.score.filter(|_| state.shares.is_some()),
        });
        shown.collect()
    }
}

impl Sampler {
    /// What was in use since the last time, once there was one.
    fn next(&mut self) -> Option<Sample> {
        let read = |path| fs::read_to_string(path).ok();
        let now = (Instant::now(), counters(&read("/proc/stat")?, read("/proc/pressure/io").as_deref())?);
        let memory = memory(&read("/proc/meminfo")?)?;
        let (since, before) = self.before.replace(now)?;
        let (cpu, io) = between(before, now.1, now.0.saturating_duration_since(since).as_secs_f64())?;
        Sample::new(Parts { cpu, memory, io }).ok()
    }
}

/// From `/proc/stat` and `/proc/pressure/io`.
fn counters(stat: &str, pressure: Option<&str>) -> Option<Counters> {
    let mut fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().map(str::parse::<u64>);
    let mut next = || fields.next()?.ok();
    let [user, nice, system, idle, waiting] = [next()?, next()?, next()?, next()?, next()?];
    let [interrupts, soft, stolen] = [next()?, next()?, next().unwrap_or(0)];
    let ticks = [user, nice, system, idle, waiting, interrupts, soft, stolen].into_iter().fold(0, u64::saturating_add);
    let some = pressure.and_then(|text| text.lines().find(|line| line.starts_with("some ")));
    let stalled = some.and_then(|line| line.split_once("total=")?.1.trim().parse().ok());
    Some(Counters { ticks, idle, waiting, stalled })
}

/// The share of the memory that is not available, from `/proc/meminfo`.
fn memory(text: &str) -> Option<f64> {
    let value = |name: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let (all, available) = (value("MemTotal")?, value("MemAvailable")?);
    (all > 0.0).then(|| (1.0 - available / all).max(0.0))
}

/// The shares of processors and of input and output between two moments.
fn between(before: Counters, after: Counters, seconds: f64) -> Option<(f64, f64)> {
    let ticks = after.ticks.checked_sub(before.ticks).filter(|ticks| *ticks > 0)?;
    // The kernel lets these two go back by a little.
    let (idle, waiting) = (after.idle.saturating_sub(before.idle), after.waiting.saturating_sub(before.waiting));
    let share = |part: u64| part as f64 / ticks as f64;
    let io = match before.stalled.zip(after.stalled) {
        Some((before, after)) if seconds > 0.0 => after.saturating_sub(before) as f64 / 1e6 / seconds,
        Some(_) | None => share(waiting),
    };
    Some((share(ticks.saturating_sub(idle).saturating_sub(waiting)), io))
}

#[cfg(test)]
mod tests {
    use super::{Counters, Lane, Sampler, between, counters, memory};
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    #[test]
    fn shares_are_what_the_kernel_counted_in_between() {
        let first = counters("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1\n", None).expect("counters");
        let second = counters("cpu  30 10 20 110 30 0 0 0 0 0\n", None).expect("counters");
        assert_eq!(between(first, second, 0.5), Some((0.4, 0.2)));
        let pressed = |total| Counters { stalled: Some(total), ..second };
        let text = "some avg10=0.62 avg60=0.59 avg300=0.49 total=179138188\nfull avg10=0.00 total=1\n";
        assert_eq!(counters("cpu  30 10 20 110 30 0 0 0 0 0\n", Some(text)), Some(pressed(179_138_188)));
        let stalled = Counters { stalled: Some(1_000_000), ..first };
        assert_eq!(between(stalled, pressed(1_250_000), 0.5), Some((0.4, 0.5)));
        assert_eq!(between(first, first, 0.5), None, "no tick, no share");
        assert_eq!(memory("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:    250 kB\n"), Some(0.75));
    }

    #[test]
    fn this_host_can_be_sampled() {
        let (lane, mut sampler) = (Lane::new(7), Sampler::default());
        lane.sample(&mut sampler);
        assert_eq!(lane.stats(0)[0].score, None, "one reading is no difference");
        // Until a clock tick has passed.
        let end = Instant::now() + Duration::from_secs(10);
        while lane.stats(0)[0].shares.is_none() {
            assert!(Instant::now() < end, "no sample in 10 s");
            lane.sample(&mut sampler);
        }
        let [stats] = <[_; 1]>::try_from(lane.stats(3)).expect("one lane");
        assert_eq!((stats.name, stats.capacity, stats.in_use), ("local", 7, 3));
        assert!(stats.score.is_some_and(|score| (0.0..=1.0).contains(&score)), "{stats:?}");
    }

    proptest! {
        #[test]
        fn whatever_stands_there_nothing_panics(stat in ".{0,80}", pressure in ".{0,80}", text in ".{0,80}") {
            let _ = (counters(&format!("cpu {stat}"), Some(&format!("some total={pressure}"))), memory(&text));
        }
    }
}
