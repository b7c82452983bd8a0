//! Processor time of calls that run at once.
//!
//! The kernel counts a sandbox and not a call. So what was used between two beginnings or ends is divided evenly
//! among those that ran meanwhile: together they used what was counted, and none used what was counted before it
//! began or after it ended. Called by the hub at each beginning and end.

use std::collections::BTreeMap;

/// What each call that runs has used, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Portions {
    /// What had been counted when it was divided last.
    counted: u64,
    used: BTreeMap<u32, u64>,
}

impl Portions {
    /// A call begins, now that so much has been counted.
    pub(super) fn begin(&mut self, call: u32, counted: u64) {
        self.divide(counted);
        self.used.insert(call, 0);
    }

    /// A call ends; what it used.
    pub(super) fn end(&mut self, call: u32, counted: u64) -> u64 {
        self.divide(counted);
        self.used.remove(&call).unwrap_or_default()
    }

    fn divide(&mut self, counted: u64) {
        // Two that ask at the same time may be answered in the other order.
        let fresh = counted.saturating_sub(self.counted);
        self.counted = self.counted.max(counted);
        let Ok(calls) = u64::try_from(self.used.len()) else { return };
        let (Some(each), Some(rest)) = (fresh.checked_div(calls), fresh.checked_rem(calls)) else { return };
        for (used, more) in self.used.values_mut().zip((0..rest).map(|_| 1).chain(std::iter::repeat(0))) {
            *used += each + more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Portions;
    use proptest::prelude::*;

    #[test]
    fn what_was_used_at_once_is_divided_evenly() {
        let mut portions = Portions::default();
        portions.begin(1, 100);
        portions.begin(2, 110);
        assert_eq!(portions.end(1, 131), 10 + 11, "alone, then half and what cannot be divided");
        assert_eq!(portions.end(2, 140), 10 + 9);
        portions.begin(3, 500);
        assert_eq!(portions.end(3, 501), 1, "what is used while no call runs is nobody's");
    }

    proptest! {
        #[test]
        fn together_they_used_what_was_counted_while_any_ran(
            steps in prop::collection::vec((any::<bool>(), 0_u64..1000), 1..60)
        ) {
            let mut portions = Portions::default();
            let (mut counted, mut next, mut running, mut told, mut due) = (0, 0, Vec::new(), 0, 0);
            for (begins, fresh) in steps {
                counted += fresh;
                due += if running.is_empty() { 0 } else { fresh };
                if begins {
                    next += 1;
                    running.push(next);
                    portions.begin(next, counted);
                } else if !running.is_empty() {
                    told += portions.end(running.remove(running.len() / 2), counted);
                }
            }
            told += running.into_iter().map(|call| portions.end(call, counted)).sum::<u64>();
            prop_assert_eq!(told, due);
        }
    }
}
