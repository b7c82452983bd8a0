//! Source on the server's own host, as functions name it.

use crate::ApiError;
use faas_executor_api::FileIn;
use faas_types::Language;

/// The files of a module, and which of them is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSource {
    /// The path of the file that is run where the function names none.
    pub main: String,
    /// All of its files.
    pub files: Vec<FileIn>,
}

/// The directories of the host beneath which modules are. The composition root knows where they are; here
/// nobody does.
pub trait Modules: Send + Sync {
    /// Reads a module; it blocks.
    ///
    /// # Errors
    /// It is not there, or it is not taken. The message names neither a directory of the host nor what is in it.
    fn read(&self, module: &str, language: Language) -> Result<ModuleSource, ApiError>;
}
