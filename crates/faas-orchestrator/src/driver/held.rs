//! What a run has of a sandbox: all of it, or one seat.

use crate::shared::{Condition, Seat, Vacated};
use faas_executor_api::Sandbox;
use faas_types::IsolationReport;
use std::sync::Arc;

/// See the module.
pub(super) enum Held {
    Own(Box<dyn Sandbox>),
    Seat(Seat),
}

impl Held {
    /// What isolation the sandbox has, where there is one.
    pub(super) fn isolation(&self) -> Option<Arc<IsolationReport>> {
        match self {
            Self::Own(sandbox) => Some(Arc::clone(sandbox.isolation())),
            Self::Seat(seat) => seat.isolation(),
        }
    }

    /// Leaves it. The sandbox, unless others are in it.
    pub(super) fn leave(self) -> Option<Vacated> {
        match self {
            Self::Own(sandbox) => Some(Vacated { sandbox, condition: Condition::Own, place: None }),
            Self::Seat(seat) => seat.leave(),
        }
    }
}
