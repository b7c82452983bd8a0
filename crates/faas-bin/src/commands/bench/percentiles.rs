//! Exact percentiles of samples. Pure.

use serde::Serialize;
use std::time::Duration;

/// What is said about a number of samples, in milliseconds. One that too few samples stand behind is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) n: usize,
    pub(super) p50_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) p999_ms: Option<f64>,
}

impl Percentiles {
    pub(super) fn of(samples: &mut [Duration]) -> Self {
        samples.sort_unstable();
        let at = |per_mille| ranked(samples, per_mille).map(milliseconds);
        Self { n: samples.len(), p50_ms: at(500), p95_ms: at(950), p99_ms: at(990), p999_ms: at(999) }
    }
}

/// The smallest sample that so many of a thousand do not exceed, where at least one sample is above that rank
/// or none need be.
fn ranked(sorted: &[Duration], per_mille: usize) -> Option<Duration> {
    let needed = if per_mille <= 500 { 1 } else { 1000 / (1000 - per_mille) };
    if sorted.len() < needed {
        return None;
    }
    let rank = sorted.len().checked_mul(per_mille)?.div_ceil(1000);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// With the microsecond as the last digit.
pub(super) fn milliseconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64() * 1000.0)
}

/// To three digits behind the point.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::Percentiles;
    use proptest::prelude::*;
    use std::time::Duration;

    fn of(samples: impl IntoIterator<Item = u64>) -> Percentiles {
        Percentiles::of(&mut samples.into_iter().map(Duration::from_millis).collect::<Vec<_>>())
    }

    #[test]
    fn ranks_are_the_nearest_ones() {
        let thousand = of((1..=1000).rev());
        let values = [thousand.p50_ms, thousand.p95_ms, thousand.p99_ms, thousand.p999_ms];
        assert_eq!(values, [Some(500.0), Some(950.0), Some(990.0), Some(999.0)]);
    }

    #[test]
    fn what_too_few_samples_stand_behind_is_absent() {
        for (n, known) in [(0, 0), (1, 1), (19, 1), (20, 2), (99, 2), (100, 3), (999, 3), (1000, 4)] {
            let found = of(0..n);
            let count = [found.p50_ms, found.p95_ms, found.p99_ms, found.p999_ms].iter().flatten().count();
            assert_eq!((found.n, count), (usize::try_from(n).expect("small"), known));
        }
    }

    proptest! {
        #[test]
        fn percentiles_are_samples_in_order(samples in proptest::collection::vec(0_u64..1_000_000, 1000..1100)) {
            let found = of(samples.iter().copied());
            let values: Vec<f64> =
                [found.p50_ms, found.p95_ms, found.p99_ms, found.p999_ms].into_iter().flatten().collect();
            prop_assert_eq!(values.len(), 4);
            prop_assert!(values.is_sorted());
            for value in values {
                let is_one = samples.iter().any(|sample| (*sample as f64 - value).abs() < 0.001);
                prop_assert!(is_one);
            }
        }
    }
}
