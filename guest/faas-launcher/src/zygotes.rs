//! Zygotes: interpreters that have loaded what programs need, and wait to be forked into sandboxes.
//!
//! Called by the loop: at the server's word, when a child changed, when time is up, and when a sandbox's init runs.
//!
//! Invariants: a zygote runs our own text only and holds nothing of a tenant's, or was the program of a sandbox of a
//! tenant's, and then is forked into that tenant's sandboxes only. It is told of once when it ends, however it does. None
//! is waited for: what hatches is looked at when the kernel says that something changed, and programs, of which it tells
//! us nothing, now and then.

use crate::host::Running;
use crate::live::Live;
use faas_protocol::launcher::{FromLauncher, ZygoteEnd};
use faas_sandbox_linux::cgroup::{Leaf, LeafPool, Limits};
use faas_sandbox_linux::root::PYTHON_RUNNER;
use faas_sandbox_linux::stem::{HatchError, Hatching, Nest, Parked, Shell, Started, Stem, Waiter, ZygotePlan, hatch};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::{Duration, Instant};

/// What a zygote may use. What programs load of the standard library takes a tenth of the memory.
const LIMITS: Limits = Limits { memory_bytes: 256 << 20, pids: 16, cpu_milli: 1000 };
/// How long it may take to load all of that: a tenth of a second, unless the host hardly runs at all.
const DEADLINE: Duration = Duration::from_secs(30);
/// How many there are at most: one that serves and one that takes its place, for each language and for each tenant's
/// packages. The server decides how many there are; this is for one that has lost count.
const MOST: usize = 64;
/// How long a program may take to load packages, which take seconds on a host that does other things too.
const LOADING: Duration = Duration::from_secs(60);
/// How often it is looked whether it has parked.
const AGAIN: Duration = Duration::from_millis(5);
/// How long making a zygote of it may take, while nothing else is done: a few milliseconds.
const ADOPTION: Duration = Duration::from_secs(2);

/// What ends one that is parked: it never runs, so nothing else can.
const KILL: u8 = 9;

/// The language whose runner can park.
const PYTHON: &str = "python";
/// What the interpreter is told, so that it waits to be forked instead of for a call.
const PARK: &str = "--park";

/// Every zygote, by its number.
pub(crate) struct Zygotes {
    waiter: Waiter,
    all: BTreeMap<u32, Zygote>,
    /// What was lost in a fork, and is not told yet.
    lost: Vec<News>,
    /// Stems that were killed and are not collected yet.
    ending: Vec<Stem>,
}

struct Zygote {
    leaf: Leaf,
    stage: Stage,
    /// Whose program it was.
    tenant: Option<[u8; 16]>,
}

enum Stage {
    Hatching {
        hatching: Hatching,
        until: Instant,
    },
    /// A program that is to park.
    Loading {
        /// `None` once it is not to become a zygote any more.
        stem: Option<Stem>,
        /// The zygotes' user.
        uid: u32,
        again: Instant,
        until: Instant,
    },
    Parked(Box<Parked>),
}

/// What a zygote is made of.
pub(crate) enum Origin {
    /// An interpreter of its own.
    Host,
    /// The program of a sandbox.
    Program { tenant: [u8; 16], stem: Stem },
    /// A sandbox that is gone, or has no program that could.
    Nothing,
}

impl Origin {
    /// Of a sandbox's program, which becomes one zygote at most.
    pub(crate) fn of(live: &mut Live) -> Self {
        let tenant = live.tenant;
        live.stem.take().map_or(Self::Nothing, |stem| Self::Program { tenant, stem })
    }
}

/// What the server is to be told, and what is left to be removed.
pub(crate) struct News {
    pub(crate) message: FromLauncher,
    pub(crate) leaf: Option<Leaf>,
}

impl News {
    fn ended(zygote: u32, cause: ZygoteEnd, leaf: Option<Leaf>) -> Self {
        Self { message: FromLauncher::ZygoteEnded { zygote, cause }, leaf }
    }
}

