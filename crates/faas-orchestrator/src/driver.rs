//! The one task that owns a sandbox: take, create, call, record, destroy.
//!
//! Invariants: a sandbox that was made is destroyed or kept warm on every path; the reply never waits for
//! that; the slot is free again only when nothing of the sandbox is left, or nothing that another
//! execution could find; nobody who reads holds the program up.

mod held;
mod run;
mod seat;
mod session;
mod start;

use crate::NotStarted;
use crate::end::{self, Ending};
use crate::function::Called;
use crate::house::{House, Slot};
use crate::live::{CancelReason, Live};
use crate::queue::{Job, Keeping};
use crate::record::Times;
use crate::shared::{Condition, Vacated, WARM};
use crate::submit::purpose_of;
use crate::warm::{Purpose, Ttl};
use crate::warmth::Took;
use faas_executor_api::{CallError, DestroyReason, Health, Sandbox};
use faas_store_api::Journaled;
use faas_types::{ByteSize, Contract, ErrorKind, ExecutionRecord, ExecutionState, Mode};
use futures_util::FutureExt as _;
use held::Held;
use run::{Load, Ran, Run};
use start::{Start, Unstarted, Why};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is recorded where the fault is ours.
const FAULT: &str = "the platform failed while it ran this execution; what the program did until then is done";

/// How long rows are not claimed after one could not be.
const PUT_OFF: Duration = Duration::from_millis(500);

/// What is left of an execution that is over: what is recorded, and a sandbox that goes.
struct Over {
    record: ExecutionRecord,
    sandbox: Option<(Vacated, Fate)>,
}

/// What becomes of a sandbox after its execution.
enum Fate {
    Destroy(DestroyReason),
    /// Another execution of this purpose may have it, for so long.
    Keep(Purpose, Ttl),
}

/// Drives one execution from its turn to nothing.
pub(crate) async fn drive(house: Arc<House>, job: Job, slot: Slot) {
    let live = Arc::clone(&job.live);
    let keeping = job.keeping;
    let turn = Instant::now();
    let (ending, over) = match take(&house, &live, keeping).await {
        Taken::Ours => (keeping.after_start(), execute_guarded(&house, job, turn, &slot).await),
        Taken::Failed(why) => (Ending::Nowhere, Over { record: failed(&live, why), sandbox: None }),
        Taken::Elsewhere => {
            slot.pass_on();
            return;
        }
        Taken::NotNow => {
            put_off(&house, job);
            slot.give_up();
            return;
        }
    };
    let Over { record, sandbox } = over;
    let cpu = record.usage.cpu_us.map(Duration::from_micros);
    slot.leaves(cpu, false);
    // Neither waits for the other: a store that is slow keeps no sandbox alive, nor a teardown the reply.
    tokio::join!(end::conclude(&house, &live, ending, record), async {
        let Some((Vacated { sandbox, place, condition: _ }, fate)) = sandbox else { return };
        match fate {
            Fate::Destroy(reason) => sandbox.destroy(reason).await,
            // It is noted, and concerns no caller.
            Fate::Keep(purpose, ttl) => {
                let kept = keep(&house, purpose, ttl, sandbox).await;
                slot.leaves(cpu, matches!(kept, Kept::Waits));
            }
        }
        drop(place);
    });
    slot.pass_on();
}

/// What became of a sandbox that was to be kept.
pub(crate) enum Kept {
    /// It waits for its next call.
    Waits,
    /// Nobody would find it.
    Unwanted,
    /// It could not be made as new.
    Retired(CallError),
}

/// Makes a sandbox as new and keeps it, where it is wanted.
pub(crate) async fn keep(house: &Arc<House>, purpose: Purpose, ttl: Ttl, mut sandbox: Box<dyn Sandbox>) -> Kept {
    if !house.warm.keeps() || !house.is_wanted(&purpose) {
        sandbox.destroy(DestroyReason::Finished).await;
        return Kept::Unwanted;
    }
    match sandbox.recycle().await {
        Ok(()) => {
            house.end_warm(house.warm.keep(purpose.clone(), ttl, sandbox));
            // Its version may have been replaced in the meantime, before it could be found here.
            house.end_unwanted(&purpose);
            Kept::Waits
        }
        Err(error) => {
            house.note_retired(&error);
            sandbox.destroy(DestroyReason::Unhealthy).await;
            Kept::Retired(error)
        }
    }
}

