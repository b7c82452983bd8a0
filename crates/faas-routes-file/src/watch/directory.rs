//! What the kernel says about the files of one name in a directory.

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A watch of the directory a file is in. The directory need not be there, and may be replaced.
#[derive(Debug)]
pub(super) struct DirectoryWatch {
    events: OwnedFd,
    directory: PathBuf,
    name: OsString,
    /// Which directory is watched, and the number of its watch.
    watched: Option<((u64, u64), i32)>,
}

impl DirectoryWatch {
    pub(super) fn new(file: &Path) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = file.file_name().unwrap_or_default().to_owned();
        let mut watch = Self { events, directory: parent.to_path_buf(), name, watched: None };
        watch.follow();
        Ok(watch)
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// Watches what stands at the directory's path now. Without a watch the files' times are compared.
    pub(super) fn follow(&mut self) {
        let there = self.directory.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
        if there == self.watched.map(|(directory, _)| directory) {
            return;
        }
        if let Some((_, number)) = self.watched.take() {
            // The kernel forgets the watch of a directory that is gone by itself.
            let _ = inotify::remove_watch(&self.events, number);
        }
        // Not when a writer closes it: the sqlite3 command opens for writing to read, too.
        let flags =
            WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVE | WatchFlags::DELETE | WatchFlags::ONLYDIR;
        let added = there.zip(inotify::add_watch(&self.events, &self.directory, flags).ok());
        self.watched = added;
    }

    /// Takes all that was said; whether it was about the file, or too much to say.
    pub(super) fn drain(&self) -> bool {
        let mut is_named = false;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.events, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let lost = event.events().intersects(ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED);
                    // The database, its log, its journal.
                    let named = event.file_name().is_some_and(|name| name.to_bytes().starts_with(self.name.as_bytes()));
                    is_named |= lost || named;
                }
                Err(Errno::INTR) => {}
                Err(_) => return is_named,
            }
        }
    }
}
