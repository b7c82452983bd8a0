//! A wrapper around the fake that breaks one promise.

use crate::program::LyingProgram;
use async_trait::async_trait;
use bytes::Bytes;
use faas_executor_api::fake::{FakeExecutor, FakeHost};
use faas_executor_api::{
    CallError, Capabilities, Command, CreateError, DestroyReason, Event, ExecSession, Executor, Health, Interrupter,
    Invocation, OutputEvent, RecoverError, Sandbox, SandboxSpec, SharedProgram, SpecError, Stay, Verb, event_channel,
    input_channel,
};
use faas_types::{IsolationLevel, IsolationReport, LimitKind, Outcome, OutputLimits, SandboxId, Usage};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Large enough that nothing is ever held back.
const UNBOUNDED: usize = 1 << 20;

/// Which promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    DeclaresPause,
    DeclaresCheckpoint,
    HidesPause,
    HidesInvoke,
    ClaimsMemory,
    ClaimsPids,
    ClaimsDisk,
    PassesStrict,
    HidesWhatIsMissing,
    SendsNoDone,
    NeverEndsTheStream,
    LosesStderr,
    LosesTheLastPiece,
    BuffersOutput,
    BuffersInput,
    SwallowsTheEndOfInput,
    IgnoresOutputLimit,
    IgnoresDeadline,
    IgnoresInterrupts,
    StaysReady,
    ExitsWithZero,
    AddsToTheEnvironment,
    AcceptsAnyPath,
    ForgetsFiles,
    MeasuresNothing,
    RecyclesNothing,
    HidesRecycle,
    HidesStay,
    LoadsAnew,
    NeverLoads,
    AnswersAhead,
    AddsOutput,
    TakesAnyProgram,
    GoesOnAsIfDone,
    RunsTheDead,
    DeclaresShare,
    HidesShare,
    TakesMoreCalls,
    AsksOneByOne,
    MixesOutput,
    HoldsOthersUp,
    EndsAllWithOne,
    SharesNoMore,
}

/// What the calls of one program have in common and should not.
#[derive(Debug, Default, Clone)]
pub(crate) struct Common {
    said: Arc<Mutex<Option<Bytes>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lie {
    fn host(self) -> FakeHost {
        let mut host = FakeHost::default();
        match self {
            Self::DeclaresPause => host.verbs.retain(|verb| !matches!(verb, Verb::Pause | Verb::Resume)),
            Self::DeclaresShare => host.verbs.retain(|verb| *verb != Verb::Share),
            Self::DeclaresCheckpoint => host.verbs.retain(|verb| *verb != Verb::Checkpoint),
            Self::ClaimsMemory | Self::PassesStrict => host.limits.retain(|limit| *limit != LimitKind::Memory),
            Self::HidesWhatIsMissing | Self::ClaimsPids => host.limits.retain(|limit| *limit != LimitKind::Pids),
            Self::ClaimsDisk => host.limits.retain(|limit| *limit != LimitKind::Disk),
            _ => {}
        }
        host
    }

    /// Whether the isolation it shows is that of a better host.
    fn claims_limits(self) -> bool {
        matches!(self, Self::ClaimsMemory | Self::ClaimsPids | Self::ClaimsDisk)
    }
}

pub(crate) struct Liar {
    lie: Lie,
    inner: Arc<FakeExecutor>,
    capabilities: Capabilities,
}

impl Liar {
    pub(crate) fn new(lie: Lie) -> Self {
        let inner = Arc::new(FakeExecutor::new(lie.host()));
        let mut capabilities = inner.capabilities().clone();
        match lie {
            Lie::DeclaresPause | Lie::DeclaresCheckpoint | Lie::DeclaresShare => {
                capabilities.verbs = Verb::ALL.to_vec();
            }
            Lie::HidesPause => capabilities.verbs.retain(|verb| !matches!(verb, Verb::Pause | Verb::Resume)),
            Lie::HidesRecycle => capabilities.verbs.retain(|verb| *verb != Verb::Recycle),
            Lie::HidesStay => capabilities.verbs.retain(|verb| *verb != Verb::Stay),
            Lie::HidesShare => capabilities.verbs.retain(|verb| *verb != Verb::Share),
            Lie::HidesInvoke => capabilities.verbs.retain(|verb| *verb != Verb::Invoke),
            Lie::HidesWhatIsMissing => capabilities.report.missing.clear(),
            _ if lie.claims_limits() => capabilities.report = FakeExecutor::default().capabilities().report.clone(),
            _ => {}
        }
        Self { lie, inner, capabilities }
    }

