//! The conversation with the launcher, shared by every sandbox.

use crate::packets::Packets;
use crate::zygotes::Zygotes;
use faas_protocol::frame::{HEADER, MAX_BODY};
use faas_protocol::launcher::{Counters, Create, FromLauncher, Step, ToLauncher};
use faas_protocol::leftover::Leftover;
use faas_sandbox_linux::cgroup::Meters;
use rustix::fd::{BorrowedFd, OwnedFd};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{oneshot, watch};

/// What the launcher last said of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It lives, or is being made.
    Alive,
    /// It was not made.
    Failed {
        /// At which step.
        step: Step,
        /// The kernel's answer.
        errno: i32,
    },
    /// Every process of it is dead.
    Ended(Counters),
    /// The launcher is gone, and every sandbox with it.
    LauncherLost,
}

/// Why a sandbox could not even be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskError {
    /// The launcher is gone.
    LauncherLost,
    /// A sandbox of that id exists.
    Exists,
}

struct Watched {
    state: watch::Sender<State>,
    usage: Vec<oneshot::Sender<Counters>>,
    renewal: Option<oneshot::Sender<(Counters, Option<Leftover>)>>,
    fork: Option<oneshot::Sender<Option<Forked>>>,
    meters: Option<oneshot::Sender<Vec<OwnedFd>>>,
}

/// A runner that was forked from a zygote into a sandbox.
#[derive(Debug)]
pub(crate) struct Forked {
    /// Inside the sandbox.
    pub(crate) pid: u32,
    /// Our ends, as init sends them for a program.
    pub(crate) descriptors: Vec<OwnedFd>,
}

type Table = HashMap<[u8; 16], Watched>;

/// The conversation with the launcher.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Packets,
    table: Mutex<Option<Table>>,
    lost: watch::Sender<bool>,
    pub(crate) zygotes: Zygotes,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watched")
    }
}

impl Link {
    /// Takes over the launcher's socket and listens to it in a task of its own.
    pub(crate) fn start(socket: OwnedFd) -> io::Result<Arc<Self>> {
        let link = Arc::new(Self {
            socket: Packets::new(socket)?,
            table: Mutex::new(Some(HashMap::new())),
            lost: watch::Sender::new(false),
            zygotes: Zygotes::new(),
        });
        tokio::spawn(Arc::clone(&link).listen());
        Ok(link)
    }

    async fn listen(self: Arc<Self>) {
        let mut buffer = vec![0; HEADER + MAX_BODY];
        while let Ok(received) = self.socket.receive(&mut buffer).await {
            let frame = buffer.get(..received.length).unwrap_or_default();
            match FromLauncher::decode(frame) {
                Ok(message) => self.hear(message, received.descriptors),
                // The end of the conversation, or nonsense from the one process we trust.
                Err(_) => break,
            }
        }
        let table = self.table().take();
        for watched in table.into_iter().flat_map(HashMap::into_values) {
            watched.state.send_replace(State::LauncherLost);
        }
        self.lost.send_replace(true);
    }

    fn hear(&self, message: FromLauncher, descriptors: Vec<OwnedFd>) {
        let mut table = self.table();
        let Some(table) = table.as_mut() else { return };
        match message {
            FromLauncher::CreateFailed { sandbox, step, errno } => {
                if let Some(watched) = table.get(&sandbox) {
                    watched.state.send_replace(State::Failed { step, errno });
                }
            }
            FromLauncher::Usage { sandbox, counters } => {
                let usage = table.get_mut(&sandbox).map(|watched| &mut watched.usage);
                // Whoever gave up waiting may have done so before it asked: the answer is the next one's.
                for asker in usage.into_iter().flat_map(|usage| std::iter::from_fn(|| usage.pop())) {
                    if asker.send(counters).is_ok() {
                        break;
                    }
                }
            }
            FromLauncher::Renewed { sandbox, counters, left } => {
                if let Some(asker) = table.get_mut(&sandbox).and_then(|watched| watched.renewal.take()) {
                    // Whoever asked may have given up waiting.
                    let _ = asker.send((counters, left));
                }
            }
            FromLauncher::Metered { sandbox } => {
                if let Some(asker) = table.get_mut(&sandbox).and_then(|watched| watched.meters.take()) {
                    // Whoever asked may have given up waiting.
                    let _ = asker.send(descriptors);
                }
            }
            FromLauncher::Ended { sandbox, counters } => {
                if let Some(watched) = table.get_mut(&sandbox) {
                    watched.usage.clear();
                    (watched.renewal, watched.fork, watched.meters) = (None, None, None);
                    watched.state.send_if_modified(|state| {
                        let first = *state == State::Alive;
                        if first {
                            *state = State::Ended(counters);
                        }
                        first
                    });
                }
            }
            FromLauncher::Started { sandbox, pid } => {
                if let Some(asker) = table.get_mut(&sandbox).and_then(|watched| watched.fork.take()) {
                    // Nobody waits for it any more: then the sandbox is about to end.
                    let _ = asker.send(Some(Forked { pid, descriptors }));
                }
            }
            FromLauncher::NotStarted { sandbox, errno: _ } => {
                if let Some(asker) = table.get_mut(&sandbox).and_then(|watched| watched.fork.take()) {
                    let _ = asker.send(None);
                }
            }
            FromLauncher::Hatched { zygote } => self.zygotes.hatched(zygote),
            FromLauncher::ZygoteEnded { zygote, cause } => self.zygotes.ended(zygote, cause),
            FromLauncher::Hello(_) | FromLauncher::Refused { .. } => {}
        }
    }

