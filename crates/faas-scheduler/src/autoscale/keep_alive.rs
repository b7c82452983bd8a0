//! For how long the warm sandbox of each function is kept after a call.
//!
//! A second of a MiB has one price for all functions, and a sandbox is kept for as long as what its next call is
//! likely to save is worth it. The price is such that those that wait now fit the memory budget. So where there is
//! little room, a function that is called every hour is not kept for ten minutes in vain, and where there is much, one
//! that is called every eleven minutes is kept for that long. Invariants: what is left waiting by a decision
//! fits the budget, with one sandbox for each function and as far as the sizes are known; none is kept longer than the
//! settings say; as much is known of a function however often it is called.
//!
//! A decision holds for those that wait already, too: the caller ends the ones that have waited longer. That makes it
//! an eviction by worth, as in caches whose entries differ in size and cost, with the likelihood of a return taken from
//! a histogram of gaps, as in the study of Azure's functions (Shahrad and others, 2020). A new function's sandbox can
//! be over the budget until the next decision only.

#[cfg(test)]
mod tests;

use super::costs::Costs;
use super::gaps::{Gaps, Step};
use super::recent::Recent;
use faas_types::ByteSize;
use std::time::{Duration, Instant};

/// How often the price is to be decided anew: what new functions take meanwhile is above the budget, and it is some
/// milliseconds of work for thousands of functions.
pub const PRICE_EVERY: Duration = Duration::from_secs(10);

/// A gap of that length or more is counted at once, and a shorter one with the next of so many: it changes little of
/// what is known, and what is called often is asked for nothing at each call.
const LONG: Duration = Duration::from_secs(1);
const AT_ONCE: u32 = 16;

/// With fewer gaps than that, a decision says that it rests on what is believed of every function.
const FEW: u32 = 4;

/// What holds for all functions.
#[derive(Debug, Clone, Copy)]
pub struct KeepSettings {
    /// How many functions are known; the one that was called longest ago is forgotten for a new one.
    pub functions: usize,
    /// What all sandboxes that wait may take together.
    pub budget: ByteSize,
    /// No sandbox is kept longer.
    pub longest: Duration,
    /// What a cold start is taken to cost until it was measured.
    pub start: Duration,
    /// What one is taken to take until it was measured.
    pub memory: ByteSize,
}

/// Why a sandbox is kept for so long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeepReason {
    /// So many of its calls come within that time after the one before.
    Returns {
        /// From 0 to 1.
        share: f64,
    },
    /// Little is known of it: what holds for any function.
    New {
        /// How many gaps between its calls were seen.
        gaps: u32,
    },
    /// Its calls come too late: the memory saves more elsewhere.
    Memory,
}

/// For how long a function's sandbox is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Keep<F> {
    /// Of which function.
    pub function: F,
    /// After a call.
    pub keep_for: Duration,
    /// Why.
    pub reason: KeepReason,
}

#[derive(Debug)]
struct Function {
    gaps: Gaps,
    /// What they say, or did some short ones ago.
    steps: Vec<Step>,
    costs: Costs,
    called: Option<Instant>,
    /// Whether its sandbox waits, as far as is known here.
    waits: bool,
}

impl Function {
    /// One of which nothing is known.
    fn new(settings: KeepSettings) -> Self {
        let KeepSettings { longest, start, memory, .. } = settings;
        let gaps = Gaps::new();
        let steps = gaps.steps(longest);
        Self { gaps, steps, costs: Costs::assumed(start, memory), called: None, waits: false }
    }

    /// How long its sandbox has waited, where it waits: nobody waits for one while it serves.
    fn waited(&self, now: Instant) -> Duration {
        let since_call = self.called.map_or(Duration::ZERO, |called| now.saturating_duration_since(called));
        since_call.saturating_sub(self.costs.service_time())
    }

    /// Milliseconds that a step saves for each second of a MiB that it takes.
    fn worth(&self, step: &Step) -> f64 {
        step.rate() * self.costs.milliseconds_per_mib()
    }

    /// For how long it is worth this price, and which share of its calls comes by then.
    fn keep_for(&self, price: f64) -> (Duration, f64) {
        let worthy = self.steps.iter().take_while(|step| self.worth(step) > price);
        worthy.fold((Duration::ZERO, 0.0), |(_, share), step| (step.keep_for, share + step.returns))
    }

    /// What its sandbox is worth now, for a second of a MiB; `None` where it is not kept so long at any price.
    fn still_worth(&self, now: Instant) -> Option<f64> {
        let waited = self.waited(now);
        self.steps.iter().find(|step| step.keep_for > waited).map(|step| self.worth(step))
    }
}

