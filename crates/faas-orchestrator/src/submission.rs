//! An execution as it is handed over, and what comes back.

use crate::{ExecutionRequest, ResponseStream, Watch};
use bytes::Bytes;
use faas_executor_api::InputSink;
use faas_store_api::Idempotency;
use faas_types::{ExecutionId, ExecutionRecord, TenantId};

/// An execution as it is handed over.
#[derive(Debug)]
pub struct Submission {
    /// Whose it is.
    pub tenant: TenantId,
    /// What is to run.
    pub request: ExecutionRequest,
    /// Whether somebody waits for it.
    pub wait: Wait,
    /// Its standard input.
    pub stdin: Stdin,
    /// The client's key against doing it twice.
    pub idempotency: Option<Idempotency>,
    /// What becomes of it when nobody waits for it any more.
    pub on_disconnect: OnDisconnect,
    /// What becomes of the response of an attached one that gives one.
    pub respond: Respond,
}

/// What becomes of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Respond {
    /// It is the record's result.
    Record,
    /// It comes through [`Attached::response`] while it is made, and is not in the record.
    Stream,
}

/// Whether somebody waits for an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Somebody does, and it need not survive the end of the process.
    Attached,
    /// Nobody does: once accepted it survives everything.
    Detached,
}

/// An execution's standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// It has none.
    Closed,
    /// All of it.
    Bytes(Bytes),
    /// It comes through [`Attached::input`].
    Open,
}

/// What becomes of an attached execution whose [`Attached`] is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It is cancelled.
    Cancel,
    /// It runs on.
    Detach,
}

/// What became of a submission.
#[derive(Debug)]
pub enum Submitted {
    /// It runs, or waits for its turn.
    Attached(Attached),
    /// It is kept and will run.
    Queued(Box<ExecutionRecord>),
    /// The same key with the same request came before, for this execution.
    Repeat(ExecutionId),
}

/// An execution somebody waits for.
#[derive(Debug)]
pub struct Attached {
    /// Its id.
    pub id: ExecutionId,
    /// Its standard input where that is [`Stdin::Open`]. Usable at once; what is sent before the
    /// program starts is held until then.
    pub input: Option<InputSink>,
    /// Its response where that is [`Respond::Stream`].
    pub response: Option<ResponseStream>,
    /// What it says. Dropping it cancels the execution unless it was to be detached.
    pub watch: Watch,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancelled {
    /// It had not ended; it now is, or will be in a moment, unless its own end is first.
    Requested(Box<ExecutionRecord>),
    /// It had ended before.
    Finished(Box<ExecutionRecord>),
    /// The tenant has no such execution.
    Unknown,
}
