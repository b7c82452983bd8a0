//! What every reader gives: calls in the order in which they begin. Pure.

use super::error::TraceError;
use std::cmp::Reverse;
use std::time::Duration;

/// The most calls that are kept in memory.
pub(super) const MOST_CALLS: u64 = 2_000_000;
const MICROSECONDS: f64 = 1e6;

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    /// When it begins, in microseconds from the beginning of the part that is replayed.
    pub(crate) t_us: u64,
    /// Its function's place among [`Trace::memory_mib`].
    pub(crate) function: u32,
    /// How long it runs.
    pub(crate) duration_us: u64,
}

/// Calls of some functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    /// For each function the memory that one instance takes, where that is known.
    pub(crate) memory_mib: Vec<Option<u32>>,
    /// In order.
    pub(crate) rows: Vec<Row>,
    /// Calls in the same time that are not among them: of other functions, without a known duration, or begun
    /// earlier.
    pub(crate) left_out: u64,
}

/// The part of a trace that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The functions that are called most.
    pub(crate) functions: u32,
    /// The first minute.
    pub(crate) from: u32,
    /// How many.
    pub(crate) minutes: u32,
}

impl Part {
    /// Whether this minute, from 0 on, belongs to it.
    pub(super) const fn has_minute(self, minute: u32) -> bool {
        minute >= self.from && minute < self.from.saturating_add(self.minutes)
    }

    /// The time since its beginning, where this time of the trace belongs to it.
    pub(super) fn at(self, t_us: u64) -> Option<u64> {
        let minute = 60_000_000;
        let since = t_us.checked_sub(u64::from(self.from).checked_mul(minute)?)?;
        (since < u64::from(self.minutes).saturating_mul(minute)).then_some(since)
    }
}

impl Trace {
    /// Puts calls into their order.
    pub(super) fn new(memory_mib: Vec<Option<u32>>, mut rows: Vec<Row>, left_out: u64) -> Result<Self, TraceError> {
        if rows.is_empty() {
            return Err(TraceError::Empty);
        }
        rows.sort_unstable();
        Ok(Self { memory_mib, rows, left_out })
    }

    /// From the first call to the last.
    pub(crate) fn span(&self) -> Duration {
        let last = self.rows.last().map_or(0, |row| row.t_us);
        Duration::from_micros(last - self.rows.first().map_or(0, |row| row.t_us))
    }

    /// The longest that any of them runs.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.rows.iter().map(|row| row.duration_us).max().unwrap_or(0))
    }
}

/// Refuses more calls than are kept.
pub(super) const fn check_count(calls: u64) -> Result<(), TraceError> {
    if calls > MOST_CALLS { Err(TraceError::TooManyCalls { calls }) } else { Ok(()) }
}

/// The places of the largest of these counts, largest first, and of equal ones the earlier first.
pub(super) fn largest(counts: &[u64], most: u32) -> Vec<usize> {
    let mut places: Vec<usize> = (0..counts.len()).collect();
    places.sort_by_key(|place| (Reverse(counts.get(*place).copied()), *place));
    places.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    places
}

/// Seconds as microseconds, to the nearest one.
pub(super) fn microseconds(seconds: f64) -> Option<u64> {
    let time = Duration::try_from_secs_f64((seconds * MICROSECONDS).round() / MICROSECONDS).ok()?;
    u64::try_from(time.checked_add(Duration::from_nanos(500))?.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::{Part, Row, Trace, largest, microseconds};
    use std::time::Duration;

    #[test]
    fn a_part_has_its_minutes_and_begins_at_zero() {
        let part = Part { functions: 1, from: 2, minutes: 3 };
        let has: Vec<u32> = (0..8).filter(|minute| part.has_minute(*minute)).collect();
        assert_eq!(has, [2, 3, 4]);
        assert_eq!((part.at(119_999_999), part.at(120_000_000)), (None, Some(0)));
        assert_eq!((part.at(299_999_999), part.at(300_000_000)), (Some(179_999_999), None));
    }

    #[test]
    fn calls_are_put_in_order() {
        let row = |t_us, function, duration_us| Row { t_us, function, duration_us };
        let trace = Trace::new(vec![None; 2], vec![row(9, 0, 7), row(2, 1, 1)], 3).expect("calls");
        assert_eq!(trace.rows, [row(2, 1, 1), row(9, 0, 7)]);
        assert_eq!((trace.span(), trace.longest()), (Duration::from_micros(7), Duration::from_micros(7)));
        assert!(Trace::new(Vec::new(), Vec::new(), 3).is_err());
    }

    #[test]
    fn the_largest_come_first_and_equal_ones_in_order() {
        assert_eq!(largest(&[1, 5, 0, 5, 3], 3), [1, 3, 4]);
        assert_eq!(largest(&[], 3), Vec::<usize>::new());
    }

    #[test]
    fn seconds_are_rounded_and_what_is_no_time_is_none() {
        assert_eq!((microseconds(0.134), microseconds(1_209_600.000_001)), (Some(134_000), Some(1_209_600_000_001)));
        for bad in [-0.1, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(microseconds(bad), None);
        }
    }
}
