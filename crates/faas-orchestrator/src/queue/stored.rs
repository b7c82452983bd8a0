//! Executions of the store: paged in as there is room for them, parked where their function is busy, left behind
//! otherwise.

use super::{Job, STORED_BYTES_IN_MEMORY, State};
use crate::live::Live;
use crate::warm::Served;
use faas_types::ExecutionId;
use std::sync::Arc;

/// Executions of the store that are read at once.
pub(crate) const PAGE: u32 = 8;

/// What the loader reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// The rows after this one, or from the beginning.
    After(Option<ExecutionId>),
    /// One row, a call of this version.
    Parked(Served, ExecutionId),
}

/// After which row this one is the next; `None` before the very first id, which is the beginning.
pub(crate) fn before(id: ExecutionId) -> Option<ExecutionId> {
    let before = u128::from_be_bytes(*id.as_bytes()).checked_sub(1)?;
    Some(ExecutionId::from_bytes(before.to_be_bytes()))
}

impl State {
    /// Queues an execution that was just put into the store, or leaves it there for the loader.
    pub(crate) fn place(&mut self, job: Job) {
        let id = job.live.id;
        // The loader may have been faster.
        if self.live.contains_key(&id) {
            return;
        }
        if self.behind || self.draining || !self.push_stored(job) {
            self.leave_behind(id);
        }
    }

    /// An execution is in the store only, so the loader has to look there again.
    fn leave_behind(&mut self, id: ExecutionId) {
        if self.loading {
            self.missed = Some(self.missed.map_or(id, |missed| missed.min(id)));
            return;
        }
        let before = before(id);
        self.behind_after = if self.behind { self.behind_after.min(before) } else { before };
        self.behind = true;
    }

    /// Queues an execution of the store, or parks it; `false` where there is no room for it.
    fn push_stored(&mut self, job: Job) -> bool {
        let may_run = self.busy_functions.may_run(job.request.function.as_ref());
        self.parked.park(job.served(), may_run, job.live.id) || self.push_in_memory(job)
    }

    fn push_in_memory(&mut self, mut job: Job) -> bool {
        if !self.has_room_for_stored() {
            return false;
        }
        let (id, bytes, served) = (job.live.id, job.bytes, job.served());
        if let Some(known) = self.no_longer_awaited(id) {
            job.live = known;
        }
        job.name_function();
        let live = Arc::clone(&job.live);
        if self.stored.push(live.tenant, served, job).is_err() {
            return false;
        }
        self.stored_bytes = self.stored_bytes.saturating_add(bytes);
        self.parked.wait(served);
        self.live.insert(id, live);
        true
    }

    const fn has_room_for_stored(&self) -> bool {
        self.stored.room() > 0 && self.stored_bytes < STORED_BYTES_IN_MEMORY
    }

    /// Whether there is something for the loader to do.
    pub(crate) fn wants_load(&self) -> bool {
        let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let is_due = self.behind || self.parked.is_due();
        is_due && !self.draining && self.stored.room() >= page && self.has_room_for_stored()
    }

    /// What the loader is to read, when there is something for it to do; [`Self::end_load`]
    /// follows. What is put into the store from now on may be missing in what it reads.
    pub(crate) fn begin_load(&mut self) -> Option<Load> {
        self.loading = self.wants_load();
        if !self.loading {
            return None;
        }
        // They take turns, where there is both.
        self.parked_turn = !self.parked_turn || !self.behind;
        let parked = if self.parked_turn { self.parked.take_due() } else { None };
        Some(parked.map_or(Load::After(self.behind_after), |(served, id)| Load::Parked(served, id)))
    }

    /// Takes in what was read; the page's last row when more may follow. `None` when it could not be read. Of what
    /// was parked there is no row where it is not queued any more.
    pub(crate) fn end_load(&mut self, load: Load, page: Option<(Vec<Job>, Option<ExecutionId>)>) {
        self.loading = false;
        let mut left = self.missed.take();
        let gone = std::mem::take(&mut self.gone);
        match (load, page) {
            (Load::After(_), None) => {}
            (Load::After(_), Some((jobs, last))) => {
                self.behind = last.is_some();
                self.behind_after = last;
                for job in jobs {
                    let id = job.live.id;
                    let known = gone.contains(&id) || self.live.contains_key(&id);
                    if !known && (self.draining || !self.push_stored(job)) {
                        left = Some(left.map_or(id, |left| left.min(id)));
                    }
                }
            }
            (Load::Parked(served, id), page) => {
                let is_left = match page {
                    None => !gone.contains(&id),
                    Some((jobs, _)) => jobs.into_iter().next().is_some_and(|job| {
                        let known = gone.contains(&id) || self.live.contains_key(&id);
                        !known && (self.draining || !self.push_in_memory(job))
                    }),
                };
                if is_left {
                    self.parked.put_back(served, id);
                }
                self.parked.was_read();
            }
        }
        if let Some(id) = left {
            self.leave_behind(id);
        }
    }

    pub(super) fn pop_stored(&mut self, idle: &dyn Fn(Served) -> Option<usize>) -> Option<Job> {
        if self.put_off {
            return None;
        }
        let (busy, slots) = (&self.busy_functions, self.concurrency.saturating_sub(self.running));
        let mut again = None;
        let job = self.stored.pop_where(|job| busy.may_begin(&job.request, idle, slots, &mut again));
        self.ask_again(again);
        let job = job?;
        self.stored_bytes = self.stored_bytes.saturating_sub(job.bytes);
        self.parked.wait_no_more(job.served());
        Some(job)
    }

    /// Puts an execution back whose row could not be claimed, and lets no other of the store begin: each
    /// would hold a slot that a caller can use. Whether it is the first; then [`Self::resume`] follows.
    /// The execution itself when it is left to the next life.
    pub(crate) fn put_off(&mut self, job: Job) -> Result<bool, Arc<Live>> {
        if self.draining {
            self.live.remove(&job.live.id);
            return Err(job.live);
        }
        self.stored_bytes = self.stored_bytes.saturating_add(job.bytes);
        self.parked.wait(job.served());
        // Ids are in the order in which executions were accepted.
        self.stored.put_back(job.live.tenant, job.served(), job, |waiting, job| waiting.live.id < job.live.id);
        Ok(!std::mem::replace(&mut self.put_off, true))
    }

    /// The store may be tried again.
    pub(crate) const fn resume(&mut self) {
        self.put_off = false;
    }
}
