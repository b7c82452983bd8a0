//! How long nobody calls between two calls of a function: a histogram, and what keeping its sandbox warm for some time
//! saves and takes.
//!
//! Invariants: its size does not depend on how often the function is called; older gaps count ever less; the steps of
//! [`Gaps::steps`] go from the one that saves most for what it takes to the one that saves least.
//! [`super::KeepAlive`] holds one for each function.

#[cfg(test)]
mod tests;

use std::time::Duration;

/// Two to an octave, from an eighth of a second to an hour and a half: a gap is known within 41 %, in 132 bytes. A
/// shorter one is always worth waiting for, a longer one hardly ever.
const BINS: usize = 32;
const FIRST: Duration = Duration::from_millis(125);
/// Half an octave above it.
const FIRST_AND_A_HALF: Duration = Duration::from_nanos(176_776_695);

/// When so many gaps were counted, all count half: a function that changes its ways is known anew after about as many,
/// and one gap in a hundred is still counted.
const HALVED_AT: f32 = 256.0;

/// What is taken for granted about a function, as if so many gaps of it were known, spread evenly over the bins: that
/// a gap is as likely to be of one scale as of another. On the trace of the keep-alive's test a quarter and four times
/// as much lead to about as many cold starts.
const BELIEVED: f64 = 1.0;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Gaps {
    /// The last one counts those that are longer than all bins.
    counts: [f32; BINS + 1],
    seen: u32,
}

/// What keeping a sandbox longer than by the step before adds, on average over all gaps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// How long it is kept after this step.
    pub(super) keep_for: Duration,
    /// How many more of all calls find it.
    pub(super) returns: f64,
    /// How many seconds longer it waits.
    pub(super) waits: f64,
}

impl Gaps {
    pub(super) const fn new() -> Self {
        Self { counts: [0.0; BINS + 1], seen: 0 }
    }

    /// Nobody called for so long.
    pub(super) fn add(&mut self, gap: Duration) {
        self.seen = self.seen.saturating_add(1);
        let bin = (0..BINS).find(|bin| gap <= edge(*bin)).unwrap_or(BINS);
        if let Some(count) = self.counts.get_mut(bin) {
            *count += 1.0;
        }
        if self.counts.iter().sum::<f32>() >= HALVED_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2.0);
        }
    }

    /// How many there were.
    pub(super) const fn seen(&self) -> u32 {
        self.seen
    }

    /// How likely a gap is of each bin.
    fn likely(&self) -> impl Iterator<Item = f64> {
        let all = f64::from(self.counts.iter().sum::<f32>()) + BELIEVED;
        self.counts.iter().map(move |count| (f64::from(*count) + BELIEVED / (BINS + 1) as f64) / all)
    }

    /// The times worth keeping a sandbox for, none longer than `longest`. Times between which another combination of
    /// two saves more for what it takes are left out.
    pub(super) fn steps(&self, longest: Duration) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut left = 1.0;
        let mut before = 0.0;
        for (bin, likely) in self.likely().take(BINS).enumerate() {
            let keep_for = edge(bin);
            if keep_for > longest {
                break;
            }
            // Those that come back wait for half of the bin, the rest for all of it.
            let until = keep_for.as_secs_f64();
            let waits = (left - likely / 2.0) * (until - before);
            left -= likely;
            before = until;
            let mut step = Step { keep_for, returns: likely, waits };
            while let Some(last) = steps.pop_if(|last| last.rate() <= step.rate()) {
                step.returns += last.returns;
                step.waits += last.waits;
            }
            steps.push(step);
        }
        steps
    }
}

impl Step {
    /// How many more calls find it for each second that it waits longer.
    pub(super) fn rate(&self) -> f64 {
        self.returns / self.waits
    }
}

/// The longest gap of a bin.
const fn edge(bin: usize) -> Duration {
    let within_octave = if bin.is_multiple_of(2) { FIRST } else { FIRST_AND_A_HALF };
    within_octave.saturating_mul(1 << (bin / 2))
}
