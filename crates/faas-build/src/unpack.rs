//! Unpacking archives that strangers made, into a directory that is nobody else's yet.
//!
//! Invariants: nothing is written outside of the directory; it holds directories and plain files only;
//! no file has a right but being read and executed; what is written is counted before it is written.

mod manifest;
mod tarball;
#[cfg(test)]
mod tests;
mod wheel;

pub(crate) use manifest::Manifests;
pub(crate) use tarball::{unpack_left, unpack_tarball};
pub(crate) use wheel::unpack_wheel;

use crate::limits::Limits;
use faas_archive::{Archive, ArchiveError, Content, Format, Relative, TooLarge};
use faas_types::ByteSize;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// An archive may unpack to this much whatever its size.
const SMALL: ByteSize = ByteSize::mib(16);
/// The lock's own name in the directory, which no package may take.
pub(crate) const LOCK: &str = "faas.lock";

/// An archive of packages. `name` is what errors call it.
fn archive(limits: &Limits, format: Format, name: &str, file: &File) -> io::Result<Archive> {
    let &Limits { entries, unpacked, ratio, .. } = limits;
    let limits = faas_archive::Limits { files: entries, entries, unpacked, ratio, small: SMALL };
    Ok(Archive::new(format, name, file.metadata()?.len(), limits))
}

/// The directory that packages are unpacked into, and what they have taken of their limits.
pub(crate) struct Tree<'a> {
    root: PathBuf,
    limits: &'a Limits,
    entries: u32,
    bytes: u64,
}

impl<'a> Tree<'a> {
    /// Into an existing, empty directory.
    pub(crate) fn new(root: &Path, limits: &'a Limits) -> Self {
        Self { root: root.to_owned(), limits, entries: 0, bytes: 0 }
    }

    /// Writes a file. One that is there already is replaced, as the tools do where two packages have the
    /// same one.
    fn write(&mut self, path: &Relative, executable: bool, mut content: Content<'_>) -> Result<(), ArchiveError> {
        if path.as_str() == LOCK {
            return Err(ArchiveError::Refused(format!("its file {LOCK:?} would stand for the lock")));
        }
        self.make_parents(path)?;
        self.count_entry()?;
        let place = self.root.join(path.as_str());
        // Nothing but directories and plain files was ever made here, so no link is followed.
        match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ArchiveError::Refused(format!("{path} is a file and a directory")));
            }
            _ => {}
        }
        let mode = if executable { 0o555 } else { 0o444 };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&place)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = content.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            let length = u64::try_from(count).unwrap_or(u64::MAX);
            self.bytes = self.bytes.saturating_add(length);
            if self.bytes > self.limits.unpacked.as_bytes() {
                return Err(TooLarge::new("what the dependencies unpack to", self.limits.unpacked).into());
            }
            file.write_all(buffer.get(..count).unwrap_or_default())?;
        }
        // The process's umask does not get a say.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    fn make_parents(&mut self, path: &Relative) -> Result<(), ArchiveError> {
        for parent in path.parents() {
            let place = self.root.join(parent);
            match fs::DirBuilder::new().mode(0o755).create(&place) {
                Ok(()) => self.count_entry()?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !fs::symlink_metadata(&place)?.is_dir() {
                        return Err(ArchiveError::Refused(format!("{parent:?} is a file and a directory")));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn count_entry(&mut self) -> Result<(), TooLarge> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            let limit = format!("{} files and directories", self.limits.entries);
            return Err(TooLarge::new("what the dependencies unpack to", limit));
        }
        Ok(())
    }
}
