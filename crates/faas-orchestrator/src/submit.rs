//! Accepting an execution: checked, then taken in or kept, then queued.

use crate::function::Called;
use crate::house::House;
use crate::live::{CancelReason, Canceller, Live};
use crate::queue::{Job, Keeping, Refused};
use crate::request::to_row;
use crate::stdin::Input;
use crate::warm::{Purpose, Served};
use crate::{
    Attached, ExecutionRequest, OnDisconnect, Orchestrator, RequestError, Respond, ResponseStream, Stdin, Submission,
    SubmitError, Submitted, Wait, Watch,
};
use bytes::Bytes;
use faas_executor_api::{InputSink, SandboxSpec, Verb, input_channel};
use faas_store_api::{Idempotency, InsertError, Insertion, NewExecution};
use faas_types::{ErrorCode, ExecutionRecord, ExecutionState, Mode, TenantId};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::oneshot;

/// Pieces of open input that are held before the program starts, so that all of a short one is on its way
/// and whoever sends it still hears of other things.
const INPUTS: usize = 2;

/// The sandbox an execution runs in.
fn spec_of(tenant: TenantId, request: &ExecutionRequest) -> SandboxSpec {
    let (resources, isolation) = (request.resources, request.isolation);
    SandboxSpec { tenant, language: request.language(), resources, isolation, packages: request.packages }
}

/// What its sandbox can be used for again.
pub(crate) fn purpose_of(tenant: TenantId, request: &ExecutionRequest) -> Purpose {
    let called = request.function.as_ref().map(Called::served);
    Purpose { spec: spec_of(tenant, request), called }
}

impl Orchestrator {
    /// Accepts an execution. An attached one without an idempotency key touches no table: it is noted in
    /// the journal when it begins and when it ends. Every other one is in the store when this returns,
    /// and dropping the future leaves it accepted or not, never in between.
    ///
    /// # Errors
    /// It is refused or the store failed; nothing ran and nothing is left.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let created = Instant::now();
        let Submission { tenant, request, wait, stdin, idempotency, on_disconnect, respond } = submission;
        request.check()?;
        self.house.executor.validate(&spec_of(tenant, &request))?;
        if request.mode == Mode::Cached && !self.capabilities().offers(Verb::Recycle) {
            return Err(RequestError::Unsupported {
                field: "mode",
                value: request.mode.to_string(),
                accepted: "ephemeral, where the executor cannot make a used sandbox as new",
            }
            .into());
        }
        let live = Arc::new(Live::new(tenant, self.record_of(&request), created));
        let house = Arc::clone(&self.house);
        if let Some(error) = house.overdue() {
            return Err(error.into());
        }
        match (wait, idempotency) {
            (Wait::Attached, None) => {
                let place = Place::take(&house, bytes_of(&request, &stdin), request.function.as_ref())?;
                let (sink, input) = open(stdin);
                Ok(Submitted::Attached(
                    Caller { live, sink, input, on_disconnect, respond, place }.arrive(request, Keeping::Journal)?,
                ))
            }
            (Wait::Attached, Some(idempotency)) => {
                let place = Place::take(&house, bytes_of(&request, &stdin), request.function.as_ref())?;
                let (sink, input) = open(stdin);
                let caller = Caller { live, sink, input, on_disconnect, respond, place };
                self.to_end(async move { hold(&house, caller, request, idempotency).await }).await
            }
            (Wait::Detached, idempotency) => {
                let stdin = match stdin {
                    Stdin::Closed => Bytes::new(),
                    Stdin::Bytes(bytes) => bytes,
                    Stdin::Open => return Err(open_input_of_detached().into()),
                };
                let accepting = Accepting::begin(&house)?;
                self.to_end(async move { keep(accepting, live, request, stdin, idempotency).await }).await
            }
        }
    }

    fn record_of(&self, request: &ExecutionRequest) -> ExecutionRecord {
        let id = faas_types::ExecutionId::generate();
        let executor = self.house.executor.capabilities().kind.as_str();
        ExecutionRecord {
            mode: request.mode,
            labels: request.labels.clone(),
            function: request.function.as_ref().map(|called| called.name.to_string()),
            version: request.function.as_ref().map(|called| called.number.to_string()),
            ..ExecutionRecord::queued(id, request.language(), request.contract(), executor)
        }
    }

    /// Runs to the end whether or not the caller waits for it: a row that nobody here knows of would
    /// stand still until the next start.
    async fn to_end(
        &self,
        accept: impl Future<Output = Result<Submitted, SubmitError>> + Send + 'static,
    ) -> Result<Submitted, SubmitError> {
        let (sender, answer) = oneshot::channel();
        self.house.spawn(async move {
            // What nobody takes is dropped, which cancels what was to be.
            drop(sender.send(accept.await));
        });
        // A task that ends without an answer was stopped.
        answer.await.unwrap_or(Err(SubmitError::Stopping))
    }
}

