//! How far a run is: one line on a terminal, nothing anywhere else.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(200);

/// The line.
pub(super) struct Progress {
    what: &'static str,
    of: String,
    shown: Option<Instant>,
    enabled: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str, of: String) -> Self {
        Self { what, of, shown: None, enabled: io::stderr().is_terminal() }
    }

    /// This much is done.
    pub(super) fn at(&mut self, done: impl std::fmt::Display) {
        if self.enabled && self.shown.is_none_or(|shown| shown.elapsed() >= EVERY) {
            self.shown = Some(Instant::now());
            // Nobody to tell when this fails.
            drop(write!(io::stderr(), "\r{} {done}/{}", self.what, self.of));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            // The carriage goes back and the line is cleared.
            drop(write!(io::stderr(), "\r\u{1b}[K"));
        }
    }
}
