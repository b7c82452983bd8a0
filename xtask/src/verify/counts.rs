//! What the steps' own outputs say about how many tests passed, failed and were skipped.

use std::fmt;
use std::ops::Add;

/// Tests by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Adds up what a step's output reports. A step that reports nothing is one check; one that fails has
/// failed at least once whatever it reports, as a compiler error comes before any count.
pub(super) fn of_step(lines: &[String], success: bool) -> Counts {
    let reported: Vec<Counts> =
        lines.iter().filter_map(|line| of_line(line)).chain(tap(lines)).chain(unittest(lines)).collect();
    let mut counts = reported.iter().copied().fold(Counts::default(), Add::add);
    if reported.is_empty() && success {
        counts.passed = 1;
    }
    if !success && counts.failed == 0 {
        counts.failed = 1;
    }
    counts
}

/// One line of nextest, libtest, `vm-test`, or a table's own total.
fn of_line(line: &str) -> Option<Counts> {
    let line = line.trim();
    if line.starts_with("Summary [") || line.starts_with("test result: ") {
        let skipped = before(line, "skipped").or(before(line, "ignored"));
        let failed = before(line, "failed").unwrap_or(0) + before(line, "timed out").unwrap_or(0);
        return Some(Counts { passed: before(line, "passed").unwrap_or(0), failed, skipped: skipped.unwrap_or(0) });
    }
    if line.starts_with("SKIP vm-test: ") {
        return Some(Counts { skipped: 1, ..Counts::default() });
    }
    if line.starts_with("vm-test: ") && line.contains(" (exit ") {
        let passed = line.contains(" ok (exit ");
        return Some(Counts { passed: u64::from(passed), failed: u64::from(!passed), skipped: 0 });
    }
    total(line)
}

/// Exactly the form in which [`Counts`] prints.
fn total(line: &str) -> Option<Counts> {
    let counts =
        Counts { passed: before(line, "passed")?, failed: before(line, "failed")?, skipped: before(line, "skipped")? };
    (counts.to_string() == line).then_some(counts)
}

/// The comments at the end of a TAP stream (`# pass 3`), as Node's test runner writes it.
fn tap(lines: &[String]) -> Option<Counts> {
    let last = |name: &str| -> Option<u64> {
        lines.iter().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    };
    Some(Counts {
        passed: last("# pass")?,
        failed: last("# fail")? + last("# cancelled").unwrap_or(0),
        skipped: last("# skipped").unwrap_or(0) + last("# todo").unwrap_or(0),
    })
}

/// The two last lines of Python's unittest: `Ran 12 tests in 0.1s`, then `FAILED (errors=2, skipped=1)`.
fn unittest(lines: &[String]) -> Option<Counts> {
    let ran = lines.iter().rev().find_map(|line| line.strip_prefix("Ran ")?.split_once(" test"))?;
    let ran: u64 = ran.0.parse().ok()?;
    let verdict = lines.iter().rev().find(|line| line.starts_with("OK") || line.starts_with("FAILED"))?;
    let named = |name: &str| -> u64 {
        let number = verdict.split(['(', ',', ')', ' ']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let failed = named("failures") + named("errors");
    let skipped = named("skipped");
    Some(Counts { passed: ran.saturating_sub(failed + skipped), failed, skipped })
}

/// The number in front of a word: `12` for `passed` in `ok. 12 passed; …`.
fn before(line: &str, word: &str) -> Option<u64> {
    let (front, _) = line.split_once(&format!(" {word}"))?;
    front.rsplit(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Counts, of_step};

    fn counted(text: &str, success: bool) -> (u64, u64, u64) {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let Counts { passed, failed, skipped } = of_step(&lines, success);
        (passed, failed, skipped)
    }

    #[test]
    fn reads_every_kind_of_report() {
        let table = [
            ("     Summary [   0.21s] 29 tests run: 29 passed, 0 skipped", (29, 0, 0)),
            (
                "     Summary [   1.21s] 9 tests run: 5 passed (1 slow, 2 leaky), 3 failed, 1 timed out, 2 skipped",
                (5, 4, 2),
            ),
            (
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.20s",
                (3, 0, 1),
            ),
            (
                "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured\ntest result: ok. 4 passed; 0 failed; 1 ignored",
                (7, 0, 1),
            ),
            ("Ran 12 tests in 0.100s\n\nOK", (12, 0, 0)),
            ("Ran 1 test in 0.100s\n\nOK", (1, 0, 0)),
            ("# tests 7\n# pass 5\n# fail 0\n# cancelled 0\n# skipped 2\n# todo 0", (5, 0, 2)),
            ("SKIP row 7: no user namespaces\na table\n58 passed, 0 failed, 2 skipped", (58, 0, 2)),
            ("SKIP vm-test: no QEMU", (0, 0, 1)),
            ("vm-test: probes                   ok (exit 0, 1.0 s)\nvm-test: all passed on cgroup v2", (1, 0, 0)),
            ("", (1, 0, 0)),
            ("10 passed, 1 failed, 0 skipped, in a sentence", (1, 0, 0)),
        ];
        for (text, expected) in table {
            assert_eq!(counted(text, true), expected, "{text}");
        }
    }

    #[test]
    fn a_failing_step_has_failed_at_least_once() {
        assert_eq!(counted("error: could not compile", false), (0, 1, 0));
        assert_eq!(counted("     Summary [ 1s] 2 tests run: 1 passed, 1 failed, 0 skipped", false), (1, 1, 0));
        assert_eq!(counted("vm-test: hostile FAILED (exit 1, 2.0 s)", false), (0, 1, 0));
        assert_eq!(counted("2 passed, 0 failed, 0 skipped", false), (2, 1, 0));
    }

    #[test]
    fn pythons_failures_are_not_counted_as_passed() {
        assert_eq!(counted("Ran 12 tests in 0.1s\n\nFAILED (failures=1, errors=2)", false), (9, 3, 0));
        assert_eq!(counted("Ran 12 tests in 0.1s\n\nOK (skipped=2)", true), (10, 0, 2));
        assert_eq!(counted("Ran 3 tests in 0.1s\n\nFAILED (errors=1, skipped=1)", false), (1, 1, 1));
    }
}
