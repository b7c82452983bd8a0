//! What the suite prints: progress, failures, one table with both verdicts, libtest's last line.

use crate::arguments::Arguments;
use crate::start::Start;
use crate::suite::Identity;
use crate::trial::{Outcome, Results, Row, Verdict, Way};
use std::io::Write;
use std::time::Duration;

/// The name of the check that runs when all trials are over.
pub(crate) const AFTERWARDS: &str = "row_99_nothing_is_left_on_the_host";

/// Where its result is kept.
pub(crate) const AFTER_ALL: Way = Way { start: Start::Cold, identity: Identity::Root };

/// Prints one line to standard output; a closed pipe is no reason to fail.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// A trial's full name.
pub(crate) fn trial_name(row: &str, way: Way) -> String {
    format!("{row}::{}::{}", way.identity.name(), way.start.name())
}

/// `--list`: names as libtest prints them.
pub(crate) fn list(rows: &[Row], arguments: &Arguments) {
    for row in rows {
        for way in Way::all() {
            let name = trial_name(row.name, way);
            if arguments.wants(&name) {
                line(&format!("{name}: test"));
            }
        }
    }
}

/// One finished trial.
pub(crate) fn progress(row: &str, way: Way, outcome: &Outcome, took: Duration) {
    let word = match outcome {
        Ok(Verdict::Pass) => "ok".to_owned(),
        Ok(Verdict::PassExcept(rest)) => format!("ok (except: {rest})"),
        Ok(Verdict::Skip(reason)) => format!("ignored, {reason}"),
        Err(_) => "FAILED".to_owned(),
    };
    line(&format!("test {} ... {word} ({:.1}s)", trial_name(row, way), took.as_secs_f64()));
    if let Err(reason) = outcome {
        for part in reason.lines() {
            line(&format!("    {part}"));
        }
    }
}

/// Prints failures, the table and the result line; true when nothing failed.
pub(crate) fn conclude(rows: &[Row], results: &Results, filtered: usize, took: Duration) -> bool {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut failures = Vec::new();
    for ((row, way), outcome) in results {
        match outcome {
            Ok(Verdict::Pass | Verdict::PassExcept(_)) => passed += 1,
            Ok(Verdict::Skip(_)) => skipped += 1,
            Err(reason) => {
                failed += 1;
                failures.push(format!("---- {} ----\n{reason}\n", trial_name(row, *way)));
            }
        }
    }
    if !failures.is_empty() {
        line("\nfailures:\n");
        failures.iter().for_each(|failure| line(failure));
    }
    let head: Vec<_> = Way::all().map(|way| format!(" {}, {} |", way.identity.name(), way.start.name())).collect();
    line(&format!("\n| row | what it tries |{}\n|---|---|{}", head.concat(), "---|".repeat(head.len())));
    for row in rows {
        let cells: Vec<_> = Way::all().map(|way| cell(results.get(&(row.name, way)))).collect();
        if cells.iter().any(|cell| cell != NOT_ASKED) {
            line(&format!("| {} | {} | {} |", number_of(row.name), row.tries, cells.join(" | ")));
        }
    }
    if let Some(outcome) = results.get(&(AFTERWARDS, AFTER_ALL)) {
        line(&format!(
            "| end | leave a process, mount, cgroup, namespace or file behind | {} |{}",
            cell(Some(outcome)),
            " |".repeat(head.len() - 1)
        ));
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    line(&format!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; {filtered} filtered out; finished in {:.2}s\n",
        took.as_secs_f64()
    ));
    failed == 0
}

const NOT_ASKED: &str = "filtered out";

fn cell(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => NOT_ASKED.to_owned(),
        Some(Ok(Verdict::Pass)) => "PASS".to_owned(),
        Some(Ok(Verdict::PassExcept(rest))) => format!("PASS; SKIP({rest})"),
        Some(Ok(Verdict::Skip(reason))) => format!("SKIP({reason})"),
        Some(Err(_)) => "FAIL".to_owned(),
    }
}

/// `row_06_…` is row 6; other names stand for themselves.
fn number_of(name: &str) -> &str {
    let rest = name.strip_prefix("row_").unwrap_or(name);
    let end = rest.find('_').unwrap_or(rest.len());
    rest[..end].trim_start_matches('0')
}