    /// What the honest executor is asked for instead.
    fn bent(&self, spec: &SandboxSpec) -> SandboxSpec {
        let mut spec = spec.clone();
        if self.lie.claims_limits() || matches!(self.lie, Lie::PassesStrict | Lie::HidesWhatIsMissing) {
            spec.isolation = IsolationLevel::Standard;
        }
        spec
    }

    fn wrap(&self, inner: Box<dyn Sandbox>, spec: SandboxSpec) -> Box<dyn Sandbox> {
        let mut isolation = IsolationReport::clone(inner.isolation());
        isolation.level = spec.isolation;
        if self.lie.claims_limits() {
            isolation = IsolationReport { level: spec.isolation, ..self.capabilities.report.clone() };
        }
        if self.lie == Lie::HidesWhatIsMissing {
            isolation.missing.clear();
        }
        let executor = Arc::clone(&self.inner);
        Box::new(LyingSandbox {
            lie: self.lie,
            inner,
            isolation: Arc::new(isolation),
            executor,
            spec,
            loaded: None,
            recycled: false,
        })
    }
}

#[async_trait]
impl Executor for Liar {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn validate(&self, spec: &SandboxSpec) -> Result<(), SpecError> {
        self.inner.validate(&self.bent(spec))
    }

    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, CreateError> {
        let inner = self.inner.create(self.bent(&spec)).await?;
        Ok(self.wrap(inner, spec))
    }

    async fn restore(&self, snapshot: &str, id: SandboxId) -> Result<Box<dyn Sandbox>, CreateError> {
        self.inner.restore(snapshot, id).await
    }

    async fn branch(&self, snapshot: &str, ids: &[SandboxId]) -> Result<Vec<Box<dyn Sandbox>>, CreateError> {
        self.inner.branch(snapshot, ids).await
    }

    async fn recover(&self) -> Result<u32, RecoverError> {
        self.inner.recover().await
    }
}

struct LyingSandbox {
    lie: Lie,
    inner: Box<dyn Sandbox>,
    isolation: Arc<IsolationReport>,
    executor: Arc<FakeExecutor>,
    spec: SandboxSpec,
    /// The first call.
    loaded: Option<Invocation>,
    recycled: bool,
}

impl LyingSandbox {
    /// Puts a new sandbox in the place of the honest one.
    async fn refresh(&mut self) {
        self.inner = match self.executor.create(self.spec.clone()).await {
            Ok(fresh) => fresh,
            Err(error) => panic!("the fake made no second sandbox: {error}"),
        };
    }
}

#[async_trait]
impl Sandbox for LyingSandbox {
    fn id(&self) -> SandboxId {
        self.inner.id()
    }

    fn health(&self) -> Health {
        if self.lie == Lie::StaysReady || self.recycled { Health::Ready } else { self.inner.health() }
    }

    fn isolation(&self) -> &Arc<IsolationReport> {
        &self.isolation
    }

    async fn invoke(&mut self, mut call: Invocation) -> Result<ExecSession, CallError> {
        let first = self.loaded.is_none();
        let loaded = self.loaded.get_or_insert_with(|| call.clone()).clone();
        let lie = match self.lie {
            Lie::AddsOutput if first => Lie::None,
            // Whatever goes on after a call is heard in the next one.
            Lie::GoesOnAsIfDone if self.recycled => Lie::AddsOutput,
            lie => lie,
        };
        match lie {
            Lie::AnswersAhead if call.stay == Stay::Loaded => call.stay = Stay::Answered,
            Lie::LoadsAnew => call.stay = Stay::No,
            Lie::TakesMoreCalls if call.at_once > 1 => call.at_once += 1,
            Lie::TakesAnyProgram => call = Invocation { request: call.request.or(loaded.request.clone()), ..loaded },
            _ => {}
        }
        let answer = match self.inner.invoke(call.clone()).await {
            Err(CallError::Unreached { .. } | CallError::Lost { .. })
                if matches!(lie, Lie::RunsTheDead) || self.recycled =>
            {
                self.refresh().await;
                self.inner.invoke(call).await
            }
            answer => answer,
        };
        answer.map(|session| lie.bend(session, &Common::default()))
    }

    fn share(&mut self) -> Result<Arc<dyn SharedProgram>, CallError> {
        let inner = self.inner.share()?;
        match &self.loaded {
            Some(loaded) => Ok(Arc::new(LyingProgram::new(self.lie, inner, loaded.clone()))),
            None => panic!("the fake shares what was not loaded"),
        }
    }

