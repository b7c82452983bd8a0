use super::{Changes, Condition, Entry, Pool, Seat, Vacated};
use bytes::Bytes;
use faas_executor_api::fake::FakeExecutor;
use faas_executor_api::{Event, Executor as _, HandlerRequest, Invocation, Program, Sandbox, SandboxSpec, Stay};
use faas_types::{Contract, FunctionId, IsolationLevel, Language, OutputLimits, Resources, Scaling, TenantId};
use futures_util::FutureExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A sandbox with a program that answers so many calls at once.
async fn loaded(executor: &FakeExecutor, at_once: u32) -> Box<dyn Sandbox> {
    let spec = SandboxSpec {
        tenant: TenantId::LOCAL,
        language: Some(Language::Python),
        resources: Resources::default(),
        isolation: IsolationLevel::default(),
        packages: None,
    };
    let request = HandlerRequest {
        entry: "handle".to_owned(),
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let call = Invocation {
        contract: Contract::Handler,
        program: Program { code: Bytes::from_static(b"together\n"), name: "main.py".to_owned() },
        args: Vec::new(),
        env: Vec::new(),
        files: Vec::new(),
        request: Some(request),
        stay: Stay::Loaded,
        at_once,
        deadline: Instant::now() + Duration::from_secs(60),
        output: OutputLimits::default(),
    };
    let mut sandbox = executor.create(spec).await.unwrap();
    let mut events = sandbox.invoke(call).await.unwrap().events;
    while !matches!(events.next().await, Some(Event::Done(_)) | None) {}
    sandbox
}

struct Ground {
    executor: FakeExecutor,
    pool: Arc<Pool>,
    served: (FunctionId, u32),
    scaling: Scaling,
}

impl Ground {
    /// Of at most two instances.
    fn new(concurrency: u32) -> Self {
        let scaling = Scaling { max: 2, concurrency, ..Scaling::default() };
        let served = (FunctionId::generate(), 1);
        Self { executor: FakeExecutor::default(), pool: Arc::default(), served, scaling }
    }

    async fn loaded(&self) -> Box<dyn Sandbox> {
        loaded(&self.executor, self.scaling.concurrency).await
    }

    fn enter(&self) -> Entry {
        self.pool.enter(self.served, &self.scaling)
    }

    /// Those that are taken.
    fn places(&self) -> usize {
        self.pool.state().versions.get(&self.served).map_or(0, |version| version.instances.len())
    }

    fn joins(&self) -> Seat {
        let Entry::Joins(seat) = self.enter() else { panic!("there is room") };
        seat
    }

    fn waits(&self) -> Changes {
        let Entry::Later(changes) = self.enter() else { panic!("there is no room") };
        changes
    }

    fn makes(&self) -> Seat {
        let Entry::Makes(seat) = self.enter() else { panic!("there is none, and may be one") };
        seat
    }

    /// The seat of one that made an instance and shares it.
    async fn opened(&self) -> Seat {
        let seat = self.makes();
        self.open(&seat).await;
        seat
    }

    async fn open(&self, seat: &Seat) {
        seat.put("cold", self.loaded().await);
        seat.instance().open(seat.instance().share().unwrap());
    }
}

fn condition(vacated: Option<Vacated>) -> Option<Condition> {
    vacated.map(|vacated| vacated.condition)
}

#[tokio::test]
async fn who_comes_later_waits_in_the_instance_that_is_made() {
    let ground = Ground::new(2);
    let maker = ground.makes();
    let waits = ground.joins();
    assert!(waits.program().now_or_never().is_none(), "its program is not there yet");
    let other = ground.makes();
    ground.open(&maker).await;
    assert_eq!(waits.program().await.map(|(_, kind)| kind), Some("cold"));
    assert_eq!(condition(maker.leave()), None, "somebody is in it");
    let joins = ground.joins();
    assert_eq!(joins.program().await.map(|(_, kind)| kind), Some("warm"), "rather than in the one that is made");
    drop((waits, joins, other));
    assert_eq!((ground.places(), ground.executor.live()), (0, 0));
}

#[tokio::test]
async fn who_waits_for_what_comes_to_nothing_hears_of_it() {
    let ground = Ground::new(2);
    let maker = ground.makes();
    let waits = ground.joins();
    maker.put("cold", ground.loaded().await);
    assert_eq!(condition(maker.leave()), Some(Condition::Own), "it is the maker's, whoever waits");
    assert!(waits.program().await.is_none());
    assert_eq!(condition(waits.leave()), None);
    assert_eq!(ground.places(), 0);
}

#[tokio::test]
async fn an_instance_counts_until_nothing_of_it_is_left_and_its_return_is_waited_for() {
    let ground = Ground::new(2);
    let vacated = ground.opened().await.leave().unwrap();
    assert_eq!(vacated.condition, Condition::Good);
    let mut changes = ground.waits();
    assert_eq!(ground.places(), 1);
    drop(vacated);
    changes.next().await;
    assert_eq!((ground.places(), ground.executor.live()), (0, 0));
    drop(ground.makes());
}

#[tokio::test]
async fn nobody_enters_where_a_call_was_not_seen_to_its_end() {
    let ground = Ground::new(2);
    let stays = ground.opened().await;
    drop(ground.joins());
    let other = ground.makes();
    let third = ground.joins();
    ground.waits();
    assert_eq!((ground.places(), ground.pool.count(ground.served)), (2, 1), "one is none for calls that come");
    let spent = stays.leave().unwrap();
    assert_eq!(spent.condition, Condition::Spent, "its sandbox is nobody's to keep");
    assert_eq!((ground.places(), ground.pool.count(ground.served)), (2, 1), "nor while it ends");
    drop(spent);
    drop((other, third));
    assert_eq!((ground.places(), ground.executor.live()), (0, 0));
}

#[tokio::test]
async fn the_fullest_is_filled_first_and_places_are_as_many_as_may_be() {
    let ground = Ground::new(3);
    let (first, second, third) = (ground.opened().await, ground.joins(), ground.joins());
    let other = ground.opened().await;
    let Err(mut changes) = ground.pool.take_place(ground.served, &ground.scaling) else { panic!("there are two") };
    assert_eq!(condition(third.leave()), None);
    let fills = ground.joins();
    assert_eq!((condition(first.leave()), condition(second.leave())), (None, None));
    assert_eq!(condition(fills.leave()), Some(Condition::Good), "it was in the same");
    changes.next().await;
    let place = ground.pool.take_place(ground.served, &ground.scaling).ok().unwrap();
    let more = (ground.joins(), ground.joins());
    assert!(!place.is_waited_for(), "there was room");
    let waits = ground.joins();
    assert!(place.is_waited_for() && waits.program().now_or_never().is_none());
    drop((place, other, more));
    assert!(waits.program().await.is_none(), "it begins again");
    drop(waits);
    assert_eq!((ground.places(), ground.executor.live()), (0, 0));
}
