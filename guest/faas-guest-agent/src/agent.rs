//! The conversation with the host: one loop over two descriptors.
//!
//! ```text
//! Ready -> (Hello) -> [ PutFile* Spawn -> Spawned ... Exited | Recycle -> Recycled ]*      end of socket -> exit
//!                                             Keep -> Kept [ Recycle -> Recycled ]*
//!                          PutFile* Settle -> Settled                       while a program runs that waits for it
//!                          Adopt ... Exited                                 of a program that the launcher put here
//! ```
//! Invariant: at most one main program runs; `Spawned` precedes its `Exited`; every child that
//! ended is reaped, whosever it was. What becomes of one that the launcher put here before init is told of it is
//! remembered until then.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use faas_protocol::VERSION;
use faas_protocol::control::{FromInit, Spawn, ToInit};
use faas_protocol::frame::{HEADER, MAX_BODY};
use faas_protocol::leftover::Leftover;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Mode;
use rustix::io::{Errno, read, retry_on_intr};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, getpid, set_child_subreaper, set_dumpable_behavior,
    set_parent_process_death_signal, umask, wait,
};
use rustix::thread::set_name;

use crate::files::{Files, Piece};
use crate::keep::Stock;
use crate::program::{Started, launch};
use crate::recycle::Origin;
use crate::sys;

/// The most descriptors one message carries: three pipes and a call socket.
const MAX_DESCRIPTORS: usize = 4;

/// Why the conversation ended. Nobody is left to read a sentence: it becomes an exit code.
enum Ended {
    /// The host closed the control socket, as it should.
    HostGone,
    /// The host sent what cannot be read, or out of order.
    Protocol,
    /// The kernel refused something init cannot do without.
    Kernel,
}

impl From<Errno> for Ended {
    fn from(_: Errno) -> Self {
        Self::Kernel
    }
}

/// The main program of the running call.
struct Running {
    call: u32,
    pid: Pid,
}

/// Children of whose end init remembers while nothing runs: the one that it may be told to adopt, and few others.
const REMEMBERED: usize = 8;

struct Agent {
    control: OwnedFd,
    signals: OwnedFd,
    greeted: bool,
    files: Files,
    /// Whether a file of the coming call was refused, and the host was told.
    file_failed: bool,
    running: Option<Running>,
    /// Children that ended while nothing ran.
    orphans: Vec<(Pid, WaitStatus)>,
    /// How the sandbox was at first; `None` where this is not a sandbox's pid 1.
    origin: Option<Origin>,
    /// What the program that stays found when it was loaded.
    stock: Option<Stock>,
}

/// Runs until the host goes away or breaks the protocol. The result is the process's exit code.
#[must_use]
pub fn run() -> i32 {
    match serve() {
        Ok(()) | Err(Ended::HostGone) => 0,
        Err(Ended::Protocol) => 71,
        Err(Ended::Kernel) => 70,
    }
}

fn serve() -> Result<(), Ended> {
    // The kernel names a program run from memory after the memory.
    set_name(c"faas-init")?;
    // User code has the same uid: what init holds must not be reachable through ptrace or /proc.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let control = sys::take_control()?;
    let signals = sys::child_signals()?;
    let origin = if getpid().is_init() {
        Some(Origin::observe()?)
    } else {
        // Where something else is pid 1, orphans still come here.
        set_child_subreaper(Some(getpid()))?;
        None
    };
    umask(Mode::from_raw_mode(0o022));
    let files = Files::default();
    let (running, orphans, stock) = (None, Vec::new(), None);
    Agent { control, signals, greeted: false, files, file_failed: false, running, orphans, origin, stock }.converse()
}

