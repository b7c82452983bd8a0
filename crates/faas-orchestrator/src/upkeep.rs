//! What has to be done from time to time: leases are renewed, history is pruned, packages nobody uses go.

use crate::function::packages_in_use;
use crate::house::House;
use crate::warm::Warm;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How many executions are forgotten at once.
const PRUNED_AT_ONCE: u32 = 256;

/// When installed packages are looked at first, and how often then.
const FIRST_LOOK: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_hours(6);
/// How long packages stay that no version uses. A call of a version that is gone may run for a day, and what is
/// used is noted with each look.
const UNUSED: Duration = Duration::from_hours(48);

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

/// Removes packages that no version uses any more, as long as the orchestrator is there.
pub(crate) async fn forget_packages(house: Weak<House>) {
    let mut looks = tokio::time::interval_at(Instant::now() + FIRST_LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(house) = house.upgrade() else { return };
        let Some(builder) = house.builder.clone() else { return };
        // Where nobody can say what is used everything stays, until the next look.
        let Ok(used) = packages_in_use(house.store.as_ref()).await else { continue };
        // What cannot be removed is tried again with the next look.
        let _ = tokio::task::spawn_blocking(move || builder.forget_unused(&used, UNUSED)).await;
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
