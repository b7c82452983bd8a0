//! What pays for the messages of one WebSocket while they arrive.

use crate::ApiError;
use crate::budget::Lease;
use crate::server::Intake;

/// The connection's IO pays into the lease of the message that is under way.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    metered: Option<(Intake, Lease)>,
}

impl Meter {
    /// Pays for the first message into this lease. Without a connection of ours there is no IO that
    /// could pay.
    pub(crate) fn new(intake: Option<Intake>, lease: Option<Lease>) -> Self {
        let metered = intake.zip(lease);
        if let Some((intake, lease)) = &metered {
            intake.pay_into(lease.clone());
        }
        Self { metered }
    }

    /// The lease of the message that has arrived; what comes now is paid into a new one.
    pub(crate) fn next(&mut self) -> Option<Lease> {
        let (intake, lease) = self.metered.as_mut()?;
        let fresh = lease.fresh();
        intake.pay_into(fresh.clone());
        Some(std::mem::replace(lease, fresh))
    }

    /// The refusal, where a payment was refused.
    pub(crate) fn refused(&self) -> Option<ApiError> {
        self.metered.as_ref().and_then(|(_, lease)| lease.refused())
    }
}
