//! The end of an orchestrator, with nothing lost that was accepted.

use crate::Orchestrator;
use crate::events::EventKind;
use crate::live::CancelReason;
use std::time::Duration;

/// How long ends that the store does not take are tried again at the very end. What is not written by
/// then ends as lost in the next life.
const LAST_WRITES: Duration = Duration::from_secs(5);

impl Orchestrator {
    /// Takes nothing new, lets what runs and every caller that waits come to its end within `patience`,
    /// then cancels the rest. What waits in the store stays there for the next life. Returns when no
    /// sandbox is left. Idempotent.
    pub async fn drain(&self, patience: Duration) {
        let house = &self.house;
        let left = {
            let mut state = house.state();
            if !state.is_draining() {
                house.events.note(EventKind::Draining, None, "nothing new is taken");
            }
            state.drain()
        };
        for live in left {
            live.stop();
        }
        // Who was taken in before may not be counted yet.
        house.show_busy();
        let mut busy = house.busy.subscribe();
        let idle = tokio::time::timeout(patience, busy.wait_for(|busy| *busy == 0)).await.is_ok();
        house.stopping.send_replace(true);
        if !idle {
            let open: Vec<_> = house.state().live.values().filter(|live| live.is_open()).cloned().collect();
            for live in open {
                house.cancel(&live, CancelReason::Stopping);
            }
            // The sender lives as long as the orchestrator, which this holds.
            drop(busy.wait_for(|busy| *busy == 0).await);
        }
        house.end_warm(house.warm.close());
        let mut changes = house.warm.changes();
        while changes.sandboxes() > 0 {
            changes.next().await;
        }
        let mut unwritten = house.unwritten.subscribe();
        // Nothing more can be done about them here.
        let _ = tokio::time::timeout(LAST_WRITES, unwritten.wait_for(|count| *count == 0)).await;
    }

    /// Writes down what is on its way and closes the store, after [`Self::drain`]. Nothing is called
    /// afterwards.
    pub async fn close(&self) {
        self.house.abort();
        self.house.store.close().await;
    }
}
