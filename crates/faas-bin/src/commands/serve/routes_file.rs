//! Where the routes file is, and where the modules of its rows are.
//!
//! Invariants: a file is made only where somebody named it, or where the working directory has
//! `examples/init.sql`; what is made holds the rows that this program was built with, for nothing that lies in
//! a directory is executed as SQL. It is made with the privileges of whoever starts the server; it and the
//! modules are read without them.

use crate::console;
use crate::diagnostic::CliError;
use faas_config::Config;
use faas_lib::{CreateError, RoutesSettings, create_routes_file};
use faas_types::ErrorCode;
use std::io;
use std::path::{Path, PathBuf, absolute};

/// The file's name where nobody names it.
const NAME: &str = "faas_meta.db";
/// Where it is, the working directory is one in which the file is to be made.
const SAMPLE: &str = "examples/init.sql";
/// The directory of modules that whoever runs the server puts there.
const INSTALLED: &str = "/opt/functions";
/// The directory of modules in the working directory: of a checkout's samples, for one.
const SAMPLES: &str = "examples";

/// A routes file and the roots of its modules, all absolute.
#[derive(Debug)]
pub(super) struct RoutesPlace {
    pub(super) file: PathBuf,
    is_expected: bool,
    roots: Vec<PathBuf>,
}

/// Finds the file, and makes it where it is to be made.
pub(super) fn find(config: &Config, data: &Path) -> Result<RoutesPlace, CliError> {
    let here = std::env::current_dir();
    let server = &config.server;
    let (file, is_expected) = match (&server.routes_db.value, &here) {
        (Some(named), _) => {
            let file = absolute(named).map_err(|error| no_directory("routes_db", &error))?;
            create_routes_file(&file).map_err(refused)?;
            (file, true)
        }
        (None, Ok(here)) if here.join(NAME).symlink_metadata().is_ok() => (here.join(NAME), true),
        (None, Ok(here)) if here.join(SAMPLE).is_file() => {
            let file = here.join(NAME);
            // Nobody asked for it in so many words: without it the rest is served all the same.
            if let Err(error) = create_routes_file(&file) {
                console::complain("warning", None, &error.to_string());
            }
            (file, true)
        }
        (None, _) => (data.join(NAME), false),
    };
    let roots = match (&server.function_roots.value, here) {
        (Some(named), _) => named.iter().map(absolute).collect::<io::Result<_>>(),
        (None, here) => {
            let usual = [data.join("functions"), PathBuf::from(INSTALLED)];
            Ok(usual.into_iter().chain(here.ok().map(|here| here.join(SAMPLES))).collect())
        }
    };
    Ok(RoutesPlace { file, is_expected, roots: roots.map_err(|error| no_directory("function_roots", &error))? })
}

impl RoutesPlace {
    /// What the platform is told of it.
    pub(super) fn settings(&self) -> RoutesSettings {
        let Self { file, is_expected, roots } = self;
        RoutesSettings {
            file: file.clone(),
            is_expected: *is_expected,
            roots: roots.clone(),
            reserved: faas_gateway::reserved_routes(),
        }
    }
}

fn refused(error: CreateError) -> CliError {
    CliError::new(ErrorCode::ConfigInvalid, error.to_string())
}

fn no_directory(key: &str, error: &io::Error) -> CliError {
    let message =
        format!("{key} begins at the working directory, which cannot be found: {error}; name an absolute path");
    CliError::new(ErrorCode::ConfigInvalid, message)
}