/// A caller that was taken in.
struct Caller {
    live: Arc<Live>,
    sink: Option<InputSink>,
    input: Input,
    on_disconnect: OnDisconnect,
    respond: Respond,
    place: Place,
}

impl Caller {
    fn arrive(self, request: ExecutionRequest, keeping: Keeping) -> Result<Attached, SubmitError> {
        let Self { live, sink, input, on_disconnect, respond, place } = self;
        let response = match respond {
            Respond::Record => None,
            Respond::Stream => {
                let (sender, response) = ResponseStream::open();
                live.set_responder(sender);
                Some(response)
            }
        };
        let house = Arc::clone(&place.house);
        let bytes = place.bytes;
        let live = place.arrive(Job { live, request, input, keeping, bytes })?;
        let id = live.id;
        let canceller = Canceller { live, house: Arc::downgrade(&house) };
        if *house.stopping.borrow() {
            // It was taken in before the end began and arrives after everything else was cancelled.
            canceller.cancel_for(CancelReason::Stopping);
        }
        let watch = Watch::new(canceller, 0);
        let watch = match on_disconnect {
            OnDisconnect::Cancel => watch.cancelling_when_dropped(),
            OnDisconnect::Detach => watch,
        };
        Ok(Attached { id, input: sink, response, watch })
    }
}

/// A place for a caller; given back when it is dropped.
struct Place {
    house: Arc<House>,
    /// What waits there.
    bytes: usize,
    /// What it waits for.
    served: Option<Served>,
    taken: bool,
}

