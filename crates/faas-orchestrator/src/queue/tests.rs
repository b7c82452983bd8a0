use super::{Job, Keeping, PAGE, State};
use crate::live::Live;
use crate::stdin::Input;
use crate::{ExecutionRequest, Work};
use bytes::Bytes;
use faas_types::{Contract, ExecutionId, ExecutionRecord, TenantId};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// What may happen to the store and the queue, in any order.
#[derive(Debug, Clone)]
enum Step {
    /// So many rows are committed, in the order of these numbers and not of their ids.
    Commit(Vec<u8>),
    /// The acceptor of a committed row places it.
    Place(usize),
    BeginLoad,
    ReadPage,
    EndLoad,
    /// The store fails while a page is read.
    FailLoad,
    /// So many begin.
    Take(usize),
    /// One begins, and the store fails when its row is claimed.
    PutOff,
    Resume,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 1..80).prop_map(Step::Commit),
        6 => (0..200_usize).prop_map(Step::Place),
        3 => Just(Step::BeginLoad),
        3 => Just(Step::ReadPage),
        3 => Just(Step::EndLoad),
        1 => Just(Step::FailLoad),
        2 => (1..60_usize).prop_map(Step::Take),
        1 => Just(Step::PutOff),
        1 => Just(Step::Resume),
    ]
}

fn job(id: ExecutionId) -> Job {
    let record = ExecutionRecord::queued(id, None, Contract::Command, "fake");
    Job {
        live: Arc::new(Live::new(TenantId::LOCAL, record, Instant::now())),
        request: ExecutionRequest::new(Work::Command { argv: vec!["true".to_owned()] }),
        input: Input::Bytes(Bytes::new()),
        keeping: Keeping::Queued,
        bytes: 1,
    }
}

/// The store and what is on its way between it and the queue.
struct World {
    state: State,
    queued: BTreeSet<ExecutionId>,
    accepted: Vec<ExecutionId>,
    taken: Vec<ExecutionId>,
    /// The load that is under way: where it began, and its page once it was read.
    load: Option<(Option<ExecutionId>, Option<Vec<ExecutionId>>)>,
    committed: usize,
}

impl World {
    fn begin_load(&mut self) -> bool {
        if self.load.is_none() {
            self.load = self.state.begin_load().map(|after| (after, None));
        }
        self.load.is_some()
    }

    fn read_page(&mut self) {
        if let Some((after, page @ None)) = &mut self.load {
            let rows = self.queued.iter().filter(|id| after.is_none_or(|after| **id > after));
            *page = Some(rows.take(usize::try_from(PAGE).expect("small")).copied().collect());
        }
    }

    fn end_load(&mut self) {
        if let Some((after, page)) = self.load.take() {
            match page {
                None => self.load = Some((after, None)),
                Some(page) => {
                    let last = page.last().copied();
                    self.state.end_load(Some((page.into_iter().map(job).collect(), last)));
                }
            }
        }
    }

    fn take(&mut self) -> bool {
        let Some(job) = self.state.take_next() else { return false };
        // A page may hold what began and ended since it was read; claiming it then fails.
        if self.queued.remove(&job.live.id) {
            self.taken.push(job.live.id);
        }
        self.state.live.remove(&job.live.id);
        self.state.release(None);
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However commits, placements, pages and failures interleave: every row has its turn, and
    /// memory holds no more than it may.
    #[test]
    fn every_row_has_its_turn(steps in prop::collection::vec(step(), 0..120), before in 0..40_usize) {
        let mut world = World {
            state: State::new(1, 0, u64::try_from(before).expect("small")),
            queued: (0..before).map(|_| ExecutionId::generate()).collect(),
            accepted: Vec::new(),
            taken: Vec::new(),
            load: None,
            committed: before,
        };
        for step in steps {
            match step {
                Step::Commit(order) => {
                    let mut ids: Vec<_> = order.iter().map(|place| (*place, ExecutionId::generate())).collect();
                    ids.sort_by_key(|(place, _)| *place);
                    world.committed += ids.len();
                    world.queued.extend(ids.iter().map(|(_, id)| *id));
                    world.accepted.extend(ids.iter().map(|(_, id)| *id));
                }
                Step::Place(which) if !world.accepted.is_empty() => {
                    let id = world.accepted.remove(which % world.accepted.len());
                    world.state.place(job(id));
                }
                Step::Place(_) => {}
                Step::BeginLoad => drop(world.begin_load()),
                Step::ReadPage => world.read_page(),
                Step::EndLoad => world.end_load(),
                Step::FailLoad => {
                    if world.load.take().is_some() {
                        world.state.end_load(None);
                    }
                }
                Step::Take(count) => {
                    for _ in 0..count {
                        world.take();
                    }
                }
                Step::PutOff => {
                    if let Some(job) = world.state.take_next() {
                        let id = job.live.id;
                        prop_assert!(matches!(world.state.put_off(job), Ok(true)), "{id} is the first");
                        world.state.release(None);
                        prop_assert!(world.state.take_next().is_none(), "nothing begins while the store fails");
                    }
                }
                Step::Resume => world.state.resume(),
            }
            prop_assert!(world.state.live.len() <= super::STORED_IN_MEMORY);
        }
        world.state.resume();
        world.read_page();
        world.end_load();
        while let Some(id) = world.accepted.pop() {
            world.state.place(job(id));
        }
        loop {
            let loading = world.begin_load();
            world.read_page();
            world.end_load();
            if !world.take() && !loading {
                break;
            }
        }
        prop_assert!(world.queued.is_empty(), "{} never had their turn", world.queued.len());
        prop_assert_eq!(world.taken.len(), world.committed);
    }
}

/// A row that ends in the store has no turn here, wherever it was on its way.
#[test]
fn what_ended_in_the_store_has_no_turn() {
    let mut state = State::new(1, 0, 0);
    let ids: Vec<_> = (0..3).map(|_| ExecutionId::generate()).collect();
    state.place(job(ids[0]));
    let [known, awaited] = state.ended_in_store(ids[0]);
    assert!(known.is_some_and(|live| live.id == ids[0]) && awaited.is_none());
    assert!(state.live.is_empty() && state.take_next().is_none() && state.busy() == 0);

    // While a page is read, on which it stands.
    let mut state = State::new(1, 0, 2);
    assert_eq!(state.begin_load(), Some(None));
    assert!(state.ended_in_store(ids[1]).iter().all(Option::is_none));
    state.end_load(Some((vec![job(ids[1]), job(ids[2])], None)));
    assert_eq!(state.live.keys().collect::<Vec<_>>(), [&ids[2]]);
    assert_eq!(state.take_next().map(|job| job.live.id), Some(ids[2]));
}
