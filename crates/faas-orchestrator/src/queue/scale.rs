//! Whether a call that finds no instance of its version free has another one started, or waits for one that serves.
//!
//! Pure but for the time, which is passed in: [`super::BusyFunctions`] counts, `faas-scheduler`'s `ScaleOut` decides from
//! what calls and starts of the version took. Invariants: what is not known of a version is what holds for any; a
//! version whose calls use a processor all the time gets no more instances than there are processors for, but
//! nobody waits for that reason alone for longer than some starts take.

use crate::warm::Served;
use faas_scheduler::{Crowd, ScaleOut, Verdict};
use std::collections::HashMap;
use std::time::Duration;

/// What a start is taken to cost until one was measured, as for how long instances are kept.
const START: Duration = Duration::from_millis(30);
/// Versions that are known.
const MOST: usize = 4096;
/// So many starts long, and that much longer, calls that need processors wait for those that have them.
const STARTS: u32 = 4;
const LONGER: Duration = Duration::from_millis(50);
/// What the older share keeps when another one is added, as of everything that is smoothed.
const KEPT: f64 = 0.7;

/// What a call took whose instance is free again, or gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    /// From when it had its instance.
    pub(crate) time: Duration,
    /// Of processors.
    pub(crate) cpu: Option<Duration>,
    /// Whether the next one finds its instance.
    pub(crate) is_kept: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Scale {
    known: HashMap<Served, Known>,
    processors: f64,
}

#[derive(Debug)]
struct Known {
    out: ScaleOut,
    /// How many processors a call keeps busy.
    share: f64,
}

impl Known {
    const fn new() -> Self {
        Self { out: ScaleOut::new(START), share: 0.0 }
    }
}

impl Scale {
    pub(super) fn new(processors: usize) -> Self {
        Self { known: HashMap::new(), processors: processors as f64 }
    }

    /// Whether one is to be started now; or how long it is to be waited until that is asked again.
    pub(super) fn decide(&self, served: Served, crowd: Crowd) -> Result<(), Duration> {
        let new = Known::new();
        let known = self.known.get(&served).unwrap_or(&new);
        let live = f64::from(crowd.serving.saturating_add(crowd.starting));
        let patience = known.out.start_time().saturating_mul(STARTS).saturating_add(LONGER);
        if live > 0.0 && (live + 1.0) * known.share > self.processors.max(known.share) && crowd.stalled < patience {
            return Err(patience.saturating_sub(crowd.stalled));
        }
        match known.out.decide(crowd) {
            Verdict::Start(_) => Ok(()),
            Verdict::Wait(after) => Err(after),
        }
    }

    pub(super) fn started(&mut self, served: Served, time: Duration) {
        self.known(served).out.started(time);
    }

    pub(super) fn served(&mut self, served: Served, took: Took) {
        let known = self.known(served);
        // Where it is not kept the next one has to start one, so that it is not free for as long again.
        let start = if took.is_kept { Duration::ZERO } else { known.out.start_time() };
        known.out.served(took.time.saturating_add(start));
        if let Some(cpu) = took.cpu {
            let share = cpu.as_secs_f64() / took.time.as_secs_f64().max(cpu.as_secs_f64()).max(1e-6);
            known.share = KEPT * known.share + (1.0 - KEPT) * share;
        }
    }

    fn known(&mut self, served: Served) -> &mut Known {
        if self.known.len() >= MOST && !self.known.contains_key(&served) {
            // What is forgotten is learnt again within some calls.
            self.known.clear();
        }
        self.known.entry(served).or_insert_with(Known::new)
    }
}

#[cfg(test)]
mod tests {
    use super::{Scale, Took};
    use faas_scheduler::Crowd;
    use faas_types::FunctionId;
    use std::time::Duration;

    const CROWD: Crowd = Crowd { waiting: 30, stalled: Duration::ZERO, serving: 2, starting: 0, room: 100 };

    fn served(milliseconds: u64, cpu: u64, is_kept: bool) -> Took {
        let (time, cpu) = (Duration::from_millis(milliseconds), Duration::from_millis(cpu));
        Took { time, cpu: Some(cpu), is_kept }
    }

    #[test]
    fn calls_that_are_over_before_a_start_wait_and_those_that_sleep_do_not() {
        let mut scale = Scale::new(2);
        let [short, long, spent] = [(); 3].map(|()| (FunctionId::generate(), 1));
        scale.served(short, served(1, 0, true));
        scale.served(long, served(1000, 0, true));
        scale.served(spent, served(1, 0, false));
        assert!(scale.decide(short, CROWD).is_err_and(|after| after <= Duration::from_millis(30)));
        assert_eq!(scale.decide(long, CROWD), Ok(()));
        assert_eq!(scale.decide(spent, CROWD), Ok(()), "none of its instances serves a second call");
        assert_eq!(scale.decide(short, Crowd { stalled: Duration::from_millis(30), ..CROWD }), Ok(()));
    }

    #[test]
    fn what_needs_a_processor_gets_no_more_instances_than_there_are() {
        let mut scale = Scale::new(2);
        let version = (FunctionId::generate(), 1);
        for _ in 0..50 {
            scale.served(version, served(200, 200, true));
        }
        let one = Crowd { serving: 1, ..CROWD };
        assert_eq!(scale.decide(version, one), Ok(()));
        let after = scale.decide(version, CROWD).expect_err("both are busy");
        assert_eq!(scale.decide(version, Crowd { stalled: after, ..CROWD }), Ok(()), "but nobody waits for ever");
        assert_eq!(scale.decide(version, Crowd { serving: 0, ..CROWD }), Ok(()));
        for _ in 0..50 {
            scale.served(version, served(200, 1, true));
        }
        assert_eq!(scale.decide(version, CROWD), Ok(()), "it sleeps now");
    }
}
