//! Why a declared function was not deployed.

use faas_orchestrator::FunctionError;
use faas_routes_file::ModuleError;
use faas_types::FunctionName;
use std::path::PathBuf;

/// Why a declared function was not deployed. What was live before still is.
#[derive(Debug, thiserror::Error)]
pub enum NotDeployed {
    /// Neither the file nor a directory has its source.
    #[error("functions.{name} has no source: nothing is at {}; put it there, or write code", shown(.looked))]
    NoSource {
        /// The function.
        name: FunctionName,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// Nobody said where it could be.
    #[error("functions.{name} has no source: write code, or set system.function_storage_path to where it is")]
    NoStorage {
        /// The function.
        name: FunctionName,
    },
    /// Its source is not taken.
    #[error("functions.{name} is not deployed: {cause}")]
    Source {
        /// The function.
        name: FunctionName,
        /// Why.
        cause: Box<ModuleError>,
    },
    /// It is refused as any other would be.
    #[error("functions.{name} is not deployed: {cause}")]
    Refused {
        /// The function.
        name: FunctionName,
        /// Why.
        cause: Box<FunctionError>,
    },
}

fn shown(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" or ")
}
