//! Placing files and starting the program, or asking the one that stays.

use super::converse::{AskError, Conversation, Idle, Opening};
use super::drive::{Drive, Runner};
use super::plan::{self, CallPlan};
use super::resident::Resident;
use crate::link::State;
use crate::pipes::{OutputPipe, StdinPipe};
use crate::sandbox::{Running, Shared, Unfinished, lost};
use faas_executor_api::{
    CallError, ExecSession, Invocation, OutputEvent, Stay, StayingProgram, event_channel, input_channel,
};
use faas_protocol::control::FromInit;
use faas_protocol::frame::FrameError;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How many events wait for a slow reader before the program is held back.
const EVENTS: usize = 16;
/// How many pieces of input wait for a slow program.
const INPUTS: usize = 16;

/// How long init may take to place files and start a program. It takes milliseconds, unless
/// descendants of an earlier call hinder it; the call's own deadline begins to count before.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts a call. When it returns a session the program runs, and a task of its own sees it
/// through to its `Done`.
pub(crate) async fn start(
    shared: &Arc<Shared>,
    state: watch::Receiver<State>,
    call: u32,
    mut plan: CallPlan,
) -> Result<ExecSession, CallError> {
    // From here on an interrupt counts, and a caller that stops waiting leaves nothing running.
    shared.running.send_replace(Running::Call);
    let unfinished = Unfinished::new(shared);
    let (started_by, program) = match tokio::time::timeout(START_TIMEOUT, program(shared, call, &mut plan)).await {
        Ok(Ok(program)) => program,
        Ok(Err(error @ (CallError::File { .. } | CallError::NotFound { .. } | CallError::Invalid { .. }))) => {
            // Refused before anything ran: the sandbox takes the next call.
            unfinished.finished();
            shared.running.send_replace(Running::Idle);
            return Err(error);
        }
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            shared.link.kill(shared.id).await;
            return Err(lost(&format!("init did not start the program within {START_TIMEOUT:?}")));
        }
    };
    let at_once = plan.staying.as_ref().map_or(1, StayingProgram::at_once);
    let (events, stream) = event_channel(EVENTS);
    let (sink, input) = input_channel(INPUTS);
    unfinished.finished();
    let runner = plan.runner.zip(program.call_socket).map(|(plan, socket)| {
        if plan.answers() {
            Runner::Answering(Conversation::new(socket, at_once), Opening::Load(Box::new(plan)))
        } else {
            Runner::Silent(plan, socket)
        }
    });
    let drive = Drive {
        shared: Arc::clone(shared),
        state,
        call,
        started_by,
        before: shared.counters(),
        deadline: plan.deadline,
        output: plan.output,
        stdin: plan.staying.is_none().then_some(program.stdin),
        staying: plan.staying,
        stdout: program.stdout,
        stderr: program.stderr,
        runner,
        input,
        events,
    };
    tokio::spawn(Box::pin(drive.run()));
    Ok(ExecSession { input: sink, events: stream })
}

/// Asks the program that stays, which has been taken for this and is the one that is called. When it returns a
/// session the request has been written, or as much of it as there is room for.
pub(crate) fn ask(
    shared: &Arc<Shared>,
    state: watch::Receiver<State>,
    call: u32,
    mut resident: Resident,
    invocation: Invocation,
) -> Result<ExecSession, CallError> {
    shared.running.send_replace(Running::Call);
    // Whatever is wrong with it, it has read nothing.
    let unfinished = Unfinished::new(shared);
    let unreached = |reason: &str| CallError::Unreached { reason: reason.to_owned() };
    match resident.idle() {
        Idle::Waits => {}
        Idle::Closed => return Err(unreached("the program that stayed has ended")),
        Idle::Busy => return Err(unreached("something of the call before goes on in the program that stayed")),
    }
    let request = invocation.request.iter().flat_map(|request| plan::asked(request, call));
    let rest = resident.conversation.ask(call, request).map_err(|error| match error {
        AskError::Request(error) => lost(&error.to_string()),
        AskError::Begin(error) => lost(&error.to_string()),
        AskError::Closed(error) => unreached(&error.to_string()),
    })?;
    unfinished.finished();
    let (events, stream) = event_channel(EVENTS);
    // Said here, so that whoever listens is not woken for it.
    events.send_now(OutputEvent::Loaded);
    let (sink, input) = input_channel(INPUTS);
    let Resident { program, started_by, conversation, stdout, stderr } = resident;
    let drive = Drive {
        shared: Arc::clone(shared),
        state,
        call,
        started_by,
        staying: (invocation.stay != Stay::No).then_some(program),
        before: shared.counters(),
        deadline: invocation.deadline,
        output: invocation.output,
        stdin: None,
        stdout,
        stderr,
        runner: Some(Runner::Answering(conversation, Opening::Rest(rest))),
        input,
        events,
    };
    tokio::spawn(Box::pin(drive.run()));
    Ok(ExecSession { input: sink, events: stream })
}

