//! What a sandbox knows of the program it shares: who asks it now, and what each has used.
//!
//! Lives in the sandbox's state, so that it changes with it under one lock. Invariant: once the program ended, no
//! call of it begins, and every call that was under way has been told to end.

use super::shared::AskedEnd;
use super::state::{RunHandle, Shared};
use crate::{CallError, Health, Invocation};
use faas_types::{Outcome, Usage};
use std::collections::BTreeMap;

/// Processor time of the program between two beginnings or ends of its calls, in microseconds.
const INTERVAL_CPU: u64 = 10;

/// The calls of a program that is shared.
#[derive(Debug)]
pub(super) struct Sharing {
    /// Tells it from an earlier one of the same sandbox.
    pub(super) number: u64,
    /// How the program ended.
    pub(super) ended: Option<Outcome>,
    calls: BTreeMap<u64, Asked>,
    next: u64,
}

#[derive(Debug)]
struct Asked {
    run: RunHandle,
    cpu_us: u64,
}

impl Sharing {
    pub(super) const fn new(number: u64) -> Self {
        Self { number, ended: None, calls: BTreeMap::new(), next: 0 }
    }

    /// How many calls are under way.
    pub(super) fn under_way(&self) -> usize {
        self.calls.len()
    }

    /// A call begins; its number.
    pub(super) fn begin(&mut self, run: RunHandle) -> u64 {
        self.divide();
        self.next += 1;
        self.calls.insert(self.next, Asked { run, cpu_us: 0 });
        self.next
    }

    /// A call has ended; the processor time it used.
    pub(super) fn end(&mut self, call: u64) -> u64 {
        self.divide();
        self.calls.remove(&call).map_or(0, |asked| asked.cpu_us)
    }

    /// The program ends, and every call of it with the same outcome: the first that is told.
    pub(super) fn end_program(&mut self, outcome: Outcome) -> Outcome {
        let outcome = *self.ended.get_or_insert(outcome);
        for asked in self.calls.values() {
            asked.run.interrupt(outcome);
        }
        outcome
    }

    /// What reaches the calls that are under way.
    pub(super) fn runs(&self) -> Vec<RunHandle> {
        self.calls.values().map(|asked| asked.run.clone()).collect()
    }

    /// Every call that ran since the last beginning or end used the same, and together they used what was counted.
    fn divide(&mut self) {
        let calls = self.calls.len() as u64;
        for (position, asked) in (0..).zip(self.calls.values_mut()) {
            asked.cpu_us += INTERVAL_CPU / calls + u64::from(position < INTERVAL_CPU % calls);
        }
    }
}

impl Shared {
    /// Shares the program that stays, or goes on with it; the sharing's number.
    pub(super) fn share(&self) -> Result<u64, CallError> {
        let mut state = self.lock();
        if let Some(sharing) = state.sharing.as_ref().filter(|sharing| sharing.ended.is_none()) {
            return Ok(sharing.number);
        }
        state.check_idle()?;
        if state.staying.as_ref().is_none_or(|staying| staying.program.at_once() == 1) {
            return Err(CallError::Invalid {
                field: "share",
                reason: "no program that answers several calls at once stays in this sandbox".to_owned(),
                accepted: "a sandbox in which one is loaded",
            });
        }
        if state.module.ended {
            state.health = Health::Unrecoverable;
            return Err(CallError::Unreached { reason: "the program that stayed has ended".to_owned() });
        }
        state.sharings += 1;
        state.sharing = Some(Sharing::new(state.sharings));
        Ok(state.sharings)
    }

    /// Takes a call of the program that is shared; the call's number.
    pub(super) fn begin_shared(&self, sharing: u64, call: &Invocation, run: RunHandle) -> Result<u64, CallError> {
        let mut state = self.lock();
        if state.shared_health(sharing) != Health::Ready {
            return Err(CallError::Unreached { reason: "the program has ended, or may not be asked again".to_owned() });
        }
        let state = &mut *state;
        let (Some(shared), Some(staying)) = (&mut state.sharing, &state.staying) else {
            return Err(CallError::Unreached { reason: "the program is shared no longer".to_owned() });
        };
        staying.program.check(call)?;
        let at_once = staying.program.at_once();
        if u32::try_from(shared.under_way()).is_ok_and(|running| running >= at_once) {
            return Err(CallError::Invalid {
                field: "call",
                reason: format!("{at_once} calls are running"),
                accepted: "as many at once as the program was loaded for; wait until one has ended",
            });
        }
        Ok(shared.begin(run))
    }

    /// Closes a call: what it is said to have ended with, and what it used.
    pub(super) fn end_shared(&self, call: u64, end: AskedEnd) -> (Outcome, Usage) {
        let mut state = self.lock();
        let peak = state.peak;
        // A sandbox is recycled when no call runs.
        let Some(sharing) = &mut state.sharing else { return (Outcome::SandboxLost, self.usage(0, peak)) };
        let cpu_us = sharing.end(call);
        let goes_on = sharing.ended.is_none();
        let (outcome, health) = match end {
            AskedEnd::Answered => (Outcome::Exited { code: 0 }, Health::Ready),
            AskedEnd::Cut(outcome) if goes_on => (outcome, Health::Poisoned),
            AskedEnd::Cut(outcome) => (outcome, Health::Ready),
            AskedEnd::Program(outcome) => {
                let outcome = sharing.end_program(outcome);
                state.staying = None;
                (outcome, Health::after(outcome))
            }
        };
        if state.health == Health::Ready || health == Health::Unrecoverable {
            state.health = health;
        }
        (outcome, self.usage(cpu_us, peak))
    }

    pub(super) fn shared_health(&self, sharing: u64) -> Health {
        self.lock().shared_health(sharing)
    }
}

#[cfg(test)]
mod tests {
    use super::{INTERVAL_CPU, RunHandle, Sharing};
    use std::sync::Arc;
    use tokio::sync::watch;

    #[test]
    fn calls_together_used_what_was_counted_while_any_ran() {
        let mut sharing = Sharing::new(1);
        let run = || RunHandle { end: Arc::new(watch::Sender::new(None)), ended: watch::channel(false).1 };
        let calls: Vec<u64> = (0..3).map(|_| sharing.begin(run())).collect();
        let used: u64 = calls.into_iter().map(|call| sharing.end(call)).sum();
        assert_eq!(used, 5 * INTERVAL_CPU, "three beginnings and three ends have five intervals between them");
        let alone = sharing.begin(run());
        assert_eq!(sharing.end(alone), INTERVAL_CPU, "what is used while no call runs is nobody's");
    }
}
