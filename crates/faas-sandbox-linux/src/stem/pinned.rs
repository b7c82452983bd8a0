//! The processor of a start.

use rustix::io::Errno;
use rustix::thread::CpuSet;

/// The calling thread on one processor, where every process that it waits for is too: to wake one on
/// another processor takes longer than what it then does.
pub(super) struct Pinned {
    pub(super) before: CpuSet,
    pub(super) processor: usize,
}

impl Pinned {
    pub(super) fn here() -> Result<Self, Errno> {
        let before = rustix::thread::sched_getaffinity(None)?;
        let processor = rustix::thread::sched_getcpu();
        let mut here = CpuSet::new();
        here.set(processor);
        rustix::thread::sched_setaffinity(None, &here)?;
        Ok(Self { before, processor })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It may use what it could before, so there is no reason for this to fail.
        let _ = rustix::thread::sched_setaffinity(None, &self.before);
    }
}
