use super::{BINS, Gaps, edge};
use proptest::prelude::*;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn gaps(of: &[f64]) -> Gaps {
    let mut gaps = Gaps::new();
    of.iter().for_each(|gap| gaps.add(Duration::from_secs_f64(*gap)));
    gaps
}

proptest! {
    /// Each further step saves less for what it takes, and all together cannot save more than every call.
    #[test]
    fn steps_are_ever_less_worth(of in prop::collection::vec(0.0..20_000.0_f64, 0..400), longest in 0..8000_u64) {
        let longest = Duration::from_secs(longest);
        let steps = gaps(&of).steps(longest);
        for pair in steps.windows(2) {
            prop_assert!(pair[0].rate() > pair[1].rate() && pair[0].keep_for < pair[1].keep_for, "{steps:?}");
        }
        let returns: f64 = steps.iter().map(|step| step.returns).sum();
        let waits: f64 = steps.iter().map(|step| step.waits).sum();
        let last = steps.last().map_or(Duration::ZERO, |step| step.keep_for);
        prop_assert!(returns <= 1.0 + 1e-9 && waits <= last.as_secs_f64() + 1e-6 && last <= longest, "{steps:?}");
        prop_assert!(steps.iter().all(|step| step.returns > 0.0 && step.waits > 0.0), "{steps:?}");
    }
}

#[test]
fn a_function_that_is_called_every_minute_is_kept_for_a_minute_or_not_at_all() {
    let steps = gaps(&[60.0; 100]).steps(HOUR);
    assert!((60.0..64.1).contains(&steps[0].keep_for.as_secs_f64()) && steps[0].returns > 0.99, "{steps:?}");
    assert!(steps[1..].iter().all(|step| step.rate() < steps[0].rate() / 5.0), "{steps:?}");
}

#[test]
fn new_ways_replace_old_ones() {
    let mut known = gaps(&[60.0; 5000]);
    (0..1000).for_each(|_| known.add(Duration::from_secs(1)));
    let steps = known.steps(HOUR);
    assert!(steps[0].keep_for < Duration::from_secs(2) && steps[0].returns > 0.9, "{steps:?}");
    assert_eq!(known.seen(), 6000);
    assert_eq!(std::mem::size_of_val(&known.counts), 4 * (BINS + 1));
    assert!(edge(BINS - 1) > HOUR);
}
