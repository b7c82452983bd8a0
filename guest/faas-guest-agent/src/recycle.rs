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
//! Counters of the kernel still show that there were earlier calls: numbers of processes and inodes, and
//! how much init's children did.
//!
//! Called by [`crate::agent`], as pid 1 only and while no call runs.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};

use faas_protocol::leftover::Leftover;
use rustix::fs::{
    AtFlags, Dir, IFlags, Mode, OFlags, Timespec, Timestamps, chmod, chmodat, flistxattr, futimens, ioctl_getflags,
    open, openat, stat, statvfs, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{WaitOptions, wait};

use crate::sys::{self, Scheduling};

/// Everywhere user code can write.
const AREAS: [&str; 4] = ["/workspace", "/tmp", "/code", "/dev/shm"];

/// More entries, or deeper ones, are not removed here: a new sandbox is cheaper.
const MOST_ENTRIES: u32 = 4096;
const DEEPEST: u32 = 32;

/// What the sandbox was like before anything ran in it.
pub(crate) struct Origin {
    areas: [Area; AREAS.len()],
    scheduling: Scheduling,
}

/// A writable area without entries.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Area {
    mode: u32,
    free_blocks: u64,
    free_inodes: u64,
}

impl Origin {
    /// Looks at the sandbox as it was assembled.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn observe() -> Result<Self, Errno> {
        let mut areas = [Area { mode: 0, free_blocks: 0, free_inodes: 0 }; AREAS.len()];
        for (area, path) in areas.iter_mut().zip(AREAS) {
            let space = statvfs(path)?;
            *area = Area { mode: stat(path)?.st_mode, free_blocks: space.f_bfree, free_inodes: space.f_ffree };
        }
        Ok(Self { areas, scheduling: sys::scheduling()? })
    }

    /// Ends every process but this one, empties the areas, and says what is not as it was.
    pub(crate) fn restore(&self) -> Option<Leftover> {
        sys::kill_all_others();
        // Whoever was not a child of this process becomes one; when none is left, none is left at all.
        while retry_on_intr(|| wait(WaitOptions::empty())).is_ok() {}
        sys::forget_signals();
        let mut entries = MOST_ENTRIES;
        for (area, path) in self.areas.iter().zip(AREAS) {
            if clear(path, area.mode, &mut entries).is_err() {
                return Some(Leftover::Files);
            }
        }
        // Only now: all areas may be one file system.
        let spaces_differ = self.areas.iter().zip(AREAS).any(|(area, path)| {
            statvfs(path).map_or(true, |now| (now.f_bfree, now.f_ffree) != (area.free_blocks, area.free_inodes))
        });
        if spaces_differ {
            return Some(Leftover::Space);
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

/// Empties an area and gives its directory the mode it had.
fn clear(path: &str, mode: u32, entries: &mut u32) -> Result<(), Errno> {
    if stat(path)?.st_mode != mode {
        chmod(path, Mode::from_raw_mode(mode))?;
    }
    let directory = open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    if has_attributes(directory.as_fd())? || has_flags(directory.as_fd())? {
        return Err(Errno::NOTEMPTY);
    }
    empty(directory.as_fd(), entries, DEEPEST)?;
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

/// Removes every entry. Nothing runs that could put others in their place.
fn empty(directory: BorrowedFd<'_>, entries: &mut u32, deeper: u32) -> Result<(), Errno> {
    let mut names: Vec<CString> = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            *entries = entries.checked_sub(1).ok_or(Errno::NOTEMPTY)?;
            names.push(entry.file_name().to_owned());
        }
    }
    for name in names {
        match unlinkat(directory, &name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR) => {
                let deeper = deeper.checked_sub(1).ok_or(Errno::NOTEMPTY)?;
                // It may deny its owner what emptying it needs.
                chmodat(directory, &name, Mode::RWXU, AtFlags::empty())?;
                let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
                let inner = openat(directory, &name, flags, Mode::empty())?;
                empty(inner.as_fd(), entries, deeper)?;
                unlinkat(directory, &name, AtFlags::REMOVEDIR)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
