//! What the tools say: passed on line by line, and kept for the end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Who hears what a build says, a line at a time. It must not block.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// The lines of one build. The oldest go first when there are too many.
pub(crate) struct Log {
    progress: Progress,
    most: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: u64,
    cut: bool,
}

impl Log {
    pub(crate) fn new(progress: Progress, most: u64) -> Self {
        Self { progress, most, kept: Mutex::default() }
    }

    /// Adds a line. What a terminal would obey is not in it afterwards.
    pub(crate) fn say(&self, line: &str) {
        let line: String = line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        (self.progress)(&line);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += cost(&line);
        kept.lines.push_back(line);
        while kept.bytes > self.most
            && let Some(oldest) = kept.lines.pop_front()
        {
            kept.bytes -= cost(&oldest);
            kept.cut = true;
        }
    }

    /// Everything that is kept.
    pub(crate) fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let cut = if kept.cut { "(the beginning is cut)\n" } else { "" };
        kept.lines.iter().fold(cut.to_owned(), |text, line| text + line + "\n")
    }

    /// The last line that `wanted` takes.
    pub(crate) fn last(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lines.iter().rev().find(|line| wanted(line)).cloned()
    }
}

fn cost(line: &str) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::Log;
    use std::sync::{Arc, Mutex};

    #[test]
    fn lines_are_passed_on_bounded_and_without_controls() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let log = Log::new(Arc::new(move |line: &str| hears.lock().expect("free").push(line.to_owned())), 20);
        log.say("one\u{1b}[2J");
        log.say("ERROR: two");
        log.say("three");
        assert_eq!(log.text(), "(the beginning is cut)\nERROR: two\nthree\n");
        assert_eq!(log.last(|line| line.starts_with("ERROR")), Some("ERROR: two".to_owned()));
        assert_eq!(*heard.lock().expect("free"), ["one [2J", "ERROR: two", "three"]);
    }
}
