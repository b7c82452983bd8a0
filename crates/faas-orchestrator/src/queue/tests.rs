use super::{Job, Keeping, Load, PAGE, Refused, Stage, State, before};
use crate::function::Called;
use crate::live::Live;
use crate::stdin::Input;
use crate::warm::Served;
use crate::{ExecutionRequest, Work};
use bytes::Bytes;
use faas_types::{Contract, ExecutionId, ExecutionRecord, FunctionId, Scaling, TenantId, VersionId};
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
    /// So many begin and end.
    Take(usize),
    /// One begins and goes on.
    Hold,
    /// One that goes on ends.
    Release,
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
        2 => Just(Step::Hold),
        1 => Just(Step::Release),
        1 => Just(Step::PutOff),
        1 => Just(Step::Resume),
    ]
}

/// Every other one is a call of one function, which runs once at a time.
fn called(id: ExecutionId) -> Option<Called> {
    let function = FunctionId::from_bytes([7; 16]);
    let name = "busy".parse().expect("a name");
    let scaling = Scaling { max: 1, ..Scaling::default() };
    let is_call = id.as_bytes()[15].is_multiple_of(2);
    is_call.then(|| Called { function, name, version: VersionId::from_bytes([8; 16]), number: 1, scaling })
}

/// No instance is kept.
fn kept(_: Served) -> Option<usize> {
    None
}

