//! What a sandbox costs: the time to start one, the time of a call, the memory while it waits.
//!
//! Invariant: every value is finite, and memory is never 0, so that each can be divided by. [`super::Spares`] and
//! [`super::KeepAlive`] keep these for each key.

use crate::score::KEPT;
use faas_types::ByteSize;
use std::time::Duration;

/// No sandbox takes less: a network namespace alone takes about 600 KiB of the kernel's memory.
const LEAST_MEMORY: u64 = 512 * 1024;

/// What is measured, smoothed as a score is; what is assumed until then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Costs {
    start: Option<f64>,
    service: Option<f64>,
    memory: Option<u64>,
    assumed_start: Duration,
    assumed_memory: ByteSize,
}

impl Costs {
    pub(super) const fn assumed(start: Duration, memory: ByteSize) -> Self {
        Self { start: None, service: None, memory: None, assumed_start: start, assumed_memory: memory }
    }

    pub(super) fn started(&mut self, time: Duration) {
        self.start = Some(mix(self.start, time));
    }

    pub(super) fn served(&mut self, time: Duration) {
        self.service = Some(mix(self.service, time));
    }

    /// More counts at once: a budget is to hold for what there is.
    pub(super) fn weighed(&mut self, memory: ByteSize) {
        let new = memory.as_bytes();
        self.memory = Some(self.memory.map_or(new, |old| new.max(old / 10 * 7 + new / 10 * 3)));
    }

    /// Seconds that a start takes.
    pub(super) fn start(&self) -> f64 {
        self.start.unwrap_or(self.assumed_start.as_secs_f64())
    }

    /// The same.
    pub(super) fn start_time(&self) -> Duration {
        Duration::try_from_secs_f64(self.start()).unwrap_or(Duration::MAX)
    }

    /// How long a call takes.
    pub(super) fn service_time(&self) -> Duration {
        Duration::try_from_secs_f64(self.service.unwrap_or(0.0)).unwrap_or(Duration::MAX)
    }

    /// Bytes of one that waits.
    pub(super) fn memory(&self) -> u64 {
        self.memory.unwrap_or(self.assumed_memory.as_bytes()).max(LEAST_MEMORY)
    }

    /// Milliseconds that a start takes for each MiB of one that waits: what waiting is worth.
    pub(super) fn milliseconds_per_mib(&self) -> f64 {
        self.start() * 1000.0 / self.mib()
    }

    /// MiB of one that waits.
    pub(super) fn mib(&self) -> f64 {
        mib(self.memory())
    }
}

fn mix(old: Option<f64>, new: Duration) -> f64 {
    let new = new.as_secs_f64();
    old.map_or(new, |old| KEPT * old + (1.0 - KEPT) * new)
}

/// In MiB; what is lost in the rounding is less than one in a billion.
pub(super) fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// The next whole number that is not lower.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from a float ends at the bounds")]
pub(super) fn whole(number: f64) -> u32 {
    number.ceil() as u32
}
