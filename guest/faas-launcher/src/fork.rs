//! A runner forked from a zygote into a sandbox whose init runs.
//!
//! Called by the loop. The program's pipes and its call socket are made here, as the sandbox's user, so that a program
//! can open `/dev/stdout` again; the server gets the other ends.

use crate::live::Live;
use crate::zygotes::Zygotes;
use faas_sandbox_linux::assemble::StandIn;
use faas_sandbox_linux::caps::as_user;
use faas_sandbox_linux::landlock::Rules;
use faas_sandbox_linux::stem::{Shell, Started, Stem};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use std::collections::HashMap;
use std::time::Duration;

/// How long one may take, while nobody else's sandbox is made: a millisecond, unless the host hardly runs at all.
const BOUND: Duration = Duration::from_secs(2);

/// Those that are due when init runs, by their sandboxes' numbers.
#[derive(Default)]
pub(crate) struct Forks(HashMap<u64, Fork>);

/// One that is due.
pub(crate) struct Fork {
    pub(crate) zygote: u32,
    pub(crate) stem: bool,
    pub(crate) stand_in: StandIn,
    /// The loop hears of its other end.
    pub(crate) go: OwnedFd,
}

/// One that runs.
pub(crate) struct Forked {
    /// Inside the sandbox.
    pub(crate) pid: u32,
    /// The server's ends: of standard input, output and error, and of the call socket.
    pub(crate) ends: [OwnedFd; 4],
    pub(crate) stem: Option<Stem>,
}

impl Forks {
    pub(crate) fn insert(&mut self, sequence: u64, fork: Fork) {
        self.0.insert(sequence, fork);
    }

    pub(crate) fn take(&mut self, sequence: u64) -> Option<Fork> {
        self.0.remove(&sequence)
    }
}

impl Fork {
    /// Forks it.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn run(
        self,
        live: &Live,
        uid: u32,
        landlock: Option<&Rules>,
        zygotes: &mut Zygotes,
    ) -> Result<Forked, Errno> {
        let (inside, ends) = as_user(uid, descriptors)?;
        let Started { number, stem } = zygotes.start(
            self.zygote,
            &live.tenant,
            &Shell {
                init: live.pidfd.as_fd(),
                descriptors: inside.each_ref().map(AsFd::as_fd),
                leaf: &live.leaf,
                landlock,
                stand_in: self.stand_in,
                stem: self.stem,
                bound: BOUND,
                fault: None,
            },
        )?;
        Ok(Forked { pid: number, ends, stem })
    }
}

/// The program's ends, and the server's.
fn descriptors() -> Result<([OwnedFd; 4], [OwnedFd; 4]), Errno> {
    let (stdin, stdin_host) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stdout_host, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr_host, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    let (call, call_host) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    Ok(([stdin, stdout, stderr, call], [stdin_host, stdout_host, stderr_host, call_host]))
}
