//! How fast a reader is while it stays behind.

use std::pin::pin;
use std::time::Duration;
use tokio::time::Instant;

/// The slowest a reader that stays behind may be, in bytes per second.
const SLOWEST: u64 = 1024;

/// How much a reader takes while it is behind. Begun anew whenever it has caught up.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    taken: u64,
    patience: Duration,
}

impl Pace {
    pub(super) fn new(patience: Duration) -> Self {
        Self { since: Instant::now(), taken: 0, patience }
    }

    /// The reader has everything there is.
    pub(super) fn caught_up(&mut self) {
        *self = Self::new(self.patience);
    }

    /// Notes what it took; `false` when that was too little for too long.
    pub(super) fn keeps_up(&mut self, length: usize) -> bool {
        self.taken = self.taken.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let elapsed = self.since.elapsed();
        if elapsed < self.patience {
            return true;
        }
        let enough = self.taken >= elapsed.as_secs().saturating_mul(SLOWEST);
        self.caught_up();
        enough
    }
}

/// What a future gives, and whether it had to be waited for: then its reader had caught up.
pub(super) async fn noticing<T>(future: impl Future<Output = T>) -> (T, bool) {
    let mut future = pin!(future);
    let mut waited = false;
    let output = std::future::poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        waited |= polled.is_pending();
        polled
    })
    .await;
    (output, waited)
}
