//! What is served, and what a reading changes about it. Pure.
//!
//! Invariants: a row that turned bad leaves its last good version in place; what is served never
//! collides, and of two rows that do the one that is served already stays; each complaint is made once
//! for as long as it holds; a reading that is given up changes nothing. Rows that are as they were cost
//! a look into a map and are not judged again, so that one changed row among many is live at once.

mod shapes;
#[cfg(test)]
mod tests;

use crate::image::{Field, RawRow};
use crate::judge::{BadRow, Rules};
use crate::row::RowFunction;
use faas_routes::Route;
use shapes::Shapes;
use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;

/// Complaints of one reading that are told one by one.
const MOST_COMPLAINTS: usize = 100;

/// One route that is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added(Route, RowFunction),
    /// It leads to something else.
    Changed(Route, RowFunction),
    /// Its row is gone.
    Removed(Route),
}

/// What a reading changed. Applied in order, no step collides: what is removed comes first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The routes.
    pub changes: Vec<Change>,
    /// Rows that are bad and were not told as such before.
    pub complaints: Vec<BadRow>,
    /// How many more of those there are.
    pub untold: usize,
}

impl Update {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.complaints.is_empty()
    }

    fn complain(&mut self, bad: &BadRow) {
        if self.complaints.len() < MOST_COMPLAINTS {
            self.complaints.push(bad.clone());
        } else {
            self.untold += 1;
        }
    }
}

/// A row as it was seen last.
#[derive(Debug, Default)]
struct Known {
    /// A keyed hash of what stands beside its key: who writes the file cannot aim at it.
    fingerprint: u64,
    /// The reading that saw it.
    reading: u64,
    /// What its route leads to: its last good version.
    serves: Option<RowFunction>,
    /// What it would lead to if another route did not collide.
    waits: Option<Box<RowFunction>>,
    fault: Option<Box<BadRow>>,
}

/// What is served from a file.
#[derive(Debug, Default)]
pub struct Serving {
    /// By key, which is a good row's route as text.
    rows: HashMap<Box<str>, Known>,
    /// The routes that are served, as far as others could collide with them.
    shapes: Shapes,
    /// Keys of rows that wait.
    waiting: BTreeSet<Box<str>>,
    /// Complaints about second rows of one key.
    twice: BTreeSet<BadRow>,
    reading: u64,
    hasher: RandomState,
}

/// What a row that is not as it was says.
struct Fresh {
    fingerprint: u64,
    verdict: Result<(Route, RowFunction), BadRow>,
}

/// A reading that has begun. Dropped, it changes nothing.
pub(crate) struct Reading<'s> {
    serving: &'s mut Serving,
    fresh: HashMap<Box<str>, Fresh>,
    twice: BTreeSet<BadRow>,
}

