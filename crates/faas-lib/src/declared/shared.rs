//! Whether the directories of sources that somebody named are open to others: a start is refused then, for
//! whoever can write there could have a server run anything.

use faas_config::Config;
use faas_routes_file::is_shared;
use faas_types::ErrorCode;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A directory of sources that others can write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharedSources {
    /// The one of declared functions, which whoever starts the server reads.
    #[error(
        "system.function_storage_path {0} can be written by another user; give it to whoever starts the server or to root, and run `chmod go-w {0}`",
        path.display()
    )]
    Storage {
        /// The directory.
        path: PathBuf,
    },
    /// One of those with modules of rows, which belongs to whom the server becomes.
    #[error("function_roots: {0} can be written by everybody; run `chmod o-w {0}`", path.display())]
    Root {
        /// The directory.
        path: PathBuf,
    },
}

impl SharedSources {
    /// Looks at the directories that the configuration names. One that is not there is nobody's yet, and what is in
    /// them is looked at when it is read.
    ///
    /// # Errors
    /// Others can write one of them.
    pub fn check(config: &Config) -> Result<(), Self> {
        if let Some(path) = config.functions.storage.as_ref().filter(|path| is_shared(path)) {
            return Err(Self::Storage { path: path.clone() });
        }
        let mut roots = config.server.function_roots.value.iter().flatten();
        roots.find(|path| everybody_writes(path)).map_or(Ok(()), |path| Err(Self::Root { path: path.clone() }))
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::ConfigInvalid
    }
}

fn everybody_writes(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.permissions().mode() & 0o002 != 0)
}
