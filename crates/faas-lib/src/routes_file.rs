//! The routes file in a running platform: its rows become routes of functions that are in no store.
//!
//! Invariants: a row that cannot be served is told as an event that names it, and what its route led to
//! before stays; the modules that are held have so many bytes together and no more, whatever the file names.
//! Everything is read by the user that the process is by then. The server starts it before it takes
//! requests, so that what the file holds works at once, and stops it by dropping it.

mod source;
mod target;

use crate::Platform;
use faas_config::Config;
use faas_orchestrator::Functions;
use faas_routes::{Reserved, Route};
use faas_routes_file::{
    BadRow, Bounds, Change, CreateError, Created, Event, FunctionRoots, ModuleBounds, ReadError, Rules, Update, Watch,
    WatchError, create_when_absent,
};
use source::{Source, Sources};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use target::{Defaults, Refused};

/// Bytes of one module: the most that a program may have.
const MODULE_BYTES: u64 = 16 << 20;
/// Bytes of all modules that are held. What several rows name counts once for each content.
const ALL_BYTES: u64 = 256 << 20;

/// Where the routes file and its modules are.
#[derive(Debug)]
pub struct RoutesSettings {
    /// The file, which need not be there.
    pub file: PathBuf,
    /// Whether somebody counts on it: then its absence is told.
    pub is_expected: bool,
    /// The directories beneath which modules are.
    pub roots: Vec<PathBuf>,
    /// The system's paths, which no row takes.
    pub reserved: Reserved,
}

/// Why the routes file is not watched.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// The system has no descriptors or threads left.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// Relative roots cannot be found.
    #[error("the working directory is gone, and function_roots has paths that begin there: {0}")]
    Roots(#[source] io::Error),
}

/// Makes a routes file with the sample rows, unless something has its name. `true` when it was made.
///
/// # Errors
/// It cannot be made.
pub fn create_routes_file(path: &Path) -> Result<bool, CreateError> {
    create_when_absent(path).map(|created| created == Created::New)
}

/// A routes file that is watched for as long as this lives.
#[derive(Debug)]
pub struct RoutesWatch {
    _watch: Watch,
}

impl Platform {
    /// Serves what the routes file holds, and from then on what becomes of it. Returns when it was read once;
    /// it blocks until then, as dropping the watch blocks until a reading has come to its end.
    ///
    /// # Errors
    /// There are no descriptors or threads left. What is wrong with the file is an event.
    pub fn watch_routes(&self, config: &Config, settings: RoutesSettings) -> Result<RoutesWatch, RoutesError> {
        let RoutesSettings { file, is_expected, roots, reserved } = settings;
        let bounds = ModuleBounds { bytes: MODULE_BYTES, ..ModuleBounds::default() };
        let roots = Arc::new(FunctionRoots::new(roots).map_err(RoutesError::Roots)?.with_bounds(bounds));
        let mut rows = Rows {
            functions: self.orchestrator().functions(),
            defaults: Defaults::of(config),
            sources: Sources::new(Arc::clone(&roots), ALL_BYTES),
            held: HashMap::new(),
            file: file.display().to_string(),
            is_expected,
        };
        let file = faas_routes_file::RoutesFile::new(&file, Rules { reserved, roots }, Bounds::default());
        Ok(RoutesWatch { _watch: Watch::start(file, move |event| rows.take(event))? })
    }
}

/// What the rows that are served are made of.
struct Rows {
    functions: Functions,
    defaults: Defaults,
    sources: Sources,
    /// The sources of what is served.
    held: HashMap<Route, Arc<Source>>,
    file: String,
    is_expected: bool,
}

impl Rows {
    fn take(&mut self, event: Event) {
        match event {
            Event::Read(update) => self.update(update),
            // A file that nobody made or named need not be there.
            Event::Unreadable(ReadError::Missing) if !self.is_expected => {}
            Event::Unreadable(error) => {
                self.functions.note_row(format!("{}: {error}; what it gave before is served", self.file));
            }
        }
    }

    fn update(&mut self, update: Update) {
        self.is_expected = true;
        let Update { changes, complaints, untold } = update;
        for BadRow { key, reason } in complaints {
            self.refuse(&key, &reason);
        }
        if untold > 0 {
            self.functions.note_row(format!("{}: {untold} more rows are not served", self.file));
        }
        for change in changes {
            self.change(change);
        }
        // A row that changes later reads its module again.
        self.sources.forget();
    }

    fn change(&mut self, change: Change) {
        let (route, function) = match change {
            Change::Removed(route) => {
                self.held.remove(&route);
                // Removing collides with nothing and leads to nothing.
                let _ = self.functions.set_row(route, None);
                return;
            }
            Change::Added(route, function) | Change::Changed(route, function) => (route, function),
        };
        let key = route.to_string();
        let (target, source) = match self.defaults.target(&self.functions, &mut self.sources, function) {
            Ok(made) => made,
            Err(Refused(reason)) => return self.refuse(&key, &reason),
        };
        match self.functions.set_row(route.clone(), Some(target)) {
            Ok(before) => {
                match source {
                    Some(source) => self.held.insert(route, source),
                    None => self.held.remove(&route),
                };
                if let Some((deployed, name)) = before {
                    let reason = format!("the route {deployed} of the function {name} goes before it");
                    self.refuse(&key, &reason);
                }
            }
            Err(collision) => {
                self.held.remove(&route);
                self.refuse(&key, &collision.to_string());
            }
        }
    }

    fn refuse(&self, key: &str, reason: &str) {
        self.functions.note_row(format!("{}: row {key}: {reason}", self.file));
    }
}
