//! Calls that nobody made: few functions are called often and many seldom, as in recorded traces. Pure.
//!
//! The function of rank k is called in proportion to 1/k^s (Zipf). Calls come independently of each other; each
//! function has a mean duration of its own, and durations of its calls are spread around it exponentially.

use super::calls::{MOST_CALLS, Row, Trace, check_count, microseconds};
use super::error::TraceError;
use super::random::Random;

/// Mean durations of functions are between these, in seconds, as likely in one decade as in the next.
const SHORTEST: f64 = 0.001;
const LONGEST: f64 = 0.3;
/// No call takes more than so many times its function's mean.
const MOST_TIMES: f64 = 10.0;
const MEMORY_MIB: [u32; 3] = [64, 128, 256];

/// What is made up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Synthetic {
    pub(super) functions: u32,
    pub(super) seconds: f64,
    /// Calls a second, of all functions together.
    pub(super) rate: f64,
    /// 0 makes all functions equal.
    pub(super) zipf: f64,
    pub(super) seed: u64,
}

pub(super) fn generate(wanted: Synthetic) -> Result<Trace, TraceError> {
    let Synthetic { functions, seconds, rate, zipf, seed } = wanted;
    let mut up_to = Vec::new();
    let mut sum = 0.0;
    for rank in 1..=functions {
        sum += f64::from(rank).powf(-zipf);
        up_to.push(sum);
    }
    let mut means = Random::of(seed, 1);
    let means: Vec<f64> = up_to.iter().map(|_| SHORTEST * (LONGEST / SHORTEST).powf(means.unit())).collect();
    let mut random = Random::of(seed, 2);
    let mut rows = Vec::new();
    let mut at = random.exponential(1.0 / rate);
    while at < seconds {
        let drawn = random.unit() * sum;
        let place = up_to.partition_point(|bound| *bound <= drawn).min(up_to.len().saturating_sub(1));
        let mean = means.get(place).copied().unwrap_or(SHORTEST);
        let duration = random.exponential(mean).min(mean * MOST_TIMES);
        rows.push(Row {
            t_us: microseconds(at).unwrap_or(0),
            function: u32::try_from(place).unwrap_or(0),
            duration_us: microseconds(duration).unwrap_or(0),
        });
        if u64::try_from(rows.len()).unwrap_or(u64::MAX) > MOST_CALLS {
            check_count(microseconds(rate * seconds / 1e6).unwrap_or(u64::MAX).max(MOST_CALLS + 1))?;
        }
        at += random.exponential(1.0 / rate);
    }
    let memory_mib = (0..up_to.len()).map(|place| MEMORY_MIB.get(place % MEMORY_MIB.len()).copied()).collect();
    Trace::new(memory_mib, rows, 0)
}

#[cfg(test)]
mod tests {
    use super::{Synthetic, generate};

    const WANTED: Synthetic = Synthetic { functions: 10, seconds: 100.0, rate: 100.0, zipf: 1.0, seed: 3 };

    #[test]
    fn a_seed_means_one_trace_with_the_rate_that_was_asked_for() {
        let trace = generate(WANTED).expect("a trace");
        assert_eq!(generate(WANTED).expect("a trace"), trace);
        assert_ne!(generate(Synthetic { seed: 4, ..WANTED }).expect("a trace"), trace);
        assert!((9_000..11_000).contains(&trace.rows.len()), "{}", trace.rows.len());
        assert!(trace.rows.is_sorted() && trace.span().as_secs_f64() < 100.0 && trace.longest().as_secs() < 4);
        assert_eq!((trace.memory_mib.len(), trace.left_out), (10, 0));
    }

    #[test]
    fn popularity_falls_with_the_rank() {
        let counts = |zipf| {
            let trace = generate(Synthetic { zipf, ..WANTED }).expect("a trace");
            (0..10).map(|rank| trace.rows.iter().filter(|row| row.function == rank).count()).collect::<Vec<_>>()
        };
        let (skewed, even) = (counts(1.0), counts(0.0));
        // The first of ten has 1 / (1 + 1/2 + … + 1/10) of all: 34 of 100.
        assert!((3_000..3_900).contains(&skewed[0]) && (1_500..2_000).contains(&skewed[1]), "{skewed:?}");
        assert!(even.iter().all(|count| (800..1_200).contains(count)), "{even:?}");
    }

    #[test]
    fn more_calls_than_are_kept_are_refused() {
        let error = generate(Synthetic { seconds: 1e9, rate: 1e4, ..WANTED }).expect_err("refused").to_string();
        assert!(error.contains("at most 2000000"), "{error}");
        assert!(generate(Synthetic { seconds: 0.0, ..WANTED }).is_err());
    }
}
