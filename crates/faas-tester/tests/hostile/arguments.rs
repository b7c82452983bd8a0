//! The part of libtest's command line that people and runners use.

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// Print names only.
    pub(crate) list: bool,
    /// Filters must equal a name instead of occurring in it.
    exact: bool,
    /// Only ignored tests: there are none.
    ignored_only: bool,
    filters: Vec<String>,
    skipped: Vec<String>,
}

impl Arguments {
    /// Reads the process's arguments; options that change only libtest's looks are accepted and ignored.
    pub(crate) fn from_command_line() -> Self {
        let mut found = Self::default();
        let mut rest = std::env::args().skip(1);
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--list" => found.list = true,
                "--exact" => found.exact = true,
                "--ignored" => found.ignored_only = true,
                "--skip" => found.skipped.extend(rest.next()),
                "--format" | "--color" | "--test-threads" | "-Z" => {
                    rest.next();
                }
                other if other.starts_with('-') => {}
                other => found.filters.push(other.to_owned()),
            }
        }
        found
    }

    /// Whether the trial of this name was asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let hit = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        !self.ignored_only && (self.filters.is_empty() || self.filters.iter().any(hit)) && !self.skipped.iter().any(hit)
    }
}