/// The call that started the program, and our ends of what it is connected to: the one that waits for a call, where it
/// suits this one, else one that is started now.
async fn program(shared: &Shared, call: u32, plan: &mut CallPlan) -> Result<(u32, Program), CallError> {
    let waiting = shared.waiting().take();
    if let Some(waiting) = waiting {
        if waiting.is_well(shared) && waiting.suits(plan) {
            match waiting.prepare(shared, plan).await {
                Ok(true) => {
                    plan.tell_environment();
                    return Ok(waiting.into_program());
                }
                // It ended while its files were placed.
                Ok(false) => {}
                Err(error) => {
                    *shared.waiting() = Some(waiting);
                    return Err(error);
                }
            }
        } else {
            waiting.end(shared).await?;
        }
    }
    Ok((call, spawn(shared, call, plan).await?))
}

/// Our ends of what the program is connected to.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) stdin: StdinPipe,
    pub(super) stdout: OutputPipe,
    pub(super) stderr: OutputPipe,
    pub(super) call_socket: Option<tokio::net::UnixStream>,
}

impl Program {
    pub(super) fn new(descriptors: Vec<OwnedFd>, runner: bool) -> std::io::Result<Self> {
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next().ok_or_else(|| std::io::Error::other("init sent too few descriptors"));
        let (stdin, stdout, stderr) = (StdinPipe::new(next()?)?, OutputPipe::new(next()?)?, OutputPipe::new(next()?)?);
        let call_socket = if runner {
            let socket = std::os::unix::net::UnixStream::from(next()?);
            socket.set_nonblocking(true)?;
            Some(tokio::net::UnixStream::from_std(socket)?)
        } else {
            None
        };
        Ok(Self { stdin, stdout, stderr, call_socket })
    }
}

/// Has files placed and the program started.
pub(super) async fn spawn(shared: &Shared, call: u32, plan: &CallPlan) -> Result<Program, CallError> {
    let too_long = |error: FrameError| CallError::Invalid {
        field: "arguments",
        reason: error.to_string(),
        accepted: "arguments and environment of at most 96 KiB together",
    };
    let spawn = plan.spawn_frame(call).map_err(too_long)?;
    let mut failed = None;
    plan.place(shared).await?;
    send(shared, &spawn).await?;
    loop {
        let (message, descriptors) = shared.hear().await?;
        match message {
            Some(FromInit::FileFailed { path, errno }) => drop(failed.get_or_insert(refused(plan, &path, errno))),
            Some(FromInit::SpawnFailed { call: answered, errno }) if answered == call => {
                return Err(failed.unwrap_or_else(|| CallError::NotFound {
                    program: plan.argv.first().cloned().unwrap_or_default(),
                    reason: Errno::from_raw_os_error(errno).to_string(),
                }));
            }
            Some(FromInit::Spawned { call: answered, .. }) if answered == call => {
                return Program::new(descriptors, plan.runner.is_some()).map_err(|error| lost(&error.to_string()));
            }
            // Whatever else it says is no answer to this: init is broken or not ours any more.
            _ => {
                shared.link.kill(shared.id).await;
                return Err(lost("init broke the protocol"));
            }
        }
    }
}

impl CallPlan {
    /// Tells init every file of the call; what cannot be written is said where init answers next.
    pub(super) async fn place(&self, shared: &Shared) -> Result<(), CallError> {
        for file in &self.files {
            for frame in file.frames() {
                let frame =
                    frame.map_err(|error| CallError::File { path: file.name.clone(), reason: error.to_string() })?;
                send(shared, &frame).await?;
            }
        }
        Ok(())
    }
}

/// A file that init could not write, by the name its caller gave it.
pub(super) fn refused(plan: &CallPlan, path: &[u8], errno: i32) -> CallError {
    let path = String::from_utf8_lossy(path).into_owned();
    let name = plan.files.iter().find(|file| file.path == path).map_or(path, |file| file.name.clone());
    CallError::File { path: name, reason: file_reason(errno) }
}

pub(super) async fn send(shared: &Shared, frame: &[u8]) -> Result<(), CallError> {
    // What could not be sent was not obeyed, and without its last frame no program starts.
    let unreached = |errno: Errno| CallError::Unreached { reason: errno.to_string() };
    shared.control.send(frame, &[]).await.map_err(unreached)
}

fn file_reason(errno: i32) -> String {
    match Errno::from_raw_os_error(errno) {
        Errno::NOSPC => "it does not fit: raise the disk limit".to_owned(),
        Errno::LOOP => "a symlink is on its path".to_owned(),
        errno => errno.to_string(),
    }
}
