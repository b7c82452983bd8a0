//! A program that stays and answers several calls at once.

use crate::{CallError, ExecSession, Health, Interrupter, Invocation};
use async_trait::async_trait;
use std::fmt;

/// The most calls that a program answers at once.
pub const MAX_AT_ONCE: u32 = 100;

/// A call of a shared program, and what ends it.
#[derive(Debug)]
pub struct SharedCall {
    /// Its output and its end. Its standard input is empty.
    pub session: ExecSession,
    /// Ends this call and no other; the first reason wins, and afterwards it is harmless.
    pub interrupter: Interrupter,
}

/// The program of a sandbox that is shared, held by all who ask it. What the sandbox promises of a call holds for
/// each: its own events, exactly one `Done`, its own deadline and limits of output. Of the sandbox they share
/// memory, files and time:
///
/// - one that ends, or loses its sandbox, ends every call with the same outcome;
/// - a call that passes its deadline or a limit of output, or is cancelled, ends at once. The others go on, but
///   the program may not be asked again: it is [`Health::Poisoned`];
/// - the processor time between two beginnings or ends is the same for every call that ran meanwhile, and all of
///   them together used what the kernel counted. The peak of memory is the sandbox's;
/// - what nobody can be told to have printed is shown where the program ends, by every call that ends with it.
#[async_trait]
pub trait SharedProgram: fmt::Debug + Send + Sync {
    /// Asks it: a call of the program that was loaded, which stays once it has answered
    /// ([`Stay::Answered`](crate::Stay::Answered)). It says at once that it is loaded. A place is free again when
    /// the `Done` of a call is there.
    ///
    /// # Errors
    /// The call could not be made, and the others go on: `Invalid` for another program, or above the calls that
    /// it answers at once (its field is `call`); `Unreached` where it may not be asked any more, has ended, or is
    /// shared no longer.
    async fn ask(&self, call: Invocation) -> Result<SharedCall, CallError>;

    /// Whether it may be asked again: never once that was denied. [`Health::Unrecoverable`] when it has ended or is
    /// shared no longer, whatever its sandbox can still be used for.
    fn health(&self) -> Health;
}
