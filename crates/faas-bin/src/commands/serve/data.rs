//! The data directory, given to the user that the server becomes.
//!
//! That user has the number of the launcher's slot, so after a start beside other launchers it may be
//! another one than before; then everything in the directory changes hands.
//!
//! Invariants: nothing is taken from a server that runs (the store has a lock of its own, but that is
//! taken too late for this); nothing but an empty directory or a server's is touched; what changes hands
//! is named by descriptors, for whoever owned the directory may still rename what is in it; while it changes
//! hands the directory itself is nobody's but ours, so that a hand-over that was cut short is done again at
//! the next start, whichever user that one is for.

#[cfg(test)]
mod tests;

use crate::diagnostic::CliError;
use faas_types::ErrorCode;
use rustix::fs::{
    Access, AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat, Uid, access, chownat, fchmod, flock,
    fstat, mkdirat, openat, statat,
};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::ffi::{CStr, OsStr};
use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// How deep the directory may be: packages have 64 levels at most, below a tenant's and a digest's.
const DEPTH: u32 = 80;
/// Installed packages. The launcher holds it from its start, so it is made before the server is anybody.
const PACKAGES: &CStr = c"packages";
/// By one of these a directory is known to be a server's: its node's id, also half-written, and the
/// store's lock.
const MARKS: [&CStr; 3] = [c"node", c"node.new", c"lock"];
/// What an empty directory may hold: a fresh file system has a directory for lost files.
const NOTHING: [&CStr; 3] = [c".", c"..", c"lost+found"];

/// The directory is this server's as long as this lives.
#[derive(Debug)]
pub(super) struct Taken {
    /// Without links, as it was found with every privilege.
    path: PathBuf,
    option: &'static str,
    _locked: OwnedFd,
}

/// A directory that is this server's to take, as long as this lives.
#[derive(Debug)]
pub(super) struct Found {
    path: PathBuf,
    option: &'static str,
    directory: OwnedFd,
}

/// Makes the directory that this option names, takes it and gives it to the user; 0 is who we are.
pub(super) fn take(path: &Path, option: &'static str, user: u32) -> Result<Taken, CliError> {
    find(path, option)?.give(user)
}

/// Makes the directory that this option names, and keeps other servers away from it.
pub(super) fn find(path: &Path, option: &'static str) -> Result<Found, CliError> {
    let refused = |error: &io::Error| unusable(path, option, error);
    let failed = |errno: Errno| refused(&errno.into());
    // Only the directory itself is the server's alone; on the way to it others may pass.
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| refused(&error))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(&error)),
        Ok(()) | Err(_) => {}
    }
    // Whoever named it may have named a link to it.
    let directory = open(CWD, path, OFlags::empty()).map_err(failed)?;
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(CliError::new(
                ErrorCode::StorageUnavailable,
                format!(
                    "the data directory {} is used by another server; end that one, or take another with {option}",
                    path.display()
                ),
            ));
        }
        Err(errno) => return Err(failed(errno)),
    }
    Ok(Found { path: path.to_owned(), option, directory })
}

fn unusable(path: &Path, option: &str, error: &io::Error) -> CliError {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::ReadOnlyFilesystem => ErrorCode::ConfigInvalid,
        _ => ErrorCode::StorageUnavailable,
    };
    let path = path.display();
    CliError::new(code, format!("the data directory {path} cannot be used: {error}; {option} names another"))
}

