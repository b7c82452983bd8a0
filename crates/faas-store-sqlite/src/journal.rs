//! The journal: what synchronous executions leave behind, one `write(2)` each.
//!
//! Two files take turns. One takes new entries while the other's are imported, and is emptied when a
//! commit holds them. What waits is also kept in memory, by execution, so that an import reads no file
//! and readers see it before it is imported.
//!
//! Invariants: a file is whole frames up to its noted length, nothing follows; an entry is in a file
//! exactly while it is in `pending` or `importing`, or has just been imported.

pub(crate) mod frame;
mod mark;

use crate::OpenError;
use crate::directory::Directory;
use crate::pending::Pending;
use faas_store_api::{Journaled, StoreError};
use faas_types::{ExecutionId, TenantId};
use frame::{Damage, Decoded};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much may wait for its import, while the database takes nothing. More is refused.
const MAX_WAITING: u64 = 64 << 20;

/// Entries by execution. The end of one replaces its mark.
pub(crate) type Batch = HashMap<ExecutionId, Arc<Pending>>;

/// The open journal.
pub(crate) struct Journal {
    state: Mutex<State>,
}

struct State {
    files: [Segment; 2],
    /// The file that takes entries.
    current: usize,
    pending: Batch,
    /// What the other file holds and no commit does yet.
    importing: Arc<Batch>,
}

struct Segment {
    file: File,
    length: u64,
    /// What follows the length is a torn frame that could not be taken away: nothing may follow it.
    is_torn: bool,
}

/// An opened journal with what an earlier life left in it, to be imported before anything else.
pub(crate) struct Opened {
    pub(crate) journal: Journal,
    pub(crate) left: Batch,
    /// What could not be read, one line each.
    pub(crate) dropped: Vec<String>,
}

impl Journal {
    /// Opens the directory's two files and reads them.
    pub(crate) fn open(directory: &Directory) -> Result<Opened, OpenError> {
        let (mut left, mut dropped) = (Batch::new(), Vec::new());
        let mut open = |path: std::path::PathBuf| {
            let read = |path: &std::path::Path| -> io::Result<(File, Vec<u8>)> {
                let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
                Ok((file, fs::read(path)?))
            };
            let (file, bytes) = read(&path).map_err(|source| OpenError::File { path: path.clone(), source })?;
            let Decoded { entries, unknown, damage } = frame::decode(&bytes);
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let count = entries.len();
            for entry in entries {
                keep(&mut left, Arc::new(entry));
            }
            let not_known =
                |offset| format!("{name}: the entry at byte {offset} was dropped: its content is not known");
            dropped.extend(unknown.into_iter().map(not_known));
            dropped.extend(damage.map(|Damage { offset, reason }| {
                let lost = bytes.len() - offset;
                format!("{name}: after {count} entries, {lost} bytes from byte {offset} on were dropped: {reason}")
            }));
            Ok(Segment { file, length: bytes.len() as u64, is_torn: false })
        };
        let [first, second] = directory.journals();
        let files = [open(first)?, open(second)?];
        let state = State { files, current: 0, pending: Batch::new(), importing: Arc::default() };
        Ok(Opened { journal: Self { state: Mutex::new(state) }, left, dropped })
    }

    /// Empties both files, once what was left in them has been imported.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let mut state = self.state();
        state.files.iter_mut().try_for_each(Segment::clear)
    }

    /// Appends an entry; whether it is the first that waits. One write, no sync.
    pub(crate) fn append(&self, entry: Journaled<'_>) -> Result<bool, StoreError> {
        let (frame, entry) = frame::encode(entry)?;
        let mut state = self.state();
        let State { files, current, pending, .. } = &mut *state;
        let is_first = pending.is_empty();
        files[*current].append(&frame)?;
        keep(pending, Arc::new(entry));
        Ok(is_first)
    }

    /// Whether entries wait for their import.
    pub(crate) fn is_waiting(&self) -> bool {
        let state = self.state();
        !state.pending.is_empty() || !state.importing.is_empty()
    }

    /// What is to be imported next. The same again until [`imported`](Self::imported) was called.
    pub(crate) fn take(&self) -> Arc<Batch> {
        let mut state = self.state();
        if state.importing.is_empty() && !state.pending.is_empty() {
            state.importing = Arc::new(mem::take(&mut state.pending));
            state.current = 1 - state.current;
        }
        Arc::clone(&state.importing)
    }

    /// A commit holds what was taken: its file is emptied. When that fails the file keeps entries
    /// that are known already, which changes nothing for whoever reads them again.
    pub(crate) fn imported(&self) -> io::Result<()> {
        let mut state = self.state();
        state.importing = Arc::default();
        let other = 1 - state.current;
        state.files[other].clear()
    }

    /// Carries what waits to the disk, for when the database does not take it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let files: Vec<_> = {
            let state = self.state();
            state.files.iter().map(|segment| segment.file.try_clone()).collect()
        };
        files.into_iter().try_for_each(|file| file?.sync_data())
    }

    /// The newest that waits of an execution.
    pub(crate) fn find(&self, tenant: TenantId, id: ExecutionId) -> Option<Arc<Pending>> {
        let state = self.state();
        let entry = state.pending.get(&id).or_else(|| state.importing.get(&id));
        entry.filter(|entry| entry.tenant == tenant).map(Arc::clone)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes an entry unless its execution has ended.
fn keep(batch: &mut Batch, entry: Arc<Pending>) {
    if batch.get(&entry.id).is_none_or(|known| !known.status.is_terminal()) {
        batch.insert(entry.id, entry);
    }
}

impl Segment {
    fn append(&mut self, frame: &[u8]) -> Result<(), StoreError> {
        let refused = |reason: String| StoreError::Unavailable { reason: format!("journal: {reason}") };
        if self.is_torn {
            self.file.set_len(self.length).map_err(|error| refused(error.to_string()))?;
            self.is_torn = false;
        }
        if self.length + frame.len() as u64 > MAX_WAITING {
            return Err(refused(format!("{MAX_WAITING} bytes wait for the database already")));
        }
        let written = loop {
            match self.file.write(frame) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match written {
            Ok(length) if length == frame.len() => {
                self.length += frame.len() as u64;
                Ok(())
            }
            other => {
                self.is_torn = self.file.set_len(self.length).is_err();
                Err(refused(other.map_or_else(|error| error.to_string(), |_| "no space for a whole entry".to_owned())))
            }
        }
    }

    fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.length = 0;
        self.is_torn = false;
        Ok(())
    }
}