fn job(id: ExecutionId) -> Job {
    let record = ExecutionRecord::queued(id, None, Contract::Command, "fake");
    Job {
        live: Arc::new(Live::new(TenantId::LOCAL, record, Instant::now())),
        request: ExecutionRequest {
            function: called(id),
            ..ExecutionRequest::new(Work::Command { argv: vec!["true".to_owned()] })
        },
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
    load: Option<(Load, Option<Vec<ExecutionId>>)>,
    /// Those that go on.
    held: Vec<ExecutionId>,
    committed: usize,
}

impl World {
    fn begin_load(&mut self) -> bool {
        if self.load.is_none() {
            self.load = self.state.begin_load().map(|load| (load, None));
        }
        self.load.is_some()
    }

    fn read_page(&mut self) {
        if let Some((load, page @ None)) = &mut self.load {
            let (after, limit) = match *load {
                Load::After(after) => (after, PAGE),
                Load::Parked(_, id) => (before(id), 1),
            };
            let rows = self.queued.iter().filter(|id| after.is_none_or(|after| **id > after));
            *page = Some(rows.take(usize::try_from(limit).expect("small")).copied().collect());
        }
    }

    fn end_load(&mut self) {
        if let Some((load, page)) = self.load.take() {
            let Some(mut page) = page else {
                self.load = Some((load, None));
                return;
            };
            let last = page.last().copied();
            if let Load::Parked(_, id) = load {
                page.retain(|row| *row == id);
            }
            self.state.end_load(load, Some((page.into_iter().map(job).collect(), last)));
        }
    }

    fn fail_load(&mut self) {
        if let Some((load, _)) = self.load.take() {
            self.state.end_load(load, None);
        }
    }

    /// One that goes on ends.
    fn release(&mut self) -> bool {
        let Some(id) = self.held.pop() else { return false };
        self.state.release(called(id).map(|called| called.served()), Stage::Apart, None);
        true
    }

    fn take(&mut self) -> bool {
        self.hold() && self.release()
    }

    fn hold(&mut self) -> bool {
        let Some(job) = self.state.take_next(&kept) else { return false };
        // A page may hold what began and ended since it was read; claiming it then fails.
        if self.queued.remove(&job.live.id) {
            self.taken.push(job.live.id);
        }
        self.state.live.remove(&job.live.id);
        self.held.push(job.live.id);
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
            state: State::new(3, 0, u64::try_from(before).expect("small"), true),
            queued: (0..before).map(|_| ExecutionId::generate()).collect(),
            accepted: Vec::new(),
            taken: Vec::new(),
            load: None,
            held: Vec::new(),
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
                Step::FailLoad => world.fail_load(),
                Step::Hold => drop(world.hold()),
                Step::Release => drop(world.release()),
                Step::Take(count) => {
                    for _ in 0..count {
                        world.take();
                    }
                }
                Step::PutOff => {
                    if let Some(job) = world.state.take_next(&kept) {
                        let (id, served) = (job.live.id, job.served());
                        prop_assert!(matches!(world.state.put_off(job), Ok(true)), "{id} is the first");
                        world.state.release(served, Stage::Apart, None);
                        prop_assert!(world.state.take_next(&kept).is_none(), "nothing begins while the store fails");
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
            let began = world.hold();
            let ended = world.release();
            if !began && !ended && !loading {
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
    let mut state = State::new(1, 0, 0, true);
    let ids: Vec<_> = (0..3).map(|_| ExecutionId::generate()).collect();
    state.place(job(ids[0]));
    let [known, awaited] = state.ended_in_store(ids[0]);
    assert!(known.is_some_and(|live| live.id == ids[0]) && awaited.is_none());
    assert!(state.live.is_empty() && state.take_next(&kept).is_none() && state.busy() == 0);

    // While a page is read, on which it stands.
    let mut state = State::new(1, 0, 2, true);
    assert_eq!(state.begin_load(), Some(Load::After(None)));
    assert!(state.ended_in_store(ids[1]).iter().all(Option::is_none));
    state.end_load(Load::After(None), Some((vec![job(ids[1]), job(ids[2])], None)));
    assert_eq!(state.live.keys().collect::<Vec<_>>(), [&ids[2]]);
    assert_eq!(state.take_next(&kept).map(|job| job.live.id), Some(ids[2]));
}

/// However often a version may run, it has the slots that there are, and others want to wait, too.
#[test]
fn callers_of_a_version_that_could_take_every_slot_are_half_of_those_who_wait() {
    let mut state = State::new(2, 6, 0, true);
    let scaling = Scaling { max: 10, concurrency: 100, ..Scaling::default() };
    let called = Called { scaling, ..called(ExecutionId::from_bytes([2; 16])).expect("a call") };
    let taken = (0..8).take_while(|_| state.expect(1, Some(&called)).is_ok()).count();
    assert_eq!(taken, 3, "as many as may run, or half of the queue, whatever is more");
    assert_eq!(state.expect(1, Some(&called)), Err(Refused::FunctionFull { max: 2 }));
    assert_eq!(state.expect(1, None), Ok(()), "somebody else");
}

/// Calls of a function that runs as often as it may take a few places, and everything else passes them.
#[test]
fn calls_of_a_busy_function_do_not_take_all_places() {
    let calls: Vec<_> =
        (0..600_u128).map(|number| ExecutionId::from_bytes((1000 + 2 * number).to_be_bytes())).collect();
    let mut state = State::new(4, 0, 0, true);
    state.place(job(calls[0]));
    assert_eq!(state.take_next(&kept).map(|job| job.live.id), Some(calls[0]));
    for id in &calls[1..] {
        state.place(job(*id));
    }
    let other = ExecutionId::from_bytes(9001_u128.to_be_bytes());
    state.place(job(other));
    assert_eq!(state.take_next(&kept).map(|job| job.live.id), Some(other), "it passes those that cannot run");
    assert!(state.take_next(&kept).is_none() && state.live.len() < 100, "{} are in memory", state.live.len());
    // One after the other, each has its turn, in order.
    for id in &calls[1..] {
        state.release(called(*id).map(|called| called.served()), Stage::Apart, None);
        while let Some(load) = state.begin_load() {
            let Load::Parked(_, parked) = load else { panic!("{load:?}") };
            state.end_load(load, Some((vec![job(parked)], None)));
        }
        assert_eq!(state.take_next(&kept).map(|job| job.live.id), Some(*id));
    }
}

/// Functions of one tenant take turns: one that is called much does not let another wait for all its calls.
#[test]
fn a_function_waits_for_one_call_of_each_other_function_of_its_tenant() {
    let mut state = State::new(100, 0, 0, true);
    let call = |number: u128, of: u8| {
        let id = ExecutionId::from_bytes((2 * number).to_be_bytes());
        let scaling = Scaling { max: 100, ..Scaling::default() };
        let called = Called { function: FunctionId::from_bytes([of; 16]), scaling, ..called(id).expect("a call") };
        let mut job = job(id);
        job.request.function = Some(called);
        job
    };
    for number in 0..50 {
        state.place(call(number, 1));
    }
    state.place(call(50, 2));
    let order: Vec<_> = std::iter::from_fn(|| state.take_next(&kept)).filter_map(|job| job.served()).collect();
    let place = order.iter().position(|(function, _)| *function == FunctionId::from_bytes([2; 16]));
    assert_eq!((order.len(), place), (51, Some(1)));
}
