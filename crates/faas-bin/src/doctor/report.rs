//! The findings and their table.

use serde::Serialize;

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It holds.
    Holds,
    /// It does not, and something promised depends on it.
    Missing,
    /// Sandboxes work without; the host would be better with it.
    Hint,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "yes",
            Self::Missing => "no",
            Self::Hint => "hint",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// `sandbox`, `layer`, `limit`, `runtime`, `server` or `system`.
    pub(crate) group: &'static str,
    /// What was looked at.
    pub(crate) name: String,
    /// Whether it holds.
    pub(crate) state: State,
    /// What was found, or why it does not hold.
    pub(crate) detail: String,
    /// How to get it.
    pub(crate) fix: Option<String>,
}

impl Finding {
    pub(crate) fn new(group: &'static str, name: impl Into<String>, state: State, detail: impl Into<String>) -> Self {
        Self { group, name: name.into(), state, detail: detail.into(), fix: None }
    }

    pub(crate) fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// Everything that was looked at, and the verdict.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether a strict sandbox runs here.
    pub(crate) strict: bool,
    /// In the order they were looked at.
    pub(crate) findings: Vec<Finding>,
}

/// The report for people.
pub(crate) fn table(report: &Report) -> String {
    let name_width = report.findings.iter().map(|finding| finding.name.chars().count()).max().unwrap_or(0);
    let group_width = report.findings.iter().map(|finding| finding.group.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { group, name, state, detail, fix } in &report.findings {
        let line = format!("{group:group_width$}  {name:name_width$}  {:4}  {detail}", state.as_str());
        text.push_str(line.trim_end());
        text.push('\n');
        if let Some(fix) = fix {
            text.push_str(&format!("{:1$}fix: {fix}\n", "", group_width + name_width + 10));
        }
    }
    text.push_str(if report.strict {
        "\nstrict sandboxes run on this host\n"
    } else {
        "\nstrict sandboxes do not run on this host; `--isolation standard` runs with what there is and lists what is missing\n"
    });
    text
}

#[cfg(test)]
mod tests {
    use super::{Finding, Report, State, table};

    #[test]
    fn the_table_shows_what_holds_why_not_and_how_to_get_it() {
        let report = Report {
            strict: false,
            findings: vec![
                Finding::new("layer", "user", State::Holds, ""),
                Finding::new("limit", "memory", State::Missing, "no controller").with_fix("mount one"),
            ],
        };
        let text = table(&report);
        assert!(text.contains("layer  user    yes\n"), "{text}");
        assert!(text.contains("limit  memory  no    no controller\n"), "{text}");
        assert!(text.contains("fix: mount one\n"), "{text}");
        assert!(text.contains("do not run"), "{text}");
    }
}
