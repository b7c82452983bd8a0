//! What a program that stays had when it was loaded: its threads, and the files of the writable areas.
//!
//! Stock is taken once, before the first request. Afterwards every call must leave things as they were:
//! - other processes are killed; a child of the program's, which only the program can collect, is left over;
//! - threads that the program had not are left over: nobody else can end them, and what they print could be
//!   taken for the next call's;
//! - files that came later are removed. One of the stock that was changed, replaced or removed is left over.
//!   A change shows in the time of change, which nobody can set; it is as fine as the kernel's clock tick.
//!
//! What the program has in memory is its own, with its sockets, descriptors and settings.
//!
//! Called by [`crate::recycle`] and [`crate::agent`].

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{Timespec, poll};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, RawDir, SeekFrom, Stat, lstat, open, openat, seek, stat, statat};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::recycle::{AREAS, DEEPEST, MOST_ENTRIES, Space};
use crate::sys;

/// How often processes and threads that are ending are looked for again, and for how long each time.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// SIGKILL's number.
const KILL: u8 = 9;

/// What a program found when it was loaded.
pub(crate) struct Stock {
    /// The program.
    pub(crate) pid: Pid,
    threads: Vec<Pid>,
    processes: Processes,
    /// `None` where there is more than is worth looking at after every call.
    pub(crate) areas: Option<[Kept; AREAS.len()]>,
}

/// What is kept of an area.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) folder: Folder,
    pub(crate) space: Space,
    /// The area itself when it was put back last.
    pub(crate) put_back: Option<Look>,
}

/// What is in a directory; the default is nothing.
#[derive(Default)]
pub(crate) struct Folder {
    entries: BTreeMap<CString, Entry>,
}

/// An entry of a directory.
pub(crate) enum Entry {
    /// A directory, of which only what is in it matters.
    Folder { inode: u64, mode: u32, within: Folder },
    /// Anything else.
    Other(Look),
}

/// What tells that a file is the same and unchanged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    inode: u64,
    mode: u32,
    changed: (i64, u64),
}

impl Stock {
    /// Looks at what there is now.
    ///
    /// # Errors
    /// The program is gone, or the kernel's answer.
    pub(crate) fn take(pid: Pid) -> Result<Self, Errno> {
        Ok(Self { pid, threads: threads(pid)?, processes: Processes::open()?, areas: areas().ok() })
    }

    /// Whether the program has threads that it had not. One that is ending is waited for.
    pub(crate) fn has_other_threads(&self) -> bool {
        let none_came = || {
            // The kernel counts a directory's links as one for each thread beside its own two, and the first
            // thread is there as long as the program is. One that is gone by now has none.
            let links = stat(tasks(self.pid)).map_or(0, |tasks| tasks.st_nlink);
            links <= 3 || threads(self.pid).unwrap_or_default().iter().all(|thread| self.threads.contains(thread))
        };
        repeatedly(none_came).is_none()
    }

    /// Ends every process but init and the program; `false` when that cannot be done.
    pub(crate) fn end_others(&self) -> bool {
        let ended = repeatedly(|| {
            let Ok(others) = self.others() else { return false };
            for other in &others {
                sys::signal(*other, KILL);
            }
            for other in &others {
                // Whoever is another's child is not found, and comes here when that one has ended.
                let _ = retry_on_intr(|| waitpid(Some(*other), WaitOptions::empty()));
            }
            others.is_empty()
        });
        ended.is_some()
    }

    fn others(&self) -> Result<Vec<Pid>, Errno> {
        let mut processes = self.processes.list()?;
        processes.retain(|pid| *pid != self.pid && !pid.is_init());
        Ok(processes)
    }
}

/// The kernel's directory of all processes.
struct Processes {
    directory: OwnedFd,
}

/// Where the kernel's directory begins to show processes, behind its files (`FIRST_PROCESS_ENTRY` of `fs/proc`).
const FIRST_PROCESS: u64 = 256;

impl Processes {
    fn open() -> Result<Self, Errno> {
        let directory = open("/proc", OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { directory })
    }

    /// All of them, without reading what else is there: they come in the order of their numbers, so none is missed
    /// where the first of all is among them.
    fn list(&self) -> Result<Vec<Pid>, Errno> {
        let listed = self.list_from(FIRST_PROCESS)?;
        if listed.iter().any(|pid| pid.is_init()) { Ok(listed) } else { self.list_from(0) }
    }

