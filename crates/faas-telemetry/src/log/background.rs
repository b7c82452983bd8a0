//! Log lines on their way out: handed over in memory, written by a thread of their own.
//!
//! Whoever logs never waits for whoever reads the log. Lines are gathered for a moment and written in one
//! piece, which costs a busy server far less than a write for each.
//!
//! Invariants: lines stay whole and in order; never more than [`MOST`] bytes wait; a line that does not fit
//! is dropped and counted, and the count is logged as soon as there is room again; what waits when
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
        while let Some(dropped) = self.take(&mut taken) {
            // There is nobody left to tell that the log cannot be written.
            let _ = target.write_all(&taken);
            if taken.capacity() > MANY {
                taken = Vec::new();
            }
            taken.clear();
            if dropped > 0 {
                on_dropped(dropped);
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
