//! What a runner may say next.

use super::{FromRunner, ToRunner};
use crate::VERSION;
use crate::flow::{FlowError, Grants};

/// How a runner broke the conversation. The host drops the connection: the sandbox is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunnerFramesError {
    /// Something came before `Hello`.
    #[error("the runner spoke before its hello")]
    BeforeHello,
    /// A second `Hello`.
    #[error("the runner said hello twice")]
    SecondHello,
    /// A runner of another build.
    #[error("the runner speaks version {version} and the host {VERSION}; build both from the same source")]
    Version {
        /// The runner's.
        version: u16,
    },
    /// No call asks for an answer: none began, or the last one has its `End`.
    #[error("the runner answered call {call}, and no call is waiting for an answer")]
    NotAsked {
        /// The call it named.
        call: u32,
    },
    /// The frame names another call than the one that runs.
    #[error("the runner answered call {call} while call {expected} runs")]
    WrongCall {
        /// The call it named.
        call: u32,
        /// The call that runs.
        expected: u32,
    },
    /// `Body` or `End` came before `Head`.
    #[error("the body of call {call} came before its head")]
    BodyBeforeHead {
        /// Which call.
        call: u32,
    },
    /// `Loaded` came a second time, or after the head of an answer.
    #[error("the runner said late that call {call} loaded its program")]
    LateLoaded {
        /// Which call.
        call: u32,
    },
    /// A second `Busy`, which would cost the runner nothing and the host a frame.
    #[error("the runner said twice that something of call {call} goes on")]
    SecondBusy {
        /// Which call.
        call: u32,
    },
    /// A second `Head`.
    #[error("call {call} was given two heads")]
    SecondHead {
        /// Which call.
        call: u32,
    },
    /// A `Body` is repeated, missing or out of order.
    #[error("piece {sequence} of call {call} came where piece {expected} was due")]
    OutOfOrder {
        /// Which call.
        call: u32,
        /// The piece that came.
        sequence: u32,
        /// The piece that was due.
        expected: u32,
    },
    /// `Printed` of a program that answers one call at a time, whose streams are its call's.
    #[error("the runner sent what call {call} printed, though its program answers one call at a time")]
    NotShared {
        /// Which call.
        call: u32,
    },
    /// A piece without bytes, which would cost the runner nothing and the host a frame.
    #[error("a piece of call {call} is empty")]
    EmptyBody {
        /// Which call.
        call: u32,
    },
    /// More response than was granted.
    #[error("the response of call {call} ignores flow control; send no more than was granted")]
    Flow {
        /// Which call.
        call: u32,
        /// What exactly.
        source: FlowError,
    },
}

/// How the host misused a [`RunnerFrames`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// As many calls as may run at once have no `End` yet.
    #[error("call {running} still runs; wait for its end before call {call} begins")]
    StillRunning {
        /// The call that was to begin.
        call: u32,
        /// A call that runs.
        running: u32,
    },
    /// The number is not above every number used before, so late frames could pass for answers.
    #[error("call {call} is not above call {last}; number calls of one connection upwards")]
    NotAbove {
        /// The call that was to begin.
        call: u32,
        /// The highest number used so far.
        last: u32,
    },
}

/// A call that runs.
#[derive(Debug)]
struct Call {
    id: u32,
    head: bool,
    busy: bool,
    next_sequence: u32,
    grants: Grants,
}

/// Checks what one runner says on one connection: `Hello` once and first; then, for each call the
/// host asked for, `Head`, `Body` in order and under credit, `End`, and nothing else; or `Failed` in place of
/// what is left of these.
///
/// The host calls [`begin`](Self::begin) when it sends `Request`, [`accept`](Self::accept) for each
/// decoded frame before it acts on it, and [`consumed`](Self::consumed) when it has passed bytes
/// on. An error from `accept` ends the connection; nothing may be accepted after it.
///
/// ```text
/// greeting --Hello--> idle --begin--> called --Head--> answering --End--> idle
///                                       |               Body ^_| |
///                                       '--------Failed----------'------> idle
/// ```
/// A call may begin before `Hello` came: the host does not wait for it. Where the program answers several at
/// once, each of them goes this way by itself, and `Printed` may come in any place between `begin` and its end.
#[derive(Debug)]
pub struct RunnerFrames {
    greeted: bool,
    loaded: bool,
    /// How many may run at once.
    at_once: usize,
    running: Vec<Call>,
    last: Option<u32>,
}

impl Default for RunnerFrames {
    fn default() -> Self {
        Self::new()
    }
}

impl RunnerFrames {
    /// At the start of a connection to a program that answers one call after the other.
    #[must_use]
    pub const fn new() -> Self {
        Self::of(1)
    }

    /// At the start of a connection to a program that answers so many calls at once.
    #[must_use]
    pub const fn of(at_once: usize) -> Self {
        Self { greeted: false, loaded: false, at_once, running: Vec::new(), last: None }
    }

