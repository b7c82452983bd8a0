//! When calls should begin. Pure.

use crate::diagnostic::CliError;
use serde::Serialize;
use std::time::Duration;

const LEAST_RATE: f64 = 0.01;
const MOST_RATE: f64 = 100_000.0;

/// What decides when a call begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Pace {
    /// The end of the one before it.
    Closed,
    /// The clock, whatever became of the ones before it.
    Open {
        /// Calls a second.
        rate: f64,
    },
}

impl Pace {
    /// So many calls a second.
    pub(super) fn open(rate: f64) -> Result<Self, CliError> {
        if (LEAST_RATE..=MOST_RATE).contains(&rate) {
            Ok(Self::Open { rate })
        } else {
            let detail = format!("--rate {rate} is refused; accepted: {LEAST_RATE} to {MOST_RATE} calls a second");
            Err(CliError::invalid(detail))
        }
    }
}

/// So many calls at this rate, each with the time after the first at which it should begin.
pub(super) fn evenly<T>(count: u32, rate: f64, mut call: impl FnMut() -> T) -> impl Iterator<Item = (Duration, T)> {
    (0..count).map(move |number| (intended(rate, number), call()))
}

fn intended(rate: f64, number: u32) -> Duration {
    Duration::try_from_secs_f64(f64::from(number) / rate).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Pace, evenly, intended};
    use std::time::Duration;

    #[test]
    fn calls_begin_at_even_distances() {
        let at: Vec<_> = evenly(4, 4.0, || ()).map(|(time, ())| time).collect();
        assert_eq!(at, [0, 250, 500, 750].map(Duration::from_millis));
        assert_eq!(intended(0.01, u32::MAX), Duration::from_secs(u64::from(u32::MAX) * 100));
    }

    #[test]
    fn rates_that_no_clock_keeps_are_refused() {
        assert_eq!(Pace::open(2.5).expect("a rate"), Pace::Open { rate: 2.5 });
        for rate in [0.001, 1e9] {
            assert!(Pace::open(rate).expect_err("refused").to_string().contains("--rate"));
        }
    }
}
