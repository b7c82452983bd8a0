//! A program that stays between two calls: what it is, and the connections to it.

use super::converse::{Conversation, Idle};
use crate::pipes::{OutputPipe, is_quiet};
use faas_executor_api::{CallError, Invocation, StayingProgram};
use faas_protocol::call::RunnerFrames;
use faas_protocol::frame::Decoder;
use rustix::fd::AsFd as _;
use std::sync::Arc;
use tokio::net::UnixStream;

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

/// What is left of one whose conversation is led by several calls at once.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) program: StayingProgram,
    pub(crate) started_by: u32,
    pub(crate) socket: Arc<UnixStream>,
    pub(crate) decoder: Decoder,
    pub(crate) buffer: Vec<u8>,
    pub(crate) stdout: OutputPipe,
    pub(crate) stderr: OutputPipe,
}

impl Parts {
    /// As it was; `None` while somebody else has the socket. It can be asked again where it is calm.
    pub(crate) fn together(self, frames: RunnerFrames, is_calm: bool) -> Option<Resident> {
        let Self { program, started_by, socket, decoder, buffer, stdout, stderr } = self;
        let socket = Arc::into_inner(socket)?;
        let calm = is_calm && decoder.is_empty() && !frames.is_running();
        let conversation = Conversation { socket, decoder, frames, buffer, calm };
        Some(Resident { program, started_by, conversation, stdout, stderr })
    }
}

impl Resident {
    /// Whether it answers several calls at once.
    pub(crate) const fn is_shareable(&self) -> bool {
        self.program.at_once() > 1
    }

    /// Its parts, and what its runner may say next.
    pub(crate) fn apart(self) -> (Parts, RunnerFrames) {
        let Self { program, started_by, conversation, stdout, stderr } = self;
        let Conversation { socket, decoder, frames, buffer, .. } = conversation;
        (Parts { program, started_by, socket: Arc::new(socket), decoder, buffer, stdout, stderr }, frames)
    }

    /// Refuses a call of any other program.
    pub(crate) fn check(&self, call: &Invocation) -> Result<(), CallError> {
        self.program.check(call)
    }

    /// Whether this is the end of it.
    pub(crate) const fn was_started_by(&self, call: u32) -> bool {
        self.started_by == call
    }

    /// Whether it can be asked, whatever it prints.
    pub(crate) fn asks(&self) -> Idle {
        self.conversation.idle()
    }

    /// How it is between two calls. What it printed since its answer would be taken for the next call's.
    pub(crate) fn idle(&self) -> Idle {
        if self.conversation.calm
            && is_quiet(&[self.conversation.socket.as_fd(), self.stdout.as_fd(), self.stderr.as_fd()])
        {
            return Idle::Waits;
        }
        match self.conversation.idle() {
            Idle::Waits if self.stdout.waiting() + self.stderr.waiting() > 0 => Idle::Busy,
            idle => idle,
        }
    }
}
