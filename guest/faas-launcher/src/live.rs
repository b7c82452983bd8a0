//! The sandboxes that live, and what each holds.

use faas_protocol::launcher::Counters;
use faas_sandbox_linux::cgroup::Leaf;
use faas_sandbox_linux::stem::Stem;
use rustix::fd::OwnedFd;
use std::collections::{HashMap, VecDeque};

/// One live sandbox.
pub(crate) struct Live {
    pub(crate) id: [u8; 16],
    pub(crate) tenant: [u8; 16],
    pub(crate) sequence: u64,
    pub(crate) uid_number: u32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) leaf: Leaf,
    pub(crate) network: OwnedFd,
    /// What its program can become a zygote with.
    pub(crate) stem: Option<Stem>,
}

impl Live {
    /// What the kernel counted so far.
    pub(crate) fn counters(&self) -> Counters {
        let counted = self.leaf.counters();
        Counters {
            cpu_us: counted.cpu_us,
            memory_peak_bytes: counted.memory_peak_bytes,
            oom_kills: counted.oom_kills,
            pids_refused: counted.pids_refused,
        }
    }
}

/// Every live sandbox, by id and by sequence number.
#[derive(Default)]
pub(crate) struct Table {
    by_sequence: HashMap<u64, Live>,
    by_id: HashMap<[u8; 16], u64>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.by_sequence.len()
    }

    pub(crate) fn contains(&self, id: &[u8; 16]) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn insert(&mut self, live: Live) {
        self.by_id.insert(live.id, live.sequence);
        self.by_sequence.insert(live.sequence, live);
    }

    pub(crate) fn get(&self, id: &[u8; 16]) -> Option<&Live> {
        self.by_sequence.get(self.by_id.get(id)?)
    }

    pub(crate) fn of_sequence_mut(&mut self, sequence: u64) -> Option<&mut Live> {
        self.by_sequence.get_mut(&sequence)
    }

    pub(crate) fn get_mut(&mut self, id: &[u8; 16]) -> Option<&mut Live> {
        self.by_sequence.get_mut(self.by_id.get(id)?)
    }

    pub(crate) fn remove(&mut self, sequence: u64) -> Option<Live> {
        let live = self.by_sequence.remove(&sequence)?;
        self.by_id.remove(&live.id);
        Some(live)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.by_sequence.values()
    }
}

/// Numbers of host uids that are free. The one unused for longest is taken first.
pub(crate) struct UidNumbers {
    free: VecDeque<u32>,
}

impl UidNumbers {
    /// The numbers 1 to `count`.
    pub(crate) fn new(count: u32) -> Self {
        Self { free: (1..=count).collect() }
    }

    pub(crate) fn take(&mut self) -> Option<u32> {
        self.free.pop_front()
    }

    pub(crate) fn give_back(&mut self, number: u32) {
        self.free.push_back(number);
    }
}

#[cfg(test)]
mod tests {
    use super::UidNumbers;

    #[test]
    fn uids_rest_as_long_as_possible() {
        let mut numbers = UidNumbers::new(2);
        assert_eq!(numbers.take(), Some(1));
        numbers.give_back(1);
        assert_eq!((numbers.take(), numbers.take(), numbers.take()), (Some(2), Some(1), None));
    }
}