/// Whose an execution is once it has its turn.
enum Taken {
    Ours,
    /// It cannot be remembered, so it must not run and nothing is remembered of it.
    Failed(NotStarted),
    /// Its row is not queued any more.
    Elsewhere,
    /// Its row is queued, and the store fails.
    NotNow,
}

/// Makes sure that what is about to run is remembered and is nobody else's.
async fn take(house: &Arc<House>, live: &Arc<Live>, keeping: Keeping) -> Taken {
    match keeping {
        Keeping::Held => {}
        Keeping::Journal => {
            let marked = live.begin(|record| {
                let mark = Journaled { tenant: live.tenant, node: house.settings.node, record };
                house.store.journal(mark)
            });
            if let Err(error) = house.noted_failure(marked) {
                return Taken::Failed(error.into());
            }
            return Taken::Ours;
        }
        Keeping::Queued => match house.noted(house.store.claim(live.id, house.lease()).await) {
            Ok(Some(_)) => house.totals.row_taken(),
            Ok(None) => {
                elsewhere(house, live).await;
                return Taken::Elsewhere;
            }
            Err(_) => return Taken::NotNow,
        },
    }
    live.advance(ExecutionState::Starting, |_| {});
    Taken::Ours
}

/// Back among those that wait, without a slot, until the store may be tried again.
fn put_off(house: &Arc<House>, job: Job) {
    let live = Arc::clone(&job.live);
    // Not in the match itself, which would keep the lock.
    let is_first = house.state().put_off(job);
    match is_first {
        Err(left) => left.stop(),
        Ok(is_first) => {
            if is_first {
                let house = Arc::clone(house);
                house.clone().spawn(async move {
                    tokio::time::sleep(PUT_OFF).await;
                    house.state().resume();
                    house.dispatch();
                });
            }
            // Whoever asked for its end while it had the slot did not find it among those that wait.
            if let Some(reason) = live.is_asked() {
                house.cancel(&live, reason);
            }
        }
    }
}

/// Somebody else ended it: its readers get what the store says.
async fn elsewhere(house: &House, live: &Live) {
    let record = house.noted_failure(house.store.get(live.tenant, live.id).await);
    house.state().live.remove(&live.id);
    match record {
        Ok(Some(record)) if record.status.is_terminal() => live.end_elsewhere(record),
        Ok(_) | Err(_) => live.stop(),
    }
}

/// As [`execute`]: a fault of ours costs this execution and nothing else. A sandbox that was made is then
/// dropped with what the fault left of the run.
async fn execute_guarded(house: &Arc<House>, job: Job, turn: Instant, slot: &Slot) -> Over {
    let live = Arc::clone(&job.live);
    // Nothing but the execution itself is changed there by halves.
    AssertUnwindSafe(execute(house, job, turn, slot)).catch_unwind().await.unwrap_or_else(|_| {
        let record = live.record().ended(ExecutionState::Failed, ErrorKind::Platform, FAULT);
        Over { record, sandbox: None }
    })
}

