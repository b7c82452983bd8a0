//! Which zygotes have loaded the packages of a tenant's lock, and which lock gets one.
//!
//! A lock gets one when it was started twice within a while, so what is started now and then costs nothing; the one
//! that was used longest ago goes for it. Asked by the maker of sandboxes; the task that makes them is beside this.
//!
//! Invariants: a zygote serves the tenant and the lock for which it was made and nobody else, whatever the digest. There
//! are never more than was set, beside one that is made. Nobody waits for one: whoever finds none has its runner from the
//! shared zygote. What could not be made is tried again ever later.

use super::{AGE, Countdown, FAILURES, FORKS, Identity, LOOK};
use faas_types::{IsolationLevel, PackagesId, TenantId};
use std::time::Duration;
use tokio::time::Instant;

/// Within what time a lock is started twice if it is to get one; and after what time of no use one is not made anew.
const OFTEN: Duration = Duration::from_secs(10 * 60);
/// One that was used within this time makes no room for another.
const IN_USE: Duration = Duration::from_secs(60);
/// How many locks are known.
const KNOWN: usize = 256;
/// From here on the launcher's numbers of zygotes are those of packages.
const FIRST: u32 = 1 << 31;

/// Whether the launcher's number is that of a zygote of packages.
pub(crate) const fn is_of_packages(zygote: u32) -> bool {
    zygote >= FIRST
}

/// Whose packages they are, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) tenant: TenantId,
    pub(crate) packages: PackagesId,
    /// What its sandboxes are made with, and the one in which it is loaded.
    pub(crate) isolation: IsolationLevel,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Packages {
    most: usize,
    next: u32,
    /// The one that was started last first.
    locks: Vec<Known>,
    making: Option<(u32, Lock)>,
    retiring: Vec<u32>,
}

#[derive(Debug)]
struct Known {
    lock: Lock,
    started: Instant,
    /// Whether it was started before that, not long ago.
    often: bool,
    serving: Option<Serving>,
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

impl Serving {
    fn is_due(&self, now: Instant) -> bool {
        self.forks >= FORKS || now.duration_since(self.since) >= AGE
    }
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Make(u32, Lock),
    Retire(u32),
    /// Nothing, until something changes or this moment.
    Wait(Option<Instant>),
}

impl Packages {
    /// At most so many.
    pub(super) const fn new(most: usize) -> Self {
        Self { most, next: FIRST, locks: Vec::new(), making: None, retiring: Vec::new() }
    }

    /// Somebody starts a program with these packages: the zygote that has loaded them. `interpreter` is the host's.
    pub(super) fn started(
        &mut self,
        lock: Lock,
        now: Instant,
        interpreter: impl FnOnce() -> Option<Identity>,
    ) -> Option<u32> {
        if self.most == 0 {
            return None;
        }
        let known = self.locks.iter().position(|known| known.lock == lock).map(|place| self.locks.remove(place));
        let often = known.as_ref().is_some_and(|known| now.duration_since(known.started) <= OFTEN);
        let fresh = || (None, Countdown::default());
        let (serving, countdown) = known.map_or_else(fresh, |known| (known.serving, known.countdown));
        let mut known = Known { lock, started: now, often, serving, countdown };
        let found = known.serving.as_mut().and_then(|one| {
            if now.duration_since(one.looked) >= LOOK {
                one.looked = now;
                if interpreter() != one.interpreter {
                    return None;
                }
            }
            one.forks = one.forks.saturating_add(1);
            Some(one.zygote)
        });
        if found.is_none() {
            self.retiring.extend(known.serving.take().map(|one| one.zygote));
        }
        self.locks.insert(0, known);
        let forgotten = self.locks.split_off(KNOWN.min(self.locks.len()));
        self.retiring.extend(forgotten.into_iter().filter_map(|known| known.serving).map(|one| one.zygote));
        found
    }

