//! Making a sandbox as new between two calls.
//!
//! What user code can leave behind, and what becomes of it:
//! - processes are killed, signals that wait for init are thrown away;
//! - entries of the writable areas are removed, modes and times of the areas put back;
//! - inode flags and attributes of the areas, space without an entry, System V objects, and priorities of
//!   init, which programs inherit (it has init's uid), are looked for: what is found is said, upon which
//!   the host ends the sandbox;
//! - sockets and memory of the kernel's are the launcher's to look for;
//! - message queues, limits of other processes and everything that needs a capability are denied.
//!
//! Around a program that stays everything else is made as it was when that was loaded; see [`crate::keep`].
//!
//! Counters of the kernel still show that there were earlier calls: numbers of processes and inodes, and
//! how much init's children did.
//!
//! Called by [`crate::agent`], as pid 1 only and while no call runs.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use faas_protocol::leftover::Leftover;
use rustix::fs::{
    AtFlags, IFlags, Mode, OFlags, Timespec, Timestamps, chmod, chmodat, flistxattr, fstat, futimens, ioctl_getflags,
    open, stat, statat, statvfs, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{WaitOptions, wait};

use crate::keep::{Entry, Folder, Kept, Look, Stock, names, open_directory};
use crate::sys::{self, Scheduling};

/// Everywhere user code can write.
pub(crate) const AREAS: [&str; 4] = ["/workspace", "/tmp", "/code", "/dev/shm"];

/// More entries, or deeper ones, are not removed here: a new sandbox is cheaper.
pub(crate) const MOST_ENTRIES: u32 = 4096;
pub(crate) const DEEPEST: u32 = 32;

/// What the sandbox was like before anything ran in it.
pub(crate) struct Origin {
    areas: [Area; AREAS.len()],
    scheduling: Scheduling,
}

/// A writable area without entries.
struct Area {
    mode: u32,
    space: Space,
    /// Its file system, which may be another area's too.
    device: u64,
}

/// What is free in an area.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    blocks: u64,
    inodes: u64,
}

impl Space {
    pub(crate) fn of(area: &str) -> Result<Self, Errno> {
        let space = statvfs(area)?;
        Ok(Self { blocks: space.f_bfree, inodes: space.f_ffree })
    }
}

impl Origin {
    /// Looks at the sandbox as it was assembled.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn observe() -> Result<Self, Errno> {
        let mut areas = [const { Area { mode: 0, space: Space { blocks: 0, inodes: 0 }, device: 0 } }; AREAS.len()];
        for (area, path) in areas.iter_mut().zip(AREAS) {
            let found = stat(path)?;
            *area = Area { mode: found.st_mode, space: Space::of(path)?, device: found.st_dev };
        }
        Ok(Self { areas, scheduling: sys::scheduling()? })
    }

    /// Ends every process but this one, empties the areas, and says what is not as it was.
    pub(crate) fn restore(&self) -> Option<Leftover> {
        sys::kill_all_others();
        // Whoever was not a child of this process becomes one; when none is left, none is left at all.
        while retry_on_intr(|| wait(WaitOptions::empty())).is_ok() {}
        let mut nothing = self.areas.each_ref().map(|area| Kept { space: area.space, ..Kept::default() });
        self.put_back(&mut nothing)
    }

    /// The same around a program that stays: ends every other process, makes the areas what they were when it
    /// was loaded, and says what is not.
    pub(crate) fn restore_around(&self, stock: &mut Stock) -> Option<Leftover> {
        if stock.has_other_threads() {
            return Some(Leftover::Threads);
        }
        if !stock.end_others() {
            return Some(Leftover::Processes);
        }
        let Some(areas) = &mut stock.areas else { return Some(Leftover::Files) };
        self.put_back(areas)
    }

    fn put_back(&self, stock: &mut [Kept; AREAS.len()]) -> Option<Leftover> {
        sys::forget_signals();
        let mut entries = MOST_ENTRIES;
        for ((area, path), kept) in self.areas.iter().zip(AREAS).zip(stock.iter_mut()) {
            if is_untouched(path, kept) {
                continue;
            }
            match clear(path, area.mode, &kept.folder, &mut entries) {
                Ok(put_back) => kept.put_back = Some(put_back),
                Err(_) => return Some(Leftover::Files),
            }
        }
        // Only now: all areas may be one file system.
        let mut looked_at = None;
        for ((area, path), kept) in self.areas.iter().zip(AREAS).zip(stock) {
            if looked_at != Some((area.device, kept.space)) && Space::of(path) != Ok(kept.space) {
                return Some(Leftover::Space);
            }
            looked_at = Some((area.device, kept.space));
        }
        if sys::has_ipc_objects() {
            return Some(Leftover::Ipc);
        }
        match sys::scheduling() {
            Ok(now) if now == self.scheduling => None,
            _ => Some(Leftover::Scheduling),
        }
    }
}

