//! Seeing a running call through to its `Done`.
//!
//! The program's streams, its input, its end, the deadline and interrupts all advance in one task.
//! Whatever ends the call, its streams are forwarded up to that moment, the usage is asked of the
//! kernel, and then `Done` is sent, once.

use super::converse::{Answer, Converse};
use super::plan::RunnerPlan;
use crate::link::State;
use crate::output::{Budget, Forward, StreamStats};
use crate::pipes::{OutputPipe, StdinPipe};
use crate::sandbox::{INIT_FRAME, Running, Shared};
use faas_executor_api::{Done, EventSender, InputItem, InputReceiver, Interrupt, OutputEvent};
use faas_protocol::call::{FromRunner, RunnerFrames};
use faas_protocol::control::{FromInit, ToInit};
use faas_protocol::frame::Decoder;
use faas_protocol::launcher::Counters;
use faas_types::{LimitHit, Outcome, OutputLimits, OutputStats, Usage};
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Notify, watch};

/// SIGKILL's number, and the exit code shells give for a child it ended.
const SIGKILL: u8 = 9;
const SHELL_SIGKILL: u8 = 128 + SIGKILL;

/// A runner and what it is told.
pub(super) struct Runner {
    pub(super) plan: RunnerPlan,
    pub(super) socket: UnixStream,
}

/// A running call.
pub(super) struct Drive {
    pub(super) shared: Arc<Shared>,
    pub(super) state: watch::Receiver<State>,
    pub(super) call: u32,
    /// The sandbox's counters when the call began.
    pub(super) before: Counters,
    pub(super) deadline: Instant,
    pub(super) output: OutputLimits,
    pub(super) stdin: StdinPipe,
    pub(super) stdout: OutputPipe,
    pub(super) stderr: OutputPipe,
    pub(super) runner: Option<Runner>,
    pub(super) input: InputReceiver,
    pub(super) events: EventSender,
}

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The program ended.
    Exited { code: u8, signal: u8 },
    /// Somebody had it killed.
    Interrupted(Interrupt),
    /// The sandbox ended, or init or the runner broke the protocol.
    Lost,
}

impl Drive {
    pub(super) async fn run(self) {
        let Self { shared, state, call, before, deadline, output, stdin, stdout, stderr, runner, input, events } = self;
        let budget = Budget::new(output);
        let interrupter = shared.interrupter();
        let (ended, program_ended) = watch::channel(false);
        let forward = |wrap: fn(bytes::Bytes) -> OutputEvent| Forward {
            wrap,
            events: &events,
            budget: &budget,
            interrupter: &interrupter,
            ended: program_ended.clone(),
        };
        let forwarded = Notify::new();
        let (answering, silent) = match runner {
            Some(runner) if runner.plan.answers() => (Some(runner), None),
            other => (None, other),
        };
        let answer = async {
            let Runner { plan, socket } = answering?;
            let limit = output.bytes.as_bytes();
            let answer =
                Converse { events: &events, limit, ended: program_ended.clone() }.run(&plan, socket, call).await;
            match answer {
                Answer::Whole | Answer::Failed | Answer::Missing => {}
                Answer::TooLong => interrupter.interrupt(Interrupt::OutputLimit),
                Answer::Broken => shared.link.kill(shared.id).await,
            }
            Some(answer)
        };
        let streams = async {
            let ends = tokio::join!(
                forward(OutputEvent::Stdout).run(stdout),
                forward(OutputEvent::Stderr).run(stderr),
                answer
            );
            forwarded.notify_one();
            ends
        };
        // A slow reader may keep output waiting past the deadline; the sandbox does not wait with it.
        let deadline_guard = async {
            tokio::select! {
                () = forwarded.notified() => {}
                () = tokio::time::sleep_until(deadline.into()) => shared.link.kill(shared.id).await,
            }
        };
        let end = async {
            let watch = Watch { shared: &shared, state: state.clone(), call, deadline };
            let end = tokio::select! {
                biased;
                end = watch.end() => end,
                () = feed(&shared, stdin, input) => End::Lost,
                () = tell(silent, call) => End::Lost,
            };
            let finished = finish(&shared, state.clone(), end).await;
            ended.send_replace(true);
            finished
        };
        let ((out, err, answer), (end, counters), ()) = tokio::join!(streams, end, deadline_guard);
        shared.remember(counters);
        let outcome = outcome(end.after(answer), before, counters);
        let spent = !matches!(outcome, Outcome::Exited { .. } | Outcome::Signaled { .. });
        if spent {
            shared.link.kill(shared.id).await;
        }
        shared.running.send_replace(if spent { Running::Spent } else { Running::Idle });
        events.done(Done { outcome, usage: usage(before, counters), output: stats(out, err) }).await;
    }
}

impl End {
    /// A runner whose user code failed ends well all the same, and one that broke the protocol was killed.
    const fn after(self, answer: Option<Answer>) -> Self {
        match (answer, self) {
            (Some(Answer::Failed), Self::Exited { code: 0, signal: 0 }) => Self::Exited { code: 1, signal: 0 },
            (Some(Answer::Broken), Self::Exited { .. }) => Self::Lost,
            (_, end) => end,
        }
    }
}

/// What can end a call.
struct Watch<'a> {
    shared: &'a Shared,
    state: watch::Receiver<State>,
    call: u32,
    deadline: Instant,
}

