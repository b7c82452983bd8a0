//! Where the logs are, and which of those that ended are kept.

use faas_types::ExecutionId;
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A log that is open, for its writer and every reader.
pub(crate) type LogFile = Arc<File>;

const SUFFIX: &str = ".log";
/// Logs in memory hold a descriptor each, so there are few.
const MAX_IN_MEMORY: usize = 64;

/// The logs of all executions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Logs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    place: Place,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
enum Place {
    /// One file per execution, named by its id.
    Directory(PathBuf),
    /// One anonymous file per execution.
    Memory,
}

/// The logs of executions that ended.
#[derive(Debug)]
struct Kept {
    most_bytes: u64,
    bytes: u64,
    /// In the order in which they ended; each entry stands here once.
    order: BTreeMap<u64, ExecutionId>,
    entries: HashMap<ExecutionId, Entry>,
    /// The place of the next one in that order.
    next: u64,
}

#[derive(Debug)]
struct Entry {
    /// Its place in the order.
    place: u64,
    bytes: u64,
    /// Where nothing else leads to the file.
    file: Option<LogFile>,
}

impl Logs {
    /// Logs as files in a directory, which is made when it is missing. Those that are there belong to
    /// executions that have ended.
    ///
    /// # Errors
    /// The directory cannot be made or read.
    pub fn directory(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|id| id.parse().ok());
            if let Some(id) = id {
                found.push((id, occupied(&entry.metadata()?)));
            }
        }
        // Ids are in order of time, which is nearly the order in which they ended.
        found.sort_unstable();
        let mut kept = Kept::new();
        for (id, bytes) in found {
            kept.insert(id, bytes, None);
        }
        Ok(Self::new(Place::Directory(path.to_owned()), kept))
    }

    /// Logs in memory, for a platform that is embedded and forgets. At most 64 of executions that ended
    /// are kept.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Place::Memory, Kept::new())
    }

    fn new(place: Place, kept: Kept) -> Self {
        Self { shared: Arc::new(Shared { place, kept: Mutex::new(kept) }) }
    }

    /// No step between two locks leaves it half changed.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bounds the logs of executions that ended.
    pub(crate) fn bound(&self, bytes: u64) {
        self.kept().most_bytes = bytes;
        self.evict();
    }

    /// Bytes of the logs of executions that ended.
    pub(crate) fn bytes(&self) -> u64 {
        self.kept().bytes
    }

    /// A new log.
    pub(crate) fn create(&self, id: ExecutionId) -> io::Result<LogFile> {
        let file = match &self.shared.place {
            Place::Directory(directory) => OpenOptions::new()
                .read(true)
                .append(true)
                .create_new(true)
                .mode(0o600)
                .open(directory.join(file_name(id)))?,
            Place::Memory => File::from(memfd_create("faas-log", MemfdFlags::CLOEXEC)?),
        };
        Ok(Arc::new(file))
    }

    /// The log of an execution that ended and its length; `None` when it wrote nothing or its log is
    /// not kept any more.
    pub(crate) fn open(&self, id: ExecutionId) -> io::Result<Option<(LogFile, u64)>> {
        let file = match &self.shared.place {
            Place::Directory(directory) => match File::open(directory.join(file_name(id))) {
                Ok(file) => Some(Arc::new(file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            },
            Place::Memory => self.kept().entries.get(&id).and_then(|entry| entry.file.clone()),
        };
        file.map(|file| file.metadata().map(|metadata| (file, metadata.len()))).transpose()
    }

    /// Takes over the log of an execution that ended. Says whether there now is too much, for which
    /// [`Self::evict`] or [`Self::evict_apart`] follows.
    pub(crate) fn keep(&self, id: ExecutionId, file: &LogFile) -> bool {
        let bytes = file.metadata().map_or(0, |metadata| occupied(&metadata));
        let file = match self.shared.place {
            Place::Directory(_) => None,
            Place::Memory => Some(Arc::clone(file)),
        };
        let mut kept = self.kept();
        kept.insert(id, bytes, file);
        kept.has_too_many(self.most())
    }

    /// Removes the log of an execution that is forgotten.
    pub(crate) fn remove(&self, id: ExecutionId) {
        let removed = self.kept().remove(id);
        if removed {
            self.delete(id);
        }
    }

    fn most(&self) -> usize {
        match self.shared.place {
            Place::Directory(_) => usize::MAX,
            Place::Memory => MAX_IN_MEMORY,
        }
    }

    /// Removes the oldest as long as there is too much.
    pub(crate) fn evict(&self) {
        loop {
            let oldest = self.kept().take_one_too_many(self.most());
            match oldest {
                Some(id) => self.delete(id),
                None => return,
            }
        }
    }

    /// As [`Self::evict`], for files apart from the tasks that serve everybody: removing a large one takes
    /// its time.
    pub(crate) fn evict_apart(&self) {
        match self.shared.place {
            Place::Memory => self.evict(),
            Place::Directory(_) => {
                let logs = self.clone();
                drop(tokio::task::spawn_blocking(move || logs.evict()));
            }
        }
    }

    fn delete(&self, id: ExecutionId) {
        if let Place::Directory(directory) = &self.shared.place {
            // One that cannot be removed is found again when the directory is opened.
            let _ = fs::remove_file(directory.join(file_name(id)));
        }
    }
}

impl Kept {
    fn new() -> Self {
        Self { most_bytes: u64::MAX, bytes: 0, order: BTreeMap::new(), entries: HashMap::new(), next: 0 }
    }

    fn insert(&mut self, id: ExecutionId, bytes: u64, file: Option<LogFile>) {
        self.remove(id);
        let place = self.next;
        self.next += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.order.insert(place, id);
        self.entries.insert(id, Entry { place, bytes, file });
    }

    fn remove(&mut self, id: ExecutionId) -> bool {
        let Some(entry) = self.entries.remove(&id) else { return false };
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        self.order.remove(&entry.place);
        true
    }

    /// The newest always stays: its readers have just learnt that it ended.
    fn has_too_many(&self, most: usize) -> bool {
        self.entries.len() > 1 && (self.bytes > self.most_bytes || self.entries.len() > most)
    }

    fn take_one_too_many(&mut self, most: usize) -> Option<ExecutionId> {
        let (_, oldest) = self.has_too_many(most).then(|| self.order.first_key_value())??;
        let oldest = *oldest;
        self.remove(oldest);
        Some(oldest)
    }
}

fn file_name(id: ExecutionId) -> String {
    format!("{id}{SUFFIX}")
}

/// What a file takes, which is whole blocks: many small ones are not cheap.
fn occupied(metadata: &fs::Metadata) -> u64 {
    metadata.len().max(metadata.blocks().saturating_mul(512))
}
