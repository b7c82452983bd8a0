//! Rows, trials and the order they run in: two at a time, the ones that watch the whole host last.

use crate::arguments::Arguments;
use crate::host::{Baseline, HostState};
use crate::launch::Scene;
use crate::report;
use crate::start::Start;
use crate::suite::{Identity, Suite};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A trial that did not fail.
pub(crate) enum Verdict {
    /// The attack was held.
    Pass,
    /// The attack was held as far as it can be tried now; the text says what is left.
    PassExcept(String),
    /// The attack was not tried; the text says why.
    Skip(String),
}

impl Verdict {
    /// Held, except for what is said here, if anything is.
    pub(crate) fn pass_except(left_out: impl IntoIterator<Item = String>) -> Self {
        let left_out: Vec<String> = left_out.into_iter().collect();
        if left_out.is_empty() { Self::Pass } else { Self::PassExcept(left_out.join("; ")) }
    }
}

/// What a row answers: `Err` tells what was not held.
pub(crate) type Outcome = Result<Verdict, String>;

/// Who starts the programs of a trial, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    /// How.
    pub(crate) start: Start,
    /// Who.
    pub(crate) identity: Identity,
}

impl Way {
    /// All, in the table's order.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Start::ALL.into_iter().flat_map(|start| Identity::ALL.map(|identity| Self { start, identity }))
    }
}

/// One numbered attack.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Number and attack, as the trial's name.
    pub(crate) name: &'static str,
    /// For the table: what it tries.
    pub(crate) tries: &'static str,
    /// Runs after everything else, because it judges the whole host.
    pub(crate) last: bool,
    /// How its programs cannot be started, or why that would prove nothing.
    pub(crate) not_for: &'static [(Start, &'static str)],
    /// Tries it.
    pub(crate) check: fn(&Scene<'_>) -> Outcome,
}

impl Row {
    /// A row that may run beside others.
    pub(crate) const fn new(name: &'static str, tries: &'static str, check: fn(&Scene<'_>) -> Outcome) -> Self {
        Self { name, tries, last: false, not_for: &[], check }
    }

    /// The same row, not tried in these ways.
    pub(crate) const fn not_for(self, not_for: &'static [(Start, &'static str)]) -> Self {
        Self { not_for, ..self }
    }

    fn why_not(&self, start: Start) -> Option<&'static str> {
        self.not_for.iter().find(|(other, _)| *other == start).map(|(_, reason)| *reason)
    }
}

/// Results by row and way.
pub(crate) type Results = BTreeMap<(&'static str, Way), Outcome>;

/// Runs what was asked for and prints it; true when nothing failed.
pub(crate) fn run_all(rows: &[Row], arguments: &Arguments) -> Result<bool, String> {
    let started = Instant::now();
    let mut filtered = 0;
    let mut phases: [VecDeque<(Row, Way)>; 2] = [VecDeque::new(), VecDeque::new()];
    for row in rows {
        for way in Way::all() {
            if arguments.wants(&report::trial_name(row.name, way)) {
                phases[usize::from(row.last)].push_back((*row, way));
            } else {
                filtered += 1;
            }
        }
    }
    let wanted = phases.iter().map(VecDeque::len).sum::<usize>();
    report::line(&format!("\nrunning {wanted} trials"));
    let mut results = Results::new();
    if wanted > 0 {
        let identities: Vec<_> = Identity::ALL
            .into_iter()
            .filter(|identity| phases.iter().flatten().any(|(_, way)| way.identity == *identity))
            .collect();
        let suite = Suite::prepare(&identities)?;
        suite.pace().describe().iter().for_each(|text| report::line(text));
        let baseline = Baseline::take(suite.stage());
        let state = HostState::take();
        for phase in phases {
            run_phase(&suite, &state, phase, &mut results);
        }
        results.insert((report::AFTERWARDS, report::AFTER_ALL), afterwards(suite, &baseline));
    }
    Ok(report::conclude(rows, &results, filtered, started.elapsed()))
}

fn run_phase(suite: &Suite, state: &HostState, trials: VecDeque<(Row, Way)>, results: &mut Results) {
    let queue = Mutex::new(trials);
    let collected = Mutex::new(results);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((row, way)) = next else { return };
                    let begun = Instant::now();
                    let outcome = run_one(suite, state, &row, way);
                    report::progress(row.name, way, &outcome, begun.elapsed());
                    collected.lock().unwrap_or_else(PoisonError::into_inner).insert((row.name, way), outcome);
                }
            });
        }
    });
}

fn run_one(suite: &Suite, state: &HostState, row: &Row, way: Way) -> Outcome {
    if let Some(reason) = suite.why_not(way.identity).or_else(|| row.why_not(way.start).map(str::to_owned)) {
        return Ok(Verdict::Skip(reason));
    }
    let scene = Scene::new(suite, way, row.name)?;
    let outcome = (row.check)(&scene);
    // The host is looked at even when the row failed: what leaked is worth more than the first complaint.
    let host = state.compare().and_then(|()| scene.nothing_escaped());
    match (outcome, host) {
        (outcome, Ok(())) => outcome,
        (Ok(_), Err(host)) => Err(host),
        (Err(row), Err(host)) => Err(format!("{row}\n{host}")),
    }
}

/// Takes back what the suite set up, then looks for what nobody owns.
fn afterwards(suite: Suite, baseline: &Baseline) -> Outcome {
    if suite.why_not(Identity::Root).is_some() {
        return Ok(Verdict::Skip("not root: cannot see the whole host".into()));
    }
    let bound = suite.pace().longer(Duration::from_secs(5));
    suite.finish()?;
    baseline.nothing_new(bound)?;
    Ok(Verdict::Pass)
}
