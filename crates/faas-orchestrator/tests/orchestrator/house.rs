//! A place to run executions in, and stores and executors that do what a test wants of them.

use crate::odd::OddSandbox;
use async_trait::async_trait;
use bytes::Bytes;
use faas_build::{Builder, Index, Indexes, Limits};
use faas_executor_api::fake::{FakeExecutor, FakeHost};
use faas_executor_api::{Capabilities, CreateError, Executor, RecoverError, Sandbox, SandboxSpec, SpecError, Verb};
use faas_orchestrator::{
    Attached, ExecutionRequest, Logs, OnDisconnect, Orchestrator, Parts, Respond, Settings, Stdin, Submission,
    SubmitError, Submitted, Wait, WarmSettings, Watch, Watched, Work,
};
use faas_store_api::{
    ChangeError, Counts, CreateFunctionError, ExecutionStore, Filter, Finished, FunctionChange, FunctionStore,
    InsertError, Insertion, Journaled, Lease, ListQuery, MemoryStore, NewExecution, NewFunction, Page, QueuedExecution,
    Recovered, Retention, StoreError, StoredFunction, StoredVersion,
};
use faas_types::{
    ByteSize, Contract, ExecutionId, ExecutionRecord, ExecutionState, FunctionId, FunctionKey, Language, NodeId,
    OutputLimits, TenantId, Timestamp,
};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// How long anything here may take before the test fails.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
pub(crate) const TENANT: TenantId = TenantId::LOCAL;

pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("in time")
}

/// A request for so many meets a fault in the executor.
pub(crate) const PIDS_THAT_PANIC: u32 = 77;
/// A program with so many has ended by itself when it is to be shared.
pub(crate) const PIDS_THAT_END: u32 = 78;
/// A program with so many is asked first by whoever asks first, but only while [`GatedExecutor::asking`] is open.
pub(crate) const PIDS_ASKED_SLOWLY: u32 = 79;

/// An executor whose sandboxes are made only while its gate is open.
pub(crate) struct GatedExecutor {
    fake: FakeExecutor,
    pub(crate) open: watch::Sender<bool>,
    pub(crate) waiting: watch::Sender<u32>,
    pub(crate) asking: watch::Sender<bool>,
}

impl GatedExecutor {
    pub(crate) fn live(&self) -> usize {
        self.fake.live()
    }
}

#[async_trait]
impl Executor for GatedExecutor {
    fn capabilities(&self) -> &Capabilities {
        self.fake.capabilities()
    }

    fn validate(&self, spec: &SandboxSpec) -> Result<(), SpecError> {
        self.fake.validate(spec)
    }

    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, CreateError> {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let mut open = self.open.subscribe();
        open.wait_for(|open| *open).await.expect("the gate is there");
        assert!(spec.resources.pids != PIDS_THAT_PANIC, "a fault of ours");
        let pids = spec.resources.pids;
        let sandbox = self.fake.create(spec).await?;
        Ok(match pids {
            PIDS_THAT_END => Box::new(OddSandbox::ended(sandbox)),
            PIDS_ASKED_SLOWLY => Box::new(OddSandbox::slow(sandbox, self.asking.subscribe())),
            _ => sandbox,
        })
    }

    async fn recover(&self) -> Result<u32, RecoverError> {
        self.fake.recover().await
    }
}

/// What a store can be made to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Insert,
    Claim,
    Finish,
    Journal,
    Change,
}

/// A store in memory whose calls can fail, and which counts them.
pub(crate) struct TestStore {
    pub(crate) memory: Arc<MemoryStore>,
    dropped: Vec<String>,
    failing: Mutex<Vec<(Call, u32)>>,
    pub(crate) finishes: AtomicU32,
    pub(crate) journaled: AtomicU32,
    pub(crate) rows_read: AtomicU32,
    pub(crate) functions_read: AtomicU32,
    /// Ends are written only while it is open.
    pub(crate) finishing: watch::Sender<bool>,
    /// Insertions that are made are answered only while it is open.
    pub(crate) inserting: watch::Sender<bool>,
}

