//! Which zygote sandboxes get their runner from.
//!
//! The launcher hatches zygotes and forks them; here it is decided when one is hatched, which one serves, and when
//! another takes its place: after so many forks or so long, or when the interpreter on the host is another one, so that
//! its hash seed and its code do not stay for ever. Called by the maker of sandboxes and by what hears the launcher; one
//! task of its own sees to what is due.
//!
//! Beside this one, which has loaded nothing of a tenant's, there are those of [packages]: each of one tenant and one lock.
//!
//! Invariants: a zygote serves until its successor does, so that nobody waits for one; a call that finds none, or whose
//! fork fails, has its runner started the slow way in the same sandbox. A zygote that ends is told of, and the next one
//! is hatched ever later while they go on ending.

mod countdown;
mod packages;
mod prepare;

pub(crate) use packages::is_of_packages;
pub(crate) use prepare::keep as keep_packages;

use crate::link::Link;
use countdown::Countdown;
use faas_executor_api::SandboxSpec;
use faas_protocol::launcher::{Host, ToLauncher, ZygoteEnd};
use faas_types::{Language, PackagesId};
use prepare::PackageZygotes;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, fs};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// How long one serves.
const AGE: Duration = Duration::from_secs(15 * 60);
/// How many are forked from one.
const FORKS: u32 = 10_000;
/// How often it is looked whether the interpreter is still the same.
const LOOK: Duration = Duration::from_secs(1);
/// How many forks may fail in a row before a zygote is ended for it.
const FAILURES: u32 = 3;
/// How much of what happens to zygotes waits for whoever listens; what is more is not told.
const EVENTS: usize = 64;

/// What happened to a zygote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZygoteEnded {
    /// The language whose programs it was for.
    pub language: Language,
    /// The packages that it had loaded, or was to load; `None` for the one that all share.
    pub packages: Option<PackagesId>,
    /// Why, for people: "it used more memory than a zygote may".
    pub reason: &'static str,
    /// When another one is hatched.
    pub again_in: Duration,
}

impl fmt::Display for ZygoteEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { language, packages, reason, again_in } = self;
        write!(f, "the zygote of {language}")?;
        if let Some(packages) = packages {
            write!(f, " for the packages {packages}")?;
        }
        write!(f, " ended: {reason}; there will be another one in {again_in:?} at the earliest")
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Zygotes {
    state: Mutex<State>,
    changed: Notify,
    events: mpsc::Sender<ZygoteEnded>,
    heard: Mutex<Option<mpsc::Receiver<ZygoteEnded>>>,
    packages: PackageZygotes,
}

#[derive(Debug)]
struct State {
    /// The interpreter; `None` while there are to be none.
    interpreter: Option<PathBuf>,
    next: u32,
    serving: Option<Serving>,
    hatching: Option<(u32, Option<Identity>)>,
    /// Those that serve nobody any more.
    retiring: Vec<u32>,
    countdown: Countdown,
}

#[derive(Debug)]
struct Serving {
    zygote: u32,
    since: Instant,
    forks: u32,
    failures: u32,
    interpreter: Option<Identity>,
    looked: Instant,
}

/// What tells one file from another, and from what it was before.
type Identity = (u64, u64, u64, i64, i64);

fn identity(path: &Path) -> Option<Identity> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}

impl Serving {
    fn is_due(&self, now: Instant) -> bool {
        self.forks >= FORKS || now.duration_since(self.since) >= AGE
    }
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Hatch(u32),
    Retire(u32),
    /// Nothing, until something changes or this moment.
    Wait(Option<Instant>),
}

