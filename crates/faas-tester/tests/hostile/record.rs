//! What a run left to judge: the record `faas --json` printed and the lines the program reported.

use crate::watch::Observed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// One finished `faas` command.
pub(crate) struct Run {
    /// Exit code of the command; `None` when a signal ended it.
    pub(crate) exit: Option<i32>,
    /// Everything it wrote.
    pub(crate) stdout: Vec<u8>,
    /// Everything it complained about.
    pub(crate) stderr: String,
    /// From start to end of the command.
    pub(crate) elapsed: Duration,
    /// What was seen on the host meanwhile.
    pub(crate) observed: Observed,
}

impl Run {
    /// The execution's record: exactly one JSON document.
    pub(crate) fn record(&self) -> Result<Record, String> {
        let value: Value = serde_json::from_slice(&self.stdout)
            .map_err(|e| format!("stdout is not one JSON record ({e}): {}", self.describe()))?;
        if value.get("status").is_none() {
            return Err(format!("the answer has no status: {}", self.describe()));
        }
        Ok(Record(value))
    }

    /// The lines of a program that reached its end.
    pub(crate) fn report(&self) -> Result<Report, String> {
        let record = self.record()?;
        let report = Report::read(&record.stdout());
        if report.done { Ok(report) } else { Err(format!("the program did not reach its end: {}", record.describe())) }
    }

    /// For messages.
    pub(crate) fn describe(&self) -> String {
        format!(
            "exit {:?}, stdout {:?}, stderr {:?}",
            self.exit,
            shorten(&String::from_utf8_lossy(&self.stdout)),
            shorten(&self.stderr)
        )
    }
}

/// The fields of the execution's answer that rows judge.
pub(crate) struct Record(pub(crate) Value);

impl Record {
    /// A text field, empty when null or absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// What the program wrote, as the record gives it.
    pub(crate) fn stdout(&self) -> String {
        self.text("stdout").to_owned()
    }

    /// A number below a path such as `usage.cpu_us`.
    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        path.split('.').try_fold(&self.0, |value, part| value.get(part))?.as_u64()
    }

    /// Whether a flag is set.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Demands status, error kind (empty for none), exit code and signal; `None` leaves one open.
    pub(crate) fn expect(
        &self,
        status: &str,
        kind: &str,
        exit: Option<u64>,
        signal: Option<u64>,
    ) -> Result<(), String> {
        let fits = self.text("status") == status
            && self.text("error_kind") == kind
            && exit.is_none_or(|code| self.number("exit_code") == Some(code))
            && signal.is_none_or(|number| self.number("signal") == Some(number));
        if fits {
            Ok(())
        } else {
            Err(format!(
                "expected status {status}, error_kind {kind:?}, exit {exit:?}, signal {signal:?}: {}",
                self.describe()
            ))
        }
    }

    /// Demands that the memory the sandbox ever used stayed within its limit.
    pub(crate) fn peak_within(&self, limit_mib: u64) -> Result<(), String> {
        match self.number("usage.memory_peak_bytes") {
            Some(peak) if peak > limit_mib * 1024 * 1024 * 11 / 10 => {
                Err(format!("peak memory {peak} is above the limit of {limit_mib} MiB"))
            }
            _ => Ok(()),
        }
    }

    /// For messages.
    pub(crate) fn describe(&self) -> String {
        let mut short = self.0.clone();
        for name in ["stdout", "stderr", "stdout_base64", "stderr_base64"] {
            if let Some(Value::String(text)) = short.get_mut(name) {
                *text = shorten(text);
            }
        }
        short.to_string()
    }
}

/// A program's own lines; see the prelude of the programs.
#[derive(Default)]
pub(crate) struct Report {
    /// Attempts that had to be refused, and what became of them.
    pub(crate) tries: BTreeMap<String, String>,
    facts: BTreeMap<String, String>,
    /// All other lines.
    pub(crate) lines: Vec<String>,
    done: bool,
}

impl Report {
    /// Sorts lines; unknown ones are kept as they are.
    pub(crate) fn read(text: &str) -> Self {
        let mut report = Self::default();
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("try"), Some(name), Some(answer)) => {
                    // A name tried twice keeps the worse answer.
                    let kept = report.tries.entry(name.to_owned()).or_default();
                    if kept != ALLOWED {
                        answer.clone_into(kept);
                    }
                }
                (Some("fact"), Some(name), value) => {
                    report.facts.insert(name.to_owned(), value.unwrap_or_default().to_owned());
                }
                (Some("done"), None, None) => report.done = true,
                _ => report.lines.push(line.to_owned()),
            }
        }
        report
    }

    /// A fact, or why there is none.
    pub(crate) fn fact(&self, name: &str) -> Result<&str, String> {
        self.facts.get(name).map(String::as_str).ok_or_else(|| format!("the program did not report {name}"))
    }

    /// All facts whose name starts so.
    pub(crate) fn facts_starting<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.facts
            .iter()
            .filter(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A fact that is a number.
    pub(crate) fn count(&self, name: &str) -> Result<u64, String> {
        self.fact(name)?.parse().map_err(|e| format!("{name} is not a number: {e}"))
    }

    /// Demands that a fact has one of the values.
    pub(crate) fn demand(&self, name: &str, values: &[&str]) -> Result<(), String> {
        let value = self.fact(name)?;
        if values.contains(&value) { Ok(()) } else { Err(format!("{name} is {value:?}, not one of {values:?}")) }
    }

    /// Demands at least so many attempts, each answered by one of these errors.
    pub(crate) fn refused(&self, at_least: usize, errors: &[&str]) -> Result<(), String> {
        if self.tries.len() < at_least {
            return Err(format!("only {} attempts were made, not {at_least}", self.tries.len()));
        }
        let wrong: Vec<_> = self
            .tries
            .iter()
            .filter(|(_, answer)| !answer.split('/').all(|part| errors.contains(&part)))
            .map(|(name, answer)| format!("{name}={answer}"))
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("not refused as they must be (accepted {errors:?}): {}", wrong.join(" ")))
        }
    }
}

/// What a program reports for something that worked.
const ALLOWED: &str = "ALLOWED";

fn shorten(text: &str) -> String {
    let cut: String = text.chars().take(600).collect();
    if cut.len() < text.len() { format!("{cut}… ({} bytes)", text.len()) } else { cut }
}
