//! The launcher's loop: requests from the server, deaths of sandboxes.

use crate::create::{Maker, reap};
use crate::host::Running;
use crate::live::{Live, Table};
use faas_protocol::frame::{HEADER, MAX_BODY};
use faas_protocol::launcher::{Counters, FromLauncher, Step, ToLauncher};
use faas_protocol::leftover::Leftover;
use faas_sandbox_linux::cgroup::Leaf;
use faas_sandbox_linux::netns::NetNsPool;
use faas_sandbox_linux::packet;
use rustix::event::epoll;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};
use rustix::time::Timespec;
use std::mem::MaybeUninit;
use std::process::ExitCode;

/// The server's number among the event sources; sandboxes count from 1.
const SERVER: u64 = 0;
/// Memory that may be charged to a sandbox in which nothing runs: init, and what the kernel remembers of
/// files. What is above it was left by a call, and would be counted as the next one's.
const MOST_CHARGED: u64 = 16 << 20;
/// How many cgroups and network namespaces are kept ready.
const READY: usize = 4;

struct Launcher {
    maker: Maker,
    table: Table,
    events: OwnedFd,
    /// Cgroup directories that were still busy.
    busy: Vec<Leaf>,
}

/// Why the loop ends.
enum End {
    /// The server is gone, or broke the protocol.
    Server,
}

/// Serves until the server is gone, then ends every sandbox.
pub(crate) fn run(running: Running) -> ExitCode {
    let Ok(events) = epoll::create(epoll::CreateFlags::CLOEXEC) else { return ExitCode::from(125) };
    let mut launcher = Launcher { maker: Maker::new(running), table: Table::default(), events, busy: Vec::new() };
    if launcher.watch_server().is_ok() {
        let End::Server = launcher.serve();
    }
    launcher.end_everything();
    ExitCode::SUCCESS
}

impl Launcher {
    fn watch_server(&self) -> Result<(), Errno> {
        let data = epoll::EventData::new_u64(SERVER);
        epoll::add(&self.events, &self.maker.running.server, data, epoll::EventFlags::IN)
    }

    fn serve(&mut self) -> End {
        let mut buffer = vec![0_u8; HEADER + MAX_BODY];
        loop {
            for source in self.wait() {
                if source == SERVER {
                    if let Err(end) = self.request(&mut buffer) {
                        return end;
                    }
                } else if let Err(end) = self.death(source) {
                    return end;
                }
            }
        }
    }

    /// The event sources that are ready. While there is nothing to do, prepares cgroups and network
    /// namespaces and tries busy directories again.
    fn wait(&mut self) -> Vec<u64> {
        let mut space = [MaybeUninit::<epoll::Event>::uninit(); 64];
        let mut timeout = Some(Timespec { tv_sec: 0, tv_nsec: 0 });
        loop {
            let ready: Vec<u64> = match epoll::wait(&self.events, &mut space, timeout.as_ref()) {
                Ok((events, _)) => events.iter().map(|event| event.data.u64()).collect(),
                Err(_) => Vec::new(),
            };
            if !ready.is_empty() {
                return ready;
            }
            let tree = &self.maker.running.tree;
            let more = self.maker.cgroups.prepare(tree, READY) || self.maker.networks.prepare(READY).unwrap_or(false);
            self.busy.retain(|leaf| !tree.remove_leaf(leaf));
            timeout = match (more, self.busy.is_empty()) {
                (true, _) => Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
                (false, false) => Some(Timespec { tv_sec: 0, tv_nsec: 10_000_000 }),
                (false, true) => None,
            };
        }
    }

