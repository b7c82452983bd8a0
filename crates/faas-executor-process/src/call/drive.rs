//! Seeing a running call through to its `Done`.
//!
//! The program's streams, its input, its end, the deadline and interrupts all advance in one task.
//! Whatever ends the call, its streams are forwarded up to that moment, the usage is asked of the
//! kernel, and then `Done` is sent, once. A program that stays has ended its call when it has answered; its
//! connections are kept for the next one.

use super::converse::{Answer, Conversation, Converse, Opening, Stock};
use super::end::{End, exit, finish, outcome, stats, usage};
use super::plan::RunnerPlan;
use super::resident::Resident;
use super::silent;
use crate::link::State;
use crate::output::{Budget, Forward, Sink};
use crate::pipes::{OutputPipe, StdinPipe};
use crate::sandbox::{Running, Shared};
use faas_executor_api::{Done, EventSender, InputItem, InputReceiver, Interrupt, OutputEvent, StayingProgram};
use faas_protocol::control::ToInit;
use faas_protocol::launcher::Counters;
use faas_types::{Outcome, OutputLimits};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::UnixStream;
use tokio::sync::{Notify, watch};

/// A runner and what it is told.
pub(super) enum Runner {
    /// It closes its end before user code runs.
    Silent(RunnerPlan, UnixStream),
    /// It answers.
    Answering(Conversation, Opening),
}

/// A running call.
pub(super) struct Drive {
    pub(super) shared: Arc<Shared>,
    pub(super) state: watch::Receiver<State>,
    pub(super) call: u32,
    /// The call that started the program: this one, or an earlier one of a program that stayed.
    pub(super) started_by: u32,
    /// The program, if it stays once it has answered.
    pub(super) staying: Option<StayingProgram>,
    /// The sandbox's counters when the call began.
    pub(super) before: Counters,
    pub(super) deadline: Instant,
    pub(super) output: OutputLimits,
    /// `None` for a program that stays: what one call is given is not the next one's.
    pub(super) stdin: Option<StdinPipe>,
    pub(super) stdout: OutputPipe,
    pub(super) stderr: OutputPipe,
    pub(super) runner: Option<Runner>,
    pub(super) input: InputReceiver,
    pub(super) events: EventSender,
}

impl Drive {
    pub(super) async fn run(self) {
        let Self { shared, state, call, started_by, staying, before, deadline, output, .. } = self;
        let Self { stdin, mut stdout, mut stderr, runner, input, events, .. } = self;
        let budget = Budget::new(output);
        let interrupter = shared.interrupter();
        let (ended, program_ended) = watch::channel(false);
        let forward = |wrap: fn(bytes::Bytes) -> OutputEvent| Forward {
            sink: Sink { wrap, events: &events, budget: &budget, interrupter: &interrupter },
            ended: program_ended.clone(),
        };
        let (forwarded, answered, stocked) = (Notify::new(), Notify::new(), Notify::new());
        let stays = staying.is_some();
        let (answering, silent) = match runner {
            Some(Runner::Answering(conversation, opening)) => (Some((conversation, opening)), None),
            Some(Runner::Silent(plan, socket)) => (None, Some((plan, socket))),
            None => (None, None),
        };
        let answer = async {
            let (mut conversation, opening) = answering?;
            let stock = stays.then_some(Stock { shared: &shared, taken: &stocked });
            let limit = output.bytes.as_bytes();
            let converse = Converse { events: &events, limit, ended: program_ended.clone(), stock };
            let answer = converse.run(&mut conversation, opening, call).await;
            match answer {
                Answer::Whole | Answer::Failed | Answer::Later if stays => answered.notify_one(),
                Answer::Whole | Answer::Failed | Answer::Later | Answer::Missing => {}
                Answer::TooLong => interrupter.interrupt(Interrupt::OutputLimit),
                Answer::Broken => shared.link.kill(shared.id).await,
            }
            // The end of the conversation is the end of a program that does not stay.
            Some((answer, stays.then_some(conversation)))
        };
        let streams = async {
            let ends = tokio::join!(
                forward(OutputEvent::Stdout).run(&mut stdout),
                forward(OutputEvent::Stderr).run(&mut stderr),
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
            let watch = Watch { shared: &shared, state: state.clone(), started_by, stocked: &stocked, deadline };
            let end = tokio::select! {
                biased;
                end = watch.end() => end,
                () = answered.notified() => End::Answered,
                () = feed(&shared, stdin, input) => End::Lost,
                () = silent::tell(silent, call) => End::Lost,
            };
            let finished = finish(&shared, state.clone(), end).await;
            ended.send_replace(true);
            finished
        };
        let ((out, err, answer), (end, counters), ()) = tokio::join!(streams, end, deadline_guard);
        shared.remember(counters);
        let (answer, conversation) = answer.unzip();
        let outcome = outcome(end.after(answer), before, counters);
        let spent = !matches!(outcome, Outcome::Exited { .. } | Outcome::Signaled { .. });
        if spent {
            shared.link.kill(shared.id).await;
        } else if end == End::Answered
            && let Some((program, conversation)) = staying.zip(conversation.flatten())
        {
            shared.keep(Resident { program, started_by, conversation, stdout, stderr });
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
    started_by: u32,
    stocked: &'a Notify,
    deadline: Instant,
}

impl Watch<'_> {
    async fn end(mut self) -> End {
        let mut running = self.shared.running.subscribe();
        let interrupted = running.wait_for(|running| matches!(running, Running::Ending(_)));
        tokio::select! {
            biased;
            end = exit(self.shared, self.started_by, self.stocked) => end,
            running = interrupted => match running.map(|running| *running) {
                Ok(Running::Ending(why)) => End::Interrupted(why),
                _ => End::Lost,
            },
            _ = self.state.wait_for(|state| *state != State::Alive) => End::Lost,
            () = tokio::time::sleep_until(self.deadline.into()) => End::Interrupted(Interrupt::Deadline),
        }
    }
}

/// Carries input to the program until there is no more. Never returns: the end of input is not the
/// end of the call.
async fn feed(shared: &Shared, mut stdin: Option<StdinPipe>, mut input: InputReceiver) {
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