/// See the module.
#[derive(Debug)]
pub struct KeepAlive<F> {
    settings: KeepSettings,
    functions: Recent<F, Function>,
    /// What is taken for granted of one that is not known.
    stranger: Function,
    /// Milliseconds that a MiB has to save in each second. 0 until it is decided first: then there is room for all.
    price: f64,
}

impl<F: Clone + Ord> KeepAlive<F> {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(settings: KeepSettings) -> Self {
        let functions = Recent::new(settings.functions);
        Self { settings, functions, stranger: Function::new(settings), price: 0.0 }
    }

    /// A call came.
    pub fn arrived(&mut self, now: Instant, function: &F) {
        let settings = self.settings;
        let Some(known) = self.functions.touch(function, || Function::new(settings)) else { return };
        known.waits = true;
        let gap = known.waited(now);
        if known.called.replace(now).is_some() {
            known.gaps.add(gap);
            let seen = known.gaps.seen();
            if gap >= LONG || seen <= AT_ONCE || seen.is_multiple_of(AT_ONCE) {
                known.steps = known.gaps.steps(settings.longest);
            }
        }
    }

    /// A call took so long.
    pub fn served(&mut self, function: &F, time: Duration) {
        self.change(function, |costs| costs.served(time));
    }

    /// A cold start took so long.
    pub fn started(&mut self, function: &F, time: Duration) {
        self.change(function, |costs| costs.started(time));
    }

    /// What its sandbox takes while it waits.
    pub fn weighed(&mut self, function: &F, memory: ByteSize) {
        self.change(function, |costs| costs.weighed(memory));
    }

    /// For how long a sandbox of this function, which waits from now on, is kept. It is the last decision, with what
    /// was learnt of the function since.
    pub fn keep_for(&self, function: &F) -> Keep<F> {
        let (keep_for, reason) = self.keep(self.functions.get(function).unwrap_or(&self.stranger));
        Keep { function: function.clone(), keep_for, reason }
    }

    /// Milliseconds that a sandbox saves in each second that it waits on, after so long: where there is room for so
    /// many only, whatever they take, the one that saves least is to go.
    pub fn saves(&self, function: Option<&F>, waited: Duration) -> f64 {
        let known = function.and_then(|function| self.functions.get(function)).unwrap_or(&self.stranger);
        let step = known.steps.iter().find(|step| step.keep_for > waited);
        step.map_or(0.0, |step| step.rate() * known.costs.start() * 1000.0)
    }

    /// Decides for all known functions, by function. It holds for those that wait already, too.
    pub fn decide(&mut self, now: Instant) -> Vec<Keep<F>> {
        self.forget_ended(now);
        self.price = self.price_now(now);
        self.forget_ended(now);
        let keep = |(function, known): (&F, &Function)| {
            let (keep_for, reason) = self.keep(known);
            Keep { function: function.clone(), keep_for, reason }
        };
        self.functions.iter().map(keep).collect()
    }

    /// Milliseconds that a MiB has to save in each second to be used, for statistics.
    pub const fn price(&self) -> f64 {
        self.price
    }

    fn change(&mut self, function: &F, change: impl FnOnce(&mut Costs)) {
        if let Some(known) = self.functions.get_mut(function) {
            change(&mut known.costs);
        }
    }

    /// Notes which sandboxes have waited for as long as they are kept.
    fn forget_ended(&mut self, now: Instant) {
        let price = self.price;
        for (_, known) in self.functions.iter_mut() {
            known.waits &= known.waited(now) < known.keep_for(price).0;
        }
    }

    /// The lowest price at which those that wait fit the budget.
    fn price_now(&self, now: Instant) -> f64 {
        let waiting = self.functions.iter().filter(|(_, known)| known.waits);
        let mut waiting: Vec<_> =
            waiting.filter_map(|(_, known)| Some((known.still_worth(now)?, known.costs.memory()))).collect();
        waiting.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let mut left = self.settings.budget.as_bytes();
        for (worth, memory) in waiting {
            match left.checked_sub(memory) {
                Some(rest) => left = rest,
                None => return worth,
            }
        }
        0.0
    }

    fn keep(&self, known: &Function) -> (Duration, KeepReason) {
        let (keep_for, share) = known.keep_for(self.price);
        let gaps = known.gaps.seen();
        let reason = match keep_for {
            _ if gaps < FEW => KeepReason::New { gaps },
            Duration::ZERO => KeepReason::Memory,
            _ => KeepReason::Returns { share },
        };
        (keep_for, reason)
    }
}
