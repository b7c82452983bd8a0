//! How much slower than a processor of its own this machine is, and what is therefore given more time or
//! done less often. What is about an amount and not about how a program was started is done in full once,
//! cold, and less often for the other ways. Where a row does less, the table says how much was left out.

use crate::start::Start;
use std::time::Duration;

/// Multiplies times and divides amounts; 1 where it is not set.
const FACTOR: &str = "FAAS_TIME_FACTOR";
/// How long row 36 makes random system calls.
const ROW_36: &str = "FAAS_ROW_36_SECONDS";
/// And how long where it is not set.
const ROW_36_SECONDS: u32 = 60;

/// By what amounts are divided at least where a program is not started cold.
const OTHER_WAYS: u32 = 4;
/// For the table.
const TRIED_COLD: &str = "as more are tried cold";
/// And how long row 36 lasts at most.
const ROW_36_SECONDS_OF_OTHER_WAYS: u32 = 10;

/// Read once at the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    factor: u32,
    share: u32,
    row_36_seconds: u32,
}

impl Pace {
    /// From the environment.
    pub(crate) fn from_environment() -> Result<Self, String> {
        Ok(Self { factor: number(FACTOR, 1)?, share: 1, row_36_seconds: number(ROW_36, ROW_36_SECONDS)? })
    }

    /// The same machine, for programs that are started so.
    pub(crate) fn for_programs(self, start: Start) -> Self {
        match start {
            Start::Cold => self,
            Start::Zygote | Start::Spare => Self {
                share: OTHER_WAYS,
                row_36_seconds: self.row_36_seconds.min(ROW_36_SECONDS_OF_OTHER_WAYS),
                ..self
            },
        }
    }

    /// The factor, for the programs' own bounds.
    pub(crate) fn factor(self) -> u32 {
        self.factor
    }

    /// A bound on time as this machine needs it.
    pub(crate) fn longer(self, bound: Duration) -> Duration {
        bound * self.factor
    }

    /// How many of a usual amount are done here, at least one.
    pub(crate) fn fewer(self, usual: u64) -> u64 {
        usual.div_ceil(self.factor.max(self.share).into())
    }

    /// As [`Self::fewer`], where much of the usual amount adds little, and much time.
    pub(crate) fn far_fewer(self, usual: u64) -> u64 {
        self.fewer(self.fewer(usual))
    }

    /// What is left out where fewer are done, for the table.
    pub(crate) fn left_out(self, usual: u64, done: u64, of_what: &str) -> Option<String> {
        let left = usual.saturating_sub(done);
        let why =
            if self.share > self.factor { TRIED_COLD.to_owned() } else { format!("for {FACTOR}={}", self.factor) };
        (left > 0).then(|| format!("{left} of {usual} {of_what}, {why}"))
    }

    /// How long row 36 lasts.
    pub(crate) fn row_36_seconds(self) -> u32 {
        self.row_36_seconds
    }

    /// What row 36 leaves out, for the table.
    pub(crate) fn row_36_left_out(self) -> Option<String> {
        let left = ROW_36_SECONDS.saturating_sub(self.row_36_seconds);
        let why = if self.share > 1 { TRIED_COLD.to_owned() } else { format!("for {ROW_36}={}", self.row_36_seconds) };
        (left > 0).then(|| format!("{left} of {ROW_36_SECONDS} s, {why}"))
    }

    /// For the head of the report; nothing where all is as usual.
    pub(crate) fn describe(self) -> Option<String> {
        let Self { factor, .. } = self;
        (factor > 1).then(|| format!("{FACTOR}={factor}: times are multiplied by it, and some amounts divided"))
    }
}

fn number(variable: &str, usual: u32) -> Result<u32, String> {
    match std::env::var(variable) {
        Ok(text) => match text.parse() {
            Ok(value @ 1..=1000) => Ok(value),
            _ => Err(format!("{variable}={text}: expected a whole number from 1 to 1000")),
        },
        Err(_) => Ok(usual),
    }
}
