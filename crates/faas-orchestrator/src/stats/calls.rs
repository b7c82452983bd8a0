//! What became of executions: counted, and how long they took.

use super::histogram::Histogram;
use faas_types::{ErrorKind, ExecutionRecord, ExecutionState, TenantId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Functions that are counted each by itself; those that come later are counted in the whole only.
const MOST_FUNCTIONS: usize = 20_000;

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

/// What is counted, over all and of each function.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    all: Counts,
    functions: HashMap<TenantId, HashMap<String, Counts>>,
    known: usize,
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

    /// Counts an end.
    pub(crate) fn count(&self, tenant: TenantId, record: &ExecutionRecord) {
        let mut counted = self.counted();
        counted.all.count(record);
        if let Some(function) = &record.function {
            counted.of(tenant, function, |counts| counts.count(record));
        }
    }

    /// What became of all.
    pub(crate) fn all(&self) -> CallStats {
        self.counted().all.stats()
    }

    /// What became of a function's calls.
    pub(crate) fn of(&self, tenant: TenantId, function: &str) -> CallStats {
        let counted = self.counted();
        counted.functions.get(&tenant).and_then(|of| of.get(function)).map(Counts::stats).unwrap_or_default()
    }

    /// Forgets a function.
    pub(crate) fn forget(&self, tenant: TenantId, function: &str) {
        let mut counted = self.counted();
        let gone = counted.functions.get_mut(&tenant).and_then(|of| of.remove(function)).is_some();
        counted.known -= usize::from(gone);
    }
}

impl Counted {
    fn of(&mut self, tenant: TenantId, function: &str, count: impl FnOnce(&mut Counts)) {
        let of = self.functions.entry(tenant).or_default();
        match of.get_mut(function) {
            Some(counts) => count(counts),
            None if self.known < MOST_FUNCTIONS => {
                self.known += 1;
                count(of.entry(function.to_owned()).or_default());
            }
            None => {}
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
    use super::Calls;
    use faas_types::{Contract, ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, TenantId};

    fn ended(function: Option<&str>, status: ExecutionState, kind: Option<ErrorKind>, start: &str) -> ExecutionRecord {
        let mut record = ExecutionRecord::queued(ExecutionId::generate(), None, Contract::Handler, "fake");
        record.function = function.map(str::to_owned);
        (record.status, record.error_kind) = (status, kind);
        record.start.kind = start.to_owned();
        record.start.total_us = 1000;
        record
    }

    #[test]
    fn ends_are_counted_for_their_function_and_for_all() {
        let calls = Calls::default();
        let tenant = TenantId::LOCAL;
        calls.count(tenant, &ended(Some("a"), ExecutionState::Succeeded, None, "cold"));
        calls.count(tenant, &ended(Some("a"), ExecutionState::Failed, Some(ErrorKind::Timeout), "warm"));
        calls.count(tenant, &ended(None, ExecutionState::Cancelled, Some(ErrorKind::Cancelled), ""));
        let of = calls.of(tenant, "a");
        assert_eq!((of.succeeded, of.failed.get("timeout"), of.cold_starts, of.warm_starts), (1, Some(&1), 1, 1));
        let latency = of.latency.expect("two ended");
        assert!((1000..=1125).contains(&latency.p99.as_micros()), "{latency:?}");
        assert_eq!((calls.all().cancelled, calls.all().succeeded), (1, 1));
        assert_eq!(calls.of(TenantId::generate(), "a"), super::CallStats::default(), "another tenant's");
        calls.forget(tenant, "a");
        assert_eq!(calls.of(tenant, "a"), super::CallStats::default());
    }
}