/// Whether an area is as it was put back: whoever makes, removes or reads an entry sets a time that is zero since
/// then. That is enough between calls of one program; for any other everything is looked at again.
fn is_untouched(path: &str, kept: &Kept) -> bool {
    let Ok(now) = stat(path) else { return false };
    let times = (now.st_atime, now.st_atime_nsec, now.st_mtime, now.st_mtime_nsec);
    times == (0, 0, 0, 0) && kept.put_back == Some(Look::at(&now)) && kept.folder.is_unchanged(path)
}

/// Empties an area but for what is kept, and gives its directory the mode it had; what it looks like then.
fn clear(path: &str, mode: u32, kept: &Folder, entries: &mut u32) -> Result<Look, Errno> {
    if stat(path)?.st_mode != mode {
        chmod(path, Mode::from_raw_mode(mode))?;
    }
    let directory = open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    clear_open(directory.as_fd(), kept, entries, DEEPEST)?;
    Ok(Look::at(&fstat(directory)?))
}

fn clear_open(directory: BorrowedFd<'_>, kept: &Folder, entries: &mut u32, deeper: u32) -> Result<(), Errno> {
    if has_attributes(directory)? || has_flags(directory)? {
        return Err(Errno::NOTEMPTY);
    }
    empty(directory, kept, entries, deeper)?;
    // Whoever is next may read them: a time tells as much as a file.
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    futimens(directory, &Timestamps { last_access: never, last_modification: never })
}

/// Flags such as "append only", which entries inherit. None exist where the kernel knows none.
fn has_flags(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    match ioctl_getflags(file) {
        Ok(flags) => Ok(flags != IFlags::empty()),
        Err(Errno::NOTTY | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Extended attributes and access lists, apart from what the host's security module puts on every file.
fn has_attributes(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut names = [0_u8; 1024];
    match flistxattr(file, &mut names) {
        Ok(length) => {
            let names = names.get(..length).unwrap_or_default();
            Ok(names.split(|byte| *byte == 0).any(|name| !name.is_empty() && !name.starts_with(b"security.")))
        }
        Err(Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes every entry but those that are kept, which must be as they were. Nothing runs that could put others
/// in their place.
fn empty(directory: BorrowedFd<'_>, kept: &Folder, entries: &mut u32, deeper: u32) -> Result<(), Errno> {
    let mut found = 0;
    for name in names(directory, entries)? {
        if let Some(entry) = kept.get(&name) {
            check(directory, &name, entry, entries, deeper)?;
            found += 1;
        } else {
            remove(directory, &name, entries, deeper)?;
        }
    }
    if found == kept.len() { Ok(()) } else { Err(Errno::NOENT) }
}

fn check(directory: BorrowedFd<'_>, name: &CStr, kept: &Entry, entries: &mut u32, deeper: u32) -> Result<(), Errno> {
    let now = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match kept {
        Entry::Folder { inode, mode, within } if (*inode, *mode) == (now.st_ino, now.st_mode) => {
            let inner = open_directory(directory, name)?;
            clear_open(inner.as_fd(), within, entries, deeper.checked_sub(1).ok_or(Errno::NOTEMPTY)?)
        }
        Entry::Other(look) if *look == Look::at(&now) => Ok(()),
        Entry::Folder { .. } | Entry::Other(_) => Err(Errno::NOTEMPTY),
    }
}

fn remove(directory: BorrowedFd<'_>, name: &CStr, entries: &mut u32, deeper: u32) -> Result<(), Errno> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {
            let deeper = deeper.checked_sub(1).ok_or(Errno::NOTEMPTY)?;
            // It may deny its owner what emptying it needs.
            chmodat(directory, name, Mode::RWXU, AtFlags::empty())?;
            let inner = open_directory(directory, name)?;
            empty(inner.as_fd(), &Folder::default(), entries, deeper)?;
            unlinkat(directory, name, AtFlags::REMOVEDIR)
        }
        answer => answer,
    }
}