impl Place {
    fn take(house: &Arc<House>, bytes: usize, called: Option<&Called>) -> Result<Self, SubmitError> {
        let taken = house.state().expect(bytes, called).map_err(|refused| refusal(refused, house));
        match &taken {
            Err(SubmitError::FunctionBusy { .. }) => {
                house.totals.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.code() == ErrorCode::QueueFull => house.note_full(Some(error)),
            Ok(()) | Err(_) => house.note_full(None),
        }
        let served = called.map(Called::served);
        taken.map(|()| Self { house: Arc::clone(house), bytes, served, taken: true })
    }

    fn arrive(mut self, job: Job) -> Result<Arc<Live>, SubmitError> {
        self.taken = false;
        let arrived = self.house.state().arrive(job);
        self.house.dispatch();
        arrived.map_err(|refused| refusal(refused, &self.house))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.taken {
            self.house.state().stay_away(self.bytes, self.served);
            self.house.show_busy();
        }
    }
}

/// One on its way into the store; dropping it says that it came to an end there. What ends the platform
/// waits for it, so that none is in the store whose caller was told otherwise.
struct Accepting {
    house: Arc<House>,
}

impl Accepting {
    fn begin(house: &Arc<House>) -> Result<Self, SubmitError> {
        house.state().accept().map_err(|refused| refusal(refused, house))?;
        house.show_busy();
        Ok(Self { house: Arc::clone(house) })
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.house.state().accepted();
        self.house.show_busy();
    }
}

fn refusal(refused: Refused, house: &House) -> SubmitError {
    match refused {
        Refused::Full => SubmitError::QueueFull { queue: house.settings.queue },
        Refused::TooLarge => SubmitError::QueueTooLarge,
        Refused::FunctionFull { max } => SubmitError::FunctionBusy { max },
        Refused::Stopping => SubmitError::Stopping,
    }
}

/// Puts a row into the store that is this node's from the beginning, then queues its execution.
async fn hold(
    house: &Arc<House>,
    caller: Caller,
    request: ExecutionRequest,
    idempotency: Idempotency,
) -> Result<Submitted, SubmitError> {
    let record = ExecutionRecord { status: ExecutionState::Starting, ..caller.live.record() };
    let new = NewExecution {
        tenant: caller.live.tenant,
        node: house.settings.node,
        not_before: record.created_at,
        record,
        // It is run here or not at all.
        request: Vec::new(),
        lease: Some(house.lease()),
        idempotency: Some(idempotency),
    };
    match insert(house, new).await? {
        Insertion::New => Ok(Submitted::Attached(caller.arrive(request, Keeping::Held)?)),
        Insertion::Repeat(id) => Ok(Submitted::Repeat(id)),
    }
}

/// Puts a queued row into the store, then queues its execution where there is room.
async fn keep(
    accepting: Accepting,
    live: Arc<Live>,
    request: ExecutionRequest,
    stdin: Bytes,
    idempotency: Option<Idempotency>,
) -> Result<Submitted, SubmitError> {
    let house = &accepting.house;
    let record = live.record();
    let row = to_row(&request, &stdin);
    let bytes = row.len();
    let new = NewExecution {
        tenant: live.tenant,
        node: house.settings.node,
        not_before: record.created_at,
        record: record.clone(),
        request: row,
        lease: None,
        idempotency,
    };
    match insert(house, new).await? {
        Insertion::New => {
            house.totals.stored.fetch_add(1, Ordering::Relaxed);
            let input = Input::Bytes(stdin);
            house.state().place(Job { live, request, input, keeping: Keeping::Queued, bytes });
            house.dispatch();
            Ok(Submitted::Queued(Box::new(record)))
        }
        Insertion::Repeat(id) => Ok(Submitted::Repeat(id)),
    }
}

async fn insert(house: &House, new: NewExecution) -> Result<Insertion, SubmitError> {
    let (result, answer) = match house.store.insert(new).await {
        Ok(insertion) => (Ok(()), Ok(insertion)),
        // A store that knows about a conflict works.
        Err(InsertError::KeyConflict) => (Ok(()), Err(SubmitError::KeyConflict)),
        Err(InsertError::Store(error)) => (Err(error.clone()), Err(SubmitError::Store(error))),
    };
    // The answer says it, too.
    let _ = house.noted(result);
    answer
}

/// What an execution takes in memory while it waits. Of an open input nothing is there yet.
fn bytes_of(request: &ExecutionRequest, stdin: &Stdin) -> usize {
    let input = match stdin {
        Stdin::Closed | Stdin::Open => 0,
        Stdin::Bytes(bytes) => bytes.len(),
    };
    request.bytes().saturating_add(input)
}

fn open(stdin: Stdin) -> (Option<InputSink>, Input) {
    match stdin {
        Stdin::Closed => (None, Input::Bytes(Bytes::new())),
        Stdin::Bytes(bytes) => (None, Input::Bytes(bytes)),
        Stdin::Open => {
            let (sink, receiver) = input_channel(INPUTS);
            (Some(sink), Input::Open(receiver))
        }
    }
}

fn open_input_of_detached() -> RequestError {
    RequestError::Field {
        field: "stdin",
        reason: "nobody is there to give it while a detached execution runs".to_owned(),
        accepted: "none, or all of it with the request",
    }
}
