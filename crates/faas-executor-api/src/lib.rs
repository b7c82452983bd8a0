//! Layer 1: the contract between the platform's logic and the backends that make sandboxes.
//!
//! [`Executor`] is one backend on one host; [`Sandbox`] is one live isolated environment it made.
//! Both are object-safe and held as `Arc<dyn Executor>` and `Box<dyn Sandbox>`. The `conformance`
//! suite (feature `test-util`) proves every backend against this contract in both directions:
//! what is declared works, what is not declared refuses. The same feature brings `fake`, an
//! executor without processes for the tests of everything above this layer.

mod call;
mod capabilities;
#[cfg(feature = "test-util")]
pub mod conformance;
mod error;
mod event;
mod executor;
#[cfg(feature = "test-util")]
pub mod fake;
mod input;
mod sandbox;
mod share;
mod spares;
mod stay;
mod validation;

pub use call::{Command, FileIn, HandlerRequest, Invocation, Program, SandboxSpec, Stay};
pub use capabilities::{Capabilities, ExecutorKind, IsolationClass, RuntimeInfo, Verb};
pub use error::{CallError, CreateError, RecoverError, SpecError};
pub use event::{Done, Event, EventSender, EventStream, OutputEvent, ResponseHead, event_channel};
pub use executor::Executor;
pub use input::{InputClosed, InputItem, InputReceiver, InputSink, input_channel};
pub use sandbox::{DestroyReason, ExecSession, Health, Interrupt, Interrupter, Origin, Sandbox};
pub use share::{MAX_AT_ONCE, SharedCall, SharedProgram};
pub use spares::SpareStats;
pub use stay::StayingProgram;
pub use validation::{
    MAX_ARGUMENT_BYTES, MAX_CODE_BYTES, MAX_ENTRIES, MAX_NAME_BYTES, MAX_PATH_BYTES, check_command, check_file,
    check_invocation, check_shared,
};
