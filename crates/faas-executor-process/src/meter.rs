//! What a sandbox uses, read without asking the launcher where a program stays in it.
//!
//! Between two calls of such a program and at the end of each, numbers are all that is wanted: the launcher hands the
//! files over once in which the kernel counts them. Whatever else is asked (how often the kernel killed, what is left
//! of a program that ended) it is asked by message, as for every other sandbox.
//!
//! Invariant: where the kernel may have killed for memory since it was looked last, that is asked: it kills only at
//! the limit, which shows in the peak.
//!
//! Called where calls end and begin, and by recycling.

use crate::sandbox::Shared;
use faas_protocol::launcher::Counters;
use faas_protocol::leftover::Leftover;
use faas_sandbox_linux::cgroup::Meters;

/// How far below its limit the peak of a sandbox may be of which the kernel killed a part: memory is charged in
/// batches of some hundred KiB, and what did not fit is not in the peak.
const NEAR: u64 = 4 << 20;

impl Shared {
    /// The kernel's counters now, for a call that did not end its program; `None` when the sandbox is gone.
    pub(crate) async fn usage(&self) -> Option<Counters> {
        match self.metered() {
            Some(counters) => Some(counters),
            None => self.link.usage(self.id).await,
        }
    }

    /// Lets the counters begin anew, in a sandbox in which a program stays or none: where they stand then, and what
    /// the kernel still holds of earlier calls. `None` when the sandbox is gone.
    pub(crate) async fn renew(&self, stays: bool) -> Option<(Counters, Option<Leftover>)> {
        if stays
            && let Some(meters) = self.meters.get()
            && self.peak(meters).is_some()
            && meters.restart_peak().is_ok()
            && let Some(cpu_us) = meters.cpu_us()
        {
            return Some((Counters { cpu_us: Some(cpu_us), ..self.counters() }, None));
        }
        let renewed = self.link.renew(self.id, stays).await?;
        if stays
            && self.meters.get().is_none()
            && let Some(meters) = self.link.meters(self.id).await
        {
            self.meters.get_or_init(|| meters);
        }
        Some(renewed)
    }

    /// What can be read here, beside what was known; `None` where the launcher is to be asked.
    fn metered(&self) -> Option<Counters> {
        let meters = self.meters.get()?;
        let peak = self.peak(meters)?;
        let cpu_us = Some(meters.cpu_us()?);
        Some(Counters { cpu_us, memory_peak_bytes: Some(peak), ..self.counters() })
    }

    /// The highest memory, where the kernel cannot have killed for it.
    fn peak(&self, meters: &Meters) -> Option<u64> {
        meters.peak_bytes().filter(|peak| peak.saturating_add(NEAR) < self.memory_bytes)
    }
}
