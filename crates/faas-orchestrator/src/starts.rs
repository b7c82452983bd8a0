//! Versions whose programs end before they are loaded. After some such starts in a row the next one is put off,
//! longer each time: a program that cannot start is not started for every call of it.
//!
//! Pure: the time is given. The driver asks before it starts a program and says what came of it.
//!
//! Invariants: a version that was loaded is not put off; starts at once count as one; while one is put off, each
//! time that it is due one start is let through. What is not here is not put off.

use crate::warm::Served;
use faas_types::FunctionId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Starts that may fail in a row before the next one is put off.
const PATIENCE: u32 = 3;
/// How long it is put off at first, and at most: each time it doubles, as Kubernetes has it for containers
/// that crash, whose longest is five minutes too.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Versions that are remembered.
const MOST: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    failing: Mutex<HashMap<Served, Failing>>,
}

#[derive(Debug)]
struct Failing {
    in_a_row: u32,
    /// When the last one failed.
    last: Instant,
    /// When the next one may be made.
    next: Instant,
    why: String,
}

/// A start that is put off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PutOff {
    pub(crate) in_a_row: u32,
    pub(crate) left: Duration,
    /// Why the last one failed.
    pub(crate) why: String,
}

impl Starts {
    fn failing(&self) -> MutexGuard<'_, HashMap<Served, Failing>> {
        // An entry is changed whole, so a panic elsewhere is no reason to give up.
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a start is put off, where it is.
    pub(crate) fn put_off(&self, served: Served, now: Instant) -> Option<PutOff> {
        self.failing().get(&served)?.put_off(now)
    }

    /// Lets a start through, or says how long it is put off.
    pub(crate) fn begin(&self, served: Served, now: Instant) -> Result<(), PutOff> {
        let mut failing = self.failing();
        let Some(version) = failing.get_mut(&served) else { return Ok(()) };
        if let Some(put_off) = version.put_off(now) {
            return Err(put_off);
        }
        if let Some(wait) = wait_after(version.in_a_row) {
            // The others wait for what comes of this one.
            version.next = now + wait;
        }
        Ok(())
    }

    /// One that was let through says nothing of the program: the next one may begin.
    pub(crate) fn give_back(&self, served: Served, now: Instant) {
        if let Some(version) = self.failing().get_mut(&served) {
            version.next = version.next.min(now);
        }
    }

    /// A function is gone.
    pub(crate) fn forget(&self, function: FunctionId) {
        self.failing().retain(|(id, _), _| *id != function);
    }

    /// The program was loaded.
    pub(crate) fn loaded(&self, served: Served) {
        self.failing().remove(&served);
    }

    /// A start that began then came to nothing. Whether the next one is put off from now on.
    pub(crate) fn failed(&self, served: Served, began: Instant, now: Instant, why: &str) -> bool {
        let mut failing = self.failing();
        if failing.len() >= MOST && !failing.contains_key(&served) {
            failing.retain(|_, version| now < version.last + LONGEST);
            if failing.len() >= MOST {
                return false;
            }
        }
        let version = failing.entry(served).or_insert_with(|| Failing {
            in_a_row: 0,
            last: began,
            next: now,
            why: String::new(),
        });
        if began < version.last {
            // It was under way when the last one failed.
            return false;
        }
        version.in_a_row = version.in_a_row.saturating_add(1);
        version.last = now;
        version.why = why.to_owned();
        match wait_after(version.in_a_row) {
            Some(wait) => version.next = now + wait,
            None => return false,
        }
        version.in_a_row == PATIENCE
    }
}

impl Failing {
    fn put_off(&self, now: Instant) -> Option<PutOff> {
        wait_after(self.in_a_row)?;
        let left = self.next.saturating_duration_since(now);
        (!left.is_zero()).then(|| PutOff { in_a_row: self.in_a_row, left, why: self.why.clone() })
    }
}

/// How long the next start is put off after so many that failed.
fn wait_after(in_a_row: u32) -> Option<Duration> {
    let doublings = in_a_row.checked_sub(PATIENCE)?;
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    Some(FIRST.saturating_mul(factor).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::{FIRST, LONGEST, PATIENCE, Starts};
    use faas_types::FunctionId;
    use std::time::{Duration, Instant};

    #[test]
    fn a_version_that_never_loads_is_started_less_and_less_often() {
        let (starts, served, mut now) = (Starts::default(), (FunctionId::generate(), 1), Instant::now());
        for round in 1..=PATIENCE {
            assert_eq!(starts.begin(served, now), Ok(()), "the first ones are let through");
            assert_eq!(starts.failed(served, now, now, "exits"), round == PATIENCE, "it is said once");
            now += Duration::from_millis(1);
        }
        let mut waits = Vec::new();
        for _ in 0..12 {
            let put_off = starts.begin(served, now).unwrap_err();
            assert_eq!(put_off.why, "exits");
            waits.push(put_off.left);
            now += put_off.left;
            assert_eq!(starts.begin(served, now), Ok(()), "one is let through when it is due");
            assert!(starts.begin(served, now).is_err(), "and no other beside it");
            assert!(!starts.failed(served, now, now, "exits"));
        }
        assert!(waits.windows(2).all(|pair| pair[0] < pair[1] || pair[1] == LONGEST), "{waits:?}");
        assert!(waits[0] <= FIRST && waits[11] == LONGEST, "{waits:?}");
    }

    #[test]
    fn one_that_was_loaded_begins_anew_and_starts_at_once_count_as_one() {
        let (starts, served, now) = (Starts::default(), (FunctionId::generate(), 1), Instant::now());
        for _ in 0..100 {
            starts.failed(served, now, now + Duration::from_millis(5), "exits");
        }
        assert_eq!(starts.begin(served, now + Duration::from_millis(6)), Ok(()), "they began together");
        for later in 1..=u64::from(PATIENCE) {
            let at = now + Duration::from_secs(later);
            starts.failed(served, at, at, "exits");
        }
        let at = now + Duration::from_secs(u64::from(PATIENCE));
        assert!(starts.begin(served, at).is_err());
        assert_eq!(starts.begin((served.0, 2), at), Ok(()), "another version is another program");
        starts.loaded(served);
        assert_eq!(starts.begin(served, at), Ok(()));
    }
}