impl Watch<'_> {
    async fn end(mut self) -> End {
        let mut running = self.shared.running.subscribe();
        let interrupted = running.wait_for(|running| matches!(running, Running::Ending(_)));
        tokio::select! {
            biased;
            end = exit(self.shared, self.call) => end,
            running = interrupted => match running.map(|running| *running) {
                Ok(Running::Ending(why)) => End::Interrupted(why),
                _ => End::Lost,
            },
            _ = self.state.wait_for(|state| *state != State::Alive) => End::Lost,
            () = tokio::time::sleep_until(self.deadline.into()) => End::Interrupted(Interrupt::Deadline),
        }
    }
}

/// Waits until init says that the program ended.
async fn exit(shared: &Shared, call: u32) -> End {
    let mut buffer = INIT_FRAME;
    let Ok(received) = shared.control.receive(&mut buffer).await else { return End::Lost };
    match FromInit::decode(buffer.get(..received.length).unwrap_or_default()) {
        Ok(FromInit::Exited { call: ended, code, signal }) if ended == call => End::Exited { code, signal },
        _ => End::Lost,
    }
}

/// Ends what still runs and reads the counters. After a program that ended by itself its sandbox
/// lives on; after everything else it is dead.
async fn finish(shared: &Shared, mut state: watch::Receiver<State>, end: End) -> (End, Counters) {
    if let End::Exited { .. } = end
        && let Some(counters) = shared.link.usage(shared.id).await
    {
        return (end, counters);
    }
    shared.link.kill(shared.id).await;
    match state.wait_for(|state| *state != State::Alive).await.map(|state| *state) {
        Ok(State::Ended(counters)) => (end, counters),
        _ => (End::Lost, Counters::default()),
    }
}

/// Carries input to the program until there is no more. Never returns: the end of input is not the
/// end of the call.
async fn feed(shared: &Shared, stdin: StdinPipe, mut input: InputReceiver) {
    let mut stdin = Some(stdin);
    while let Some(item) = input.next().await {
        match item {
            InputItem::Stdin(bytes) => {
                if let Some(pipe) = &mut stdin
                    && pipe.write_all(&bytes).await.is_err()
                {
                    // The program closed its standard input; what else comes is not for it.
                    stdin = None;
                }
            }
            InputItem::Eof => stdin = None,
            InputItem::Signal(signal) => {
                if let Ok(frame) = (ToInit::Signal { signal }).encode() {
                    // Without init there is no program to signal, and the call is ending.
                    let _ = shared.control.send(&frame, &[]).await;
                }
            }
            // No call of this executor has a terminal.
            InputItem::Resize { .. } => {}
        }
    }
    drop(stdin);
    std::future::pending().await
}

/// Tells the runner what to run, and listens until it closes the socket, which it does before user
/// code runs. Returns only when it broke the protocol.
async fn tell(runner: Option<Runner>, call: u32) {
    if let Some(Runner { plan, mut socket }) = runner {
        let (mut from, mut to) = socket.split();
        let telling = async {
            for frame in plan.frames(call) {
                let Ok(frame) = frame else { return };
                // A runner that is gone shows in its exit.
                if to.write_all(&frame).await.is_err() {
                    return;
                }
            }
        };
        let ((), kept) = tokio::join!(telling, listen(&mut from));
        if !kept {
            return;
        }
    }
    std::future::pending().await
}

/// Whether everything the runner said until it closed the socket was in order.
async fn listen(from: &mut tokio::net::unix::ReadHalf<'_>) -> bool {
    let mut decoder = Decoder::new();
    let mut frames = RunnerFrames::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let length = match from.read(&mut buffer).await {
            // A runner that died says so by its exit.
            Ok(0) | Err(_) => return true,
            Ok(length) => length,
        };
        decoder.push(buffer.get(..length).unwrap_or_default());
        loop {
            let accepted = match decoder.next_frame() {
                Ok(None) => break,
                Ok(Some(raw)) => FromRunner::decode(raw.as_bytes()).is_ok_and(|frame| frames.accept(&frame).is_ok()),
                Err(_) => false,
            };
            if !accepted {
                return false;
            }
        }
    }
}

fn outcome(end: End, before: Counters, after: Counters) -> Outcome {
    let out_of_memory = after.oom_kills > before.oom_kills;
    match end {
        End::Exited { code: SHELL_SIGKILL, signal: 0 } | End::Exited { signal: SIGKILL, .. } | End::Lost
            if out_of_memory =>
        {
            Outcome::OutOfMemory
        }
        End::Exited { code, signal: 0 } => Outcome::Exited { code },
        End::Exited { signal, .. } => Outcome::Signaled { signal },
        End::Interrupted(Interrupt::Cancel) => Outcome::Cancelled,
        End::Interrupted(Interrupt::Deadline) => Outcome::TimedOut,
        End::Interrupted(Interrupt::OutputLimit) => Outcome::LimitExceeded { limit: LimitHit::Output },
        End::Lost => Outcome::SandboxLost,
    }
}

fn usage(before: Counters, after: Counters) -> Usage {
    Usage {
        cpu_us: after.cpu_us.zip(before.cpu_us).map(|(after, before)| after.saturating_sub(before)),
        memory_peak_bytes: after.memory_peak_bytes,
    }
}

fn stats(out: StreamStats, err: StreamStats) -> OutputStats {
    OutputStats {
        stdout_bytes: out.bytes,
        stderr_bytes: err.bytes,
        stdout_truncated: out.truncated,
        stderr_truncated: err.truncated,
    }
}
