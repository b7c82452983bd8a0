//! One run: the program against its input, its deadline and whoever interrupts it.

use super::console::Console;
use super::instruction::Instruction;
use super::machine::Machine;
use super::program::Process;
use super::state::{RunHandle, Shared, Staying};
use crate::{EventSender, ExecSession, InputItem, InputReceiver, Stay, event_channel, input_channel};
use bytes::Bytes;
use faas_types::{Outcome, OutputLimits};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Events a reader may be behind.
pub(super) const EVENTS: usize = 16;
/// Pieces of input a program may be behind.
pub(super) const INPUTS: usize = 8;
const SIGTERM: u8 = 15;

/// Starts a program, or asks the one that stays; the caller has checked that the sandbox is idle. With `staying`
/// the program stays once it has answered.
pub(super) fn start(
    shared: &Arc<Shared>,
    process: Process,
    deadline: Instant,
    limits: OutputLimits,
    staying: Option<Staying>,
) -> ExecSession {
    let (sender, events) = event_channel(EVENTS);
    let (input, receiver) = input_channel(INPUTS);
    let end = Arc::new(watch::Sender::new(None));
    let (ended_sender, ended) = watch::channel(false);
    let interrupts = end.subscribe();
    shared.lock().run = Some(RunHandle { end, ended });
    let run = Run {
        shared: Arc::clone(shared),
        process,
        staying,
        interrupts,
        left: deadline.saturating_duration_since(Instant::now()),
    };
    tokio::spawn(run.drive(receiver, sender, limits, ended_sender));
    ExecSession { input, events }
}

struct Run {
    shared: Arc<Shared>,
    process: Process,
    staying: Option<Staying>,
    interrupts: watch::Receiver<Option<Outcome>>,
    left: Duration,
}

impl Run {
    async fn drive(
        mut self,
        input: InputReceiver,
        events: EventSender,
        limits: OutputLimits,
        ended: watch::Sender<bool>,
    ) {
        let mut console = Console::new(events, self.shared.gate(), limits);
        let (stdin_sender, stdin) = mpsc::channel(1);
        let machine = Machine { console: &mut console, stdin, gate: self.shared.gate(), shared: &self.shared };
        let ignores_terminate = self
            .process
            .instructions
            .iter()
            .any(|instruction| matches!(instruction, Instruction::Sleep { ignores_terminate: true, .. }));
        let outcome = tokio::select! {
            biased;
            outcome = interrupted(&mut self.interrupts) => outcome,
            () = tokio::time::sleep(self.left) => Outcome::TimedOut,
            outcome = machine.run(&self.process) => outcome,
            signal = deliver(input, stdin_sender, ignores_terminate) => Outcome::Signaled { signal },
        };
        let is_done = match self.process.handler {
            Some(Stay::Loaded) => console.loaded(),
            _ => console.answered(),
        };
        let staying = self.staying.filter(|_| is_done && matches!(outcome, Outcome::Exited { .. }));
        let outcome = if staying.is_some() { Outcome::Exited { code: 0 } } else { outcome };
        let usage = self.shared.finish(outcome, staying);
        ended.send_replace(true);
        console.done(outcome, usage).await;
    }
}

pub(super) async fn interrupted(interrupts: &mut watch::Receiver<Option<Outcome>>) -> Outcome {
    match interrupts.wait_for(Option::is_some).await.map(|end| *end) {
        Ok(Some(outcome)) => outcome,
        // The sandbox was dropped without being destroyed.
        Ok(None) | Err(_) => Outcome::SandboxLost,
    }
}

/// Passes stdin on; the signal that ends the program.
async fn deliver(mut input: InputReceiver, stdin: mpsc::Sender<Bytes>, ignores_terminate: bool) -> u8 {
    let mut stdin = Some(stdin);
    loop {
        match input.next().await {
            Some(InputItem::Stdin(bytes)) => {
                if let Some(stdin) = &stdin {
                    // A program that no longer reads is no reason to stop taking its signals.
                    drop(stdin.send(bytes).await);
                }
            }
            Some(InputItem::Eof) => stdin = None,
            Some(InputItem::Signal(SIGTERM)) if ignores_terminate => {}
            Some(InputItem::Signal(signal)) => return signal,
            Some(InputItem::Resize { .. }) => {}
            None => {
                drop(stdin);
                return std::future::pending().await;
            }
        }
    }
}
