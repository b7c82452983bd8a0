//! The launcher's loop: requests from the server, deaths of sandboxes.

use crate::create::{Begun, Maker, reap};
use crate::fork::{Fork, Forked, Forks};
use crate::host::Running;
use crate::live::{Live, Table};
use crate::zygotes::{News, Origin, Zygotes};
use faas_protocol::frame::{HEADER, MAX_BODY};
use faas_protocol::launcher::{Counters, FromLauncher, Step, ToLauncher};
use faas_protocol::leftover::Leftover;
use faas_sandbox_linux::cgroup::{Leaf, Meters};
use faas_sandbox_linux::netns::NetNsPool;
use faas_sandbox_linux::packet;
use faas_sandbox_linux::stem::Stem;
use rustix::event::epoll;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};
use rustix::time::Timespec;
use std::mem::MaybeUninit;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The server's number among the event sources; sandboxes count from 1.
const SERVER: u64 = 0;
/// Children that are no sandbox's init.
const CHILDREN: u64 = u64::MAX;
/// A sandbox's number with this bit stands for the start of its init.
const INIT_RUNS: u64 = 1 << 63;
/// Memory that may be charged to a sandbox in which nothing runs: init, and what the kernel remembers of
/// files. What is above it was left by a call, and would be counted as the next one's.
const MOST_CHARGED: u64 = 16 << 20;
/// When directories that were busy are tried again.
const BUSY_AGAIN: Duration = Duration::from_millis(10);
/// How many cgroups and network namespaces are kept ready.
const READY: usize = 4;

struct Launcher {
    maker: Maker,
    table: Table,
    zygotes: Zygotes,
    /// What is to be forked into sandboxes whose init does not run yet.
    forks: Forks,
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
    let events = epoll::create(epoll::CreateFlags::CLOEXEC);
    let (Ok(events), Ok(zygotes)) = (events, Zygotes::new()) else { return ExitCode::from(125) };
    let (maker, table, forks, busy) = (Maker::new(running), Table::default(), Forks::default(), Vec::new());
    let mut launcher = Launcher { maker, table, zygotes, forks, events, busy };
    if launcher.watch_server().is_ok() {
        let End::Server = launcher.serve();
    }
    launcher.end_everything();
    ExitCode::SUCCESS
}

impl Launcher {
    fn watch_server(&self) -> Result<(), Errno> {
        let data = epoll::EventData::new_u64(SERVER);
        epoll::add(&self.events, &self.maker.running.server, data, epoll::EventFlags::IN)?;
        let data = epoll::EventData::new_u64(CHILDREN);
        epoll::add(&self.events, self.zygotes.children(), data, epoll::EventFlags::IN)
    }