impl Zygotes {
    /// None, until they are [wanted](Zygotes::want).
    pub(crate) fn new() -> Self {
        let (events, heard) = mpsc::channel(EVENTS);
        let (interpreter, serving, hatching, retiring) = (None, None, None, Vec::new());
        let state = State { interpreter, next: 1, serving, hatching, retiring, countdown: Countdown::default() };
        let packages = PackageZygotes::new(events.clone());
        let heard = Mutex::new(Some(heard));
        Self { state: Mutex::new(state), changed: Notify::new(), events, heard, packages }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on there is one for Python, where the host has it.
    pub(crate) fn want(&self, host: &Host) {
        let python = host.runtimes.iter().find(|(name, _)| name == Language::Python.as_str());
        self.state().interpreter = python.map(|(_, path)| PathBuf::from(path));
        self.changed.notify_one();
    }

    /// What happens to them from here on, for one listener.
    pub(crate) fn events(&self) -> Option<mpsc::Receiver<ZygoteEnded>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// From here on there are at most so many that have loaded packages.
    pub(crate) fn want_packages(&self, most: u32) {
        self.packages.want(most);
    }

    /// The one from which a sandbox of this spec gets its runner.
    pub(crate) fn serving_for(&self, spec: &SandboxSpec) -> Option<u32> {
        let loaded = self.packages.started(spec, || self.interpreter());
        loaded.or_else(|| self.serving(spec.language))
    }

    /// The host's interpreter, as it is now.
    fn interpreter(&self) -> Option<Identity> {
        let path = self.state().interpreter.clone();
        path.as_deref().and_then(identity)
    }

    /// The one from which a sandbox of this language gets its runner.
    pub(crate) fn serving(&self, language: Option<Language>) -> Option<u32> {
        if language != Some(Language::Python) {
            return None;
        }
        let mut state = self.state();
        let now = Instant::now();
        let State { interpreter, serving, retiring, .. } = &mut *state;
        let one = serving.as_mut()?;
        if now.duration_since(one.looked) >= LOOK {
            one.looked = now;
            if interpreter.as_deref().and_then(identity) != one.interpreter {
                // What it forks is not what the host has any more.
                retiring.push(one.zygote);
                *serving = None;
                self.changed.notify_one();
                return None;
            }
        }
        one.forks += 1;
        let zygote = one.zygote;
        if one.is_due(now) {
            self.changed.notify_one();
        }
        Some(zygote)
    }

    /// A runner was forked from it, or not.
    pub(crate) fn forked(&self, zygote: u32, worked: bool) {
        if is_of_packages(zygote) {
            return self.packages.forked(zygote, worked);
        }
        let mut state = self.state();
        let Some(one) = state.serving.as_mut().filter(|one| one.zygote == zygote) else { return };
        one.failures = if worked { 0 } else { one.failures + 1 };
        let failures = one.failures;
        if worked {
            state.countdown.worked();
        }
        if failures >= FAILURES {
            state.serving = None;
            state.retiring.push(zygote);
            self.rest(&mut state, "too many forks of it failed");
        }
    }

    /// It serves from now on, and the one before it no more.
    pub(crate) fn hatched(&self, zygote: u32) {
        if is_of_packages(zygote) {
            return self.packages.hatched(zygote);
        }
        let mut state = self.state();
        let Some((_, interpreter)) = state.hatching.take_if(|(hatching, _)| *hatching == zygote) else { return };
        let now = Instant::now();
        let serving = Serving { zygote, since: now, forks: 0, failures: 0, interpreter, looked: now };
        let before = state.serving.replace(serving);
        state.retiring.extend(before.map(|before| before.zygote));
        self.changed.notify_one();
    }

    /// It is gone.
    pub(crate) fn ended(&self, zygote: u32, cause: ZygoteEnd) {
        if is_of_packages(zygote) {
            return self.packages.ended(zygote, cause);
        }
        let mut state = self.state();
        let served = state.serving.take_if(|one| one.zygote == zygote).is_some();
        let hatched = state.hatching.take_if(|(hatching, _)| *hatching == zygote).is_some();
        if served || hatched {
            self.rest(&mut state, reason(cause));
        }
    }

    /// None is hatched for a while, and whoever listens is told why.
    fn rest(&self, state: &mut State, reason: &'static str) {
        let again_in = state.countdown.rest(Instant::now());
        // Whoever does not listen misses it.
        let _ = self.events.try_send(ZygoteEnded { language: Language::Python, packages: None, reason, again_in });
        self.changed.notify_one();
    }

    fn next(&self) -> Next {
        let mut state = self.state();
        let now = Instant::now();
        if let Some(zygote) = state.retiring.pop() {
            return Next::Retire(zygote);
        }
        let Some(interpreter) = state.interpreter.clone() else { return Next::Wait(None) };
        let due = state.serving.as_ref().is_none_or(|one| one.is_due(now));
        match state.countdown.until() {
            _ if state.hatching.is_some() => Next::Wait(None),
            _ if !due => Next::Wait(state.serving.as_ref().map(|one| one.since + AGE)),
            Some(rests) if rests > now => Next::Wait(Some(rests)),
            _ => {
                let zygote = state.next;
                state.next += 1;
                state.hatching = Some((zygote, identity(&interpreter)));
                Next::Hatch(zygote)
            }
        }
    }
}

const fn reason(cause: ZygoteEnd) -> &'static str {
    match cause {
        ZygoteEnd::Retired => "it was to end",
        ZygoteEnd::Refused { .. } => "the kernel refused a step of starting it",
        ZygoteEnd::Late => "it did not load its modules in time",
        ZygoteEnd::Exited { .. } => "its interpreter ended by itself",
        ZygoteEnd::Killed { .. } => "a signal ended it",
        ZygoteEnd::OutOfMemory => "it used more memory than a zygote may",
        ZygoteEnd::Unfit { reason } => reason.as_str(),
    }
}

