//! The directory of a server's state, and what lies in it.

use anyhow::{Context, Result};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory for one test, removed at its end. The server makes its own inside.
#[derive(Debug)]
pub struct DataDirectory {
    parent: TempDir,
}

impl DataDirectory {
    /// A fresh one. The user that the server becomes may pass through it.
    ///
    /// # Errors
    /// The directory for temporary files cannot be written.
    pub fn make() -> Result<Self> {
        // Not a name that the host's observer looks for.
        let parent = tempfile::Builder::new().prefix("server-test-").tempdir().context("a directory for the test")?;
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Self { parent })
    }

    /// What the server is given as its data directory.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.parent.path().join("data")
    }
}

/// Every file below a directory with its size; one that goes away meanwhile is left out.
///
/// # Errors
/// The directory itself cannot be read.
pub fn files_below(directory: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        let entries = match fs::read_dir(&next) {
            Err(error) if next == directory => return Err(error),
            Err(_) => continue,
            Ok(entries) => entries,
        };
        for entry in entries.filter_map(Result::ok) {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => waiting.push(entry.path()),
                Ok(metadata) => found.push((entry.path(), metadata.len())),
                Err(_) => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_at_every_depth() {
        let directory = DataDirectory::make().unwrap();
        fs::create_dir_all(directory.path().join("logs")).unwrap();
        fs::write(directory.path().join("faas.db"), "12").unwrap();
        fs::write(directory.path().join("logs/one.log"), "123").unwrap();
        let found = files_below(&directory.path()).unwrap();
        assert_eq!(found.iter().map(|(_, size)| *size).collect::<Vec<_>>(), [2, 3], "{found:?}");
        assert!(files_below(&directory.path().join("absent")).is_err());
    }
}
