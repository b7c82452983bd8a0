//! Where functions are called by HTTP: the routes of the live versions, and those of the routes file.
//!
//! Invariants: a route that is deployed leads to its function's live version and to no other; two deployed
//! functions never have routes that collide; a deployed route goes before one of the file. A change of a
//! function and of its routes is one change: nobody else's comes in between.

use super::Version;
use faas_routes::{Collision, Lookup, Method, MethodSet, Route, Table};
use faas_types::{ErrorCode, FunctionId, FunctionName, TenantId};
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::{Mutex, MutexGuard};

/// What a route leads to.
#[derive(Debug, Clone)]
pub enum Routed {
    /// A version.
    Version(TenantId, Arc<Version>),
    /// Something that cannot be called here.
    Refused(ErrorCode, String),
    /// The path is known for these methods only.
    OtherMethods(MethodSet),
    /// Nothing.
    Unknown,
}

/// What a route of the routes file leads to.
#[derive(Debug, Clone)]
pub enum RowTarget {
    /// A version that is in no store.
    Version(TenantId, Arc<Version>),
    /// Something that cannot be called here, and why.
    Refused(ErrorCode, String),
}

/// A function that has a route.
#[derive(Debug, Clone)]
pub(super) struct Deployed {
    pub(super) tenant: TenantId,
    pub(super) function: FunctionId,
    pub(super) name: FunctionName,
}

/// What a path and a method lead to among the deployed ones, or in the file.
pub(super) enum Found {
    /// With the route as it is written.
    Deployed(Deployed, String),
    Row(RowTarget),
    OtherMethods(MethodSet),
    Unknown,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    deployed: RwLock<Table<Deployed>>,
    rows: RwLock<Table<RowTarget>>,
    /// The functions that routes of the file lead to.
    of_rows: RwLock<HashSet<FunctionId>>,
    changing: Mutex<()>,
}

/// A change that is under way.
pub(super) struct Changing<'a> {
    routes: &'a Routes,
    _alone: MutexGuard<'a, ()>,
}

fn read<T>(table: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    // A table's own methods leave it whole, so a panic elsewhere is no reason to give up.
    table.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(table: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    table.write().unwrap_or_else(PoisonError::into_inner)
}

impl Routes {
    pub(super) fn find(&self, method: Method, path: &str) -> Found {
        let others = match read(&self.deployed).lookup(method, path) {
            Lookup::Found(found) => return Found::Deployed(found.value.clone(), found.route.to_string()),
            Lookup::OtherMethods(others) => Some(others),
            Lookup::Unknown => None,
        };
        match (read(&self.rows).lookup(method, path), others) {
            (Lookup::Found(found), _) => Found::Row(found.value.clone()),
            (Lookup::OtherMethods(rows), others) => Found::OtherMethods(rows.and(others.unwrap_or_default())),
            (Lookup::Unknown, Some(others)) => Found::OtherMethods(others),
            (Lookup::Unknown, None) => Found::Unknown,
        }
    }

    /// Begins a change; another one waits until this is dropped.
    pub(super) async fn change(&self) -> Changing<'_> {
        Changing { routes: self, _alone: self.changing.lock().await }
    }

    /// Lets a route of the file lead somewhere, or nowhere any more. Gives what it led to.
    pub(super) fn set_row(&self, route: Route, target: Option<RowTarget>) -> Result<Option<RowTarget>, Collision> {
        let mut rows = write(&self.rows);
        let mut of_rows = write(&self.of_rows);
        let before = rows.remove(&route);
        if let Some(RowTarget::Version(_, version)) = &before {
            of_rows.remove(&version.function);
        }
        let after = match &target {
            Some(RowTarget::Version(_, version)) => Some(version.function),
            Some(RowTarget::Refused(..)) | None => None,
        };
        target.map_or(Ok(()), |target| rows.insert(route, target))?;
        of_rows.extend(after);
        Ok(before)
    }

    /// Whether a route of the file leads to this function, which has one version.
    pub(crate) fn has_row_of(&self, function: FunctionId) -> bool {
        read(&self.of_rows).contains(&function)
    }

    /// How many there are, deployed and in the file.
    pub(super) fn count(&self) -> (usize, usize) {
        (read(&self.deployed).len(), read(&self.rows).len())
    }

    /// The deployed route that goes before one of the file.
    pub(super) fn before_row(&self, route: &Route) -> Option<(Route, FunctionName)> {
        let deployed = read(&self.deployed);
        let before = deployed.collision(route)?;
        Some((before.clone(), deployed.get(before)?.name.clone()))
    }
}

impl Changing<'_> {
    /// The first of these routes that another function's keeps out, with that one and its function.
    pub(super) fn collision(&self, function: FunctionId, routes: &[Route]) -> Option<(Route, Route, Deployed)> {
        let deployed = read(&self.routes.deployed);
        routes.iter().find_map(|route| {
            let with = deployed.collision(route)?;
            let other = deployed.get(with).filter(|other| other.function != function)?;
            Some((route.clone(), with.clone(), other.clone()))
        })
    }

    /// Replaces a function's routes.
    pub(super) fn replace(&self, of: &Deployed, before: &[Route], after: &[Route]) {
        let mut deployed = write(&self.routes.deployed);
        for route in before {
            if deployed.get(route).is_some_and(|there| there.function == of.function) {
                deployed.remove(route);
            }
        }
        for route in after {
            // Nothing collides: nobody else changes anything since it was looked at.
            let _ = deployed.insert(route.clone(), of.clone());
        }
    }
}