    fn list_from(&self, place: u64) -> Result<Vec<Pid>, Errno> {
        seek(&self.directory, SeekFrom::Start(place))?;
        let mut space = [MaybeUninit::<u8>::uninit(); 2048];
        let mut entries = RawDir::new(&self.directory, &mut space);
        let mut listed = Vec::new();
        while let Some(entry) = entries.next() {
            listed.extend(number(entry?.file_name()));
        }
        Ok(listed)
    }
}

/// Tries until something holds, for some milliseconds.
fn repeatedly(mut holds: impl FnMut() -> bool) -> Option<()> {
    for look in 0..LOOKS {
        if holds() {
            return Some(());
        }
        if look + 1 < LOOKS {
            // There is no event for this: a thread is gone some time after those who waited for it go on.
            let _ = poll(&mut [], Some(&BETWEEN_LOOKS));
        }
    }
    None
}

fn tasks(pid: Pid) -> String {
    format!("/proc/{}/task", pid.as_raw_pid())
}

fn threads(pid: Pid) -> Result<Vec<Pid>, Errno> {
    numbers(&tasks(pid))
}

/// The processes or threads that a directory of the kernel's shows.
fn numbers(path: &str) -> Result<Vec<Pid>, Errno> {
    let shown = open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut numbers = Vec::new();
    for entry in Dir::new(shown)? {
        let entry = entry?;
        numbers.extend(number(entry.file_name()));
    }
    Ok(numbers)
}

fn number(name: &CStr) -> Option<Pid> {
    // Most names begin otherwise.
    name.to_bytes().first().filter(|first| first.is_ascii_digit())?;
    Pid::from_raw(name.to_str().ok()?.parse().ok()?)
}

fn areas() -> Result<[Kept; AREAS.len()], Errno> {
    let mut entries = MOST_ENTRIES;
    let mut areas: [Kept; AREAS.len()] = Default::default();
    for (Kept { folder, .. }, path) in areas.iter_mut().zip(AREAS) {
        let directory = open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        *folder = Folder::observe(directory.as_fd(), &mut entries, DEEPEST)?;
    }
    for (Kept { space, .. }, path) in areas.iter_mut().zip(AREAS) {
        *space = Space::of(path)?;
    }
    Ok(areas)
}

impl Folder {
    fn observe(directory: BorrowedFd<'_>, entries: &mut u32, deeper: u32) -> Result<Self, Errno> {
        let mut folder = Self::default();
        for name in names(directory, entries)? {
            let found = statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            let kept = if is_directory(&found) {
                let deeper = deeper.checked_sub(1).ok_or(Errno::NOTEMPTY)?;
                let inner = open_directory(directory, &name)?;
                let within = Self::observe(inner.as_fd(), entries, deeper)?;
                Entry::Folder { inode: found.st_ino, mode: found.st_mode, within }
            } else {
                Entry::Other(Look::at(&found))
            };
            folder.entries.insert(name, kept);
        }
        Ok(folder)
    }

    /// The entry of this name, if it is of the stock.
    pub(crate) fn get(&self, name: &CStr) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether nothing of it has changed, where that is told without reading it: it holds no directory.
    pub(crate) fn is_unchanged(&self, path: &str) -> bool {
        self.entries.iter().all(|(name, entry)| match entry {
            Entry::Folder { .. } => false,
            Entry::Other(look) => {
                let path = [path.as_bytes(), b"/", name.as_bytes()].concat();
                lstat(path).is_ok_and(|now| Look::at(&now) == *look)
            }
        })
    }

    /// How many entries it had.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl Look {
    pub(crate) fn at(found: &Stat) -> Self {
        // The kernel's types differ between architectures; these hold all of them.
        #[expect(clippy::useless_conversion, reason = "the types are others elsewhere")]
        let changed = (i64::from(found.st_ctime), u64::from(found.st_ctime_nsec));
        Self { inode: found.st_ino, mode: found.st_mode, changed }
    }
}

/// The names in a directory, as far as there is patience for so many.
pub(crate) fn names(directory: BorrowedFd<'_>, entries: &mut u32) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            *entries = entries.checked_sub(1).ok_or(Errno::NOTEMPTY)?;
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

pub(crate) fn is_directory(found: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(found.st_mode).is_dir()
}

pub(crate) fn open_directory(directory: BorrowedFd<'_>, name: &CStr) -> Result<std::os::fd::OwnedFd, Errno> {
    openat(directory, name, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}