    /// What is to be done.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if let Some(zygote) = self.retiring.pop() {
            return Next::Retire(zygote);
        }
        if self.making.is_some() {
            return Next::Wait(None);
        }
        // One that nobody uses any more has no successor.
        for known in &mut self.locks {
            let unused = now.duration_since(known.started) >= OFTEN;
            if let Some(one) = known.serving.take_if(|one| unused && one.is_due(now)) {
                self.retiring.push(one.zygote);
                known.often = false;
                return self.next(now);
            }
        }
        let is_due = |known: &Known| match &known.serving {
            Some(one) => one.is_due(now),
            None => known.often && now.duration_since(known.started) < OFTEN && self.has_room(now),
        };
        let due: Vec<_> = self.locks.iter().filter(|known| is_due(known)).collect();
        if let Some(known) = due.iter().find(|known| known.countdown.is_over(now)) {
            let (zygote, lock) = (self.next, known.lock);
            self.next = self.next.checked_add(1).unwrap_or(FIRST);
            self.making = Some((zygote, lock));
            return Next::Make(zygote, lock);
        }
        let rests = due.iter().filter_map(|known| known.countdown.until());
        let ages = self.locks.iter().filter_map(|known| known.serving.as_ref()).map(|one| one.since + AGE);
        Next::Wait(rests.chain(ages.filter(|at| *at > now)).min())
    }

    fn serving(&self) -> usize {
        self.locks.iter().filter(|known| known.serving.is_some()).count()
    }

    /// Whether one more may be, if need be for one that is not in use.
    fn has_room(&self, now: Instant) -> bool {
        self.serving() < self.most || self.oldest(now).is_some()
    }

    /// The place of the one that was used longest ago.
    fn oldest(&self, now: Instant) -> Option<usize> {
        let place = self.locks.iter().rposition(|known| known.serving.is_some())?;
        let known = self.locks.get(place)?;
        (now.duration_since(known.started) >= IN_USE).then_some(place)
    }

    /// What was to be made serves from now on.
    pub(super) fn made(&mut self, zygote: u32, interpreter: Option<Identity>, now: Instant) {
        let Some((_, lock)) = self.making.take_if(|(making, _)| *making == zygote) else {
            self.retiring.push(zygote);
            return;
        };
        let place = self.locks.iter().position(|known| known.lock == lock);
        let before = place.and_then(|place| self.locks.get_mut(place)).and_then(|known| known.serving.take());
        self.retiring.extend(before.map(|one| one.zygote));
        while self.serving() >= self.most
            && let Some(oldest) = self.oldest(now).and_then(|place| self.locks.get_mut(place))
        {
            self.retiring.extend(oldest.serving.take().map(|one| one.zygote));
        }
        let has_room = self.serving() < self.most;
        match place.filter(|_| has_room).and_then(|place| self.locks.get_mut(place)) {
            Some(known) => {
                known.serving = Some(Serving { zygote, since: now, forks: 0, failures: 0, interpreter, looked: now });
            }
            // Nobody knows it any more, or those that there are are in use.
            None => self.retiring.push(zygote),
        }
    }

    /// What was to be made is not, and is not tried again for a while: whose it was, and how long that is.
    pub(super) fn failed(&mut self, zygote: u32, now: Instant) -> Option<(Lock, Duration)> {
        let (_, lock) = self.making.take_if(|(making, _)| *making == zygote)?;
        let known = self.locks.iter_mut().find(|known| known.lock == lock)?;
        Some((lock, known.countdown.rest(now)))
    }

    /// What was to be made could not be tried.
    pub(super) fn postponed(&mut self, zygote: u32, now: Instant) {
        let Some((_, lock)) = self.making.take_if(|(making, _)| *making == zygote) else { return };
        if let Some(known) = self.locks.iter_mut().find(|known| known.lock == lock) {
            known.countdown.wait(now);
        }
    }

    /// A runner was forked from it, or not: whose it was and how long there is none, where that is its end.
    pub(super) fn forked(&mut self, zygote: u32, worked: bool, now: Instant) -> Option<(Lock, Duration)> {
        let known = self.of(zygote)?;
        let one = known.serving.as_mut()?;
        one.failures = if worked { 0 } else { one.failures + 1 };
        if worked {
            known.countdown.worked();
        } else if one.failures >= FAILURES {
            known.serving = None;
            let ended = (known.lock, known.countdown.rest(now));
            self.retiring.push(zygote);
            return Some(ended);
        }
        None
    }

    /// One that served is gone: whose it was, and how long there is none.
    pub(super) fn ended(&mut self, zygote: u32, now: Instant) -> Option<(Lock, Duration)> {
        let known = self.of(zygote)?;
        known.serving = None;
        Some((known.lock, known.countdown.rest(now)))
    }

    fn of(&mut self, zygote: u32) -> Option<&mut Known> {
        self.locks.iter_mut().find(|known| known.serving.as_ref().is_some_and(|one| one.zygote == zygote))
    }
}

#[cfg(test)]
mod tests;