impl TestStore {
    fn new(ground: &Ground) -> Self {
        Self {
            memory: Arc::clone(&ground.memory),
            dropped: ground.dropped.clone(),
            failing: Mutex::default(),
            finishes: AtomicU32::new(0),
            journaled: AtomicU32::new(0),
            rows_read: AtomicU32::new(0),
            functions_read: AtomicU32::new(0),
            finishing: watch::Sender::new(true),
            inserting: watch::Sender::new(true),
        }
    }

    /// The next so many calls of this kind fail.
    pub(crate) fn fail(&self, call: Call, times: u32) {
        let mut failing = self.failing.lock().expect("no panic");
        failing.retain(|(known, _)| *known != call);
        failing.push((call, times));
    }

    fn check(&self, call: Call) -> Result<(), StoreError> {
        let mut failing = self.failing.lock().expect("no panic");
        match failing.iter_mut().find(|(known, _)| *known == call) {
            Some((_, times)) if *times > 0 => {
                *times -= 1;
                Err(StoreError::Unavailable { reason: "no space left".to_owned() })
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ExecutionStore for TestStore {
    async fn recover(&self, node: NodeId, epoch: u64) -> Result<Recovered, StoreError> {
        let recovered = self.memory.recover(node, epoch).await?;
        Ok(Recovered { dropped: self.dropped.clone(), ..recovered })
    }

    async fn last_epoch(&self, node: NodeId) -> Result<u64, StoreError> {
        self.memory.last_epoch(node).await
    }

    async fn insert(&self, new: NewExecution) -> Result<Insertion, InsertError> {
        self.check(Call::Insert)?;
        let inserted = self.memory.insert(new).await;
        self.inserting.subscribe().wait_for(|open| *open).await.expect("the gate is there");
        inserted
    }

    async fn queued(&self, after: Option<ExecutionId>, limit: u32) -> Result<Vec<QueuedExecution>, StoreError> {
        let rows = self.memory.queued(after, limit).await?;
        self.rows_read.fetch_add(u32::try_from(rows.len()).expect("few"), Ordering::SeqCst);
        Ok(rows)
    }

    async fn claim(&self, id: ExecutionId, lease: Lease) -> Result<Option<u32>, StoreError> {
        self.check(Call::Claim)?;
        self.memory.claim(id, lease).await
    }

    async fn renew(&self, node: NodeId, epoch: u64, until: Timestamp) -> Result<(), StoreError> {
        self.memory.renew(node, epoch, until).await
    }

    async fn finish(&self, finished: Finished) -> Result<bool, StoreError> {
        self.finishes.fetch_add(1, Ordering::SeqCst);
        self.check(Call::Finish)?;
        self.finishing.subscribe().wait_for(|open| *open).await.expect("the gate is there");
        self.memory.finish(finished).await
    }

    fn journal(&self, entry: Journaled<'_>) -> Result<(), StoreError> {
        self.journaled.fetch_add(1, Ordering::SeqCst);
        self.check(Call::Journal)?;
        self.memory.journal(entry)
    }

    async fn get(&self, tenant: TenantId, id: ExecutionId) -> Result<Option<ExecutionRecord>, StoreError> {
        self.memory.get(tenant, id).await
    }

    async fn list(&self, tenant: TenantId, query: &ListQuery) -> Result<Page, StoreError> {
        self.memory.list(tenant, query).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.memory.counts().await
    }

    async fn prune(&self, keep: Retention, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        self.memory.prune(keep, limit).await
    }

    async fn close(&self) {
        self.memory.close().await;
    }
}

#[async_trait]
impl FunctionStore for TestStore {
    async fn create_function(&self, new: NewFunction) -> Result<StoredFunction, CreateFunctionError> {
        self.memory.create_function(new).await
    }

    async fn change_function(
        &self,
        tenant: TenantId,
        function: FunctionId,
        expected: Option<u64>,
        change: FunctionChange,
        at: Timestamp,
    ) -> Result<StoredFunction, ChangeError> {
        self.check(Call::Change)?;
        self.memory.change_function(tenant, function, expected, change, at).await
    }

    async fn delete_function(
        &self,
        tenant: TenantId,
        function: FunctionId,
        expected: Option<u64>,
    ) -> Result<(), ChangeError> {
        self.memory.delete_function(tenant, function, expected).await
    }

    async fn function(&self, tenant: TenantId, key: &FunctionKey) -> Result<Option<StoredFunction>, StoreError> {
        self.functions_read.fetch_add(1, Ordering::SeqCst);
        self.memory.function(tenant, key).await
    }

    async fn version(
        &self,
        tenant: TenantId,
        function: FunctionId,
        number: u32,
    ) -> Result<Option<StoredVersion>, StoreError> {
        self.functions_read.fetch_add(1, Ordering::SeqCst);
        self.memory.version(tenant, function, number).await
    }

    async fn versions(
        &self,
        tenant: TenantId,
        function: FunctionId,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        self.memory.versions(tenant, function, before, limit).await
    }

    async fn functions(
        &self,
        tenant: TenantId,
        before: Option<FunctionId>,
        limit: u32,
    ) -> Result<Vec<StoredFunction>, StoreError> {
        self.memory.functions(tenant, before, limit).await
    }

    async fn live_versions(
        &self,
        after: Option<FunctionId>,
        limit: u32,
    ) -> Result<Vec<(StoredFunction, StoredVersion)>, StoreError> {
        self.memory.live_versions(after, limit).await
    }
}

/// What outlives a crash.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) logs: Logs,
    pub(crate) node: NodeId,
    pub(crate) warm: WarmSettings,
    pub(crate) cold_start_timeout: Duration,
    pub(crate) verbs: Vec<Verb>,
    /// What could not be read of an earlier life.
    pub(crate) dropped: Vec<String>,
    /// Where dependencies are installed, where they are.
    pub(crate) packages: Option<PathBuf>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let keep = Retention { rows: 100_000, bytes: u64::MAX };
        let memory = Arc::new(MemoryStore::new(keep));
        Self {
            memory,
            logs: Logs::memory(),
            node: NodeId::generate(),
            warm: WarmSettings::default(),
            cold_start_timeout: Settings::COLD_START_TIMEOUT,
            verbs: Verb::ALL.to_vec(),
            dropped: Vec::new(),
            packages: None,
        }
    }
}

pub(crate) struct House {
    pub(crate) orchestrator: Orchestrator,
    pub(crate) executor: Arc<GatedExecutor>,
    pub(crate) store: Arc<TestStore>,
}

/// A house for so many at once and so many callers that wait.
pub(crate) async fn house(concurrency: u32, queue: u32) -> House {
    house_on(&Ground::new(), concurrency, queue).await
}

pub(crate) async fn house_on(ground: &Ground, concurrency: u32, queue: u32) -> House {
    let executor = Arc::new(GatedExecutor {
        fake: FakeExecutor::new(FakeHost {
            max_sandboxes: concurrency,
            verbs: ground.verbs.clone(),
            ..FakeHost::default()
        }),
        open: watch::Sender::new(true),
        waiting: watch::Sender::new(0),
        asking: watch::Sender::new(true),
    });
    let store = Arc::new(TestStore::new(ground));
    let settings = Settings {
        node: ground.node,
        concurrency,
        queue,
        warm: ground.warm,
        cold_start_timeout: ground.cold_start_timeout,
        retention: Retention { rows: 100_000, bytes: u64::MAX },
        log_retention_bytes: 1 << 30,
    };
    let builder = ground.packages.as_ref().map(|packages| {
        let index = Index::new("http://127.0.0.1:9", &[]).expect("an index");
        let indexes = Indexes { python: index.clone(), javascript: index };
        Arc::new(Builder::open(executor.clone(), indexes, packages, Limits::default()).expect("a builder"))
    });
    let logs = ground.logs.clone();
    let parts = Parts { executor: executor.clone(), store: store.clone(), builder, logs, settings };
    House { orchestrator: Orchestrator::start(parts).await.expect("started"), executor, store }
}

impl House {
    pub(crate) async fn attach(&self, request: ExecutionRequest) -> Attached {
        self.attach_as(TENANT, request).await.expect("accepted")
    }

    pub(crate) async fn attach_as(&self, tenant: TenantId, request: ExecutionRequest) -> Result<Attached, SubmitError> {
        let submitted = self.orchestrator.submit(Submission { tenant, ..attached(request) }).await?;
        let Submitted::Attached(attached) = submitted else { panic!("{submitted:?}") };
        Ok(attached)
    }

    pub(crate) async fn detach(&self, request: ExecutionRequest) -> ExecutionId {
        let submitted = self.orchestrator.submit(detached(request)).await.expect("accepted");
        let Submitted::Queued(record) = submitted else { panic!("{submitted:?}") };
        assert_eq!(record.status, ExecutionState::Queued);
        record.id
    }

    pub(crate) async fn watch(&self, id: ExecutionId) -> Watch {
        self.orchestrator.watch(TENANT, id, 0).await.expect("the store works").expect("it is there")
    }

    pub(crate) async fn get(&self, id: ExecutionId) -> ExecutionRecord {
        self.orchestrator.get(TENANT, id).await.expect("the store works").expect("it is there")
    }

    /// Waits for its end.
    pub(crate) async fn end(&self, id: ExecutionId) -> ExecutionRecord {
        bounded(self.watch(id).await.complete()).await
    }

    /// Waits until the store has one, and gives its id, whoever else knows of it.
    pub(crate) async fn first_in_store(&self) -> ExecutionId {
        let query = ListQuery { filter: Filter::default(), cursor: None, limit: 1 };
        bounded(async {
            loop {
                match self.store.memory.list(TENANT, &query).await.expect("listed").items.first() {
                    Some(record) => return record.id,
                    None => tokio::task::yield_now().await,
                }
            }
        })
        .await
    }

    /// What the store has, whatever the orchestrator says.
    pub(crate) async fn stored(&self, id: ExecutionId) -> Option<ExecutionRecord> {
        self.store.memory.get(TENANT, id).await.expect("the store works")
    }

    pub(crate) async fn no_sandbox_is_left(&self) {
        bounded(async {
            while self.executor.live() > 0 || self.orchestrator.stats().running > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Waits until so many warm sandboxes are left.
    pub(crate) async fn no_warm_but(&self, count: u64) {
        bounded(async {
            while self.orchestrator.stats().warm != count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(crate) async fn shut_down(&self) {
        bounded(self.orchestrator.drain(Duration::ZERO)).await;
        assert_eq!((self.executor.live(), self.orchestrator.stats().running), (0, 0));
        self.orchestrator.close().await;
    }
}

/// Waits until its program was started.
pub(crate) async fn started(watch: &mut Watch) {
    let watched = bounded(watch.next()).await;
    assert!(matches!(watched, Some(Watched::Started { seq: 1, .. })), "{watched:?}");
}

pub(crate) fn attached(request: ExecutionRequest) -> Submission {
    Submission {
        tenant: TENANT,
        request,
        wait: Wait::Attached,
        stdin: Stdin::Closed,
        idempotency: None,
        on_disconnect: OnDisconnect::Cancel,
        respond: Respond::Record,
    }
}

pub(crate) fn detached(request: ExecutionRequest) -> Submission {
    Submission { wait: Wait::Detached, ..attached(request) }
}

pub(crate) fn command(words: &str) -> ExecutionRequest {
    ExecutionRequest {
        // The clock of some of these tests stands still, and some programs take long on a busy machine.
        timeout: Duration::from_secs(600),
        ..ExecutionRequest::new(Work::Command { argv: words.split(' ').map(str::to_owned).collect() })
    }
}

pub(crate) fn script(code: &str) -> ExecutionRequest {
    ExecutionRequest::new(Work::Script {
        code: Bytes::copy_from_slice(code.as_bytes()),
        name: "main.py".to_owned(),
        language: Language::Python,
        contract: Contract::Script,
    })
}

pub(crate) fn flood(bytes: u64) -> ExecutionRequest {
    let output = OutputLimits { bytes: ByteSize::mib(1024), ..OutputLimits::default() };
    ExecutionRequest { output, ..command(&format!("fake flood {bytes} 0")) }
}
