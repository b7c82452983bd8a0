//! What a module holds: one file, or the files of a directory, within bounds.

use crate::roots::{Fault, Refusal, beneath, keep_to_owner};
use rustix::fs::{Dir, FileType, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

/// How much a module may be.
#[derive(Debug, Clone)]
pub struct ModuleBounds {
    /// Bytes, of all files together.
    pub bytes: u64,
    /// Files of a directory, directories counted.
    pub files: u64,
    /// Directories within each other.
    pub depth: u64,
}

impl Default for ModuleBounds {
    fn default() -> Self {
        Self { bytes: 64 << 20, files: 2000, depth: 16 }
    }
}

/// A module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// A file's bytes.
    File(Vec<u8>),
    /// The files of a directory, in the order of their paths.
    Directory(Vec<ModuleFile>),
}

/// One file of a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModuleFile {
    /// Its path from the module's directory, with slashes.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Reads what a directory has under this name; `None` when nothing is there.
pub(crate) fn read(directory: &OwnedFd, name: &str, bounds: &ModuleBounds) -> Result<Option<Module>, Refusal> {
    let mut reading = Reading { bounds, bytes: bounds.bytes, entries: 0, files: Vec::new() };
    let refuse = |fault| Refusal { part: name.to_owned(), fault };
    let Some((file, kind)) = open(directory, name).map_err(refuse)? else { return Ok(None) };
    if kind == FileType::RegularFile {
        return Ok(Some(Module::File(reading.take(file).map_err(refuse)?)));
    }
    reading.walk(file, "", 1)?;
    reading.files.sort_unstable();
    Ok(Some(Module::Directory(reading.files)))
}

/// Opens a file or a directory that nobody else can write. A FIFO or a device is not waited for.
fn open(directory: &OwnedFd, name: &str) -> Result<Option<(OwnedFd, FileType)>, Fault> {
    let file = match beneath(directory, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    if !matches!(kind, FileType::RegularFile | FileType::Directory) {
        return Err(Fault::Kind);
    }
    keep_to_owner(&file)?;
    Ok(Some((file, kind)))
}

struct Reading<'b> {
    bounds: &'b ModuleBounds,
    /// What may still be read.
    bytes: u64,
    entries: u64,
    files: Vec<ModuleFile>,
}

impl Reading<'_> {
    /// The bytes of a file, as far as they may be read.
    fn take(&mut self, file: OwnedFd) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        let mut bounded = File::from(file).take(self.bytes.saturating_add(1));
        let length = bounded.read_to_end(&mut bytes).map_err(|error| Fault::Io(error.to_string()))?;
        let left = self.bytes.checked_sub(length as u64);
        self.bytes = left.ok_or(Fault::TooMuch { most: self.bounds.bytes, what: "bytes" })?;
        Ok(bytes)
    }

    /// Reads a directory and those in it.
    fn walk(&mut self, directory: OwnedFd, at: &str, depth: u64) -> Result<(), Refusal> {
        let here = if at.is_empty() { "its directory" } else { at };
        let refuse = |fault| Refusal { part: here.to_owned(), fault };
        if depth > self.bounds.depth {
            return Err(refuse(Fault::TooMuch { most: self.bounds.depth, what: "directories within each other" }));
        }
        let entries = Dir::read_from(&directory).map_err(|error| refuse(error.into()))?;
        for entry in entries {
            let entry = entry.map_err(|error| refuse(error.into()))?;
            let name = entry.file_name().to_str().ok().filter(|name| !name.contains(char::is_control));
            let name = name.ok_or_else(|| refuse(Fault::Name))?;
            if matches!(name, "." | "..") {
                continue;
            }
            self.entries += 1;
            if self.entries > self.bounds.files {
                return Err(refuse(Fault::TooMuch { most: self.bounds.files, what: "files" }));
            }
            let path = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
            let refuse = |fault| Refusal { part: path.clone(), fault };
            // Gone since it was listed: the next reading has it as it is then.
            let Some((file, kind)) = open(&directory, name).map_err(refuse)? else { continue };
            if kind == FileType::Directory {
                self.walk(file, &path, depth + 1)?;
            } else {
                let bytes = self.take(file).map_err(refuse)?;
                self.files.push(ModuleFile { path, bytes });
            }
        }
        Ok(())
    }
}