impl Serving {
    /// The functions with their routes as text, in no order.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &RowFunction)> {
        self.rows.iter().filter_map(|(key, row)| Some((&**key, row.serves.as_ref()?)))
    }

    pub(crate) fn begin(&mut self) -> Reading<'_> {
        self.reading += 1;
        Reading { serving: self, fresh: HashMap::new(), twice: BTreeSet::new() }
    }

    /// Forgets the rows that this reading did not see.
    fn forget(&mut self, update: &mut Update) {
        let Self { rows, shapes, waiting, reading, .. } = self;
        rows.retain(|key, row| {
            if row.reading == *reading {
                return true;
            }
            waiting.remove(key);
            // The key of a row that serves is a route.
            if let (Some(_), Ok(route)) = (&row.serves, key.parse::<Route>()) {
                shapes.remove(&route);
                update.changes.push(Change::Removed(route));
            }
            false
        });
        // A map's order is another one each time.
        update.changes.sort_unstable_by(|one, other| match (one, other) {
            (Change::Removed(one), Change::Removed(other)) => one.cmp(other),
            _ => std::cmp::Ordering::Equal,
        });
    }

    /// Takes a row that is new or not as it was.
    fn take(&mut self, key: Box<str>, fresh: Fresh, update: &mut Update) {
        let Self { rows, shapes, waiting, reading, .. } = self;
        waiting.remove(&key);
        let row = rows.entry(key.clone()).or_default();
        row.fingerprint = fresh.fingerprint;
        row.reading = *reading;
        row.waits = None;
        let fault = match fresh.verdict {
            Err(bad) => Some(bad),
            Ok((route, function)) => match &mut row.serves {
                Some(before) => {
                    if *before != function {
                        before.clone_from(&function);
                        update.changes.push(Change::Changed(route, function));
                    }
                    None
                }
                None => match shapes.collision(&route) {
                    Some(there) => {
                        row.waits = Some(Box::new(function));
                        waiting.insert(key);
                        Some(collides(&route, there))
                    }
                    None => {
                        shapes.add(&route);
                        row.serves = Some(function.clone());
                        update.changes.push(Change::Added(route, function));
                        None
                    }
                },
            },
        };
        let fault = fault.map(Box::new);
        if let Some(bad) = fault.as_ref().filter(|_| row.fault != fault) {
            update.complain(bad);
        }
        row.fault = fault;
    }

    /// Serves what waited for a route that is gone.
    fn take_waiting(&mut self, update: &mut Update) {
        let Self { rows, shapes, waiting, .. } = self;
        waiting.retain(|key| {
            let (Some(row), Ok(route)) = (rows.get_mut(key), key.parse::<Route>()) else { return false };
            if shapes.collision(&route).is_some() {
                return true;
            }
            row.fault = None;
            row.serves = row.waits.take().map(|function| *function);
            if let Some(function) = row.serves.clone() {
                shapes.add(&route);
                update.changes.push(Change::Added(route, function));
            }
            false
        });
    }
}

impl Reading<'_> {
    /// Sees one row.
    pub(crate) fn row(&mut self, raw: &RawRow<'_>, rules: &Rules) {
        let key = match raw.key {
            Field::Text(key) => Cow::Borrowed(key),
            // No route looks like it.
            Field::Long(_) | Field::Other(_) => Cow::Owned(format!("row {}", raw.number)),
        };
        let fingerprint = self.serving.hasher.hash_one((&raw.key, &raw.value, raw.updated));
        if let Some(known) = self.serving.rows.get_mut(&*key) {
            let is_second = std::mem::replace(&mut known.reading, self.serving.reading) == self.serving.reading;
            if is_second {
                return self.second(&key);
            }
            if known.fingerprint == fingerprint {
                return;
            }
        } else if self.fresh.contains_key(&*key) {
            return self.second(&key);
        }
        let verdict = rules.judge(raw).map_err(|reason| BadRow::new(&key, &reason));
        self.fresh.insert(key.into(), Fresh { fingerprint, verdict });
    }

    fn second(&mut self, key: &str) {
        self.twice.insert(BadRow::new(key, "the table has another row of this k; the first is used"));
    }

    /// Takes all rows seen in place of those before.
    pub(crate) fn finish(self) -> Update {
        let Self { serving, fresh, twice } = self;
        let mut update = Update::default();
        serving.forget(&mut update);
        let mut fresh: Vec<(Box<str>, Fresh)> = fresh.into_iter().collect();
        fresh.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        serving.rows.reserve(fresh.len());
        for (key, fresh) in fresh {
            serving.take(key, fresh, &mut update);
        }
        serving.take_waiting(&mut update);
        for bad in twice.difference(&serving.twice) {
            update.complain(bad);
        }
        serving.twice = twice;
        update
    }
}

fn collides(route: &Route, there: &Route) -> BadRow {
    let reason =
        format!("the route {route} collides with {there}: both match the same requests; change the path of one");
    BadRow::new(&route.to_string(), &reason)
}
