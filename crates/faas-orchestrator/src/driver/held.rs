//! What a run has of a sandbox: all of it, or one seat.

use crate::shared::{Condition, Place, Seat, Vacated};
use faas_executor_api::Sandbox;
use faas_types::IsolationReport;

/// See the module.
pub(super) enum Held {
    /// With a place of its version, where that counts its instances.
    Own(Box<dyn Sandbox>, Option<Place>),
    Seat(Seat),
}

impl Held {
    /// What isolation the sandbox has, where there is one.
    pub(super) fn isolation(&self) -> Option<IsolationReport> {
        match self {
            Self::Own(sandbox, _) => Some(sandbox.isolation().clone()),
            Self::Seat(seat) => seat.isolation(),
        }
    }

    /// Leaves it. The sandbox, unless others are in it.
    pub(super) fn leave(self) -> Option<Vacated> {
        match self {
            Self::Own(sandbox, place) => {
                let condition = if place.is_some() { Condition::Alone } else { Condition::Own };
                Some(Vacated { sandbox, condition, place })
            }
            Self::Seat(seat) => seat.leave(),
        }
    }
}
