//! The routes file made from `examples/init.sql` where there is none.

use rusqlite::Connection;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The table and its sample rows, as `sqlite3 faas_meta.db < examples/init.sql` makes them.
pub const INIT_SQL: &str = include_str!("../../../examples/init.sql");

/// Whether the file was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    New,
    /// Something has the name already; it was not touched.
    AlreadyThere,
}

/// Why the file was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The statements cannot be executed.
    #[error("cannot make the routes file {path:?}: {source}")]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file cannot be written.
    #[error("cannot make the routes file {path:?}: {source}; name another one with --routes-db")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes the file, whole or not at all, unless something has its name.
///
/// # Errors
/// It cannot be made.
pub fn create_when_absent(path: &Path) -> Result<Created, CreateError> {
    let io_error = |source| CreateError::Io { path: path.to_path_buf(), source };
    match path.symlink_metadata() {
        Ok(_) => return Ok(Created::AlreadyThere),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io_error(error)),
    }
    let bytes = image().map_err(|source| CreateError::Database { path: path.to_path_buf(), source })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let made = write(&temporary, &bytes).and_then(|()| match fs::hard_link(&temporary, path) {
        Ok(()) => Ok(Created::New),
        // Somebody was faster: theirs it is.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::AlreadyThere),
        Err(error) => Err(error),
    });
    // What could not be written is not there, and a second failure would hide the first.
    let _ = fs::remove_file(&temporary);
    made.map_err(io_error)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn image() -> Result<Vec<u8>, rusqlite::Error> {
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch(INIT_SQL)?;
    connection.serialize("main").map(|data| data.to_vec())
}