impl Agent {
    fn converse(&mut self) -> Result<(), Ended> {
        self.say(&FromInit::Ready { version: VERSION }, &[])?;
        let mut buffer = vec![0; HEADER + MAX_BODY];
        loop {
            let mut ready = [PollFd::new(&self.control, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            retry_on_intr(|| poll(&mut ready, None))?;
            let [control, signals] = ready.map(|descriptor| !descriptor.revents().is_empty());
            if signals {
                self.reap()?;
            }
            if control {
                let message = hear(self.control.as_fd(), &mut buffer)?;
                self.obey(message)?;
            }
        }
    }

    fn obey(&mut self, message: ToInit) -> Result<(), Ended> {
        match (self.greeted, message) {
            (false, ToInit::Hello { version: VERSION }) => {
                self.greeted = true;
                Ok(())
            }
            (true, ToInit::PutFile { path, executable, append, content }) => {
                match self.files.put(&Piece { path: &path, executable, append, content: &content }) {
                    Ok(()) => Ok(()),
                    // One is enough to refuse the call. The host says everything before it listens, so
                    // an answer for each of many files would leave both waiting for room.
                    Err(_) if self.file_failed => Ok(()),
                    Err(error) => {
                        self.file_failed = true;
                        self.say(&FromInit::FileFailed { path, errno: error.raw_os_error() }, &[])
                    }
                }
            }
            (true, ToInit::Spawn(spawn)) => self.spawn(&spawn),
            (true, ToInit::Signal { signal }) => {
                if let Some(running) = &self.running {
                    sys::signal(running.pid, signal);
                }
                Ok(())
            }
            (true, ToInit::Recycle) => {
                let left = self.recycle()?;
                self.files = Files::default();
                self.file_failed = false;
                self.say(&FromInit::Recycled { left }, &[])
            }
            (true, ToInit::Settle) => {
                self.file_failed = false;
                let failed = self.files.take_failure().is_some();
                self.say(&FromInit::Settled { failed }, &[])
            }
            (true, ToInit::Keep) => {
                let running = self.running.as_ref().filter(|_| self.origin.is_some()).ok_or(Ended::Protocol)?;
                // One that is gone by now leaves no stock, and its end is told next.
                self.stock = Stock::take(running.pid).ok();
                self.say(&FromInit::Kept, &[])
            }
            (true, ToInit::Adopt { call, pid }) => self.adopt(call, pid),
            (false, _) | (true, ToInit::Hello { .. }) => Err(Ended::Protocol),
        }
    }

    /// Makes the sandbox as new, around the program that stays if there is one.
    fn recycle(&mut self) -> Result<Option<Leftover>, Ended> {
        // Whoever has ended needs not be spared.
        self.reap()?;
        // Anywhere but in a sandbox of its own it would end what is not init's.
        let origin = self.origin.as_ref().ok_or(Ended::Protocol)?;
        if let Some(running) = &self.running {
            let stock = self.stock.as_mut().filter(|stock| stock.pid == running.pid).ok_or(Ended::Protocol)?;
            let left = origin.restore_around(stock);
            // The signal that tells of its end may be among those that were thrown away.
            self.reap()?;
            if self.running.is_some() {
                return Ok(left);
            }
        }
        self.stock = None;
        let left = self.origin.as_ref().and_then(Origin::restore);
        self.orphans.clear();
        Ok(left)
    }

    /// A child that the launcher put here is the program of a call. It may have ended by now.
    fn adopt(&mut self, call: u32, pid: u32) -> Result<(), Ended> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Ended::Protocol)?;
        if self.running.is_some() || pid == getpid() {
            return Err(Ended::Protocol);
        }
        self.running = Some(Running { call, pid });
        let ended = self.orphans.iter().position(|(orphan, _)| *orphan == pid);
        let ended = ended.map(|index| self.orphans.swap_remove(index));
        self.orphans.clear();
        ended.map_or(Ok(()), |(pid, status)| self.ended(pid, status))
    }

    fn spawn(&mut self, spawn: &Spawn) -> Result<(), Ended> {
        let call = spawn.call;
        self.file_failed = false;
        let launched = if self.running.is_some() {
            Err(Errno::BUSY)
        } else {
            self.files.take_failure().map_or_else(|| launch(spawn), Err)
        };
        match launched {
            Ok(Started { pid, host_ends }) => {
                self.orphans.clear();
                self.running = Some(Running { call, pid });
                let host_ends: Vec<BorrowedFd<'_>> = host_ends.iter().map(AsFd::as_fd).collect();
                self.say(&FromInit::Spawned { call, pid: pid.as_raw_pid().unsigned_abs() }, &host_ends)
            }
            Err(error) => self.say(&FromInit::SpawnFailed { call, errno: error.raw_os_error() }, &[]),
        }
    }

    /// Reaps everything that ended: signals of the same kind are merged into one, children are not.
    fn reap(&mut self) -> Result<(), Ended> {
        // The record says less than `wait` does; it is read to make the descriptor quiet again.
        let mut record = [0_u8; 128];
        match retry_on_intr(|| read(&self.signals, &mut record)) {
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        loop {
            match retry_on_intr(|| wait(WaitOptions::NOHANG)) {
                Ok(Some((pid, status))) => self.ended(pid, status)?,
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn ended(&mut self, pid: Pid, status: WaitStatus) -> Result<(), Ended> {
        let Some(Running { call, .. }) = self.running.take_if(|running| running.pid == pid) else {
            if self.running.is_none() && self.orphans.len() < REMEMBERED {
                self.orphans.push((pid, status));
            }
            return Ok(());
        };
        let byte = |number: Option<i32>| number.and_then(|number| u8::try_from(number).ok()).unwrap_or(0);
        let (code, signal) = (byte(status.exit_status()), byte(status.terminating_signal()));
        self.say(&FromInit::Exited { call, code, signal }, &[])
    }

    fn say(&self, message: &FromInit, descriptors: &[BorrowedFd<'_>]) -> Result<(), Ended> {
        let frame = message.encode().map_err(|_| Ended::Protocol)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Ended::Protocol);
        }
        let parts = [IoSlice::new(&frame)];
        match retry_on_intr(|| sendmsg(&self.control, &parts, &mut ancillary, SendFlags::NOSIGNAL)) {
            Ok(_) => Ok(()),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(Ended::HostGone),
            Err(error) => Err(error.into()),
        }
    }
}

/// One message of the host. Descriptors that came with it are dropped by the kernel, because no
/// room is offered for them.
fn hear(control: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<ToInit, Ended> {
    // TRUNC makes the kernel say how long the message was, not how much of it fitted.
    let length = match retry_on_intr(|| recv(control, &mut *buffer, RecvFlags::TRUNC)) {
        Ok((_, length)) => length,
        Err(Errno::CONNRESET) => return Err(Ended::HostGone),
        Err(error) => return Err(error.into()),
    };
    match buffer.get(..length) {
        Some([]) => Err(Ended::HostGone),
        Some(frame) => ToInit::decode(frame).map_err(|_| Ended::Protocol),
        None => Err(Ended::Protocol),
    }
}
