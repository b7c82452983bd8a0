//! A fake program that is shared, and one call of it: each is a task of its own.

use super::console::Console;
use super::machine::Machine;
use super::program::Process;
use super::run::{EVENTS, INPUTS, interrupted};
use super::state::{RunHandle, Shared};
use crate::{
    CallError, EventSender, ExecSession, Health, InputReceiver, Interrupter, Invocation, SharedCall, SharedProgram,
    check_shared, event_channel, input_channel,
};
use async_trait::async_trait;
use faas_types::{Outcome, OutputLimits};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// The program of a fake sandbox, held by all who ask it.
#[derive(Debug)]
pub(super) struct FakeProgram {
    sandbox: Arc<Shared>,
    /// Which sharing of the sandbox's program it is: one that was recycled is none any more.
    number: u64,
}

impl FakeProgram {
    pub(super) const fn new(sandbox: Arc<Shared>, number: u64) -> Self {
        Self { sandbox, number }
    }
}

#[async_trait]
impl SharedProgram for FakeProgram {
    async fn ask(&self, call: Invocation) -> Result<SharedCall, CallError> {
        check_shared(&call)?;
        let (sender, events) = event_channel(EVENTS);
        let (input, receiver) = input_channel(INPUTS);
        let end = Arc::new(watch::Sender::new(None));
        let (ended_sender, ended) = watch::channel(false);
        let interrupts = end.subscribe();
        let handle = RunHandle { end, ended };
        let number = self.sandbox.begin_shared(self.number, &call, handle.clone())?;
        let interrupter = Interrupter::new(move |why| handle.interrupt_for(why));
        let (limits, left) = (call.output, call.deadline.saturating_duration_since(Instant::now()));
        let asked =
            Asked { sandbox: Arc::clone(&self.sandbox), number, process: Process::of_loaded(call), interrupts, left };
        tokio::spawn(asked.drive(receiver, sender, limits, ended_sender));
        Ok(SharedCall { session: ExecSession { input, events }, interrupter })
    }

    fn health(&self) -> Health {
        self.sandbox.shared_health(self.number)
    }
}

/// How one call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedEnd {
    /// It answered, or said that it has no answer.
    Answered,
    /// It was cut off, and the program goes on.
    Cut(Outcome),
    /// The program ended.
    Program(Outcome),
}

/// One call of a program that is shared.
struct Asked {
    sandbox: Arc<Shared>,
    number: u64,
    process: Process,
    interrupts: watch::Receiver<Option<Outcome>>,
    left: Duration,
}

impl Asked {
    async fn drive(
        mut self,
        input: InputReceiver,
        events: EventSender,
        limits: OutputLimits,
        ended: watch::Sender<bool>,
    ) {
        let mut console = Console::new(events, self.sandbox.gate(), limits);
        // Its standard input is at its end.
        let (_, stdin) = mpsc::channel(1);
        let machine = Machine { console: &mut console, stdin, gate: self.sandbox.gate(), shared: &self.sandbox };
        let end = tokio::select! {
            biased;
            outcome = interrupted(&mut self.interrupts) => AskedEnd::Cut(outcome),
            () = tokio::time::sleep(self.left) => AskedEnd::Cut(Outcome::TimedOut),
            outcome = machine.run(&self.process) => match outcome {
                Outcome::LimitExceeded { .. } => AskedEnd::Cut(outcome),
                outcome => AskedEnd::Program(outcome),
            },
            never = ignore(input) => match never {},
        };
        let end = match end {
            AskedEnd::Program(Outcome::Exited { .. }) if console.answered() => AskedEnd::Answered,
            end => end,
        };
        let (outcome, usage) = self.sandbox.end_shared(self.number, end);
        ended.send_replace(true);
        console.done(outcome, usage).await;
    }
}

/// Takes input as long as the call runs, to no effect: a signal would be everybody's.
async fn ignore(mut input: InputReceiver) -> Infallible {
    while input.next().await.is_some() {}
    std::future::pending().await
}