    fn request(&mut self, buffer: &mut [u8]) -> Result<(), End> {
        let received = packet::receive(&self.maker.running.server, buffer).map_err(|_| End::Server)?;
        let frame = buffer.get(..received.length).filter(|frame| !frame.is_empty()).ok_or(End::Server)?;
        let mut descriptors = received.descriptors;
        match ToLauncher::decode(frame).map_err(|_| End::Server)? {
            ToLauncher::Create(request) => {
                let (Some(control), true) = (descriptors.pop(), descriptors.is_empty()) else {
                    return self.answer(&FromLauncher::CreateFailed {
                        sandbox: request.sandbox,
                        step: Step::Check,
                        errno: Errno::BADF.raw_os_error(),
                    });
                };
                match self.maker.create(&request, control, &self.table).and_then(|live| self.watch(live)) {
                    Ok(()) => Ok(()),
                    Err((step, errno)) => self.answer(&FromLauncher::CreateFailed {
                        sandbox: request.sandbox,
                        step,
                        errno: errno.raw_os_error(),
                    }),
                }
            }
            ToLauncher::Renew { sandbox, stays } => self.renew(sandbox, stays),
            ToLauncher::Stat { sandbox } => {
                let counters = self.table.get(&sandbox).map_or_else(Counters::default, Live::counters);
                self.answer(&FromLauncher::Usage { sandbox, counters })
            }
            ToLauncher::Kill { sandbox } => match self.table.get(&sandbox) {
                Some(live) => {
                    kill(live);
                    Ok(())
                }
                None => self.answer(&FromLauncher::Ended { sandbox, counters: Counters::default() }),
            },
        }
    }

    /// Lets the counters begin anew, and looks for what init cannot see of earlier calls. The memory and the
    /// sockets of a program that stays are its own. A sandbox that died meanwhile is told about apart.
    fn renew(&mut self, sandbox: [u8; 16], stays: bool) -> Result<(), End> {
        let Some(live) = self.table.get_mut(&sandbox) else { return Ok(()) };
        let left = if stays {
            None
        } else if live.leaf.charged_bytes().is_some_and(|bytes| bytes > MOST_CHARGED) {
            Some(Leftover::Memory)
        } else if NetNsPool::is_quiet(&live.network) {
            None
        } else {
            Some(Leftover::Sockets)
        };
        live.leaf.restart_peak();
        let counters = live.counters();
        self.answer(&FromLauncher::Renewed { sandbox, counters, left })
    }

    fn watch(&mut self, live: Live) -> Result<(), (Step, Errno)> {
        let data = epoll::EventData::new_u64(live.sequence);
        let watched = epoll::add(&self.events, &live.pidfd, data, epoll::EventFlags::IN);
        if let Err(errno) = watched {
            kill(&live);
            self.give_back(live);
            return Err((Step::Go, errno));
        }
        self.table.insert(live);
        Ok(())
    }

    fn death(&mut self, sequence: u64) -> Result<(), End> {
        let Some(live) = self.table.remove(sequence) else { return Ok(()) };
        let counters = live.counters();
        let sandbox = live.id;
        let told = self.answer(&FromLauncher::Ended { sandbox, counters });
        self.give_back(live);
        told
    }

    /// Collects a dead sandbox's init and gives back what the sandbox held.
    fn give_back(&mut self, live: Live) {
        reap(&live.pidfd);
        let Live { tenant, sequence, uid_number, pidfd, leaf, network, .. } = live;
        drop(pidfd);
        // A record that says a dead sandbox lives does no harm: the start time will not match.
        let _ = self.maker.running.slot.record_end(sequence);
        if !self.maker.running.tree.remove_leaf(&leaf) {
            self.busy.push(leaf);
        }
        self.maker.networks.give_back(tenant, network);
        self.maker.uids.give_back(uid_number);
    }

    fn answer(&self, message: &FromLauncher) -> Result<(), End> {
        let frame = message.encode().map_err(|_| End::Server)?;
        packet::send(self.maker.running.server.as_fd(), &frame, &[]).map_err(|_| End::Server)
    }

    fn end_everything(mut self) {
        self.table.iter().for_each(kill);
        let left: Vec<u64> = self.table.iter().map(|live| live.sequence).collect();
        for sequence in left {
            if let Some(live) = self.table.remove(sequence) {
                self.give_back(live);
            }
        }
        let running = self.maker.running;
        running.tree.reconcile();
        running.tree.remove();
        running.slot.leave();
    }
}

/// Kills everything in a sandbox: the kernel kills a pid namespace with its init.
fn kill(live: &Live) {
    live.leaf.kill();
    // It may be dead already, which is what is wanted.
    let _ = pidfd_send_signal(&live.pidfd, Signal::KILL);
}
