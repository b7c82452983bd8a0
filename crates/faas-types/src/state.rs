//! The states of an execution, and which may follow which.
//!
//! ```text
//! queued ──▶ starting ──▶ running ──▶ succeeded
//!    │           │           ├──────▶ failed
//!    │           │           └──────▶ cancelled
//!    ├───────────┴──────────────────▶ failed, cancelled
//! ```
//!
//! Invariant: exactly one of the three on the right ends an execution, and nothing follows it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionState {
    /// It waits for its turn.
    Queued,
    /// Its sandbox is being made.
    Starting,
    /// Its program runs.
    Running,
    /// The program did what its contract asks for.
    Succeeded,
    /// It did not; `error_kind` says why.
    Failed,
    /// Somebody asked for it to stop.
    Cancelled,
}

impl ExecutionState {
    /// Every state, in the order an execution may pass through them.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Starting, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The name used in records, filters and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing follows it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Starting | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
        }
    }

    /// Whether `next` may follow it.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::Starting | Self::Failed | Self::Cancelled),
            Self::Starting => matches!(next, Self::Running | Self::Failed | Self::Cancelled),
            Self::Running => next.is_terminal(),
            Self::Succeeded | Self::Failed | Self::Cancelled => false,
        }
    }
}

impl fmt::Display for ExecutionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A state nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status {name:?}; accepted: queued, starting, running, succeeded, failed, cancelled")]
pub struct UnknownState {
    /// The name as given.
    pub name: String,
}

impl FromStr for ExecutionState {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == name).ok_or_else(|| UnknownState { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::ExecutionState;
    use proptest::prelude::*;

    fn state() -> impl Strategy<Value = ExecutionState> {
        prop::sample::select(ExecutionState::ALL.to_vec())
    }

    proptest! {
        /// Whatever is tried in whatever order, an accepted history moves forward, ends at most once,
        /// and never leaves its end.
        #[test]
        fn every_history_moves_forward_and_ends_once(tries in prop::collection::vec(state(), 0..40)) {
            let mut current = ExecutionState::Queued;
            let mut history = vec![current];
            for next in tries {
                if current.may_become(next) {
                    prop_assert!(!current.is_terminal());
                    current = next;
                    history.push(next);
                }
            }
            let rank = |state: &ExecutionState| ExecutionState::ALL.iter().position(|known| known == state);
            prop_assert!(history.is_sorted_by(|earlier, later| rank(earlier) < rank(later)));
            prop_assert!(history.iter().filter(|state| state.is_terminal()).count() <= 1);
        }
    }

    #[test]
    fn every_state_that_is_no_end_has_a_way_to_fail_and_to_be_cancelled() {
        for state in ExecutionState::ALL.into_iter().filter(|state| !state.is_terminal()) {
            assert!(state.may_become(ExecutionState::Failed), "{state}");
            assert!(state.may_become(ExecutionState::Cancelled), "{state}");
            assert!(!state.may_become(state), "{state}");
        }
        assert!(!ExecutionState::Queued.may_become(ExecutionState::Succeeded), "nothing succeeds without running");
    }

    #[test]
    fn names_survive_text_and_json() {
        for state in ExecutionState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_value(state).expect("a name"), state.as_str());
        }
        assert!("done".parse::<ExecutionState>().is_err());
    }
}
