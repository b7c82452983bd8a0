//! What the tools say: passed on line by line, and kept for the end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The most characters of a line that are kept.
const LONGEST_LINE: usize = 2000;

/// What a build is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A tool decides which versions are needed.
    Resolving,
    /// A package comes from the index.
    Fetching,
    /// Code of a package runs: it is built from its source, or its install scripts run.
    Building,
    /// Packages are unpacked.
    Unpacking,
}

impl Phase {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolving => "resolving",
            Self::Fetching => "fetching",
            Self::Building => "building",
            Self::Unpacking => "unpacking",
        }
    }
}

/// Who hears what a build says, a line at a time. It must not block.
pub type Progress = Arc<dyn Fn(Phase, &str) + Send + Sync>;

/// The lines of one build. The oldest go first when there are too many.
pub(crate) struct Log {
    progress: Progress,
    most: u64,
    kept: Mutex<Kept>,
}

struct Kept {
    phase: Phase,
    /// Counts the runs of tools.
    run: u32,
    /// Each with the run it is of.
    lines: VecDeque<(u32, String)>,
    bytes: u64,
    cut: bool,
}

impl Log {
    pub(crate) fn new(progress: Progress, most: u64) -> Self {
        let kept = Kept { phase: Phase::Resolving, run: 0, lines: VecDeque::new(), bytes: 0, cut: false };
        Self { progress, most, kept: Mutex::new(kept) }
    }

    /// Begins another run of a tool: [`Self::last`] finds nothing of what was said before.
    pub(crate) fn begin(&self, phase: Phase) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.phase = phase;
        kept.run += 1;
    }

    /// Adds a line. What a terminal would obey is not in it afterwards.
    pub(crate) fn say(&self, line: &str) {
        let phase = self.kept.lock().unwrap_or_else(PoisonError::into_inner).phase;
        self.say_of(phase, line);
    }

    /// The same of what happens beside the tool.
    pub(crate) fn say_of(&self, phase: Phase, line: &str) {
        // A line is as long as the code of a package makes it.
        let letters = line.chars().take(LONGEST_LINE);
        let line: String = letters.map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        (self.progress)(phase, &line);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += cost(&line);
        let run = kept.run;
        kept.lines.push_back((run, line));
        while kept.bytes > self.most
            && let Some((_, oldest)) = kept.lines.pop_front()
        {
            kept.bytes -= cost(&oldest);
            kept.cut = true;
        }
    }

    /// Everything that is kept.
    pub(crate) fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = if kept.cut { "(the beginning is cut)\n" } else { "" };
        kept.lines.iter().fold(cut.to_owned(), |text, (_, line)| text + line + "\n")
    }

    /// The last line of the present run that `wanted` takes.
    pub(crate) fn last(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = kept.lines.iter().rev().take_while(|(run, _)| *run == kept.run);
        lines.find(|(_, line)| wanted(line)).map(|(_, line)| line.clone())
    }
}

fn cost(line: &str) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::{Log, Phase};
    use std::sync::{Arc, Mutex};

    #[test]
    fn lines_are_passed_on_bounded_and_without_controls() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let progress = move |phase: Phase, line: &str| hears.lock().expect("free").push((phase, line.to_owned()));
        let log = Log::new(Arc::new(progress), 20);
        log.say("one\u{1b}[2J");
        log.say("ERROR: two");
        log.say_of(Phase::Fetching, "three");
        assert_eq!(log.text(), "(the beginning is cut)\nERROR: two\nthree\n");
        let error = |line: &str| line.starts_with("ERROR");
        assert_eq!(log.last(error), Some("ERROR: two".to_owned()));
        log.begin(Phase::Building);
        assert_eq!(log.last(error), None, "another tool said it");
        log.say("four");
        let said = [
            (Phase::Resolving, "one [2J".to_owned()),
            (Phase::Resolving, "ERROR: two".to_owned()),
            (Phase::Fetching, "three".to_owned()),
            (Phase::Building, "four".to_owned()),
        ];
        assert_eq!(*heard.lock().expect("free"), said);
    }
}
