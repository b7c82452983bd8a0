//! A program that stays between two calls: what it is, and the connections to it.

use super::converse::{Conversation, Idle};
use crate::pipes::OutputPipe;
use faas_executor_api::{CallError, Invocation, StayingProgram};

/// A program that has answered and waits for the next call.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(super) program: StayingProgram,
    /// The call that started it, by which init knows it.
    pub(super) started_by: u32,
    pub(super) conversation: Conversation,
    pub(super) stdout: OutputPipe,
    pub(super) stderr: OutputPipe,
}

impl Resident {
    /// Refuses a call of any other program.
    pub(crate) fn check(&self, call: &Invocation) -> Result<(), CallError> {
        self.program.check(call)
    }

    /// Whether this is the end of it.
    pub(crate) const fn was_started_by(&self, call: u32) -> bool {
        self.started_by == call
    }

    /// How it is between two calls. What it printed since its answer would be taken for the next call's.
    pub(crate) fn idle(&self) -> Idle {
        match self.conversation.idle() {
            Idle::Waits if self.stdout.waiting() + self.stderr.waiting() > 0 => Idle::Busy,
            idle => idle,
        }
    }
}
