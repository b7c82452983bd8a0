//! What became of executions: counted, and how long they took.

use super::histogram::Histogram;
use faas_types::{ErrorKind, ExecutionRecord, ExecutionState, FunctionId};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Functions that are counted each by itself; those that come later are counted in the whole only.
const MOST_FUNCTIONS: usize = 20_000;
/// Functions that are gone and known as such, so that a call that ends after its function brings it not back.
const MOST_GONE: usize = 1024;

/// What became of executions since the start of the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallStats {
    /// Those that ended well.
    pub succeeded: u64,
    /// Those that were cancelled.
    pub cancelled: u64,
    /// Those that failed, by cause.
    pub failed: BTreeMap<&'static str, u64>,
    /// Those that began in a sandbox of their own.
    pub cold_starts: u64,
    /// Those that began in a warm one.
    pub warm_starts: u64,
    /// From their acceptance to their end; `None` where none ended.
    pub latency: Option<Latency>,
}

/// How long executions took; each value within an eighth above the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Half took no longer.
    pub p50: Duration,
    /// 95 of 100 took no longer.
    pub p95: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
}

/// What is counted, over all and of each function. Names are looked up where it is shown: a function that is made
/// anew under an old name begins at nothing.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    all: Counts,
    functions: HashMap<FunctionId, Counts>,
    /// Those forgotten last, the latest at the end.
    gone: VecDeque<FunctionId>,
}

#[derive(Debug, Default)]
struct Counts {
    succeeded: u64,
    cancelled: u64,
    failed: BTreeMap<&'static str, u64>,
    cold: u64,
    warm: u64,
    latencies: Histogram,
}

impl Calls {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        // A count that is missing does no harm.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an end, of a call of the function where there is one.
    pub(crate) fn count(&self, function: Option<FunctionId>, record: &ExecutionRecord) {
        let mut counted = self.counted();
        counted.all.count(record);
        if let Some(counts) = function.and_then(|function| counted.of(function)) {
            counts.count(record);
        }
    }

    /// What became of all.
    pub(crate) fn all(&self) -> CallStats {
        self.counted().all.stats()
    }

    /// What became of a function's calls.
    pub(crate) fn of(&self, function: FunctionId) -> CallStats {
        self.counted().functions.get(&function).map(Counts::stats).unwrap_or_default()
    }

    /// Forgets a function that is gone; in the whole its calls stay.
    pub(crate) fn forget(&self, function: FunctionId) {
        let mut counted = self.counted();
        counted.functions.remove(&function);
        if counted.gone.len() == MOST_GONE {
            counted.gone.pop_front();
        }
        counted.gone.push_back(function);
    }
}

impl Counted {
    fn of(&mut self, function: FunctionId) -> Option<&mut Counts> {
        let is_full = self.functions.len() >= MOST_FUNCTIONS;
        match self.functions.entry(function) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(_) if is_full || self.gone.contains(&function) => None,
            Entry::Vacant(new) => Some(new.insert(Counts::default())),
        }
    }
}

impl Counts {
    fn count(&mut self, record: &ExecutionRecord) {
        match record.status {
            ExecutionState::Succeeded => self.succeeded += 1,
            ExecutionState::Cancelled => self.cancelled += 1,
            ExecutionState::Failed => {
                *self.failed.entry(record.error_kind.map_or("platform", ErrorKind::as_str)).or_default() += 1;
            }
            ExecutionState::Queued | ExecutionState::Starting | ExecutionState::Running => return,
        }
        match record.start.kind.as_str() {
            // It never had a sandbox.
            "" => return,
            "warm" => self.warm += 1,
            _ => self.cold += 1,
        }
        self.latencies.add(record.start.total_us);
    }

    fn stats(&self) -> CallStats {
        let at = |share| self.latencies.at(share).map(Duration::from_micros);
        let latency = || Some(Latency { p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)? });
        CallStats {
            succeeded: self.succeeded,
            cancelled: self.cancelled,
            failed: self.failed.clone(),
            cold_starts: self.cold,
            warm_starts: self.warm,
            latency: latency(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CallStats, Calls};
    use faas_types::{Contract, ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, FunctionId};

    fn ended(status: ExecutionState, kind: Option<ErrorKind>, start: &str) -> ExecutionRecord {
        let mut record = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Handler, "fake");
        (record.status, record.error_kind) = (status, kind);
        record.start.kind = start.to_owned();
        record.start.total_us = 1000;
        record
    }

    #[test]
    fn ends_are_counted_for_their_function_and_for_all() {
        let calls = Calls::default();
        let function = FunctionId::generate();
        calls.count(Some(function), &ended(ExecutionState::Succeeded, None, "cold"));
        calls.count(Some(function), &ended(ExecutionState::Failed, Some(ErrorKind::Timeout), "warm"));
        calls.count(None, &ended(ExecutionState::Cancelled, Some(ErrorKind::Cancelled), ""));
        let of = calls.of(function);
        assert_eq!((of.succeeded, of.failed.get("timeout"), of.cold_starts, of.warm_starts), (1, Some(&1), 1, 1));
        let latency = of.latency.expect("two ended");
        assert!((1000..=1125).contains(&latency.p99.as_micros()), "{latency:?}");
        assert_eq!((calls.all().cancelled, calls.all().succeeded), (1, 1));
        assert_eq!(calls.of(FunctionId::generate()), CallStats::default(), "another function's");
        calls.forget(function);
        assert_eq!(calls.of(function), CallStats::default());
        calls.count(Some(function), &ended(ExecutionState::Succeeded, None, "warm"));
        assert_eq!(
            (calls.of(function), calls.all().succeeded),
            (CallStats::default(), 2),
            "it ended after its function"
        );
    }
}
