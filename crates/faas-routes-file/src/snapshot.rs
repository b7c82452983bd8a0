//! A consistent copy of a database without a lock.
//!
//! A lock would make the `sqlite3` command of whoever writes fail with "database is locked", and a
//! writer that keeps its lock would stop the reading; mapping SQLite's shared memory would let a writer
//! that cuts it short end this process. So the bytes are read, and what was read counts when nothing
//! moved meanwhile: the same files with the same times, the same change counter, the same log, and no
//! transaction that is under way. A writer that switched its journal off (`journal_mode` OFF or MEMORY)
//! tells nobody that it is in the middle: what is then read half-way is read again at once, because the
//! rest of the transaction is a change like any other.

use crate::file::{Bounds, ReadError};
use crate::wal;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What tells one state of a database's files from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stamp([Option<FileStamp>; 3]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Where a database and what SQLite keeps beside it are.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) database: PathBuf,
    log: PathBuf,
    journal: PathBuf,
}

impl Files {
    pub(crate) fn new(database: &Path) -> Self {
        let beside = |ending: &str| {
            let mut name = OsString::from(database);
            name.push(ending);
            PathBuf::from(name)
        };
        Self { database: database.to_path_buf(), log: beside("-wal"), journal: beside("-journal") }
    }

    /// The state of the files at this moment.
    pub(crate) fn stamp(&self) -> Stamp {
        let of = |path: &PathBuf| path.symlink_metadata().ok().map(|metadata| FileStamp::of(&metadata));
        Stamp([of(&self.database), of(&self.log), of(&self.journal)])
    }

    /// The database's bytes with its log's transactions in place.
    pub(crate) fn copy(&self, bounds: &Bounds) -> Result<(Vec<u8>, Stamp), ReadError> {
        let stamp = self.stamp();
        let file = self.open(&self.database)?.ok_or(ReadError::Missing)?;
        let moved = || Err(ReadError::Moving);
        if self.is_under_way()? {
            return Err(ReadError::UnderWay);
        }
        let log = self.read_log(bounds)?;
        let mut database = read(&file, bounds.database_bytes)?;
        let counter = change_counter(&file)?;
        let same_counter = database.get(24..28).unwrap_or_default() == counter;
        let same_log = self.read_log(bounds)? == log;
        if !same_counter || !same_log || self.is_under_way()? || self.stamp() != stamp {
            return moved();
        }
        let too_large = |_| ReadError::TooLarge { bytes: bounds.database_bytes };
        wal::replay(&mut database, &log, bounds.database_bytes).map_err(too_large)?;
        // Its log is in place now, and SQLite takes no database in memory that asks for one.
        for version in database.iter_mut().take(20).skip(18) {
            *version = (*version).min(1);
        }
        Ok((database, stamp))
    }

    fn read_log(&self, bounds: &Bounds) -> Result<Vec<u8>, ReadError> {
        match self.open(&self.log)? {
            Some(file) => read(&file, bounds.database_bytes),
            None => Ok(Vec::new()),
        }
    }

    /// Whether a rollback journal says that pages are being written.
    fn is_under_way(&self) -> Result<bool, ReadError> {
        let Some(file) = self.open(&self.journal)? else { return Ok(false) };
        let mut first = [0];
        // SQLite's own mark: a journal that is over is gone, empty, or begins with a zero.
        Ok(file.read_at(&mut first, 0).map_err(ReadError::Io)? == 1 && first != [0])
    }

    /// Opens a regular file; `None` when nothing is there. A FIFO does not make it wait.
    fn open(&self, path: &Path) -> Result<Option<File>, ReadError> {
        let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match open(path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(ReadError::Kind { name: name(), kind: "a symbolic link" }),
            Err(Errno::NXIO) => return Err(ReadError::Kind { name: name(), kind: "a socket or a device" }),
            Err(error) => return Err(ReadError::Io(error.into())),
        };
        let metadata = file.metadata().map_err(ReadError::Io)?;
        if !metadata.is_file() {
            let kind = if metadata.is_dir() { "a directory" } else { "a FIFO or a device" };
            return Err(ReadError::Kind { name: name(), kind });
        }
        Ok(Some(file))
    }
}

/// At most so many bytes, whatever the file's size says.
fn read(file: &File, most: u64) -> Result<Vec<u8>, ReadError> {
    let told = file.metadata().map_err(ReadError::Io)?.len();
    if told > most {
        return Err(ReadError::TooLarge { bytes: most });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(told).unwrap_or_default());
    let length = file.take(most + 1).read_to_end(&mut bytes).map_err(ReadError::Io)?;
    if length as u64 > most { Err(ReadError::TooLarge { bytes: most }) } else { Ok(bytes) }
}

/// The four bytes that every transaction outside of a log changes; none in an empty file.
fn change_counter(file: &File) -> Result<Vec<u8>, ReadError> {
    let mut counter = [0; 4];
    match file.read_exact_at(&mut counter, 24) {
        Ok(()) => Ok(counter.to_vec()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
        Err(error) => Err(ReadError::Io(error)),
    }
}
