//! One live isolated environment.

use crate::{CallError, Command, EventStream, InputSink, Invocation, SharedProgram, Verb};
use async_trait::async_trait;
use faas_types::{IsolationReport, Outcome, SandboxId};
use std::fmt;
use std::sync::Arc;

/// Whether a sandbox can be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// It takes calls.
    Ready,
    /// Its state is unknown; it takes no further call.
    Poisoned,
    /// It is gone.
    Unrecoverable,
}

impl Health {
    /// What a call's end leaves behind; the same for every backend.
    #[must_use]
    pub const fn after(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Exited { .. } | Outcome::Signaled { .. } => Self::Ready,
            Outcome::TimedOut
            | Outcome::OutOfMemory
            | Outcome::LimitExceeded { .. }
            | Outcome::Cancelled
            | Outcome::SandboxLost => Self::Unrecoverable,
        }
    }
}

/// How a sandbox came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Made for whoever asked.
    Cold,
    /// Made before, with nothing of anybody's in it.
    Spare,
    /// Made for whoever asked, with a runner that was forked from a zygote.
    Zygote,
}

impl Origin {
    /// The name used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Spare => "spare",
            Self::Zygote => "zygote",
        }
    }
}

/// Why a sandbox is destroyed; goes into records and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DestroyReason {
    /// Its work is done.
    Finished,
    /// Its deadline passed.
    Deadline,
    /// Somebody asked for it.
    Cancelled,
    /// It broke the protocol or its health is not `Ready`.
    Unhealthy,
    /// The platform is stopping.
    Shutdown,
}

/// Why a running call is interrupted; decides the outcome it ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interrupt {
    /// Cancelled by the caller.
    Cancel,
    /// The deadline passed.
    Deadline,
    /// Output passed its limit and the caller had asked to kill.
    OutputLimit,
}

/// Ends a running call from outside. Cheap, cloneable, usable while a verb runs, harmless afterwards.
#[derive(Clone)]
pub struct Interrupter {
    interrupt: Arc<dyn Fn(Interrupt) + Send + Sync>,
}

impl Interrupter {
    /// From what carries the interrupt to the backend; it must not block.
    pub fn new(interrupt: impl Fn(Interrupt) + Send + Sync + 'static) -> Self {
        Self { interrupt: Arc::new(interrupt) }
    }

    /// Kills the whole tree of the running call, whose stream then ends with the matching outcome.
    /// The first reason wins; without a running call nothing happens.
    pub fn interrupt(&self, why: Interrupt) {
        (self.interrupt)(why);
    }
}

impl fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupter")
    }
}

/// A running command: what goes in and what comes out.
#[derive(Debug)]
pub struct ExecSession {
    /// Standard input, signals, window sizes.
    pub input: InputSink,
    /// Its output and its end.
    pub events: EventStream,
}

/// One live isolated environment, owned by one driver task (hence `&mut self`). Streams are
/// detached from the borrow. One call at a time: a second one while the first runs is
/// [`CallError::Invalid`].
///
/// After `TimedOut`, `OutOfMemory`, `Cancelled`, `LimitExceeded` or `SandboxLost` the sandbox is
/// [`Health::Unrecoverable`], or [`Health::Poisoned`] where only one call of a [`SharedProgram`] was cut off.
#[async_trait]
pub trait Sandbox: Send {
    /// Its id.
    fn id(&self) -> SandboxId;

    /// Whether it can be used again.
    fn health(&self) -> Health;

    /// What isolation it really has.
    fn isolation(&self) -> &Arc<IsolationReport>;

    /// How it came to be.
    fn origin(&self) -> Origin {
        Origin::Cold
    }

    /// Calls user code. The sink carries its standard input; events come as it produces them, then
    /// exactly one `Done`. A failing guest is a `Done`.
    ///
    /// A program that stays has ended its call when it has answered or failed, which is
    /// `Outcome::Exited { code: 0 }`. It keeps what it has in memory, and the next call must be of the same
    /// program: the same contract, entry, code, arguments, environment and files. What such a call prints after
    /// its answer is nobody's. One that ends during a call ends the call as any program does, and the sandbox
    /// takes calls of any program once more.
    ///
    /// # Errors
    /// The call could not be made; nothing ran. `Unsupported` for a program that is to stay, or to answer several
    /// calls at once, unless the capabilities declare it; `Invalid` for any other program than the one that stays,
    /// and for that too if it answers several calls at once; `Unreached` when it has ended meanwhile, or may no
    /// longer be asked.
    async fn invoke(&mut self, call: Invocation) -> Result<ExecSession, CallError>;

    /// Lets the program that stays, which was loaded for several calls at once, be asked by several callers. From
    /// here on it is called through what is given and in no other way, until the sandbox is recycled; asked again
    /// the same is given.
    ///
    /// # Errors
    /// `Unsupported` unless the capabilities declare it; `Invalid` where no such program stays, or a call runs;
    /// `Unreached` when it has ended meanwhile; `Lost` when the sandbox was gone.
    fn share(&mut self) -> Result<Arc<dyn SharedProgram>, CallError> {
        Err(CallError::Unsupported(Verb::Share))
    }

    /// Runs a command in the same sandbox.
    ///
    /// # Errors
    /// The call could not be made; nothing ran. `Invalid` while a program stays in it.
    async fn exec(&mut self, command: Command) -> Result<ExecSession, CallError>;

    /// Makes it as new: no process, file or other trace of earlier calls is left for the next one, and
    /// what is counted begins anew. A sandbox that cannot be made so is given up.
    ///
    /// A program that stays is spared, and so are its memory and the files that were there when it was loaded,
    /// which must be unchanged. What it left running is ended, or the sandbox is given up. One that is shared is
    /// so no longer.
    ///
    /// # Errors
    /// `Unsupported` unless the capabilities declare it; `Invalid` while a call runs, which goes on;
    /// `Lost` when something is left or the sandbox was gone or poisoned, and then it is [`Health::Unrecoverable`].
    async fn recycle(&mut self) -> Result<(), CallError> {
        Err(CallError::Unsupported(Verb::Recycle))
    }

    /// Stops it in place.
    ///
    /// # Errors
    /// `Unsupported` unless the capabilities declare it.
    async fn pause(&mut self) -> Result<(), CallError> {
        Err(CallError::Unsupported(Verb::Pause))
    }

    /// Goes on after a pause.
    ///
    /// # Errors
    /// `Unsupported` unless the capabilities declare it.
    async fn resume(&mut self) -> Result<(), CallError> {
        Err(CallError::Unsupported(Verb::Resume))
    }

    /// Saves its state; the name is opaque.
    ///
    /// # Errors
    /// `Unsupported` unless the capabilities declare it.
    async fn checkpoint(&mut self) -> Result<String, CallError> {
        Err(CallError::Unsupported(Verb::Checkpoint))
    }

    /// What ends a running call from outside; none of a shared program, each of which has its own.
    fn interrupter(&self) -> Interrupter;

    /// Ends it and everything in it. Idempotent by construction; returns when nothing of it runs,
    /// whether or not anybody reads. Every call that was running ends with `Cancelled` or `SandboxLost`.
    async fn destroy(self: Box<Self>, reason: DestroyReason);
}
