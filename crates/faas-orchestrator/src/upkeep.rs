//! What has to be done from time to time: leases are renewed, history is pruned.

use crate::house::House;
use crate::warm::Warm;
use std::sync::{Arc, Weak};
use tokio::time::{Instant, MissedTickBehavior};

/// How many executions are forgotten at once.
const PRUNED_AT_ONCE: u32 = 256;

/// Renews and prunes as long as the orchestrator is there.
pub(crate) async fn run(house: Weak<House>) {
    let period = House::renewal();
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(house) = house.upgrade() else { return };
        let lease = house.lease();
        // What fails is noted and tried again with the next tick.
        let _ = house.noted(house.store.renew(lease.node, lease.epoch, lease.until).await);
        prune(&house).await;
    }
}

/// Ends warm sandboxes nobody came for, as long as the orchestrator is there.
pub(crate) async fn end_unused(house: Weak<House>, warm: Arc<Warm>) {
    loop {
        let unneeded = warm.due().await;
        let Some(house) = house.upgrade() else { return };
        house.end_warm(unneeded);
    }
}

async fn prune(house: &House) {
    loop {
        let Ok(pruned) = house.noted(house.store.prune(house.settings.retention, PRUNED_AT_ONCE).await) else { return };
        let count = u32::try_from(pruned.len()).unwrap_or(u32::MAX);
        let logs = house.logs.clone();
        // Files are removed apart from the tasks that serve everybody. What fails is found again at the
        // next start.
        let _ = tokio::task::spawn_blocking(move || pruned.into_iter().for_each(|id| logs.remove(id))).await;
        if count < PRUNED_AT_ONCE {
            return;
        }
    }
}
