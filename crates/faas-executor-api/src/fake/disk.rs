//! The files of one sandbox: in memory, limited in bytes and inodes.

use crate::FileIn;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq, Eq)]
struct StoredFile {
    content: Bytes,
    executable: bool,
}

/// The writable area of a sandbox.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    files: BTreeMap<String, StoredFile>,
    directories: BTreeSet<String>,
    used: u64,
    byte_limit: u64,
    inode_limit: u64,
}

/// Neither the bytes nor the inode fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Disk {
    pub(super) fn new(byte_limit: u64, inode_limit: u64) -> Self {
        Self { files: BTreeMap::new(), directories: BTreeSet::new(), used: 0, byte_limit, inode_limit }
    }

    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    pub(super) const fn free(&self) -> u64 {
        self.byte_limit.saturating_sub(self.used)
    }

    pub(super) fn place(&mut self, file: &FileIn) -> Result<(), Full> {
        self.write(&file.path, file.content.clone(), file.executable)
    }

    /// Writes a whole file, replacing it. Nothing changes when it does not fit.
    pub(super) fn write(&mut self, path: &str, content: Bytes, executable: bool) -> Result<(), Full> {
        let replaced = self.files.get(path).map_or(0, |file| file.content.len() as u64);
        let used = self.used - replaced + content.len() as u64;
        let parents = path.match_indices('/').map(|(end, _)| path[..end].to_owned());
        let fresh: Vec<String> = parents.filter(|parent| !self.directories.contains(parent)).collect();
        let fresh_file = u64::from(!self.files.contains_key(path));
        if used > self.byte_limit || self.inodes() + fresh.len() as u64 + fresh_file > self.inode_limit {
            return Err(Full);
        }
        self.directories.extend(fresh);
        self.files.insert(path.to_owned(), StoredFile { content, executable });
        self.used = used;
        Ok(())
    }

    pub(super) fn read(&self, path: &str) -> Option<Bytes> {
        self.files.get(path).map(|file| file.content.clone())
    }

    /// The content of a file that may be executed; `None` when there is none.
    pub(super) fn executable(&self, path: &str) -> Option<Bytes> {
        self.files.get(path).filter(|file| file.executable).map(|file| file.content.clone())
    }

    /// Whether every file of another moment is there and unchanged.
    pub(super) fn has_all_of(&self, earlier: &Self) -> bool {
        earlier.files.iter().all(|(path, file)| self.files.get(path) == Some(file))
    }

    /// The root directory is an inode too.
    fn inodes(&self) -> u64 {
        1 + (self.files.len() + self.directories.len()) as u64
    }
}
