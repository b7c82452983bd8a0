//! What the calls of one run add up to. Pure.

use faas_client::ClientError;
use faas_types::{ExecutionRecord, IsolationReport, Layer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What calls without an answer are counted as.
const UNANSWERED: &str = "unanswered";

/// What the answer to one call says about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Answer {
    /// The name of what went wrong.
    pub(super) error: Option<String>,
    /// How its sandbox was started.
    pub(super) start: Option<String>,
    /// Which isolation it had.
    pub(super) isolation: Option<Arc<IsolationReport>>,
    /// The processor time it used, where that is known.
    pub(super) cpu: Duration,
    /// How long it was told to run.
    pub(super) own: Duration,
    /// Why there is no record.
    pub(super) refusal: Option<ClientError>,
}

/// One call with its time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// From the moment it should have begun to its answer.
    pub(super) latency: Duration,
    /// How much later than it should it was sent.
    pub(super) lag: Duration,
    pub(super) answer: Answer,
}

/// The sum of calls. Those that failed are counted and not timed.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) latencies: Vec<Duration>,
    /// What was above the time that programs were told to run, where they were.
    pub(super) overheads: Vec<Duration>,
    pub(super) lags: Vec<Duration>,
    /// The processor time of those that are timed.
    pub(super) cpu: Duration,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) starts: BTreeMap<String, u64>,
    /// The layers that every sandbox had, outermost first.
    pub(super) layers: Option<Vec<Layer>>,
    pub(super) missing: BTreeSet<String>,
}

impl Answer {
    /// What a record says.
    pub(super) fn of(record: ExecutionRecord) -> Self {
        let error = record.error_kind.map(|kind| kind.as_str().to_owned());
        let start = Some(record.start.kind).filter(|kind| !kind.is_empty());
        let cpu = Duration::from_micros(record.usage.cpu_us.unwrap_or(0));
        Self { error, start, isolation: record.isolation, cpu, ..Self::default() }
    }

    /// A call that got no record.
    pub(super) fn refused(error: ClientError) -> Self {
        Self { error: Some(error.code.clone()), refusal: Some(error), ..Self::default() }
    }
}

impl Tally {
    pub(super) fn add(&mut self, sample: Sample) {
        let Sample { latency, lag, answer: Answer { error, start, isolation, cpu, own, refusal: _ } } = sample;
        self.lags.push(lag);
        match error {
            None => {
                self.latencies.push(latency);
                self.cpu = self.cpu.saturating_add(cpu);
                if !own.is_zero() {
                    self.overheads.push(latency.saturating_sub(own));
                }
            }
            Some(error) => count(&mut self.errors, error),
        }
        if let Some(start) = start {
            count(&mut self.starts, start);
        }
        if let Some(report) = isolation.map(Arc::unwrap_or_clone) {
            self.missing.extend(report.missing);
            match &mut self.layers {
                None => self.layers = Some(report.layers),
                Some(layers) => layers.retain(|layer| report.layers.contains(layer)),
            }
        }
    }

    /// Counts calls that were begun and whose answer nobody waits for any more.
    pub(super) fn add_unanswered(&mut self, calls: usize) {
        if calls > 0 {
            let calls = u64::try_from(calls).unwrap_or(u64::MAX);
            *self.errors.entry(UNANSWERED.to_owned()).or_default() += calls;
        }
    }

    /// How many calls have no time.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Adds another one.
    pub(super) fn merge(&mut self, other: Self) {
        let Self { latencies, overheads, lags, cpu, errors, starts, layers, missing } = other;
        self.latencies.extend(latencies);
        self.overheads.extend(overheads);
        self.cpu = self.cpu.saturating_add(cpu);
        self.lags.extend(lags);
        for (name, number) in errors {
            *self.errors.entry(name).or_default() += number;
        }
        for (name, number) in starts {
            *self.starts.entry(name).or_default() += number;
        }
        self.missing.extend(missing);
        match (&mut self.layers, layers) {
            (Some(kept), Some(others)) => kept.retain(|layer| others.contains(layer)),
            (kept @ None, others) => *kept = others,
            (Some(_), None) => {}
        }
    }
}

fn count(of: &mut BTreeMap<String, u64>, name: String) {
    *of.entry(name).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::{Answer, Sample, Tally};
    use faas_types::{IsolationLevel, IsolationReport, Layer};
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    fn sample(milliseconds: u64, error: Option<&str>, layers: &[Layer]) -> Sample {
        let isolation = IsolationReport {
            level: IsolationLevel::Standard,
            layers: layers.to_vec(),
            limits: BTreeMap::new(),
            missing: vec!["cpu".to_owned()],
        };
        let answer = Answer {
            error: error.map(str::to_owned),
            start: Some("cold".to_owned()),
            isolation: Some(Arc::new(isolation)),
            cpu: Duration::from_millis(2),
            own: Duration::from_millis(u64::from(milliseconds > 1)),
            refusal: None,
        };
        Sample { latency: Duration::from_millis(milliseconds), lag: Duration::ZERO, answer }
    }

    #[test]
    fn failures_are_counted_by_name_and_not_timed() {
        let mut tally = Tally::default();
        tally.add(sample(1, None, &[Layer::User, Layer::Pid]));
        tally.add(sample(9, Some("timeout"), &[Layer::User]));
        tally.add(sample(5, None, &[Layer::User]));
        let mut other = Tally::default();
        other.add(sample(2, Some("timeout"), &[Layer::User, Layer::Pid]));
        other.merge(tally);
        assert_eq!(other.latencies, [1, 5].map(Duration::from_millis));
        assert_eq!((other.overheads, other.cpu), (vec![Duration::from_millis(4)], Duration::from_millis(4)));
        assert_eq!(other.errors, BTreeMap::from([("timeout".to_owned(), 2)]));
        assert_eq!(other.starts, BTreeMap::from([("cold".to_owned(), 4)]));
        assert_eq!(other.layers, Some(vec![Layer::User]), "only what held for all of them");
        assert_eq!((other.missing.len(), other.lags.len()), (1, 4));
    }
}
