//! The handle everybody holds.

use crate::events::{EventFeed, EventKind};
use crate::function::load_routes;
use crate::house::House;
use crate::settings::{Parts, Settings};
use crate::{CallStats, LaneStats, Readiness, StartError, Stats, loader, standing, upkeep};
use faas_executor_api::{Capabilities, SpareStats};
use faas_types::TenantId;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

/// Runs executions. A cheap handle: when the last one is dropped, everything ends at once, as if the
/// process had.
#[derive(Clone)]
pub struct Orchestrator {
    pub(crate) house: Arc<House>,
    _life: Arc<Life>,
}

/// Ends the tasks with the last handle.
struct Life {
    house: Arc<House>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.house.abort();
    }
}

impl Orchestrator {
    /// Begins a new life of the node: ends what an earlier one left, then serves while what waits in the
    /// store is paged in. Called inside a tokio runtime.
    ///
    /// # Errors
    /// The store or the executor failed.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        parts.executor.recover().await?;
        let node = parts.settings.node;
        let epoch = parts.store.last_epoch(node).await?.saturating_add(1);
        let recovered = parts.store.recover(node, epoch).await?;
        parts.logs.bound(parts.settings.log_retention_bytes);
        let house = Arc::new(House::new(parts, epoch, recovered.queued));
        for id in &recovered.lost {
            house.events.note(EventKind::ExecutionLost, Some(*id), "it ended with an earlier life of this node");
        }
        for line in &recovered.dropped {
            house.events.note(EventKind::JournalDamaged, None, line.as_str());
        }
        let detail = format!("{} executions wait, {} were lost", recovered.queued, recovered.lost.len());
        house.events.note(EventKind::Started, None, detail);
        load_routes(&house).await?;
        house.spawn(loader::run(Arc::downgrade(&house), Arc::clone(&house.load)));
        house.spawn(upkeep::run(Arc::downgrade(&house)));
        house.spawn(upkeep::sample_lane(Arc::downgrade(&house)));
        house.spawn(upkeep::review_warm(Arc::downgrade(&house)));
        house.spawn(standing::run(Arc::downgrade(&house), Arc::clone(&house.standing)));
        if house.builder.is_some() {
            house.spawn(upkeep::forget_packages(Arc::downgrade(&house)));
        }
        house.spawn(upkeep::end_unused(Arc::downgrade(&house), Arc::clone(&house.warm)));
        Ok(Self { _life: Arc::new(Life { house: Arc::clone(&house) }), house })
    }

    /// What its executor offers on this host.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        self.house.executor.capabilities()
    }

    /// How much it may hold.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.house.settings
    }

    /// What it does at present and has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let house = &self.house;
        let (running, waiting) = {
            let state = house.state();
            (state.running(), state.callers_waiting())
        };
        let calls = house.calls.all();
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Stats {
            queued: count(waiting).saturating_add(house.totals.stored.load(Ordering::Relaxed)),
            running: count(running),
            concurrency: house.settings.concurrency,
            queue: house.settings.queue,
            succeeded: calls.succeeded,
            failed: calls.failed.values().sum(),
            cancelled: calls.cancelled,
            refused: house.totals.refused.load(Ordering::Relaxed),
            warm: count(house.warm.len()),
            warm_starts: house.totals.warm_starts.load(Ordering::Relaxed),
            retired: house.totals.retired.load(Ordering::Relaxed),
            unwritten: *house.unwritten.borrow(),
            log_bytes: house.logs.bytes(),
            uptime: house.began.elapsed(),
        }
    }

    /// What is made for a tenant before it asks, and why; what it asked for last first.
    #[must_use]
    pub fn spares(&self, tenant: TenantId) -> Vec<SpareStats> {
        let mut spares = self.house.executor.spares();
        spares.retain(|stats| stats.spec.tenant == tenant);
        spares
    }

    /// How loaded the lanes are that sandboxes are made in: so far this host.
    #[must_use]
    pub fn lanes(&self) -> Vec<LaneStats> {
        let house = &self.house;
        let sandboxes = house.state().running().saturating_add(house.warm.changes().sandboxes());
        house.lane.stats(u32::try_from(sandboxes).unwrap_or(u32::MAX))
    }

    /// What became of all executions since the start of the process.
    #[must_use]
    pub fn calls(&self) -> CallStats {
        self.house.calls.all()
    }

    /// Whether it can take new executions.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness { draining: self.house.state().is_draining(), store_fails: self.house.store_fails() }
    }

    /// Notes every end of a zygote that is told of, until there is nobody who could tell.
    pub fn note_zygotes<E: ToString + Send + 'static>(&self, mut ends: mpsc::Receiver<E>) {
        let events = self.house.events.clone();
        tokio::spawn(async move {
            while let Some(end) = ends.recv().await {
                events.note(EventKind::ZygoteEnded, None, end.to_string());
            }
        });
    }

    /// The events of the platform.
    #[must_use]
    pub fn events(&self) -> EventFeed {
        self.house.events.feed()
    }
}
