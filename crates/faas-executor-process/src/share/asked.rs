//! One call of a shared program, from its request to its `Done`.

use super::hub::{Ended, Hub};
use super::mailbox::{Answer, Mail, Mailbox};
use crate::call::{End, outcome, pieces, stats};
use crate::output::{Budget, Sink, StreamStats};
use bytes::Bytes;
use faas_executor_api::{Done, EventSender, HandlerRequest, InputReceiver, Interrupt, Interrupter, OutputEvent};
use faas_protocol::launcher::Counters;
use faas_types::{OutputLimits, Usage};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, watch};

/// See the module.
pub(super) struct Asked {
    pub(super) hub: Arc<Hub>,
    pub(super) call: u32,
    /// The sandbox's counters when it began.
    pub(super) before: Counters,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) request: HandlerRequest,
    pub(super) writer: mpsc::Sender<Vec<u8>>,
    pub(super) deadline: Instant,
    pub(super) output: OutputLimits,
    pub(super) interrupter: Interrupter,
    pub(super) interrupted: watch::Receiver<Option<Interrupt>>,
    pub(super) ended: watch::Receiver<Option<Arc<Ended>>>,
    pub(super) input: InputReceiver,
    pub(super) events: EventSender,
}

/// What is passed on of a call, within its limits.
struct Passing<'a> {
    events: &'a EventSender,
    stdout: Sink<'a>,
    stderr: Sink<'a>,
    out: StreamStats,
    err: StreamStats,
    /// How many bytes of response may still come.
    body: u64,
}

impl Asked {
    pub(super) async fn run(self) {
        let Self { hub, call, before, mailbox, request, writer, deadline, output, .. } = self;
        let Self { interrupter, mut interrupted, mut ended, input, events, .. } = self;
        let budget = Budget::new(output);
        let sink = |wrap| Sink { wrap, events: &events, budget: &budget, interrupter: &interrupter };
        let mut passing = Passing {
            stdout: sink(OutputEvent::Stdout),
            stderr: sink(OutputEvent::Stderr),
            events: &events,
            out: StreamStats::default(),
            err: StreamStats::default(),
            body: output.bytes.as_bytes(),
        };
        let ignoring = ignore(input, ended.clone());
        let listening = async {
            loop {
                let is_over = tokio::select! {
                    biased;
                    () = mailbox.came() => None,
                    ended = ended.wait_for(Option::is_some) => ended.ok().and_then(|ended| ended.clone()),
                };
                let mail = mailbox.take();
                let taken = mail.taken();
                if let Some(end) = passing.pass(mail).await {
                    return end;
                }
                if let Some(ended) = is_over {
                    passing.print(ended.stdout.clone(), ended.stderr.clone()).await;
                    return ended.end;
                }
                if let Some(credit) = hub.consumed(call, taken).and_then(|credit| credit.encode().ok()) {
                    // A program that reads no more is ending.
                    let _ = writer.send(credit).await;
                }
            }
        };
        let telling = async {
            // Its head and its first credit have been said.
            for frame in pieces(&request.body, call) {
                let Ok(frame) = frame else { return };
                if writer.send(frame).await.is_err() {
                    break;
                }
            }
            std::future::pending().await
        };
        let end = tokio::select! {
            biased;
            end = listening => end,
            why = interruption(&mut interrupted) => End::Interrupted(why),
            () = tokio::time::sleep_until(deadline.into()) => End::Interrupted(Interrupt::Deadline),
            // It cannot be said, and part of it may have been.
            () = telling => End::Lost,
            () = ignoring => End::Lost,
        };
        // What it printed may be too much in the same moment in which it answers.
        let end = match (end, *interrupted.borrow()) {
            (End::Answered, Some(Interrupt::OutputLimit)) => End::Interrupted(Interrupt::OutputLimit),
            (end, _) => end,
        };
        let output = stats(passing.out, passing.err);
        let known = ended.borrow().as_ref().map(|ended| ended.counters);
        let counters = match known {
            Some(counters) => counters,
            // Whether the kernel killed tells why.
            None if end == End::Lost => hub.shared.link.usage(hub.shared.id).await.unwrap_or_default(),
            None => hub.shared.usage().await.unwrap_or_default(),
        };
        let cpu_us = hub.leave(call, counters, end == End::Answered);
        let usage = Usage { cpu_us, memory_peak_bytes: counters.memory_peak_bytes };
        events.done(Done { outcome: outcome(end, before, counters), usage, output }).await;
    }
}

impl Passing<'_> {
    /// Passes on what came; the end, where it was among it. Nobody reading is fine.
    async fn pass(&mut self, mail: Mail) -> Option<End> {
        let Mail { stdout, stderr, head, body, end } = mail;
        self.print(stdout.freeze(), stderr.freeze()).await;
        if let Some(head) = head {
            self.events.send(OutputEvent::ResponseHead(head)).await;
        }
        if !body.is_empty() {
            let Some(left) = self.body.checked_sub(body.len() as u64) else {
                return Some(End::Interrupted(Interrupt::OutputLimit));
            };
            self.body = left;
            self.events.send(OutputEvent::Body(body.freeze())).await;
        }
        let last = match end? {
            Answer::Whole => OutputEvent::ResponseEnd,
            Answer::Failed(message) => OutputEvent::Failed(message),
        };
        self.events.send(last).await;
        Some(End::Answered)
    }

    async fn print(&mut self, stdout: Bytes, stderr: Bytes) {
        if !stdout.is_empty() {
            self.stdout.forward(stdout, &mut self.out).await;
        }
        if !stderr.is_empty() {
            self.stderr.forward(stderr, &mut self.err).await;
        }
    }
}

async fn interruption(interrupted: &mut watch::Receiver<Option<Interrupt>>) -> Interrupt {
    let why = interrupted.wait_for(Option::is_some).await.ok().and_then(|why| *why);
    match why {
        Some(why) => why,
        // Whoever could interrupt it is gone.
        None => std::future::pending().await,
    }
}

/// What one call is given is not the others': it is heard by nobody, and by the program's end no more is taken,
/// whether or not anybody reads what that said last.
async fn ignore(mut input: InputReceiver, mut ended: watch::Receiver<Option<Arc<Ended>>>) {
    let takes = async { while input.next().await.is_some() {} };
    tokio::select! {
        () = takes => {}
        _ = ended.wait_for(Option::is_some) => {}
    }
    drop(input);
    std::future::pending().await
}
