//! What has to be done from time to time: leases are renewed, history is pruned, packages nobody uses go.

use crate::events::EventKind;
use crate::function::packages_in_use;
use crate::house::House;
use crate::lane::Sampler;
use crate::warm::Warm;
use faas_scheduler::{PRICE_EVERY, SAMPLE_EVERY};
use faas_types::Timestamp;
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

/// Decides from time to time for how long warm sandboxes wait, as long as the orchestrator is there.
pub(crate) async fn review_warm(house: Weak<House>) {
    let mut ticks = tokio::time::interval_at(Instant::now() + PRICE_EVERY, PRICE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(house) = house.upgrade() else { return };
        house.warm.review();
    }
}

/// Looks how loaded this host is, as long as the orchestrator is there.
pub(crate) async fn sample_lane(house: Weak<House>) {
    let mut sampler = Sampler::default();
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(house) = house.upgrade() else { return };
        house.lane.sample(&mut sampler);
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
        if calls_wait_long(&house).await {
            continue;
        }
        // Where nobody can say what is used everything stays, until the next look.
        let used = match packages_in_use(house.store.as_ref()).await {
            Ok(used) => used,
            Err(error) => {
                house.events.note(EventKind::PackagesKept, None, format!("nobody knows what is used: {error}"));
                continue;
            }
        };
        // What cannot be removed is tried again with the next look.
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || builder.forget_unused(&used, UNUSED)).await {
            house.events.note(EventKind::PackagesKept, None, error.to_string());
        }
    }
}

/// Whether a call waits in the store since before half of the time after which packages go, or nobody knows: it has
/// the packages of its version, which may be gone.
async fn calls_wait_long(house: &House) -> bool {
    match house.noted_failure(house.store.queued(None, 1).await) {
        Ok(rows) => rows.first().is_some_and(|row| row.record.created_at.plus(UNUSED / 2) < Timestamp::now()),
        Err(_) => true,
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
