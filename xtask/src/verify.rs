//! `cargo xtask verify`: everything continuous integration runs, in its order.
//!
//! Every step runs even when an earlier one failed, so that one run shows all there is to mend. The
//! last line is the sum of the steps' own counts; a step that counts nothing is one check.

mod counts;
mod options;
mod process;
mod steps;

use crate::root;
use counts::Counts;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use steps::{Plan, Step};

/// What became of one step.
struct Outcome {
    name: &'static str,
    counts: Counts,
    took: Duration,
    skipped_because: Option<String>,
}

/// Runs the steps that the options choose.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let root = root();
    let steps = steps::all(&root)?;
    let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
    let options = options::parse(arguments, &names)?;
    let mut out = std::io::stdout();
    if options.list {
        for name in names {
            writeln!(out, "{name}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }

    let mut outcomes = Vec::new();
    for step in &steps {
        let Some(wanted) = options.wants(step.name) else { continue };
        let outcome = if wanted { perform(step)? } else { skipped(step, "left out with --skip") };
        if let Some(reason) = &outcome.skipped_because {
            writeln!(out, "SKIP: {}: {reason}", step.name)?;
        }
        outcomes.push(outcome);
    }
    summarize(&mut out, &outcomes)
}

fn perform(step: &Step) -> anyhow::Result<Outcome> {
    let call = match &step.plan {
        Plan::Skip(reason) => return Ok(skipped(step, reason)),
        Plan::Call(call) => call,
    };
    writeln!(std::io::stdout(), "\n=== {}: {call}", step.name)?;
    let start = Instant::now();
    let finished = process::run(call)?;
    let took = start.elapsed();
    let counts = counts::of_step(&finished.lines, finished.success);
    let verdict = if counts.failed == 0 { "ok" } else { "FAILED" };
    writeln!(std::io::stdout(), "=== {}: {verdict} in {:.1} s ({counts})", step.name, took.as_secs_f64())?;
    Ok(Outcome { name: step.name, counts, took, skipped_because: None })
}

fn skipped(step: &Step, reason: &str) -> Outcome {
    let counts = Counts { skipped: 1, ..Counts::default() };
    Outcome { name: step.name, counts, took: Duration::ZERO, skipped_because: Some(reason.to_owned()) }
}

fn summarize(out: &mut impl Write, outcomes: &[Outcome]) -> anyhow::Result<ExitCode> {
    writeln!(out)?;
    for outcome in outcomes {
        let note = outcome.skipped_because.as_deref().unwrap_or("");
        writeln!(out, "{:<16} {:>7.1} s  {}  {note}", outcome.name, outcome.took.as_secs_f64(), outcome.counts)?;
    }
    let total = outcomes.iter().fold(Counts::default(), |sum, outcome| sum + outcome.counts);
    writeln!(out, "{total}")?;
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