impl Zygotes {
    /// None yet. From here on the calling thread's children are heard of through [`Zygotes::children`].
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { waiter: Waiter::new()?, all: BTreeMap::new(), lost: Vec::new(), ending: Vec::new() })
    }

    /// Readable when a child changed.
    pub(crate) fn children(&self) -> BorrowedFd<'_> {
        self.waiter.descriptor()
    }

    /// Begins one. What becomes of it is told later, unless it could not be begun.
    pub(crate) fn hatch(
        &mut self,
        running: &Running,
        cgroups: &mut LeafPool,
        zygote: u32,
        language: &str,
        origin: Origin,
    ) -> Option<News> {
        let refused = |errno: Errno| ZygoteEnd::Refused { errno: errno.raw_os_error() };
        let (program, tenant) = match origin {
            Origin::Host => (None, None),
            Origin::Program { tenant, stem } => (Some(stem), Some(tenant)),
            Origin::Nothing => return Some(News::ended(zygote, refused(Errno::SRCH), None)),
        };
        let full = self.all.contains_key(&zygote) || self.all.len() >= MOST;
        let leaf = match program {
            _ if full => Err(Errno::AGAIN),
            Some(_) if language != PYTHON => Err(Errno::OPNOTSUPP),
            _ => cgroups.take(&running.tree, &LIMITS),
        };
        let leaf = match leaf {
            Ok(leaf) => leaf,
            Err(errno) => {
                self.end_stem(program);
                return Some(News::ended(zygote, refused(errno), None));
            }
        };
        let now = Instant::now();
        let stage = match program {
            Some(stem) => {
                let uid = running.zygote_uid();
                Ok(Stage::Loading { stem: Some(stem), uid, again: now, until: now + LOADING })
            }
            None => begin(running, &leaf, language).map(|hatching| Stage::Hatching { hatching, until: now + DEADLINE }),
        };
        match stage {
            Ok(stage) => {
                self.all.insert(zygote, Zygote { leaf, stage, tenant });
                None
            }
            Err(errno) => Some(News::ended(zygote, refused(errno), Some(leaf))),
        }
    }

    /// Ends a stem without waiting for it.
    pub(crate) fn end_stem(&mut self, stem: Option<Stem>) {
        stem.iter().for_each(Stem::kill);
        self.ending.extend(stem);
    }

    /// A child changed, or time has passed: what is new of each.
    pub(crate) fn look(&mut self) -> Vec<News> {
        self.waiter.quiet();
        let mut news = std::mem::take(&mut self.lost);
        let mut ended = Vec::new();
        let now = Instant::now();
        for (number, zygote) in &mut self.all {
            match zygote.look(&self.waiter, now) {
                Ok(None) => {}
                Ok(Some(parked)) => {
                    zygote.stage = Stage::Parked(Box::new(parked));
                    news.push(News { message: FromLauncher::Hatched { zygote: *number }, leaf: None });
                }
                Err(cause) => ended.push((*number, cause)),
            }
        }
        self.ending.retain_mut(|stem| !stem.is_gone());
        news.extend(ended.into_iter().filter_map(|(number, cause)| self.end(number, cause)));
        news
    }

    /// When to look again although no child changed.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = |zygote: &Zygote| match zygote.stage {
            Stage::Hatching { until, .. } => Some(until),
            Stage::Loading { again, .. } => Some(again),
            Stage::Parked(_) => None,
        };
        self.all.values().filter_map(due).min()
    }

    /// Ends one.
    pub(crate) fn retire(&mut self, zygote: u32) -> News {
        self.end(zygote, ZygoteEnd::Retired).unwrap_or_else(|| News::ended(zygote, ZygoteEnd::Retired, None))
    }

    /// Forks one into a sandbox of a tenant's. A zygote that is lost with it is told of when it is looked at next, which
    /// is soon: a fork wakes whoever waits for [`Zygotes::children`].
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn start(&mut self, number: u32, tenant: &[u8; 16], shell: &Shell<'_>) -> Result<Started, Errno> {
        let zygote = self.all.get_mut(&number).ok_or(Errno::SRCH)?;
        if zygote.tenant.is_some_and(|whose| whose != *tenant) {
            return Err(Errno::PERM);
        }
        let Stage::Parked(parked) = &mut zygote.stage else { return Err(Errno::SRCH) };
        parked.start(&self.waiter, shell).map_err(|error| {
            if error.zygote_lost {
                let lost = self.end(number, ZygoteEnd::Refused { errno: error.errno.raw_os_error() });
                self.lost.extend(lost);
            }
            error.errno
        })
    }

    fn end(&mut self, number: u32, cause: ZygoteEnd) -> Option<News> {
        let Zygote { leaf, stage, .. } = self.all.remove(&number)?;
        let starved = leaf.counters().oom_kills.is_some_and(|kills| kills > 0);
        match stage {
            Stage::Loading { stem, .. } => self.end_stem(stem),
            // Kills and collects it, where it lives.
            stage @ (Stage::Hatching { .. } | Stage::Parked(_)) => drop(stage),
        }
        let cause = if starved && cause != ZygoteEnd::Retired { ZygoteEnd::OutOfMemory } else { cause };
        Some(News::ended(number, cause, Some(leaf)))
    }
}

