//! Files the host puts into the sandbox before a program starts.
//!
//! User code of an earlier call may have left anything in the areas: a symlink, a FIFO, a device, a
//! directory where a file should be. So every step is resolved beneath the area's root without
//! symlinks, and only a regular file is written.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fchmod, fstat, ftruncate, mkdirat, open, openat2};
use rustix::io::{Errno, retry_on_intr, write};

use crate::areas::locate;

const DIRECTORY: Mode = Mode::from_raw_mode(0o755);

/// Files that could not be written, until the next program asks for them.
#[derive(Default)]
pub(crate) struct Files {
    failures: Vec<(Vec<u8>, Errno)>,
}

/// One piece of a file, as the host sent it.
pub(crate) struct Piece<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) executable: bool,
    pub(crate) append: bool,
    pub(crate) content: &'a [u8],
}

impl Files {
    /// Writes a piece. Says what failed, once for each file; later pieces of that file are dropped,
    /// and a new first piece tries again.
    ///
    /// # Errors
    /// The kernel's answer for the file's first failure.
    pub(crate) fn put(&mut self, piece: &Piece<'_>) -> Result<(), Errno> {
        if let Some(index) = self.failures.iter().position(|(path, _)| path == piece.path) {
            if piece.append {
                return Ok(());
            }
            self.failures.swap_remove(index);
        }
        write_piece(piece).inspect_err(|error| self.failures.push((piece.path.to_vec(), *error)))
    }

    /// The reason why a program must not start, if there is one. The next one starts afresh.
    pub(crate) fn take_failure(&mut self) -> Option<Errno> {
        let first = self.failures.first().map(|(_, error)| *error);
        self.failures.clear();
        first
    }
}

fn write_piece(piece: &Piece<'_>) -> Result<(), Errno> {
    let place = locate(piece.path)?;
    // Opened anew for each piece: the area's mount may have been replaced in between.
    let root = open(place.root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mode = Mode::from_raw_mode(if piece.executable { 0o755 } else { 0o644 });
    let file = if piece.append {
        open_regular(root.as_fd(), place.beneath, OFlags::APPEND)?
    } else {
        first_piece(root.as_fd(), place.beneath, mode)?
    };
    write_all(file.as_fd(), piece.content)
}

/// Creates the file, or empties the regular file that is there.
fn first_piece(root: BorrowedFd<'_>, beneath: &[u8], mode: Mode) -> Result<OwnedFd, Errno> {
    let created = match create(root, beneath, mode) {
        Err(Errno::NOENT) => {
            make_parents(root, beneath)?;
            create(root, beneath, mode)
        }
        answer => answer,
    };
    match created {
        Err(Errno::EXIST) => {
            let file = open_regular(root, beneath, OFlags::empty())?;
            ftruncate(&file, 0)?;
            fchmod(&file, mode)?;
            Ok(file)
        }
        answer => answer,
    }
}

fn create(root: BorrowedFd<'_>, beneath: &[u8], mode: Mode) -> Result<OwnedFd, Errno> {
    open_beneath(root, beneath, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode)
}

/// `NONBLOCK` so that a FIFO without a reader answers instead of holding init for ever.
fn open_regular(root: BorrowedFd<'_>, beneath: &[u8], extra: OFlags) -> Result<OwnedFd, Errno> {
    let file = open_beneath(root, beneath, OFlags::WRONLY | OFlags::NONBLOCK | extra, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(file),
        _ => Err(Errno::EXIST),
    }
}

/// Makes the directories above the last name, one step at a time and never through a symlink.
fn make_parents(root: BorrowedFd<'_>, beneath: &[u8]) -> Result<(), Errno> {
    let mut names: Vec<&[u8]> = beneath.split(|byte| *byte == b'/').collect();
    names.pop();
    let mut directory: Option<OwnedFd> = None;
    for name in names {
        let parent = directory.as_ref().map_or(root, AsFd::as_fd);
        match mkdirat(parent, name, DIRECTORY) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        directory = Some(open_beneath(parent, name, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?);
    }
    Ok(())
}

fn open_beneath(root: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    // The kernel answers EAGAIN when a rename elsewhere makes "beneath" undecidable for a moment.
    for _attempt in 0..16 {
        match openat2(root, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode, resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

fn write_all(file: BorrowedFd<'_>, mut content: &[u8]) -> Result<(), Errno> {
    while !content.is_empty() {
        match retry_on_intr(|| write(file, content))? {
            0 => return Err(Errno::IO),
            written => content = content.get(written..).unwrap_or_default(),
        }
    }
    Ok(())
}
