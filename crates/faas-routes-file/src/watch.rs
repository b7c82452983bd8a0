//! The file, watched.
//!
//! One thread of its own: it sleeps until the file's directory says that something happened to the file
//! or to what SQLite keeps beside it, so that a file that is replaced is seen, too; twice a second it
//! compares the files' times, for file systems that say nothing. It rests after a reading for as long as
//! the reading took, so that a file that never stands still costs half a core at most.

mod directory;

use crate::file::{ReadError, RoutesFile};
use crate::serving::{Serving, Update};
use crate::snapshot::Stamp;
use directory::DirectoryWatch;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How often times are compared where the directory says nothing.
const TICK: Duration = Duration::from_millis(500);
/// The shortest rest between two looks.
const REST: Duration = Duration::from_millis(20);
/// The longest rest: a row is live within a second even while others are written.
const LONGEST_REST: Duration = Duration::from_millis(400);
/// How long a file may be unreadable before it is told: long enough to replace one.
const PATIENCE: Duration = Duration::from_secs(1);

/// What became of the file.
#[derive(Debug)]
pub enum Event {
    /// It was read, and something changed, or it could not be read before.
    Read(Update),
    /// It cannot be read; what it gave before stays. Told once for each cause that lasts.
    Unreadable(ReadError),
}

/// Why the file is not watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch the routes file: {0}")]
pub struct WatchError(#[from] io::Error);

/// A file that is watched for as long as this lives.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Reads the file, gives `deliver` what it holds before this returns, and from then on, on a thread of
    /// the watch, what becomes of it. While `deliver` runs nothing more is read.
    ///
    /// # Errors
    /// There are no descriptors or threads left. A file that is not there is none: it is waited for.
    pub fn start(file: RoutesFile, deliver: impl FnMut(Event) + Send + 'static) -> Result<Self, WatchError> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(io::Error::from)?);
        let directory = DirectoryWatch::new(file.path())?;
        let mut watcher = Watcher {
            directory,
            stop: Arc::clone(&stop),
            serving: Serving::default(),
            last: Stamp::default(),
            is_dirty: true,
            fault: None,
            file,
            deliver,
        };
        watcher.look();
        let thread = Builder::new().name("routes-file".to_owned()).spawn(move || watcher.run())?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It fails only when the counter is full, and then the thread has been told.
        let _ = rustix::io::write(&*self.stop, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            // Its panic was printed where it happened.
            let _ = thread.join();
        }
    }
}

/// A time in which the file cannot be read.
struct Bad {
    /// Since when, or since when for another cause than the one that was told.
    since: Instant,
    /// Why, when it was looked at last.
    cause: String,
    /// The cause that was told last.
    told: Option<String>,
}

struct Watcher<D> {
    file: RoutesFile,
    directory: DirectoryWatch,
    stop: Arc<OwnedFd>,
    serving: Serving,
    /// The state of the files that was read last, whether or not it could be.
    last: Stamp,
    is_dirty: bool,
    fault: Option<Bad>,
    deliver: D,
}

impl<D: FnMut(Event)> Watcher<D> {
    fn run(mut self) {
        let mut rest = REST;
        loop {
            if self.is_stopped_within(rest) {
                return;
            }
            if !self.is_dirty && self.wait() {
                return;
            }
            let begun = Instant::now();
            if self.is_dirty {
                self.look();
            }
            rest = begun.elapsed().clamp(REST, LONGEST_REST);
        }
    }

    /// Reads the file once.
    fn look(&mut self) {
        let before = self.file.stamp();
        match self.file.read_with_stamp(&mut self.serving) {
            Ok((update, stamp)) => {
                self.is_dirty = false;
                self.last = stamp;
                let was_told = self.fault.take().is_some_and(|fault| fault.told.is_some());
                if was_told || !update.is_empty() {
                    (self.deliver)(Event::Read(update));
                }
            }
            Err(error) => self.complain(error, before),
        }
    }

    /// Tries again until patience is over, then tells it and waits for a change.
    fn complain(&mut self, error: ReadError, before: Stamp) {
        let now = Instant::now();
        let fault = self.fault.get_or_insert_with(|| Bad { since: now, cause: String::new(), told: None });
        let cause = error.to_string();
        if fault.told.is_some() && fault.cause != cause {
            // A long transaction, say, may have been the first of two causes.
            fault.since = now;
        }
        fault.cause = cause;
        let is_told = fault.told.as_ref() == Some(&fault.cause);
        self.is_dirty = !is_told && fault.since.elapsed() < PATIENCE;
        self.last = before;
        if !self.is_dirty && !is_told {
            fault.told = Some(fault.cause.clone());
            (self.deliver)(Event::Unreadable(error));
        }
    }

    /// Sleeps until the files may have changed; `true` when the watch ends.
    fn wait(&mut self) -> bool {
        self.directory.follow();
        let mut ready = [
            PollFd::from_borrowed_fd(self.stop.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.directory.as_fd(), PollFlags::IN),
        ];
        // An interrupted wait is a short one.
        let _ = poll(&mut ready, Some(&timespec(TICK)));
        if !ready[0].revents().is_empty() {
            return true;
        }
        let was_named = !ready[1].revents().is_empty() && self.directory.drain();
        self.is_dirty = was_named || self.file.stamp() != self.last;
        false
    }

    /// Rests; `true` when the watch ends.
    fn is_stopped_within(&self, time: Duration) -> bool {
        let mut ready = [PollFd::from_borrowed_fd(self.stop.as_fd(), PollFlags::IN)];
        matches!(poll(&mut ready, Some(&timespec(time))), Ok(1..))
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: time.subsec_nanos().into() }
}