impl Found {
    /// The directory of installed packages in it, made where it is missing, as an absolute path. A directory
    /// that will not be taken is left as it is.
    pub(super) fn packages(&self) -> Result<PathBuf, CliError> {
        let refused = |error: &io::Error| unusable(&self.path, self.option, error);
        let failed = |errno: Errno| refused(&errno.into());
        let stat = fstat(&self.directory).map_err(failed)?;
        if content(&self.directory).map_err(failed)? == Content::Other {
            return Err(self.refusal(&stat, "it holds other things than a server's"));
        }
        if !is_servers(stat.st_uid) {
            return Err(self.refusal(&stat, "it belongs neither to root nor to a server"));
        }
        match mkdirat(&self.directory, PACKAGES, Mode::RWXU) {
            // It changes hands with the rest where the rest does.
            Ok(()) if stat.st_uid != geteuid().as_raw() => {
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let made = openat(&self.directory, PACKAGES, flags, Mode::empty()).map_err(failed)?;
                chown(&made, stat.st_uid).map_err(failed)?;
            }
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let path = self.path.canonicalize().map_err(|error| refused(&error))?;
        Ok(path.join(OsStr::from_bytes(PACKAGES.to_bytes())))
    }

    /// Takes it and gives it to the user; 0 is who we are.
    pub(super) fn give(self, user: u32) -> Result<Taken, CliError> {
        let refused = |error: &io::Error| unusable(&self.path, self.option, error);
        let failed = |errno: Errno| refused(&errno.into());
        let stat = fstat(&self.directory).map_err(failed)?;
        if let Some(why) = objection(&self.directory, &stat, user).map_err(failed)? {
            return Err(self.refusal(&stat, why));
        }
        if stat.st_mode & 0o077 != 0 {
            fchmod(&self.directory, Mode::RWXU).map_err(failed)?;
        }
        if user != 0 && stat.st_uid != user {
            chown(&self.directory, geteuid().as_raw()).map_err(failed)?;
            give(&self.directory, user, DEPTH).map_err(failed)?;
            chown(&self.directory, user).map_err(failed)?;
        }
        let path = self.path.canonicalize().map_err(|error| refused(&error))?;
        Ok(Taken { path, option: self.option, _locked: self.directory })
    }

    fn refusal(&self, stat: &Stat, why: &str) -> CliError {
        let (path, option) = (self.path.display(), self.option);
        CliError::new(
            ErrorCode::ConfigInvalid,
            format!(
                "the data directory {path} of user {} is not taken: {why}; take a new or an empty one with {option}",
                stat.st_uid
            ),
        )
    }
}

impl Taken {
    /// Refuses a directory that the user we are by now has no way to.
    pub(super) fn check_reachable(&self) -> Result<(), CliError> {
        let way: Vec<&Path> = self.path.ancestors().collect();
        let Some(closed) = way.into_iter().rev().find(|place| access(*place, Access::EXEC_OK).is_err()) else {
            return Ok(());
        };
        let (closed, path, option) = (closed.display(), self.path.display(), self.option);
        Err(CliError::new(
            ErrorCode::ConfigInvalid,
            format!(
                "{closed} cannot be entered by user {}, as whom the server goes on, so the data directory {path} \
                 cannot be used; run `chmod o+x {closed}`, or take another one with {option}",
                geteuid().as_raw()
            ),
        ))
    }
}

/// Why the directory is better left alone; `None` when it can be the server's.
fn objection(directory: &OwnedFd, stat: &Stat, user: u32) -> rustix::io::Result<Option<&'static str>> {
    let content = content(directory)?;
    let others_may_enter = stat.st_mode & 0o077 != 0;
    Ok(if content == Content::Other {
        Some("it holds other things than a server's")
    } else if content != Content::Nothing && stat.st_mode & 0o1000 != 0 {
        Some("it is shared, as its sticky bit says")
    } else if user != 0 && !is_servers(stat.st_uid) {
        Some("it belongs neither to root nor to a server")
    } else if others_may_enter && user == 0 && stat.st_uid != geteuid().as_raw() {
        Some("others may enter it, and it is not ours to close")
    } else {
        None
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Servers,
    Other,
}

fn content(directory: &OwnedFd) -> rustix::io::Result<Content> {
    let mut content = Content::Nothing;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if NOTHING.contains(&name) || (name == PACKAGES && is_empty(directory, PACKAGES)?) {
            continue;
        }
        content = Content::Other;
        if MARKS.contains(&name) {
            let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            // Where others may write, anybody can make a file of such a name.
            if is_file(&stat) && is_servers(stat.st_uid) {
                return Ok(Content::Servers);
            }
        }
    }
    Ok(content)
}

/// Whether it is a directory with nothing in it: what a start leaves that ended before it was anybody.
fn is_empty(directory: &OwnedFd, name: &CStr) -> rustix::io::Result<bool> {
    let inner = match openat(directory, name, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOTDIR | Errno::LOOP) => return Ok(false),
        other => other?,
    };
    for entry in Dir::read_from(&inner)? {
        if ![c".", c".."].contains(&entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether this user is who we are, or one that a server becomes.
fn is_servers(user: u32) -> bool {
    user == geteuid().as_raw() || faas_lib::is_server_uid(user)
}

/// Whether it is a file that has no other name: whoever owned the directory may have made a link to a
/// file of somebody else.
fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink == 1
}

fn open(at: BorrowedFd<'_>, path: impl rustix::path::Arg, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | flags, Mode::empty())
}

/// Gives what a server made in a directory to the user; links and things of others are left alone.
fn give(directory: &OwnedFd, user: u32, depth: u32) -> rustix::io::Result<()> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if NOTHING.contains(&name) {
            continue;
        }
        let held = openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let stat = fstat(&held)?;
        if !is_servers(stat.st_uid) {
            continue;
        }
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && depth > 0 {
            give(&open(held.as_fd(), c".", OFlags::empty())?, user, depth - 1)?;
            chown(&held, user)?;
        } else if is_file(&stat) {
            chown(&held, user)?;
        }
    }
    Ok(())
}

fn chown(held: &OwnedFd, user: u32) -> rustix::io::Result<()> {
    chownat(held, c"", Some(Uid::from_raw(user)), None, AtFlags::EMPTY_PATH)
}
