//! One execution that has not ended, as everybody who deals with it shares it: its driver, its readers
//! and whoever cancels it.
//!
//! Invariant: its record passes only through states that may follow one another, and ends once.

use crate::NotStarted;
use crate::house::House;
use crate::log::LogFile;
use crate::record::shown;
use crate::response::ResponseSender;
use faas_types::{ExecutionId, ExecutionRecord, ExecutionState, FunctionId, TenantId, Timestamp};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How far an execution is, for its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Its program was started.
    pub(crate) started: bool,
    /// Bytes of its log that may be read.
    pub(crate) length: u64,
    /// Whether there is more to come.
    pub(crate) end: End,
}

/// Whether there is more to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// There is.
    Open,
    /// It ended; its record is final.
    Complete,
    /// It has not ended, but this process does no more for it.
    Stopped,
}

/// Why an execution is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelReason {
    /// Somebody asked for it.
    Caller,
    /// Nobody waits for it any more.
    Disconnect,
    /// The platform stops.
    Stopping,
}

impl CancelReason {
    /// The record's line.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Caller => "cancelled by the caller",
            Self::Disconnect => "cancelled: its caller went away",
            Self::Stopping => "cancelled: the platform is stopping",
        }
    }
}

/// One execution.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: ExecutionId,
    pub(crate) tenant: TenantId,
    pub(crate) created: Instant,
    /// The function it is a call of; unknown until what is to run is.
    function: OnceLock<FunctionId>,
    record: Mutex<ExecutionRecord>,
    log: OnceLock<LogFile>,
    progress: watch::Sender<Progress>,
    cancel: watch::Sender<Option<CancelReason>>,
    not_started: OnceLock<Arc<NotStarted>>,
    /// Where its response goes, until it runs.
    responder: Mutex<Option<ResponseSender>>,
}

impl Live {
    pub(crate) fn new(tenant: TenantId, record: ExecutionRecord, created: Instant) -> Self {
        Self::at(tenant, record, created, Progress { started: false, length: 0, end: End::Open })
    }

    /// One that was accepted before, by another life of the node maybe: only the wall clock knows when.
    pub(crate) fn stored(tenant: TenantId, record: ExecutionRecord) -> Self {
        let waited = Timestamp::now().as_micros().saturating_sub(record.created_at.as_micros());
        let now = Instant::now();
        Self::new(tenant, record, now.checked_sub(Duration::from_micros(waited)).unwrap_or(now))
    }

    /// One that has ended, with what is kept of its log.
    pub(crate) fn ended(tenant: TenantId, record: ExecutionRecord, log: Option<(LogFile, u64)>) -> Self {
        let length = log.as_ref().map_or(0, |(_, length)| *length);
        let progress = Progress { started: record.started_at.is_some(), length, end: End::Complete };
        let live = Self::at(tenant, record, Instant::now(), progress);
        if let Some((file, _)) = log {
            live.set_log(&file);
        }
        live
    }

    fn at(tenant: TenantId, record: ExecutionRecord, created: Instant, progress: Progress) -> Self {
        Self {
            id: record.id,
            tenant,
            created,
            function: OnceLock::new(),
            record: Mutex::new(record),
            log: OnceLock::new(),
            progress: watch::Sender::new(progress),
            cancel: watch::Sender::new(None),
            not_started: OnceLock::new(),
            responder: Mutex::new(None),
        }
    }

    /// Records are replaced whole, so a panic elsewhere is no reason to give up.
    fn lock(&self) -> MutexGuard<'_, ExecutionRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is a call of this function.
    pub(crate) fn set_function(&self, function: FunctionId) {
        self.function.get_or_init(|| function);
    }

    /// The function it is a call of, where it is known to be one.
    pub(crate) fn function(&self) -> Option<FunctionId> {
        self.function.get().copied()
    }

    /// Its record, without output.
    pub(crate) fn record(&self) -> ExecutionRecord {
        self.lock().clone()
    }

    /// Its record with what it has written so far.
    pub(crate) async fn record_with_output(&self) -> ExecutionRecord {
        shown(self.record(), self.log()).await
    }

