//! Zygotes: interpreters that have loaded what programs need, and wait to be forked into sandboxes.
//!
//! Called by the loop: at the server's word, when a child changed, when time is up, and when a sandbox's init runs.
//!
//! Invariants: a zygote runs our own text only, holds nothing of a tenant's, and is told of once when it ends, however
//! it does. None is waited for: what hatches is looked at when the kernel says that something changed.

use crate::host::Running;
use faas_protocol::launcher::{FromLauncher, ZygoteEnd};
use faas_sandbox_linux::cgroup::{Leaf, LeafPool, Limits};
use faas_sandbox_linux::root::PYTHON_RUNNER;
use faas_sandbox_linux::stem::{HatchError, Hatching, Parked, Shell, Waiter, ZygotePlan, hatch};
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
/// How many there are at most: one that serves and one that takes its place, for each language, and some to spare.
const MOST: usize = 8;

/// What ends one that is parked: it never runs, so nothing else can.
const KILL: u8 = 9;

/// What the interpreter is told, so that it waits to be forked instead of for a call.
const PARK: &str = "--park";

/// Every zygote, by its number.
pub(crate) struct Zygotes {
    waiter: Waiter,
    all: BTreeMap<u32, Zygote>,
    /// What was lost in a fork, and is not told yet.
    lost: Vec<News>,
}

struct Zygote {
    leaf: Leaf,
    stage: Stage,
}

enum Stage {
    Hatching { hatching: Hatching, until: Instant },
    Parked(Box<Parked>),
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
        Ok(Self { waiter: Waiter::new()?, all: BTreeMap::new(), lost: Vec::new() })
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
    ) -> Option<News> {
        let refused = |errno: Errno| ZygoteEnd::Refused { errno: errno.raw_os_error() };
        if self.all.contains_key(&zygote) || self.all.len() >= MOST {
            return Some(News::ended(zygote, refused(Errno::AGAIN), None));
        }
        let leaf = match cgroups.take(&running.tree, &LIMITS) {
            Ok(leaf) => leaf,
            Err(errno) => return Some(News::ended(zygote, refused(errno), None)),
        };
        match begin(running, &leaf, language) {
            Ok(hatching) => {
                let stage = Stage::Hatching { hatching, until: Instant::now() + DEADLINE };
                self.all.insert(zygote, Zygote { leaf, stage });
                None
            }
            Err(errno) => Some(News::ended(zygote, refused(errno), Some(leaf))),
        }
    }

    /// A child changed, or time has passed: what is new of each.
    pub(crate) fn look(&mut self) -> Vec<News> {
        self.waiter.quiet();
        let mut news = std::mem::take(&mut self.lost);
        let mut ended = Vec::new();
        let now = Instant::now();
        for (number, zygote) in &mut self.all {
            let cause = match &mut zygote.stage {
                Stage::Hatching { hatching, until } => match hatching.look(&self.waiter) {
                    Ok(None) if *until > now => None,
                    Ok(None) => Some(ZygoteEnd::Late),
                    Ok(Some(parked)) => {
                        zygote.stage = Stage::Parked(Box::new(parked));
                        news.push(News { message: FromLauncher::Hatched { zygote: *number }, leaf: None });
                        None
                    }
                    Err(error) => Some(cause(&error)),
                },
                Stage::Parked(parked) => (!parked.is_alive()).then_some(ZygoteEnd::Killed { signal: KILL }),
            };
            ended.extend(cause.map(|cause| (*number, cause)));
        }
        news.extend(ended.into_iter().filter_map(|(number, cause)| self.end(number, cause)));
        news
    }

    /// When to look again although no child changed.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = |zygote: &Zygote| match zygote.stage {
            Stage::Hatching { until, .. } => Some(until),
            Stage::Parked(_) => None,
        };
        self.all.values().filter_map(due).min()
    }

    /// Ends one.
    pub(crate) fn retire(&mut self, zygote: u32) -> News {
        self.end(zygote, ZygoteEnd::Retired).unwrap_or_else(|| News::ended(zygote, ZygoteEnd::Retired, None))
    }

    /// Forks one into a sandbox: the pid there. A zygote that is lost with it is told of when it is looked at next, which
    /// is soon: a fork wakes whoever waits for [`Zygotes::children`].
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn start(&mut self, number: u32, shell: &Shell<'_>) -> Result<u32, Errno> {
        let stage = self.all.get_mut(&number).map(|zygote| &mut zygote.stage);
        let Some(Stage::Parked(parked)) = stage else { return Err(Errno::SRCH) };
        parked.start(&self.waiter, shell).map(|started| started.number).map_err(|error| {
            if error.zygote_lost {
                let lost = self.end(number, ZygoteEnd::Refused { errno: error.errno.raw_os_error() });
                self.lost.extend(lost);
            }
            error.errno
        })
    }

    fn end(&mut self, number: u32, cause: ZygoteEnd) -> Option<News> {
        let Zygote { leaf, stage } = self.all.remove(&number)?;
        let starved = leaf.counters().oom_kills.is_some_and(|kills| kills > 0);
        // Kills and collects it, where it lives.
        drop(stage);
        let cause = if starved && cause != ZygoteEnd::Retired { ZygoteEnd::OutOfMemory } else { cause };
        Some(News::ended(number, cause, Some(leaf)))
    }
}

fn begin(running: &Running, leaf: &Leaf, language: &str) -> Result<Hatching, Errno> {
    let interpreter = running.host.runtimes.iter().find(|(name, _)| name == language).map(|(_, path)| path);
    let interpreter = interpreter.filter(|_| language == "python").ok_or(Errno::OPNOTSUPP)?;
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
