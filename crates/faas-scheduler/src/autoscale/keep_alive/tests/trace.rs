//! Traces from a seed: functions whose popularity follows Zipf's law, called in the ways that functions are.

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ways {
    /// By everybody, each for himself.
    Independent,
    /// Half of them so, three of ten by a timer, the rest in bursts with long pauses.
    Mixed,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    /// Seconds.
    pub(super) start: f64,
    pub(super) service: f64,
    pub(super) mib: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Call {
    /// Seconds since the beginning.
    pub(super) at: f64,
    pub(super) function: usize,
}

/// `SplitMix64`.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to 1, without 0.
    pub(super) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) as f64 + 1.0) / 2_f64.powi(64)
    }

    /// Until the next of independent calls.
    fn wait(&mut self, per_second: f64) -> f64 {
        -self.share().ln() / per_second
    }
}

/// Calls of so many functions, two in a second all together, in order.
pub(super) fn make(seed: u64, count: usize, seconds: f64, ways: Ways) -> (Vec<Function>, Vec<Call>) {
    let mut random = Random::new(seed);
    let all: f64 = (1..=count).map(|rank| 1.0 / rank as f64).sum();
    let mut functions = Vec::new();
    let mut calls = Vec::new();
    for function in 0..count {
        let per_second = 2.0 / (function as f64 + 1.0) / all;
        functions.push(Function {
            start: 0.02 + 0.3 * random.share().powi(2),
            service: 0.01 + 0.1 * random.share(),
            mib: 8.0 + 40.0 * random.share().powi(2),
        });
        let way = if ways == Ways::Independent { 0.0 } else { random.share() };
        let mut at = random.share() / per_second;
        let mut burst = 0;
        while at < seconds {
            calls.push(Call { at, function });
            at += if way <= 0.5 {
                random.wait(per_second)
            } else if way <= 0.8 {
                (1.0 + 0.02 * (random.share() - 0.5)) / per_second
            } else {
                burst = (burst + 1) % 10;
                if burst == 0 { random.wait(per_second / 9.5) } else { random.wait(per_second * 20.0) }
            };
        }
    }
    calls.sort_by(|one, other| one.at.total_cmp(&other.at).then(one.function.cmp(&other.function)));
    (functions, calls)
}
