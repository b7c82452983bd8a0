//! Layer 4: executions as operations, the one path for every caller.
//!
//! ```text
//! submit ──▶ queue ──▶ driver ──▶ sandbox
//!   │                    │ output            ┌──▶ watch
//!   └──▶ store ◀── end ──┴──────▶ log ───────┴──▶ watch
//! ```
//!
//! [`Orchestrator`] accepts, queues, runs, records, cancels and shows executions. One driver task owns
//! each sandbox from before it exists until it is gone; what its program writes goes into the
//! execution's log, and every caller reads from there, so none of them can hold a program up.
//! It knows neither HTTP nor a concrete executor or store.

mod cancel;
pub mod contract;
mod drain;
mod driver;
mod end;
mod error;
mod events;
mod function;
mod house;
mod instances;
mod lane;
mod live;
mod loader;
mod log;
mod orchestrator;
mod queue;
mod read;
mod record;
mod request;
mod response;
mod settings;
mod shared;
mod standing;
mod starts;
mod stats;
mod stdin;
mod submission;
mod submit;
mod upkeep;
mod warm;
mod warmth;
mod watch;

pub use error::{NotStarted, StartError, SubmitError};
pub use events::{EventFeed, EventKind, PlatformEvent};
pub use faas_build::{Phase, Progress};
pub use faas_scheduler::KeepReason;
pub use function::{
    Access, CallInput, Called, FunctionError, FunctionSpec, FunctionStats, FunctionView, Functions, Packages, Routed,
    RowTarget, Version,
};
pub use instances::{KeptWorker, Worker};
pub use lane::LaneStats;
pub use live::Canceller;
pub use log::{Logs, StreamName};
pub use orchestrator::Orchestrator;
pub use queue::WAITING_BYTES;
pub use record::INLINE_BYTES;
pub use request::{ExecutionRequest, HttpCall, LONGEST_TIMEOUT, RequestError, StoredRequestError, Work};
pub use response::{ResponsePart, ResponseStream};
pub use settings::{Parts, Settings};
pub use stats::{CallStats, Latency, Readiness, Stats};
pub use submission::{Attached, Cancelled, OnDisconnect, Respond, Stdin, Submission, Submitted, Wait};
pub use warm::WarmSettings;
pub use warmth::KeptFor;
pub use watch::{Watch, Watched};