/// Starts and runs it.
async fn execute(house: &Arc<House>, job: Job, turn: Instant, slot: &Slot) -> Over {
    let Job { live, request, input, .. } = job;
    let timeout = request.timeout;
    let start = Start { house, live: &live, slot, timeout };
    let run = Run::new(house, slot, &live, &request);
    let loads = request.contract() == Contract::Handler;
    let served = request.function.as_ref().map(Called::served);
    let by_worth = |called: &&Called| request.mode == Mode::Cached && called.scaling.idle_ttl.is_none();
    let called = request.function.as_ref().filter(by_worth);
    let serving = called.map(|called| house.warmth.arrived(called.served(), called.scaling.concurrency));
    let cached = (request.mode == Mode::Cached).then(|| purpose_of(live.tenant, &request));
    let ttl = house.warm.ttl(request.function.as_ref().map(|called| (called.served(), &called.scaling)));
    let fate = |vacated: &Vacated, keeps: bool, reason| match cached {
        Some(purpose) if keeps && vacated.sandbox.health() == Health::Ready => Fate::Keep(purpose, ttl),
        _ if vacated.condition == Condition::Spent => Fate::Destroy(DestroyReason::Unhealthy),
        _ => Fate::Destroy(reason),
    };
    let asked = tokio::time::Instant::now();
    match start.start(request).await {
        Ok(started) => {
            if !loads {
                slot.serves();
            }
            let there = tokio::time::Instant::now();
            let times = Times { created: live.created, turn, started: Instant::now() };
            let began = started.began;
            let patience = tokio::time::Instant::now().checked_add(timeout).unwrap_or_else(tokio::time::Instant::now);
            let is_warm = started.is_loaded || started.kind == WARM;
            let Ran { record, held, reason, load, loaded } = run.run(started, input, times, patience).await;
            if let Some(serving) = serving {
                serving.over(took(&record, (!is_warm).then_some(asked), loaded.unwrap_or(there)));
            }
            if let Some(served) = served {
                let why = || record.error.as_deref().unwrap_or_default();
                match load {
                    Load::Loaded => {
                        house.starts.loaded(served);
                        house.standing.used(served);
                    }
                    Load::Failed => {
                        house.start_failed(served, &live.record().function.unwrap_or_default(), began, why())
                    }
                    Load::Unknown => house.starts.give_back(served, Instant::now()),
                }
            }
            let sandbox = held.leave().map(|vacated| {
                // A sandbox without its program would be found by a call whose start is put off.
                let keeps = vacated.condition != Condition::Spent && load != Load::Failed;
                let fate = fate(&vacated, keeps, reason);
                (vacated, fate)
            });
            Over { record, sandbox }
        }
        Err(Unstarted { why, held, gives_back }) => {
            if let Some(served) = served.filter(|_| gives_back) {
                house.starts.give_back(served, Instant::now());
            }
            let (record, reason) = match why {
                Why::Cancelled(reason) => (cancelled(&live, reason), DestroyReason::Cancelled),
                Why::Failed(why) => {
                    let reason = match why {
                        NotStarted::TooLate { .. } => DestroyReason::Deadline,
                        NotStarted::Create(_)
                        | NotStarted::Call(_)
                        | NotStarted::Store(_)
                        | NotStarted::Unreadable { .. }
                        | NotStarted::Failing { .. } => DestroyReason::Finished,
                    };
                    (failed(&live, why), reason)
                }
            };
            let sandbox = held.and_then(Held::leave).map(|vacated| {
                let fate = fate(&vacated, vacated.condition == Condition::Good, reason);
                (vacated, fate)
            });
            Over { record, sandbox }
        }
    }
}

/// What a call took whose program was there at that moment, and where it was started for it, from when on.
fn took(record: &ExecutionRecord, started: Option<tokio::time::Instant>, there: tokio::time::Instant) -> Took {
    Took {
        service: there.elapsed(),
        start: started.map(|began| there.saturating_duration_since(began)),
        memory: record.usage.memory_peak_bytes.map(ByteSize::from_bytes),
    }
}

/// The record of one that was cancelled before its program was started.
fn cancelled(live: &Live, reason: CancelReason) -> ExecutionRecord {
    live.record().ended(ExecutionState::Cancelled, ErrorKind::Cancelled, reason.message())
}

/// The record of one whose program could not be started.
fn failed(live: &Live, why: NotStarted) -> ExecutionRecord {
    let record = why.end(live.record());
    live.set_not_started(&Arc::new(why));
    record
}
