//! What all calls of a shared program have in common: who is asked what, what was heard, and how it ended.
//!
//! Held by the sandbox, by everybody who asks, and by the task of each call.

use super::asked::Asked;
use super::listen::Listener;
use super::mailbox::{Answer, Mail, Mailbox};
use super::portions::Portions;
use crate::call::{End, Parts, Resident, outcome, request_head};
use crate::link::State;
use crate::sandbox::{Shared, lost};
use async_trait::async_trait;
use bytes::Bytes;
use faas_executor_api::{
    CallError, ExecSession, Health, Interrupt, Interrupter, Invocation, OutputEvent, ResponseHead, SharedCall,
    SharedProgram, StayingProgram, check_shared, event_channel, input_channel,
};
use faas_protocol::call::{BeginError, FromRunner, RunnerFrames, RunnerFramesError, ToRunner};
use faas_protocol::launcher::Counters;
use faas_types::Outcome;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// How much of what one call answers and prints may be under way.
const WINDOW: u32 = 256 << 10;
/// How many frames wait for the program to read them before whoever sends the next one waits too.
const FRAMES: usize = 8;
/// How many events wait for a slow reader, each of at most a window, beside the one that is being sent; and how
/// many inputs for nobody.
const EVENTS: usize = 1;

/// How the program ended, and what it had printed that was nobody's.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) counters: Counters,
    pub(super) stdout: Bytes,
    pub(super) stderr: Bytes,
}

