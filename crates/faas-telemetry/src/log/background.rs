//! Log lines on their way out: handed over in memory, written by a thread of their own.
//!
//! Whoever logs never waits for whoever reads the log. Lines are gathered for a moment and written in one
//! piece, which costs a busy server far less than a write for each.
//!
//! Invariants: lines stay whole and in order; never more than [`MOST`] bytes wait; a line that does not fit
//! is dropped and counted, and so is one that cannot be written; the count is logged as soon as there is room again; what waits when
//! [`Log`] is dropped is written first, unless nobody reads it.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many bytes may wait: some thousand lines.
const MOST: usize = 1 << 20;
/// How many are written without waiting for more, and how much memory is kept for the next ones.
const MANY: usize = 64 << 10;
/// For how long lines are gathered.
const GATHERING: Duration = Duration::from_millis(5);
/// How long the last lines may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lines dropped so far, over the whole life of the process.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines this process has dropped because its log was not read fast enough.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The process's log. Dropped last of all: it writes what still waits, for a second at most.
#[derive(Debug)]
#[must_use = "the last lines are written when it is dropped"]
pub struct Log {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Where lines are handed over: one whole line, or several, with each write.
#[derive(Debug, Clone)]
pub(super) struct Handover(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Lines dropped since this was last logged.
    dropped: u64,
    closing: bool,
    ended: bool,
}

/// Begins to write to `target`. `on_dropped` logs how many lines were dropped.
pub(super) fn start(
    target: impl Write + Send + 'static,
    on_dropped: impl Fn(u64) + Send + 'static,
) -> io::Result<(Handover, Log)> {
    let shared = Arc::new(Shared::default());
    let writing = Arc::clone(&shared);
    let thread = thread::Builder::new().name("log".to_owned()).spawn(move || writing.write(target, on_dropped))?;
    Ok((Handover(Arc::clone(&shared)), Log { shared, thread: Some(thread) }))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, or counts it as dropped.
    fn hand_over(&self, line: &[u8]) {
        let mut waiting = self.lock();
        let before = waiting.lines.len();
        if before + line.len() > MOST {
            waiting.dropped += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.lines.extend_from_slice(line);
        let after = waiting.lines.len();
        drop(waiting);
        // Waking costs a system call, so only the first line and the one that is enough do.
        if before == 0 || (before < MANY && after >= MANY) {
            self.changed.notify_one();
        }
    }

    fn write(&self, mut target: impl Write, on_dropped: impl Fn(u64)) {
        let mut taken = Vec::new();
        // Whether the line that was written last was cut short, and lines nobody was told of.
        let (mut cut, mut missed) = (false, 0);
        while let Some(dropped) = self.take(&mut taken) {
            let unwritten = write_out(&mut target, &taken, &mut cut);
            if unwritten > 0 {
                DROPPED.fetch_add(unwritten, Ordering::Relaxed);
                // Told with the next line that comes through, not at once: that could not be written either.
                missed += unwritten;
            }
            if taken.capacity() > MANY {
                taken = Vec::new();
            }
            taken.clear();
            if dropped > 0 || (missed > 0 && unwritten == 0) {
                on_dropped(dropped + std::mem::take(&mut missed));
            }
        }
        self.lock().ended = true;
        self.ended.notify_all();
    }

    /// Waits for lines and takes all there are; how many were dropped. `None` at the end.
    fn take(&self, taken: &mut Vec<u8>) -> Option<u64> {
        let nothing = |waiting: &mut Waiting| waiting.lines.is_empty() && waiting.dropped == 0 && !waiting.closing;
        let few = |waiting: &mut Waiting| waiting.lines.len() < MANY && !waiting.closing;
        let waiting = self.changed.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        let gathered = self.changed.wait_timeout_while(waiting, GATHERING, few);
        let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.is_empty() && waiting.dropped == 0 {
            return None;
        }
        std::mem::swap(&mut waiting.lines, taken);
        Some(std::mem::take(&mut waiting.dropped))
    }
}

/// Writes lines as long as the target takes them. How many it did not take; one that it took a part of is ended
/// with the next write.
fn write_out(target: &mut impl Write, lines: &[u8], cut: &mut bool) -> u64 {
    let mut rest = lines;
    if *cut && target.write_all(b"\n").is_ok() {
        *cut = false;
    }
    while !rest.is_empty() && !*cut {
        match target.write(rest) {
            Ok(0) => break,
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A full one that somebody who shares it made non-blocking is one that is not read.
            Err(_) => break,
        }
    }
    let written = lines.len() - rest.len();
    *cut |= written > 0 && !rest.is_empty() && lines.get(written - 1) != Some(&b'\n');
    rest.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl Write for Handover {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.hand_over(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_one();
        let ending = self.shared.ended.wait_timeout_while(self.shared.lock(), PATIENCE, |waiting| !waiting.ended);
        let ended = ending.unwrap_or_else(PoisonError::into_inner).0.ended;
        // A reader that has stopped reading must not keep a program that was told to end.
        if ended && let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, start};
    use std::io::{self, Write};
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// A target whose every write waits until the test takes it.
    struct Taken(SyncSender<Vec<u8>>);

    impl Write for Taken {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn target() -> (Taken, Receiver<Vec<u8>>) {
        let (sender, receiver) = sync_channel(0);
        (Taken(sender), receiver)
    }

    fn line(number: usize) -> Vec<u8> {
        format!("{number:09}\n").into_bytes()
    }

    #[test]
    fn every_line_is_written_once_and_in_order_and_the_last_ones_at_the_end() {
        let (target, written) = target();
        let (mut handover, log) = start(target, |_| panic!("there is room for all")).unwrap();
        let reading = std::thread::spawn(move || written.iter().flatten().collect::<Vec<u8>>());
        let lines: Vec<u8> = (0..50_000).flat_map(line).collect();
        for line in lines.chunks(10) {
            handover.write_all(line).unwrap();
        }
        drop(log);
        assert_eq!(reading.join().unwrap(), lines);
    }

    #[test]
    fn lines_beyond_what_may_wait_are_dropped_whole_counted_and_told() {
        let (target, written) = target();
        let (told, hears) = std::sync::mpsc::channel();
        let (mut handover, log) = start(target, move |dropped| told.send(dropped).unwrap()).unwrap();
        handover.write_all(&line(0)).unwrap();
        // Once the writer waits for the reader of the first piece, nothing else leaves.
        let fits = MOST / 10;
        let all = 3 * fits;
        let before = super::dropped();
        for number in 1..all {
            handover.write_all(&line(number)).unwrap();
        }
        let reading = std::thread::spawn(move || written.iter().flatten().collect::<Vec<u8>>());
        drop(log);
        let dropped: u64 = hears.iter().sum();
        let kept = reading.join().unwrap();
        let kept: Vec<&[u8]> = kept.chunks(10).collect();
        assert!(kept.len() >= fits && kept.is_sorted(), "{}", kept.len());
        assert_eq!(kept.len() + usize::try_from(dropped).unwrap(), all);
        assert!(super::dropped() - before >= dropped);
    }

    /// Takes so many bytes, then nothing so often, then everything.
    struct Fails {
        takes: usize,
        failures: u32,
        seen: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
    }

    impl Write for Fails {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.takes == 0 && self.failures > 0 {
                self.failures -= 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            let count = if self.failures > 0 { bytes.len().min(self.takes) } else { bytes.len() };
            self.takes = self.takes.saturating_sub(count);
            self.seen.lock().unwrap().extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_the_next_one_stands_alone() {
        let seen = std::sync::Arc::default();
        let mut target = Fails { takes: 13, failures: 1, seen: std::sync::Arc::clone(&seen) };
        let mut cut = false;
        assert_eq!(super::write_out(&mut target, b"one line\nanother line\na third\n", &mut cut), 2);
        assert!(cut);
        assert_eq!(super::write_out(&mut target, b"after\n", &mut cut), 0);
        assert_eq!(seen.lock().unwrap().as_slice(), b"one line\nanot\nafter\n");
    }

    #[test]
    fn a_reader_that_never_reads_keeps_neither_who_logs_nor_the_end() {
        let (target, unread) = target();
        let (mut handover, log) = start(target, |_| ()).unwrap();
        for number in 0..MOST {
            handover.write_all(&line(number)).unwrap();
        }
        drop(log);
        drop(unread);
    }
}