    /// Asks for a sandbox; what becomes of it shows in the returned state, and what of the runner that is forked into
    /// it, where one is: `None` for one that is not, the channel's end for a sandbox that is gone.
    pub(crate) async fn create(
        &self,
        request: Create,
        control: BorrowedFd<'_>,
    ) -> Result<(watch::Receiver<State>, oneshot::Receiver<Option<Forked>>), AskError> {
        let sandbox = request.sandbox;
        let (state, receiver) = watch::channel(State::Alive);
        let (asker, fork) = oneshot::channel();
        let asker = request.zygote.is_some().then_some(asker);
        match self.table().as_mut().ok_or(AskError::LauncherLost)?.entry(sandbox) {
            Entry::Occupied(_) => return Err(AskError::Exists),
            Entry::Vacant(entry) => {
                entry.insert(Watched { state, usage: Vec::new(), renewal: None, fork: asker, meters: None })
            }
        };
        let sent = match ToLauncher::Create(request).encode() {
            Ok(frame) => self.socket.send(&frame, &[control]).await.is_ok(),
            Err(_) => false,
        };
        if sent {
            Ok((receiver, fork))
        } else {
            self.forget(sandbox);
            Err(AskError::LauncherLost)
        }
    }

    /// Says something that no sandbox waits for an answer to; whether the launcher is there to hear it.
    pub(crate) async fn tell(&self, message: &ToLauncher) -> bool {
        match message.encode() {
            Ok(frame) => self.socket.send(&frame, &[]).await.is_ok(),
            Err(_) => false,
        }
    }

    /// A sandbox's usage so far; `None` when it is gone.
    pub(crate) async fn usage(&self, sandbox: [u8; 16]) -> Option<Counters> {
        let (asker, answer) = oneshot::channel();
        self.table().as_mut()?.get_mut(&sandbox)?.usage.insert(0, asker);
        let frame = ToLauncher::Stat { sandbox }.encode().ok()?;
        self.socket.send(&frame, &[]).await.ok()?;
        answer.await.ok()
    }

    /// Lets a sandbox's counters begin anew, in which a program stays or none: where they stand then, and what
    /// the kernel still holds of earlier calls. `None` when it is gone.
    pub(crate) async fn renew(&self, sandbox: [u8; 16], stays: bool) -> Option<(Counters, Option<Leftover>)> {
        let (asker, answer) = oneshot::channel();
        self.table().as_mut()?.get_mut(&sandbox)?.renewal = Some(asker);
        let frame = ToLauncher::Renew { sandbox, stays }.encode().ok()?;
        self.socket.send(&frame, &[]).await.ok()?;
        answer.await.ok()
    }

    /// The files in which a sandbox's usage is counted, whose peak began anew before. `None` where there are none, or
    /// the sandbox is gone.
    pub(crate) async fn meters(&self, sandbox: [u8; 16]) -> Option<Meters> {
        let (asker, answer) = oneshot::channel();
        self.table().as_mut()?.get_mut(&sandbox)?.meters = Some(asker);
        let frame = ToLauncher::Meter { sandbox }.encode().ok()?;
        self.socket.send(&frame, &[]).await.ok()?;
        let [cpu, peak] = answer.await.ok()?.try_into().ok()?;
        Some(Meters::new(cpu, peak))
    }

    /// Kills everything in a sandbox; its state tells when that is done.
    pub(crate) async fn kill(&self, sandbox: [u8; 16]) {
        if let Ok(frame) = (ToLauncher::Kill { sandbox }).encode() {
            // A launcher that is gone has taken its sandboxes along.
            let _ = self.socket.send(&frame, &[]).await;
        }
    }

    /// As [`Link::kill`], for where nothing can be awaited. A full socket is tolerable there: closing
    /// the control socket, which follows, ends init too.
    pub(crate) fn kill_now(&self, sandbox: [u8; 16]) {
        if let Ok(frame) = (ToLauncher::Kill { sandbox }).encode() {
            let _ = self.socket.send_now(&frame);
        }
    }

    /// Stops watching a sandbox.
    pub(crate) fn forget(&self, sandbox: [u8; 16]) {
        if let Some(table) = self.table().as_mut() {
            table.remove(&sandbox);
        }
    }

    /// Ends our side of the conversation, upon which the launcher ends every sandbox and itself.
    pub(crate) fn hang_up(&self) {
        self.socket.close_sending();
    }

    /// Ends the conversation and returns when the launcher has ended it too.
    pub(crate) async fn close(&self) {
        self.hang_up();
        self.lost().await;
    }

    /// Until the launcher is gone.
    pub(crate) async fn lost(&self) {
        // The sender lives in `self`, so this ends only with the value.
        let _ = self.lost.subscribe().wait_for(|lost| *lost).await;
    }

    fn table(&self) -> MutexGuard<'_, Option<Table>> {
        // Nothing panics while it is held, and its state is right after every statement.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
