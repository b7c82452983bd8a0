//! Cancelling an execution by its id, wherever it stands.

use crate::live::{CancelReason, End};
use crate::{Cancelled, Orchestrator, end};
use faas_store_api::StoreError;
use faas_types::{ErrorKind, ExecutionId, ExecutionRecord, ExecutionState, FunctionId, FunctionKey, TenantId};

/// How often it is looked for again when it moved on between two looks.
const LOOKS: usize = 4;

impl Orchestrator {
    /// Asks for an execution's end. One that waits has ended when this returns; one that starts or runs
    /// ends in a moment.
    ///
    /// # Errors
    /// The store failed and nothing was changed.
    pub async fn cancel(&self, tenant: TenantId, id: ExecutionId) -> Result<Cancelled, StoreError> {
        for _ in 0..LOOKS {
            if let Some(live) = self.find(tenant, id) {
                if !live.is_open() {
                    return Ok(Cancelled::Finished(Box::new(live.record())));
                }
                let waits = live.record().status == ExecutionState::Queued;
                self.house.cancel(&live, CancelReason::Caller);
                if waits {
                    // The sender lives as long as the execution, which this holds.
                    drop(live.progress().wait_for(|progress| progress.end != End::Open).await);
                }
                return Ok(Cancelled::Requested(Box::new(live.record())));
            }
            let stored = self.house.noted_failure(self.house.store.get(tenant, id).await)?;
            let Some(record) = stored else { return Ok(Cancelled::Unknown) };
            match record.status {
                ExecutionState::Succeeded | ExecutionState::Failed | ExecutionState::Cancelled => {
                    return Ok(Cancelled::Finished(Box::new(record)));
                }
                ExecutionState::Queued => {
                    let message = CancelReason::Caller.message();
                    let record = record.ended(ExecutionState::Cancelled, ErrorKind::Cancelled, message);
                    if end::finish_queued(&self.house, &record).await? {
                        self.house.calls.count(self.function_of(tenant, &record), &record);
                        // It may have been paged in since it was looked for.
                        let known = self.house.state().ended_in_store(id);
                        for live in known.into_iter().flatten() {
                            live.end_elsewhere(record.clone());
                        }
                        self.house.dispatch();
                        return Ok(Cancelled::Requested(Box::new(record)));
                    }
                }
                // It moved on between the two looks.
                ExecutionState::Starting | ExecutionState::Running => {}
            }
        }
        Ok(Cancelled::Unknown)
    }

    /// The function that an execution is a call of which nothing but its record is here. One that is younger only
    /// has the name.
    fn function_of(&self, tenant: TenantId, record: &ExecutionRecord) -> Option<FunctionId> {
        let name = record.function.as_deref()?.parse().ok()?;
        let function = self.house.functions.function(tenant, &FunctionKey::Name(name))?;
        (function.created_at <= record.created_at).then_some(function.id)
    }
}