    async fn exec(&mut self, mut command: Command) -> Result<ExecSession, CallError> {
        match self.lie {
            Lie::IgnoresDeadline => command.deadline += Duration::from_secs(3600),
            Lie::IgnoresOutputLimit => command.output = OutputLimits::default(),
            Lie::AddsToTheEnvironment => command.env.push(("HOME".to_owned(), "/root".to_owned())),
            Lie::AcceptsAnyPath => command.files.clear(),
            Lie::ForgetsFiles => self.refresh().await,
            _ => {}
        }
        self.inner.exec(command).await.map(|session| self.lie.bend(session, &Common::default()))
    }

    async fn recycle(&mut self) -> Result<(), CallError> {
        match self.lie {
            Lie::RecyclesNothing => Ok(()),
            Lie::SharesNoMore => {
                self.inner.recycle().await?;
                self.refresh().await;
                Ok(())
            }
            Lie::GoesOnAsIfDone => {
                self.recycled = self.inner.recycle().await.is_err();
                Ok(())
            }
            _ => self.inner.recycle().await,
        }
    }

    async fn pause(&mut self) -> Result<(), CallError> {
        self.inner.pause().await
    }

    async fn resume(&mut self) -> Result<(), CallError> {
        self.inner.resume().await
    }

    async fn checkpoint(&mut self) -> Result<String, CallError> {
        self.inner.checkpoint().await
    }

    fn interrupter(&self) -> Interrupter {
        if self.lie == Lie::IgnoresInterrupts { Interrupter::new(|_| ()) } else { self.inner.interrupter() }
    }

    async fn destroy(self: Box<Self>, reason: DestroyReason) {
        self.inner.destroy(reason).await;
    }
}

impl Lie {
    pub(crate) fn bend(self, session: ExecSession, common: &Common) -> ExecSession {
        let input = match self {
            Lie::BuffersInput | Lie::SwallowsTheEndOfInput => self.bend_input(&session),
            _ => session.input,
        };
        let (lie, common) = (self, common.clone());
        let mut inner = session.events;
        let (sender, events) = event_channel(if lie == Lie::BuffersOutput { UNBOUNDED } else { 1 });
        tokio::spawn(async move {
            let mut held_back = None;
            if lie == Lie::AddsOutput {
                sender.send(OutputEvent::Stdout("late\n".into())).await;
            }
            while let Some(event) = inner.next().await {
                let output = match event {
                    Event::Done(mut done) => {
                        match lie {
                            Lie::SendsNoDone => return,
                            Lie::NeverEndsTheStream => std::future::pending().await,
                            Lie::ExitsWithZero => done.outcome = Outcome::Exited { code: 0 },
                            Lie::MeasuresNothing => done.usage = Usage::default(),
                            _ => {}
                        }
                        return sender.done(done).await;
                    }
                    Event::Stderr(_) if lie == Lie::LosesStderr => continue,
                    Event::Loaded if lie == Lie::NeverLoads => continue,
                    Event::Loaded => OutputEvent::Loaded,
                    Event::Stderr(bytes) => OutputEvent::Stderr(bytes),
                    Event::Stdout(bytes) if lie == Lie::MixesOutput => match locked(&common.said).replace(bytes) {
                        Some(said) => OutputEvent::Stdout(said),
                        None => continue,
                    },
                    Event::Stdout(bytes) => OutputEvent::Stdout(bytes),
                    Event::Body(bytes) => OutputEvent::Body(bytes),
                    Event::ResponseHead(head) => OutputEvent::ResponseHead(head),
                    Event::ResponseEnd => OutputEvent::ResponseEnd,
                    Event::Failed(message) => OutputEvent::Failed(message),
                };
                let _turn = if lie == Lie::HoldsOthersUp { Some(common.turn.lock().await) } else { None };
                let next = if lie == Lie::LosesTheLastPiece { held_back.replace(output) } else { Some(output) };
                if let Some(output) = next
                    && !sender.send(output).await
                {
                    // The honest sandbox is told that nobody reads.
                    return;
                }
            }
        });
        ExecSession { input, events }
    }

    fn bend_input(self, session: &ExecSession) -> faas_executor_api::InputSink {
        let capacity = if self == Lie::BuffersInput { UNBOUNDED } else { 1 };
        let takes_all = self == Lie::BuffersInput;
        let (sink, mut receiver) = input_channel(capacity);
        let inner = session.input.clone();
        tokio::spawn(async move {
            if !takes_all {
                while let Some(item) = receiver.next().await {
                    if inner.send(item).await.is_err() {
                        break;
                    }
                }
            }
            // Kept until the call ended: the end of the outer sink does not get through.
            inner.closed().await;
            drop(receiver);
        });
        sink
    }
}
