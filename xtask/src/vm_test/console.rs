//! Understands what the machine says on its serial console.
//!
//! Init prints lines that begin with `@@vm:NONCE:`. The nonce is new for each run, so that output of a
//! suite, which is hostile by trade, cannot pass for a result by accident. Pure: lines and the time they
//! came in, a report out. Fed by [`super::machine`].

use anyhow::{Result, bail};
use std::time::Duration;

/// One line, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Begin { suite: &'a str },
    End { suite: &'a str, code: i32 },
    Done,
    Panic,
    Other,
}

/// How one suite ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SuiteResult {
    pub(super) name: String,
    pub(super) code: i32,
    pub(super) took: Duration,
    /// What it said itself, as libtest does.
    tests: Tests,
}

/// Tests by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tests {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl SuiteResult {
    /// How many of its tests passed, failed and were skipped. A suite that names no numbers is one test,
    /// and one that failed has failed at least once whatever it says.
    pub(super) fn counts(&self) -> String {
        let Tests { mut passed, mut failed, skipped } = self.tests;
        if self.code != 0 {
            failed = failed.max(1);
        } else if passed + failed + skipped == 0 {
            passed = 1;
        }
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// What is known so far.
#[derive(Debug)]
pub(super) struct Report {
    prefix: String,
    running: Option<(String, Duration)>,
    /// Of the running suite.
    tests: Tests,
    /// When the first suite began: the machine's boot and set-up end there.
    pub(super) booted: Option<Duration>,
    pub(super) results: Vec<SuiteResult>,
    panic: Option<String>,
    done: bool,
}

impl Report {
    pub(super) fn new(nonce: &str) -> Self {
        Self {
            prefix: format!("@@vm:{nonce}:"),
            running: None,
            tests: Tests::default(),
            booted: None,
            results: Vec::new(),
            panic: None,
            done: false,
        }
    }

    /// Takes one line that came in `at` after the start. Answers whether it is the output of a suite or
    /// the kernel, to be shown, rather than a marker.
    pub(super) fn line(&mut self, text: &str, at: Duration) -> bool {
        match self.classify(text) {
            Line::Begin { suite } => {
                self.booted.get_or_insert(at);
                self.running = Some((suite.to_owned(), at));
                self.tests = Tests::default();
            }
            Line::End { suite, code } => {
                let began = match self.running.take() {
                    Some((name, began)) if name == suite => began,
                    _ => at,
                };
                let tests = std::mem::take(&mut self.tests);
                let took = at.saturating_sub(began);
                self.results.push(SuiteResult { name: suite.to_owned(), code, took, tests });
            }
            Line::Done => self.done = true,
            Line::Panic => {
                self.panic.get_or_insert_with(|| text.trim().to_owned());
                return true;
            }
            Line::Other => {
                self.count(text);
                return true;
            }
        }
        false
    }

    /// Adds what libtest's last line says.
    fn count(&mut self, text: &str) {
        let Some(numbers) = text.trim().strip_prefix("test result: ") else { return };
        let before = |word: &str| -> u64 {
            let number = numbers.split_once(word).and_then(|(front, _)| front.trim_end().rsplit(' ').next());
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        self.tests.passed += before(" passed;");
        self.tests.failed += before(" failed;");
        self.tests.skipped += before(" ignored;");
    }

    /// The suite that has begun and not ended.
    pub(super) fn running(&self) -> Option<&str> {
        self.running.as_ref().map(|(name, _)| name.as_str())
    }

    /// Every expected suite ran and passed, and the machine came to its orderly end.
    pub(super) fn verdict(&self, expected: &[String]) -> Result<()> {
        if let Some(panic) = &self.panic {
            bail!("the kernel panicked: {panic}");
        }
        if let Some(name) = self.running() {
            bail!("the machine ended in the middle of suite {name}");
        }
        let mut wrong = Vec::new();
        for name in expected {
            match self.results.iter().filter(|result| &result.name == name).collect::<Vec<_>>()[..] {
                [] => wrong.push(format!("{name} never ran")),
                [result] if result.code == 0 => {}
                [result] => wrong.push(format!("{name} failed with exit code {}", result.code)),
                _ => wrong.push(format!("{name} reported more than once")),
            }
        }
        if !wrong.is_empty() {
            bail!("{}", wrong.join("; "));
        }
        if !self.done {
            bail!("the machine stopped before it said that it was done");
        }
        Ok(())
    }

    fn classify<'a>(&self, text: &'a str) -> Line<'a> {
        if text.contains("Kernel panic - not syncing") {
            return Line::Panic;
        }
        // A suite may have left the cursor in the middle of a line.
        let Some((_, marker)) = text.split_once(&self.prefix) else { return Line::Other };
        match marker.trim_end().split(' ').collect::<Vec<_>>()[..] {
            ["begin", suite] => Line::Begin { suite },
            ["end", suite, code] => match code.parse() {
                Ok(code) => Line::End { suite, code },
                Err(_) => Line::Other,
            },
            ["done"] => Line::Done,
            _ => Line::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[&str]) -> Report {
        let mut report = Report::new("n1");
        for (at, line) in (1..).zip(lines) {
            report.line(line, Duration::from_secs(at));
        }
        report
    }

    fn expected(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_full_run_passes_and_is_timed() {
        let report = report(&["boot", "@@vm:n1:begin a\r", "x", "no newline@@vm:n1:end a 0", "@@vm:n1:done"]);
        report.verdict(&expected(&["a"])).unwrap();
        assert_eq!(report.booted, Some(Duration::from_secs(2)));
        let tests = Tests::default();
        assert_eq!(
            report.results,
            [SuiteResult { name: "a".to_owned(), code: 0, took: Duration::from_secs(2), tests }]
        );
    }

    #[test]
    fn a_suites_own_numbers_are_kept_apart_from_those_of_others() {
        let report = report(&[
            "@@vm:n1:begin a",
            "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 7 filtered out; finished in 0.20s\r",
            "@@vm:n1:end a 101",
            "@@vm:n1:begin b",
            "@@vm:n1:end b 0",
            "@@vm:n1:begin c",
            "@@vm:n1:end c 137",
        ]);
        let counts: Vec<String> = report.results.iter().map(SuiteResult::counts).collect();
        assert_eq!(
            counts,
            ["3 passed, 1 failed, 2 skipped", "1 passed, 0 failed, 0 skipped", "0 passed, 1 failed, 0 skipped"]
        );
    }

    #[test]
    fn whatever_is_missing_or_wrong_fails() {
        let failing = |lines: &[&str]| report(lines).verdict(&expected(&["a"])).unwrap_err().to_string();
        assert_eq!(failing(&["@@vm:n1:done"]), "a never ran");
        assert_eq!(failing(&["@@vm:n1:begin a", "@@vm:n1:end a 7", "@@vm:n1:done"]), "a failed with exit code 7");
        assert_eq!(failing(&["@@vm:n1:begin a"]), "the machine ended in the middle of suite a");
        assert_eq!(
            failing(&["@@vm:n1:begin a", "@@vm:n1:end a 0"]),
            "the machine stopped before it said that it was done"
        );
        assert_eq!(
            failing(&["@@vm:n1:begin a", "@@vm:n1:end a 0", "@@vm:n1:end a 0", "@@vm:n1:done"]),
            "a reported more than once"
        );
        assert!(failing(&["@@vm:n1:begin a", "[ 1.0] Kernel panic - not syncing: x"]).contains("panicked"));
    }

    #[test]
    fn another_runs_markers_are_output() {
        let mut report = Report::new("n1");
        assert!(report.line("@@vm:n2:end a 0", Duration::ZERO));
        assert!(report.line("@@vm:n1:end a zero", Duration::ZERO));
        assert!(report.results.is_empty());
    }
}
