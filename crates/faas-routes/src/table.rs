//! The table of routes: a tree of segments.
//!
//! Invariants: no two of its routes collide; a node without routes beneath it is not kept, so a table
//! costs what it holds. One route is put in or taken out in microseconds whatever the table's size: a
//! caller keeps it behind a lock of its own, and no lookup waits long.

mod children;
mod node;
#[cfg(test)]
mod tests;

use crate::route::MOST_PARAMETERS;
use crate::{Lookup, Match, Method, MethodSet, Parameters, Route};
use node::{Node, Search};

/// A route that cannot be told apart from one that is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct Collision {
    /// The route that was to be put in.
    pub route: Route,
    /// The one that is there.
    pub with: Route,
}

impl Collision {
    fn message(&self) -> String {
        let Self { route, with } = self;
        if route == with {
            return format!("the route {route} is there already; remove it first, or take another one");
        }
        format!("the route {route} collides with {with}: both match the same requests; change the path of one")
    }
}

/// Routes, each with what it leads to.
#[derive(Debug)]
pub struct Table<T> {
    root: Node<T>,
    count: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { root: Node::default(), count: 0 }
    }
}

impl<T> Table<T> {
    /// How many routes it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Puts a route in.
    ///
    /// # Errors
    /// One that collides with it is there, itself included; the table is as it was.
    pub fn insert(&mut self, route: Route, value: T) -> Result<(), Collision> {
        if let Some(with) = self.collision(&route) {
            return Err(Collision { with: with.clone(), route });
        }
        self.root.insert(route, value);
        self.count += 1;
        Ok(())
    }

    /// The route that keeps this one out, itself included.
    #[must_use]
    pub fn collision(&self, route: &Route) -> Option<&Route> {
        self.root.entries(route)?.iter().map(|entry| &entry.route).find(|there| there.collides(route))
    }

    /// Takes a route out.
    pub fn remove(&mut self, route: &Route) -> Option<T> {
        let value = self.root.remove(route, &mut route.segments())?;
        self.count -= 1;
        Some(value)
    }

    /// What exactly this route leads to.
    #[must_use]
    pub fn get(&self, route: &Route) -> Option<&T> {
        self.root.entries(route)?.iter().find(|entry| entry.route == *route).map(|entry| &entry.value)
    }

    /// What a request leads to. The path is canonical ([`path_fault`](crate::path_fault) finds nothing).
    ///
    /// From left to right text goes before a parameter and a parameter before a wildcard; on one path the
    /// method goes before `ANY`, and a `HEAD` without a route of its own is answered by `GET`. A route that
    /// does not take the method leaves the request to the next one. Segments are compared after decoding.
    #[must_use]
    pub fn lookup<'t, 'p>(&'t self, method: Method, path: &'p str) -> Lookup<'t, 'p, T> {
        let mut search = Search { method, others: MethodSet::default(), captured: [""; MOST_PARAMETERS], count: 0 };
        match self.root.find(path.strip_prefix('/'), &mut search) {
            Some(entry) => Lookup::Found(Match {
                value: &entry.value,
                route: &entry.route,
                parameters: Parameters::new(&entry.route, search.captured, search.count),
            }),
            None if search.others.is_empty() => Lookup::Unknown,
            None => Lookup::OtherMethods(search.others),
        }
    }
}