    pub(crate) fn log(&self) -> Option<(LogFile, u64)> {
        let length = self.progress.borrow().length;
        self.log.get().map(|file| (Arc::clone(file), length))
    }

    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.progress.borrow().end == End::Open
    }

    /// Moves it on; the change is made only where its state allows it.
    pub(crate) fn advance(&self, next: ExecutionState, change: impl FnOnce(&mut ExecutionRecord)) {
        let mut record = self.lock();
        if record.status.may_become(next) && !next.is_terminal() {
            record.status = next;
            change(&mut record);
        }
        drop(record);
        if next == ExecutionState::Running {
            self.progress.send_modify(|progress| progress.started = true);
        }
    }

    /// Lets it start once that was noted, which gets the record of one that starts; with an error everything is as
    /// it was.
    pub(crate) fn begin<E>(&self, note: impl FnOnce(&ExecutionRecord) -> Result<(), E>) -> Result<(), E> {
        let mut record = self.lock();
        let before = record.status;
        if before.may_become(ExecutionState::Starting) {
            record.status = ExecutionState::Starting;
        }
        let noted = note(&record);
        if noted.is_err() {
            record.status = before;
        }
        noted
    }

    /// Makes what was appended to its log known.
    pub(crate) fn wrote(&self, file: &LogFile, length: u64) {
        self.set_log(file);
        self.progress.send_modify(|progress| progress.length = length);
    }

    fn set_log(&self, file: &LogFile) {
        self.log.get_or_init(|| Arc::clone(file));
    }

    /// Ends it. `false` when it had ended before.
    pub(crate) fn end(&self, end: ExecutionRecord) -> bool {
        let mut record = self.lock();
        let ends = record.status.may_become(end.status) && end.status.is_terminal();
        if ends {
            *record = end;
        }
        drop(record);
        self.close(End::Complete);
        ends
    }

    /// It was found in the store only, and now is here.
    pub(crate) fn found(&self, record: ExecutionRecord) {
        *self.lock() = record;
    }

    /// It ended elsewhere, in whatever way; nothing here decided it.
    pub(crate) fn end_elsewhere(&self, end: ExecutionRecord) {
        *self.lock() = end;
        self.close(End::Complete);
    }

    /// It goes on without this process.
    pub(crate) fn stop(&self) {
        self.close(End::Stopped);
    }

    /// Nothing follows: neither for its readers nor of its response. An end that is complete stays so.
    fn close(&self, end: End) {
        drop(self.take_responder());
        self.progress.send_modify(|progress| {
            if progress.end == End::Open || end == End::Complete {
                progress.end = end;
            }
        });
    }

    pub(crate) fn set_not_started(&self, why: &Arc<NotStarted>) {
        self.not_started.get_or_init(|| Arc::clone(why));
    }

    pub(crate) fn not_started(&self) -> Option<Arc<NotStarted>> {
        self.not_started.get().cloned()
    }

    /// Its response is wanted as it is made.
    pub(crate) fn set_responder(&self, responder: ResponseSender) {
        *self.responder.lock().unwrap_or_else(PoisonError::into_inner) = Some(responder);
    }

    /// Where its response goes: to whoever takes this, once.
    pub(crate) fn take_responder(&self) -> Option<ResponseSender> {
        self.responder.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Asks for its end; the first reason counts.
    pub(crate) fn ask_to_end(&self, reason: CancelReason) {
        self.cancel.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert(reason);
            first
        });
    }

    /// Why it is to end, when it is.
    pub(crate) fn is_asked(&self) -> Option<CancelReason> {
        *self.cancel.borrow()
    }

    /// Waits until it is to end.
    pub(crate) fn asked(&self) -> Asked {
        Asked { cancel: self.cancel.subscribe() }
    }
}

/// Waits until an execution is to end.
pub(crate) struct Asked {
    cancel: watch::Receiver<Option<CancelReason>>,
}

impl Asked {
    pub(crate) async fn wait(&mut self) -> CancelReason {
        match self.cancel.wait_for(Option::is_some).await.map(|reason| *reason) {
            Ok(Some(reason)) => reason,
            // Nobody can ask any more.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

/// Cancels one execution in whatever state it is. Cheap, cloneable, harmless after its end.
#[derive(Clone)]
pub struct Canceller {
    pub(crate) live: Arc<Live>,
    pub(crate) house: Weak<House>,
}

impl Canceller {
    /// Asks for its end; it then ends with the status `cancelled`, unless its own end is first.
    pub fn cancel(&self) {
        self.cancel_for(CancelReason::Caller);
    }

    pub(crate) fn cancel_for(&self, reason: CancelReason) {
        if let Some(house) = self.house.upgrade() {
            house.cancel(&self.live, reason);
        }
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canceller({})", self.live.id)
    }
}
