//! Where the program's code is put: into the working directory, beside the files that were passed in, so
//! that `require 'lib.php'`, `__DIR__`, `import lib` and `./lib.sh` find them.

use crate::variables::Script;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Why the program cannot be placed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    /// Another file has its name.
    #[error("a file {0} was passed in, and the program has the same name; give one of them another name")]
    Taken(String),
    /// There is no room, or no directory.
    #[error("the program cannot be placed: {0}")]
    Io(#[from] io::Error),
}

/// Writes the program into `directory`.
pub(crate) fn place(directory: &Path, name: &str, code: &[u8]) -> Result<Script, PlaceError> {
    let path = directory.join(name);
    let mode = if code.starts_with(b"#!") { 0o755 } else { 0o644 };
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
        Ok(mut file) => file.write_all(code)?,
        // A function's files may hold its program too.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::read(&path).ok().as_deref() != Some(code) {
                return Err(PlaceError::Taken(name.to_owned()));
            }
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        }
        Err(error) => return Err(error.into()),
    }
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| io::Error::other("the working directory's name is not text"))
    };
    Ok(Script { directory: text(directory)?, path: text(&path)? })
}