impl Ended {
    /// What that is to calls that ran since counters were read.
    pub(super) fn outcome(&self, before: Counters) -> Outcome {
        outcome(self.end, before, self.counters)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(super) shared: Arc<Shared>,
    state: watch::Receiver<State>,
    program: StayingProgram,
    started_by: u32,
    /// The counters when the program was shared.
    before: Counters,
    desk: Mutex<Desk>,
    ended: watch::Sender<Option<Arc<Ended>>>,
    tasks: Mutex<Option<Tasks>>,
}

#[derive(Debug)]
struct Desk {
    frames: RunnerFrames,
    /// Those that listen.
    calls: HashMap<u32, Arc<Mailbox>>,
    portions: Portions,
    /// Whether it may not be asked any more.
    poisoned: bool,
    /// Where frames for the program go; none once the sharing has ended.
    writer: Option<mpsc::Sender<Vec<u8>>>,
}

/// The tasks that end when the sharing does.
#[derive(Debug)]
struct Tasks {
    stop: oneshot::Sender<()>,
    listening: JoinHandle<Option<Parts>>,
    writing: JoinHandle<bool>,
}

impl Hub {
    /// Shares a program that waits.
    pub(crate) fn start(shared: &Arc<Shared>, state: &watch::Receiver<State>, resident: Resident) -> Arc<Self> {
        let (parts, frames) = resident.apart();
        let (writer, due) = mpsc::channel(FRAMES);
        let (stop, stopped) = oneshot::channel();
        let hub = Arc::new(Self {
            shared: Arc::clone(shared),
            state: state.clone(),
            program: parts.program.clone(),
            started_by: parts.started_by,
            before: shared.counters(),
            desk: Mutex::new(Desk {
                frames,
                calls: HashMap::new(),
                portions: Portions::default(),
                poisoned: false,
                writer: Some(writer),
            }),
            ended: watch::Sender::new(None),
            tasks: Mutex::new(None),
        });
        let writing = tokio::spawn(write(Arc::clone(&parts.socket), due));
        let listening = tokio::spawn(Listener::new(&hub, parts).run(stopped));
        *hub.tasks() = Some(Tasks { stop, listening, writing });
        hub
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Nothing panics while it is held.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, Option<Tasks>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    pub(super) const fn started_by(&self) -> u32 {
        self.started_by
    }

    /// Whether any call runs.
    pub(crate) fn is_asked(&self) -> bool {
        !self.desk().calls.is_empty()
    }

    /// Takes down what the runner said. An error ends the sandbox.
    pub(super) fn hear(&self, frame: FromRunner) -> Result<(), RunnerFramesError> {
        let mut desk = self.desk();
        desk.frames.accept(&frame)?;
        match frame {
            // Said before the program was shared, so that it is refused above.
            FromRunner::Hello { .. } | FromRunner::Loaded { .. } => {}
            FromRunner::Busy { .. } => desk.poisoned = true,
            FromRunner::Head { call, status, headers } => {
                let headers = headers.into_iter().map(|(name, value)| (name, value.into())).collect();
                desk.put(call, |mail| mail.head = Some(ResponseHead { status, headers }));
            }
            FromRunner::Body { call, bytes, .. } => desk.put(call, |mail| mail.body.extend_from_slice(&bytes)),
            FromRunner::Printed { call, is_error, bytes } => desk.put(call, |mail| {
                let stream = if is_error { &mut mail.stderr } else { &mut mail.stdout };
                stream.extend_from_slice(&bytes);
            }),
            FromRunner::End { call } => desk.put(call, |mail| mail.end = Some(Answer::Whole)),
            FromRunner::Failed { call, message } => {
                desk.put(call, |mail| mail.end = Some(Answer::Failed(message)));
            }
        }
        Ok(())
    }

    /// So many bytes of a call were passed on; what the program may send for that.
    pub(super) fn consumed(&self, call: u32, bytes: usize) -> Option<ToRunner> {
        self.desk().frames.consumed(call, u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// A call is over: it hears nothing more. Gives the processor time it used, and has nobody ask the program
    /// again where what it is doing is not known.
    pub(super) fn leave(&self, call: u32, counters: Counters, is_known: bool) -> Option<u64> {
        let mut desk = self.desk();
        desk.calls.remove(&call);
        desk.poisoned |= !is_known;
        let used = desk.portions.end(call, counters.cpu_us.unwrap_or_default());
        counters.cpu_us.map(|_| used)
    }

    /// The program, or its sandbox, has ended.
    pub(super) fn end(&self, ended: Ended) {
        self.ended.send_replace(Some(Arc::new(ended)));
    }

    /// Whether it may be asked again.
    fn health(&self) -> Health {
        let desk = self.desk();
        if *self.state.borrow() != State::Alive || desk.writer.is_none() || self.ended.borrow().is_some() {
            Health::Unrecoverable
        } else if desk.poisoned {
            Health::Poisoned
        } else {
            Health::Ready
        }
    }

    /// Whether its sandbox can be used again, which it can without a program that has ended by itself.
    pub(crate) fn health_of_sandbox(&self) -> Health {
        match self.ended.borrow().as_deref() {
            Some(ended) if *self.state.borrow() == State::Alive => Health::after(ended.outcome(self.before)),
            Some(_) => Health::Unrecoverable,
            None => self.health(),
        }
    }

    /// Nobody asks any more.
    pub(super) fn poison(&self) {
        self.desk().poisoned = true;
    }

    /// Ends the sharing, while no call runs; the program, if it is still there.
    pub(crate) async fn close(&self) -> Result<Option<Resident>, CallError> {
        let (writer, poisoned) = {
            let mut desk = self.desk();
            (desk.writer.take(), desk.poisoned)
        };
        drop(writer);
        let Some(Tasks { stop, listening, writing }) = self.tasks().take() else { return Ok(None) };
        // One that has ended needs not be told.
        let _ = stop.send(());
        let failed = |_| lost("what was said to a shared program is not known");
        let is_said = writing.await.map_err(failed)?;
        let Some(parts) = listening.await.map_err(failed)? else { return Ok(None) };
        let frames = std::mem::take(&mut self.desk().frames);
        let resident = parts.together(frames, is_said && !poisoned);
        resident.map(Some).ok_or_else(|| lost("its program is still being asked"))
    }
}

impl Desk {
    /// For a call that is over it is nobody's.
    fn put(&self, call: u32, add: impl FnOnce(&mut Mail)) {
        if let Some(mailbox) = self.calls.get(&call) {
            mailbox.put(add);
        }
    }
}

/// Asks the program of a hub.
#[derive(Debug)]
pub(crate) struct Caller(pub(crate) Arc<Hub>);

#[async_trait]
impl SharedProgram for Caller {
    async fn ask(&self, invocation: Invocation) -> Result<SharedCall, CallError> {
        let Self(hub) = self;
        check_shared(&invocation)?;
        hub.program.check(&invocation)?;
        let unreached = |reason: &str| CallError::Unreached { reason: reason.to_owned() };
        let closed = || unreached("its program may not be asked again");
        let Some(request) = invocation.request else { return Err(unreached("it is asked nothing")) };
        let writer = hub.desk().writer.clone().ok_or_else(closed)?;
        let before = hub.shared.usage().await.ok_or_else(|| unreached("its sandbox has ended"))?;
        let place = writer.clone().reserve_owned().await.map_err(|_| closed())?;
        let mailbox = Arc::new(Mailbox::default());
        let call = {
            let mut desk = hub.desk();
            if desk.poisoned || desk.writer.is_none() {
                return Err(closed());
            }
            let call = hub.shared.next_call();
            let mut head = request_head(&request, call).map_err(|error| lost(&error.to_string()))?;
            let credit = desk.frames.begin(call, WINDOW).map_err(|error| match error {
                BeginError::StillRunning { .. } => CallError::Invalid {
                    field: "call",
                    reason: "as many calls run as the program answers at once".to_owned(),
                    accepted: "another once one of them has ended",
                },
                BeginError::NotAbove { .. } => lost(&error.to_string()),
            })?;
            desk.calls.insert(call, Arc::clone(&mailbox));
            desk.portions.begin(call, before.cpu_us.unwrap_or_default());
            // Requests are to come in the order of their numbers, and a call that prints at once needs its credit
            // then. What else belongs to one may come later.
            head.extend(credit.and_then(|credit| credit.encode().ok()).into_iter().flatten());
            place.send(head);
            call
        };
        let (events, stream) = event_channel(EVENTS);
        // Said here, so that whoever listens is not woken for it.
        events.send_now(OutputEvent::Loaded);
        let (sink, input) = input_channel(EVENTS);
        let (interrupter, interrupted) = interrupter();
        let asked = Asked {
            hub: Arc::clone(hub),
            call,
            before,
            mailbox,
            request,
            writer,
            deadline: invocation.deadline,
            output: invocation.output,
            interrupter: interrupter.clone(),
            interrupted,
            ended: hub.ended.subscribe(),
            input,
            events,
        };
        tokio::spawn(Box::pin(asked.run()));
        Ok(SharedCall { session: ExecSession { input: sink, events: stream }, interrupter })
    }

    fn health(&self) -> Health {
        self.0.health()
    }
}

/// Ends one call; the first reason counts.
fn interrupter() -> (Interrupter, watch::Receiver<Option<Interrupt>>) {
    let (sender, interrupted) = watch::channel(None);
    let interrupt = move |why| {
        sender.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(why);
            is_first
        });
    };
    (Interrupter::new(interrupt), interrupted)
}

/// Writes whole frames in the order in which they come; whether all of them were.
async fn write(socket: Arc<UnixStream>, mut due: mpsc::Receiver<Vec<u8>>) -> bool {
    while let Some(frame) = due.recv().await {
        let mut written = 0;
        while let Some(rest) = frame.get(written..).filter(|rest| !rest.is_empty()) {
            match socket.try_write(rest) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if socket.writable().await.is_err() {
                        return false;
                    }
                }
                // Nobody reads any more, which shows in what is heard.
                Err(_) => return false,
            }
        }
    }
    true
}