    /// A call begins whose answer may take up to `window` bytes ahead of the consumer. Gives the
    /// first `Credit` to send, `None` for a window of 0: an answer without a body.
    ///
    /// Contracts without a response never call this, and everything the runner says after `Hello`
    /// is refused.
    ///
    /// # Errors
    /// As many calls run as may, or the number was used before.
    pub fn begin(&mut self, call: u32, window: u32) -> Result<Option<ToRunner>, BeginError> {
        if let Some(running) = self.running.first().filter(|_| self.running.len() >= self.at_once) {
            return Err(BeginError::StillRunning { call, running: running.id });
        }
        if let Some(last) = self.last.filter(|last| call <= *last) {
            return Err(BeginError::NotAbove { call, last });
        }
        self.last = Some(call);
        self.running.push(Call { id: call, head: false, busy: false, next_sequence: 0, grants: Grants::new(window) });
        Ok((window > 0).then_some(ToRunner::Credit { call, bytes: window }))
    }

    /// The running call asks nothing any more: its program was only to be loaded.
    pub fn put_off(&mut self) {
        self.running.clear();
    }

    /// Whether a call began and has no `End` yet.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Checks the next frame.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn accept(&mut self, frame: &FromRunner) -> Result<(), RunnerFramesError> {
        match frame {
            FromRunner::Hello { version } => self.hello(*version),
            FromRunner::Head { call, .. } => self.call(*call)?.head(),
            FromRunner::Body { call, sequence, bytes } => self.call(*call)?.body(*sequence, bytes.len()),
            FromRunner::End { call } => {
                self.call(*call)?.expect_head()?;
                self.end(*call);
                Ok(())
            }
            FromRunner::Failed { call, .. } => {
                self.call(*call)?;
                self.end(*call);
                Ok(())
            }
            FromRunner::Loaded { call } => {
                let late = self.call(*call)?.head || self.loaded;
                self.loaded = true;
                if late { Err(RunnerFramesError::LateLoaded { call: *call }) } else { Ok(()) }
            }
            FromRunner::Busy { call } => self.call(*call)?.busy(),
            FromRunner::Printed { call, bytes, .. } => {
                let is_shared = self.at_once > 1;
                let running = self.call(*call)?;
                if is_shared { running.took(bytes.len()) } else { Err(RunnerFramesError::NotShared { call: *call }) }
            }
        }
    }

    /// The host passed on bytes of a running call's body, or of what it printed. Gives the `Credit` to send, if
    /// one is due; none after `End`.
    pub fn consumed(&mut self, call: u32, bytes: u32) -> Option<ToRunner> {
        let running = self.running.iter_mut().find(|running| running.id == call)?;
        let bytes = running.grants.consumed(bytes)?;
        Some(ToRunner::Credit { call, bytes })
    }

    fn end(&mut self, call: u32) {
        self.running.retain(|running| running.id != call);
    }

    fn hello(&mut self, version: u16) -> Result<(), RunnerFramesError> {
        if self.greeted {
            return Err(RunnerFramesError::SecondHello);
        }
        if version != VERSION {
            return Err(RunnerFramesError::Version { version });
        }
        self.greeted = true;
        Ok(())
    }

    /// The running call that the frame names.
    fn call(&mut self, call: u32) -> Result<&mut Call, RunnerFramesError> {
        if !self.greeted {
            return Err(RunnerFramesError::BeforeHello);
        }
        let unexpected = match self.running.as_slice() {
            [running] if self.at_once == 1 => RunnerFramesError::WrongCall { call, expected: running.id },
            _ => RunnerFramesError::NotAsked { call },
        };
        self.running.iter_mut().find(|running| running.id == call).ok_or(unexpected)
    }
}

impl Call {
    fn head(&mut self) -> Result<(), RunnerFramesError> {
        if self.head {
            return Err(RunnerFramesError::SecondHead { call: self.id });
        }
        self.head = true;
        Ok(())
    }

    fn busy(&mut self) -> Result<(), RunnerFramesError> {
        if std::mem::replace(&mut self.busy, true) {
            return Err(RunnerFramesError::SecondBusy { call: self.id });
        }
        Ok(())
    }

    fn expect_head(&self) -> Result<(), RunnerFramesError> {
        if self.head { Ok(()) } else { Err(RunnerFramesError::BodyBeforeHead { call: self.id }) }
    }

    fn body(&mut self, sequence: u32, bytes: usize) -> Result<(), RunnerFramesError> {
        let call = self.id;
        self.expect_head()?;
        let expected = self.next_sequence;
        let out_of_order = RunnerFramesError::OutOfOrder { call, sequence, expected };
        if sequence != expected {
            return Err(out_of_order);
        }
        self.took(bytes)?;
        // A response of 2^32 pieces ends here rather than start at 0 again.
        self.next_sequence = expected.checked_add(1).ok_or(out_of_order)?;
        Ok(())
    }

    /// A piece takes credit.
    fn took(&mut self, bytes: usize) -> Result<(), RunnerFramesError> {
        let call = self.id;
        if bytes == 0 {
            return Err(RunnerFramesError::EmptyBody { call });
        }
        self.grants.received(bytes).map_err(|source| RunnerFramesError::Flow { call, source })
    }
}