impl Zygote {
    /// Whether it is parked by now, unless it was before.
    fn look(&mut self, waiter: &Waiter, now: Instant) -> Result<Option<Parked>, ZygoteEnd> {
        let in_time = |until: &Instant| if *until > now { Ok(None) } else { Err(ZygoteEnd::Late) };
        match &mut self.stage {
            Stage::Hatching { hatching, until } => match hatching.look(waiter) {
                Ok(None) => in_time(until),
                Ok(Some(parked)) => Ok(Some(parked)),
                Err(error) => Err(cause(&error)),
            },
            Stage::Loading { again, .. } if *again > now => Ok(None),
            Stage::Loading { stem: place, uid, again, until } => {
                *again = now + AGAIN;
                let has_parked = place.as_mut().map_or(Ok(false), Stem::is_program_stopped);
                if !has_parked.map_err(|error| cause(&error))? {
                    return in_time(until);
                }
                let nest = Nest { leaf: &self.leaf, uid: *uid, bound: ADOPTION, fault: None };
                let adopted = place.take().map(|stem| stem.adopt(waiter, &nest)).transpose();
                adopted.map_err(|error| cause(&error))
            }
            Stage::Parked(parked) => match parked.is_alive() {
                true => Ok(None),
                false => Err(ZygoteEnd::Killed { signal: KILL }),
            },
        }
    }
}

fn begin(running: &Running, leaf: &Leaf, language: &str) -> Result<Hatching, Errno> {
    let interpreter = running.host.runtimes.iter().find(|(name, _)| name == language).map(|(_, path)| path);
    let interpreter = interpreter.filter(|_| language == PYTHON).ok_or(Errno::OPNOTSUPP)?;
    let words = std::iter::once(interpreter.as_str()).chain(PYTHON_RUNNER).chain([PARK]);
    let argv = words.map(CString::new).collect::<Result<Vec<_>, _>>().map_err(|_| Errno::INVAL)?;
    // A program's streams are pipes, and what the interpreter makes of them at its start depends on that.
    let (stdin, _) = pipe_with(PipeFlags::CLOEXEC)?;
    let (_, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (_, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    let hatching = hatch(&ZygotePlan {
        seal: &running.zygote_seal,
        uid: running.zygote_uid(),
        argv: &argv,
        env: &[],
        stdio: [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
    })?;
    // On cgroup v2 it was not born there either.
    hatching.pid().map_or(Ok(()), |pid| leaf.adopt(pid))?;
    Ok(hatching)
}

fn cause(error: &HatchError) -> ZygoteEnd {
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match *error {
        HatchError::Exited { code } => ZygoteEnd::Exited { code: byte(code) },
        HatchError::Killed { signal } => ZygoteEnd::Killed { signal: byte(signal) },
        HatchError::Unfit(reason) => ZygoteEnd::Unfit { reason },
        HatchError::Setup { errno, .. } | HatchError::Adoption { errno, .. } | HatchError::Kernel(errno) => {
            ZygoteEnd::Refused { errno: errno.raw_os_error() }
        }
    }
}
