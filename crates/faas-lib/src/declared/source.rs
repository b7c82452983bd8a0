//! Where the source of a declared function is.

use super::NotDeployed;
use crate::source::source_file;
use faas_config::{Config, DeclaredFunction};
use faas_executor_api::{FileIn, MAX_CODE_BYTES};
use faas_routes_file::{FunctionRoots, Module, ModuleBounds, ModuleError};
use faas_types::{Language, Runtime};
use std::path::Path;

/// The functions of a configuration with their sources.
#[derive(Debug, Default)]
pub struct DeclaredSources {
    pub(super) found: Vec<Found>,
    pub(super) missing: Vec<NotDeployed>,
}

/// A function with its source.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) function: DeclaredFunction,
    pub(super) runtime: Runtime,
    /// The file that is run, one of `files`.
    pub(super) main: String,
    pub(super) files: Vec<FileIn>,
}

impl DeclaredSources {
    /// Reads the source of every declared function: its `code`, else the directory of its name in the storage
    /// path, else the file of its name there. Nothing is read that another user could have written.
    #[must_use]
    pub fn read(config: &Config) -> Self {
        let mut sources = Self::default();
        for function in &config.functions.all {
            let runtime = function.runtime.clone().unwrap_or_else(|| config.default_language.value.into());
            let main = runtime.language.main_file().to_owned();
            let files = match (&function.code, &config.functions.storage) {
                (Some(code), _) => Ok(vec![source_file(main.as_str(), code.clone())]),
                (None, Some(storage)) => stored(function, runtime.language, storage),
                (None, None) => Err(NotDeployed::NoStorage { name: function.name.clone() }),
            };
            match files {
                Ok(files) => sources.found.push(Found { function: function.clone(), runtime, main, files }),
                Err(why) => sources.missing.push(why),
            }
        }
        sources
    }

    /// Takes those out that need packages, which may take long to come.
    #[must_use]
    pub fn take_those_with_dependencies(&mut self) -> Self {
        let needs_packages = |found: &mut Found| !found.function.dependencies.is_empty();
        Self { found: self.found.extract_if(.., needs_packages).collect(), missing: Vec::new() }
    }
}

fn stored(function: &DeclaredFunction, language: Language, storage: &Path) -> Result<Vec<FileIn>, NotDeployed> {
    let (name, main) = (function.name.as_str(), language.main_file());
    let ending = Path::new(main).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let (directory, alone) = (name.to_owned(), format!("{name}.{ending}"));
    let looked = || vec![storage.join(&directory).join(""), storage.join(&alone)];
    let missing = || NotDeployed::NoSource { name: function.name.clone(), looked: looked() };
    let most = ModuleBounds { bytes: MAX_CODE_BYTES as u64, ..ModuleBounds::default() };
    // An absolute path needs no working directory.
    let roots = FunctionRoots::new([storage.to_owned()]).map_err(|_| missing())?.with_bounds(most);
    let read = |module: &str| match roots.read(module) {
        Ok(read) => Ok(Some(read)),
        Err(ModuleError::Missing { .. }) => Ok(None),
        Err(cause) => Err(NotDeployed::Source { name: function.name.clone(), cause: Box::new(cause) }),
    };
    if let Some(Module::Directory(files)) = read(&directory)? {
        return Ok(files.into_iter().map(|found| source_file(found.path, found.bytes)).collect());
    }
    match read(&alone)? {
        Some(Module::File(bytes)) => Ok(vec![source_file(main, bytes)]),
        Some(Module::Directory(_)) | None => Err(missing()),
    }
}