    fn serve(&mut self) -> End {
        let mut buffer = vec![0_u8; HEADER + MAX_BODY];
        loop {
            for source in self.wait() {
                let served = match source {
                    SERVER => self.request(&mut buffer),
                    CHILDREN => self.look_at_zygotes(),
                    _ if source & INIT_RUNS != 0 => self.fork(source & !INIT_RUNS),
                    _ => self.death(source),
                };
                if let Err(end) = served {
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
            let mut ready: Vec<u64> = match epoll::wait(&self.events, &mut space, timeout.as_ref()) {
                Ok((events, _)) => events.iter().map(|event| event.data.u64()).collect(),
                Err(_) => Vec::new(),
            };
            let late = self.zygotes.due().is_some_and(|due| due <= Instant::now());
            if late && !ready.contains(&CHILDREN) {
                ready.push(CHILDREN);
            }
            if !ready.is_empty() {
                return ready;
            }
            let tree = &self.maker.running.tree;
            let more = self.maker.cgroups.prepare(tree, READY) || self.maker.networks.prepare(READY).unwrap_or(false);
            self.busy.retain(|leaf| !tree.remove_leaf(leaf));
            let until_due = self.zygotes.due().map(|due| due.saturating_duration_since(Instant::now()));
            timeout = match (more, self.busy.is_empty()) {
                (true, _) => Some(Duration::ZERO),
                (false, false) => Some(BUSY_AGAIN),
                (false, true) => until_due,
            }
            .and_then(|timeout| Timespec::try_from(timeout).ok());
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
                let begun = self.maker.create(&request, control, &self.table);
                match begun.and_then(|begun| self.watch(begun, request.zygote, request.stem)) {
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
            ToLauncher::Meter { sandbox } => {
                let meters = self.table.get(&sandbox).and_then(|live| live.leaf.meters());
                let files = meters.iter().flat_map(Meters::files).map(AsFd::as_fd).collect::<Vec<_>>();
                self.answer_with(&FromLauncher::Metered { sandbox }, &files)
            }
            ToLauncher::Kill { sandbox } => match self.table.get(&sandbox) {
                Some(live) => {
                    kill(live);
                    Ok(())
                }
                None => self.answer(&FromLauncher::Ended { sandbox, counters: Counters::default() }),
            },
            ToLauncher::Hatch { zygote, language, sandbox } => {
                let Maker { running, cgroups, .. } = &mut self.maker;
                let origin = match sandbox {
                    None => Origin::Host,
                    Some(sandbox) => self.table.get_mut(&sandbox).map_or(Origin::Nothing, Origin::of),
                };
                let news = self.zygotes.hatch(running, cgroups, zygote, &language, origin);
                self.tell(news)
            }
            ToLauncher::Retire { zygote } => {
                let news = self.zygotes.retire(zygote);
                self.tell([news])
            }
        }
    }

    fn look_at_zygotes(&mut self) -> Result<(), End> {
        let news = self.zygotes.look();
        self.tell(news)
    }

    fn tell(&mut self, news: impl IntoIterator<Item = News>) -> Result<(), End> {
        for News { message, leaf } in news {
            self.busy.extend(leaf);
            self.answer(&message)?;
        }
        Ok(())
    }

    /// Init of a sandbox runs that gets its program from a zygote, or will never run.
    fn fork(&mut self, sequence: u64) -> Result<(), End> {
        let Some(fork) = self.forks.take(sequence) else { return Ok(()) };
        self.forget(&fork.go);
        let Some(live) = self.table.of_sequence_mut(sequence) else { return Ok(()) };
        let landlock = self.maker.running.landlock.as_ref();
        let forked = fork.run(live, self.maker.outer_uid(live.uid_number), landlock, &mut self.zygotes);
        let sandbox = live.id;
        match forked {
            Ok(Forked { pid, ends, stem }) => {
                live.stem = stem;
                self.answer_with(&FromLauncher::Started { sandbox, pid }, &ends.each_ref().map(AsFd::as_fd))
            }
            Err(errno) => self.answer(&FromLauncher::NotStarted { sandbox, errno: errno.raw_os_error() }),
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

    fn watch(&mut self, begun: Begun, zygote: Option<u32>, stem: bool) -> Result<(), (Step, Errno)> {
        let Begun { live, go, stand_in } = begun;
        let add = |source: &OwnedFd, number, flags| {
            epoll::add(&self.events, source, epoll::EventData::new_u64(number), flags)
        };
        let watched = add(&live.pidfd, live.sequence, epoll::EventFlags::IN).and_then(|()| match zygote {
            // That nobody reads from it any more is always told.
            Some(_) => add(&go, live.sequence | INIT_RUNS, epoll::EventFlags::empty()),
            None => Ok(()),
        });
        if let Err(errno) = watched {
            kill(&live);
            self.give_back(live);
            return Err((Step::Go, errno));
        }
        if let Some(zygote) = zygote {
            self.forks.insert(live.sequence, Fork { zygote, stem, stand_in, go });
        }
        self.table.insert(live);
        Ok(())
    }

    /// Hears of a descriptor no more. To close it is not enough: a process that was just cloned, or is being ended, may
    /// have it still, and it would be told of again and again until that had its turn on a processor.
    fn forget(&self, source: &OwnedFd) {
        // It was added, so there is no reason for this to fail.
        let _ = epoll::delete(&self.events, source);
    }

    fn death(&mut self, sequence: u64) -> Result<(), End> {
        let Some(live) = self.table.remove(sequence) else { return Ok(()) };
        if let Some(fork) = self.forks.take(sequence) {
            self.forget(&fork.go);
        }
        self.forget(&live.pidfd);
        let counters = live.counters();
        let sandbox = live.id;
        let told = self.answer(&FromLauncher::Ended { sandbox, counters });
        self.give_back(live);
        told
    }

    /// Collects a dead sandbox's init and gives back what the sandbox held.
    fn give_back(&mut self, mut live: Live) {
        reap(&live.pidfd);
        self.zygotes.end_stem(live.stem.take());
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
        self.answer_with(message, &[])
    }

    fn answer_with(&self, message: &FromLauncher, descriptors: &[BorrowedFd<'_>]) -> Result<(), End> {
        let frame = message.encode().map_err(|_| End::Server)?;
        packet::send(self.maker.running.server.as_fd(), &frame, descriptors).map_err(|_| End::Server)
    }

    fn end_everything(mut self) {
        self.table.iter().for_each(kill);
        let left: Vec<u64> = self.table.iter().map(|live| live.sequence).collect();
        for sequence in left {
            if let Some(live) = self.table.remove(sequence) {
                self.give_back(live);
            }
        }
        drop(self.zygotes);
        let running = self.maker.running;
        running.tree.reconcile();
        running.tree.remove();
        running.slot.leave();
    }
}

/// Kills everything in a sandbox: the kernel kills a pid namespace with its init.
fn kill(live: &Live) {
    live.leaf.kill();
    live.stem.iter().for_each(Stem::kill);
    // It may be dead already, which is what is wanted.
    let _ = pidfd_send_signal(&live.pidfd, Signal::KILL);
}
