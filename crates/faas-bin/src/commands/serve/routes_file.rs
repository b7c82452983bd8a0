//! Where the routes file is, and where the modules of its rows are.
//!
//! Invariants: a file is made only where somebody named it, or where the working directory has
//! `examples/init.sql`; what is made holds the rows that this program was built with, for nothing that lies in
//! a directory is executed as SQL. It is made with the privileges of whoever starts the server; it and the
//! modules are read without them.

use crate::console;
use crate::diagnostic::CliError;
use faas_config::Config;
use faas_lib::{CreateError, FunctionModules, RoutesSettings, create_routes_file};
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
    find_from(std::env::current_dir(), config, data)
}

fn find_from(here: io::Result<PathBuf>, config: &Config, data: &Path) -> Result<RoutesPlace, CliError> {
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
    /// The roots, for functions that name a module; `None` where there are none.
    pub(super) fn modules(&self) -> Result<Option<FunctionModules>, CliError> {
        if self.roots.is_empty() {
            return Ok(None);
        }
        let modules = FunctionModules::new(self.roots.iter().cloned());
        modules.map(Some).map_err(|error| no_directory("function_roots", &error))
    }

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

#[cfg(test)]
mod tests {
    use super::{RoutesPlace, find_from};
    use faas_config::{Config, Flags, Key};
    use std::collections::BTreeMap;
    use std::fs;
    use std::io;
    use std::path::Path;

    fn config(routes_db: Option<&Path>, function_roots: Option<&str>) -> Config {
        let routes_db = routes_db.map(|path| path.to_str().expect("text"));
        let flags = Flags::default().with(Key::RoutesDb, routes_db).with(Key::FunctionRoots, function_roots);
        Config::resolve(None, &BTreeMap::new(), &flags).expect("a configuration")
    }

    fn found(here: &Path, config: &Config) -> RoutesPlace {
        find_from(Ok(here.to_owned()), config, Path::new("/data")).expect("found")
    }

    #[test]
    fn a_file_is_made_only_where_it_is_asked_for() {
        let place = tempfile::tempdir().expect("a directory");
        let here = place.path();
        let usual = config(None, None);

        let nowhere = found(here, &usual);
        assert_eq!((nowhere.file.as_path(), nowhere.is_expected), (Path::new("/data/faas_meta.db"), false));
        assert_eq!(fs::read_dir(here).expect("there").count(), 0, "nothing was made");
        let roots = ["/data/functions".into(), "/opt/functions".into(), here.join("examples")];
        assert_eq!(nowhere.roots, roots);

        fs::create_dir(here.join("examples")).expect("made");
        fs::write(here.join("examples/init.sql"), "no SQL that anybody executes").expect("written");
        let made = found(here, &usual);
        assert_eq!((made.file.clone(), made.is_expected), (here.join("faas_meta.db"), true));
        assert!(fs::read(&made.file).expect("made").starts_with(b"SQLite format 3"));

        fs::remove_dir_all(here.join("examples")).expect("removed");
        fs::write(&made.file, "somebody's").expect("written");
        assert_eq!(found(here, &usual).file, made.file);
        assert_eq!(fs::read(&made.file).expect("there"), b"somebody's", "what is there is not touched");

        let named = here.join("named.db");
        assert_eq!(found(here, &config(Some(&named), None)).file, named);
        assert!(named.exists());
        assert_eq!(found(here, &config(None, Some("/a,/b"))).roots, [Path::new("/a"), Path::new("/b")]);
    }

    #[test]
    fn a_named_file_that_cannot_be_made_is_refused() {
        let place = tempfile::tempdir().expect("a directory");
        let named = place.path().join("nowhere/named.db");
        let refused = find_from(Ok(place.path().to_owned()), &config(Some(&named), None), Path::new("/data"));
        let refused = format!("{:?}", refused.expect_err("refused"));
        assert!(refused.contains("--routes-db") && refused.contains("named.db"), "{refused}");
        // Without a working directory the data directory still has one.
        let gone = find_from(Err(io::ErrorKind::NotFound.into()), &config(None, None), Path::new("/data"));
        let gone = gone.expect("found");
        assert_eq!((gone.file.as_path(), gone.roots.len()), (Path::new("/data/faas_meta.db"), 2));
    }
}