/// Has zygotes hatched and retired as they are due, until the launcher is gone.
pub(crate) async fn keep(link: Arc<Link>) {
    loop {
        let message = match link.zygotes.next() {
            Next::Hatch(zygote) => {
                ToLauncher::Hatch { zygote, language: Language::Python.as_str().to_owned(), sandbox: None }
            }
            Next::Retire(zygote) => ToLauncher::Retire { zygote },
            Next::Wait(until) => {
                tokio::select! {
                    () = link.zygotes.changed.notified() => {}
                    () = tokio::time::sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
                    () = link.lost() => return,
                }
                continue;
            }
        };
        if !link.tell(&message).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::countdown::REST;
    use super::{AGE, FORKS, Next, Zygotes};
    use faas_protocol::launcher::ZygoteEnd;
    use faas_types::Language;
    use std::path::PathBuf;
    use tokio::time::{Instant, advance};

    const PYTHON: Option<Language> = Some(Language::Python);

    fn wanted() -> Zygotes {
        let zygotes = Zygotes::new();
        zygotes.state().interpreter = Some(PathBuf::from("/usr/bin/python3"));
        zygotes
    }

    /// One that serves.
    fn hatch(zygotes: &Zygotes) -> u32 {
        let Next::Hatch(zygote) = zygotes.next() else { panic!("none is hatched") };
        assert_eq!(zygotes.serving(PYTHON), None, "it is not there yet");
        zygotes.hatched(zygote);
        assert_eq!(zygotes.serving(PYTHON), Some(zygote));
        zygote
    }

    #[tokio::test(start_paused = true)]
    async fn one_is_hatched_where_they_are_wanted_and_serves_its_language() {
        assert_eq!(Zygotes::new().next(), Next::Wait(None));
        let zygotes = wanted();
        hatch(&zygotes);
        assert_eq!(zygotes.serving(Some(Language::JavaScript)), None);
        assert_eq!(zygotes.serving(None), None);
        assert!(matches!(zygotes.next(), Next::Wait(Some(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn one_serves_until_its_successor_does() {
        for age in [true, false] {
            let zygotes = wanted();
            let old = hatch(&zygotes);
            if age {
                advance(AGE).await;
            } else {
                (0..FORKS).for_each(|_| assert_eq!(zygotes.serving(PYTHON), Some(old)));
            }
            let Next::Hatch(new) = zygotes.next() else { panic!("none is hatched") };
            assert_eq!(zygotes.next(), Next::Wait(None), "one is enough");
            assert_eq!(zygotes.serving(PYTHON), Some(old));
            zygotes.hatched(new);
            assert_eq!(zygotes.serving(PYTHON), Some(new));
            assert_eq!(zygotes.next(), Next::Retire(old));
            zygotes.ended(old, ZygoteEnd::Retired);
            assert_eq!(zygotes.serving(PYTHON), Some(new));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_is_hatched_ever_later_while_they_end() {
        let zygotes = wanted();
        let mut events = zygotes.events().unwrap();
        for wait in [REST, REST * 2, REST * 4] {
            let Next::Hatch(zygote) = zygotes.next() else { panic!("none is hatched") };
            zygotes.ended(zygote, ZygoteEnd::OutOfMemory);
            assert_eq!(zygotes.next(), Next::Wait(Some(Instant::now() + wait)));
            let event = events.try_recv().unwrap();
            assert_eq!((event.reason, event.again_in), ("it used more memory than a zygote may", wait));
            advance(wait).await;
        }
        hatch(&zygotes);
        assert!(matches!(zygotes.next(), Next::Wait(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_dies_serves_nobody_and_another_takes_its_place() {
        let zygotes = wanted();
        let zygote = hatch(&zygotes);
        zygotes.ended(zygote, ZygoteEnd::Killed { signal: 9 });
        assert_eq!(zygotes.serving(PYTHON), None);
        advance(REST).await;
        assert_ne!(hatch(&zygotes), zygote, "numbers are not used again");
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_forks_fail_is_given_up() {
        let zygotes = wanted();
        let zygote = hatch(&zygotes);
        for worked in [false, false, true, false, false] {
            zygotes.forked(zygote, worked);
            assert_eq!(zygotes.serving(PYTHON), Some(zygote));
        }
        zygotes.forked(zygote, false);
        assert_eq!(zygotes.serving(PYTHON), None);
        assert_eq!(zygotes.next(), Next::Retire(zygote));
        assert_eq!(zygotes.next(), Next::Wait(Some(Instant::now() + REST)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_another_interpreter_than_the_hosts_serves_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("python3");
        std::fs::write(&path, "one").unwrap();
        let zygotes = wanted();
        zygotes.state().interpreter = Some(path.clone());
        let zygote = hatch(&zygotes);
        std::fs::write(&path, "another").unwrap();
        assert_eq!(zygotes.serving(PYTHON), Some(zygote), "it is looked at once in a while");
        advance(super::LOOK).await;
        assert_eq!(zygotes.serving(PYTHON), None);
        assert_eq!(zygotes.next(), Next::Retire(zygote));
        hatch(&zygotes);
    }
}
