//! What a run hears: of its call, or of the loading of a program that is shared and then of its call.
//!
//! Invariants: there is one `Done`; whoever interrupts ends what is under way and what would come after it; one
//! that is dropped before its end ends its call; what the loading writes counts as the call's. Waiting for the next
//! event may be given up at any time.

use crate::shared::At;
use bytes::Bytes;
use faas_executor_api::{
    CallError, Done, Event, EventStream, ExecSession, Interrupt, Interrupter, Invocation, SharedCall,
};
use faas_types::{ByteSize, LimitHit, OnOutputLimit, Outcome, OutputLimits, OutputStats, Usage};
use std::future::Future;
use std::pin::Pin;

type Asking = Pin<Box<dyn Future<Output = Result<SharedCall, CallError>> + Send>>;

/// See the module.
pub(super) struct Session {
    events: EventStream,
    interrupter: Interrupter,
    /// The call that is asked once the program is loaded, and where that is shared.
    then: Option<(At, Invocation)>,
    asking: Option<Asking>,
    /// Whether the program said that it is loaded.
    is_loaded: bool,
    /// How the loading ended.
    loading: Option<Done>,
    /// What the loading left for the call to write. Its answer has the whole limit, so that the call is not told.
    left: Option<OutputLimits>,
    interrupted: Option<Interrupt>,
    over: bool,
}

impl Session {
    /// Of a call.
    pub(super) const fn of(events: EventStream, interrupter: Interrupter) -> Self {
        Self {
            events,
            interrupter,
            then: None,
            asking: None,
            is_loaded: false,
            loading: None,
            left: None,
            interrupted: None,
            over: false,
        }
    }

    /// Of the loading of a program, which is shared there and asked this call.
    pub(super) fn loading(events: EventStream, interrupter: Interrupter, at: At, call: Invocation) -> Self {
        let mut session = Self::of(events, interrupter);
        session.then = Some((at, call));
        session
    }

    /// The first reason counts.
    pub(super) fn interrupt(&mut self, why: Interrupt) {
        self.interrupted.get_or_insert(why);
        self.interrupter.interrupt(why);
    }

    /// The next event; `None` where the sandbox broke its promise of a `Done`.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(asking) = &mut self.asking {
                let asked = asking.await;
                self.asking = None;
                return Some(match asked {
                    Ok(call) => self.go_on_with(call),
                    // Nobody else could ask it before, so that it ended by itself, as one does that is not loaded.
                    Err(CallError::Unreached { .. }) => self.end_as(LOADED),
                    Err(_) => self.end_as(Outcome::SandboxLost),
                });
            }
            let event = self.events.next().await?;
            match event {
                Event::Loaded if self.then.is_some() => self.is_loaded = true,
                // It was said.
                Event::Loaded if self.loading.is_some() => {}
                Event::Done(done) => {
                    let then = self.then.take().filter(|_| self.is_loaded && done.outcome == LOADED);
                    let Some((at, call)) = then else { return Some(self.end(done)) };
                    let written = done.output.stdout_bytes.saturating_add(done.output.stderr_bytes);
                    let bytes = ByteSize::from_bytes(call.output.bytes.as_bytes().saturating_sub(written));
                    self.left = Some(OutputLimits { bytes, ..call.output });
                    self.loading = Some(done);
                    if let Some(why) = self.interrupted {
                        // It is not asked: the program is as good as any.
                        return Some(self.end_as(outcome_of(why)));
                    }
                    self.asking = Some(Box::pin(share(at, call)));
                }
                Event::Stdout(bytes) => {
                    if let Some(bytes) = self.cut(bytes, |output| &mut output.stdout_truncated) {
                        return Some(Event::Stdout(bytes));
                    }
                }
                Event::Stderr(bytes) => {
                    if let Some(bytes) = self.cut(bytes, |output| &mut output.stderr_truncated) {
                        return Some(Event::Stderr(bytes));
                    }
                }
                event => return Some(event),
            }
        }
    }

    /// What may be shown of it; `None` for nothing.
    fn cut(&mut self, mut bytes: Bytes, truncated: fn(&mut OutputStats) -> &mut bool) -> Option<Bytes> {
        let (Some(left), Some(loading)) = (&mut self.left, &mut self.loading) else { return Some(bytes) };
        let (most, wanted) = (left.bytes.as_bytes(), bytes.len());
        bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        left.bytes = ByteSize::from_bytes(most.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
        if bytes.len() < wanted {
            *truncated(&mut loading.output) = true;
            if left.on_limit == OnOutputLimit::Kill {
                self.interrupt(Interrupt::OutputLimit);
            }
        }
        (!bytes.is_empty()).then_some(bytes)
    }

    /// The program is loaded only now, for its maker as for everybody.
    fn go_on_with(&mut self, call: SharedCall) -> Event {
        let SharedCall { session: ExecSession { input, events }, interrupter } = call;
        // Nothing is read of it.
        drop(input);
        (self.events, self.interrupter) = (events, interrupter);
        if let Some(why) = self.interrupted {
            self.interrupter.interrupt(why);
        }
        Event::Loaded
    }

    fn end_as(&mut self, outcome: Outcome) -> Event {
        self.end(Done { outcome, usage: Usage::default(), output: OutputStats::default() })
    }

    /// With what the loading used and wrote.
    fn end(&mut self, done: Done) -> Event {
        self.over = true;
        Event::Done(match self.loading.take() {
            Some(loading) => both(&loading, &done),
            None => done,
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.over {
            self.interrupter.interrupt(Interrupt::Cancel);
        }
    }
}

/// Asks a program, which is loaded, and then lets those ask it who wait for it: what they ask may end it.
async fn share(at: At, call: Invocation) -> Result<SharedCall, CallError> {
    let program = at.share()?;
    let call = program.ask(call).await?;
    at.open(program);
    Ok(call)
}

/// How a loading ends that goes well.
const LOADED: Outcome = Outcome::Exited { code: 0 };

const fn outcome_of(why: Interrupt) -> Outcome {
    match why {
        Interrupt::Cancel => Outcome::Cancelled,
        Interrupt::Deadline => Outcome::TimedOut,
        Interrupt::OutputLimit => Outcome::LimitExceeded { limit: LimitHit::Output },
    }
}

/// The end of a call that loaded its program first.
fn both(loading: &Done, call: &Done) -> Done {
    let (first, then) = (loading.output, call.output);
    Done {
        outcome: call.outcome,
        usage: Usage {
            cpu_us: sum(loading.usage.cpu_us, call.usage.cpu_us),
            memory_peak_bytes: loading.usage.memory_peak_bytes.max(call.usage.memory_peak_bytes),
        },
        output: OutputStats {
            stdout_bytes: first.stdout_bytes.saturating_add(then.stdout_bytes),
            stderr_bytes: first.stderr_bytes.saturating_add(then.stderr_bytes),
            stdout_truncated: first.stdout_truncated || then.stdout_truncated,
            stderr_truncated: first.stderr_truncated || then.stderr_truncated,
        },
    }
}

fn sum(first: Option<u64>, then: Option<u64>) -> Option<u64> {
    match (first, then) {
        (Some(first), Some(then)) => Some(first.saturating_add(then)),
        (used, None) | (None, used) => used,
    }
}
