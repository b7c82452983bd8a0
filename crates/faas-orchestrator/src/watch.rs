//! One reader of one execution: its start, its output, its end, from any point.
//!
//! Invariants: numbers follow one another without a gap and nothing comes twice; a reader that is slow or
//! stops reading holds nobody up and holds only the piece it reads.

use crate::live::{CancelReason, Canceller, End, Live, Progress};
use crate::log::LogReader;
use crate::{NotStarted, StreamName};
use bytes::Bytes;
use faas_types::{ExecutionId, ExecutionRecord};
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// The start's number; the first piece of output has the next one.
const START: u64 = 1;
/// How much is passed over before others have their turn, in bytes; each piece counts some more.
const PASSED_AT_ONCE: usize = 1024 * 1024;
const PASSED_WITH_EACH: usize = 256;

/// One thing an execution says.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched {
    /// Its program was started.
    Started {
        /// Always 1.
        seq: u64,
        /// Its id.
        execution_id: ExecutionId,
    },
    /// A piece of its output, as it was written.
    Output {
        /// One more than that of what came before.
        seq: u64,
        /// Where it was written.
        stream: StreamName,
        /// What was written.
        bytes: Bytes,
    },
    /// It ended. Nothing follows.
    Complete {
        /// One more than that of what came before; 1 where its program was never started.
        seq: u64,
        /// Its record, with the beginning of its output.
        record: Box<ExecutionRecord>,
    },
}

/// Reads one execution.
#[derive(Debug)]
pub struct Watch {
    live: Arc<Live>,
    progress: watch::Receiver<Progress>,
    reader: Option<LogReader>,
    /// The first number that is wanted.
    from: u64,
    /// The number of what comes next.
    next: u64,
    over: bool,
    canceller: Canceller,
    /// Cancels the execution when nobody waits for it any more.
    guard: Option<CancelOnDrop>,
}

/// What comes next.
enum Read {
    Said(Watched),
    /// Nothing yet.
    Nothing,
    /// Only the end, without a record.
    Stopped,
    /// Only the end.
    Complete,
}

#[derive(Debug)]
struct CancelOnDrop(Canceller);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel_for(CancelReason::Disconnect);
    }
}

impl Watch {
    pub(crate) fn new(canceller: Canceller, from: u64) -> Self {
        let live = Arc::clone(&canceller.live);
        let progress = live.progress();
        Self { live, progress, reader: None, from, next: START, over: false, canceller, guard: None }
    }

    pub(crate) fn cancelling_when_dropped(mut self) -> Self {
        self.guard = Some(CancelOnDrop(self.canceller.clone()));
        self
    }

    /// The next thing it says. `None` after `Complete`, where more was passed over than there is, and
    /// where this process stops and leaves the execution to the next one. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Watched> {
        let mut passed = 0;
        while !self.over {
            let progress = *self.progress.borrow_and_update();
            let watched = match self.read(progress) {
                Read::Said(watched) => watched,
                // The sender lives as long as the execution, which this holds.
                Read::Nothing => {
                    self.over = self.progress.changed().await.is_err();
                    continue;
                }
                Read::Stopped => {
                    self.over = true;
                    continue;
                }
                Read::Complete if self.next < self.from => {
                    self.over = true;
                    continue;
                }
                Read::Complete => {
                    let record = Box::new(self.live.record_with_output().await);
                    self.over = true;
                    return Some(Watched::Complete { seq: self.next, record });
                }
            };
            self.next += 1;
            if self.next > self.from {
                return Some(watched);
            }
            if let Watched::Output { bytes, .. } = watched {
                passed += bytes.len() + PASSED_WITH_EACH;
            }
            if passed > PASSED_AT_ONCE {
                passed = 0;
                tokio::task::yield_now().await;
            }
        }
        None
    }

    fn read(&mut self, progress: Progress) -> Read {
        if self.next == START && progress.started {
            return Read::Said(Watched::Started { seq: START, execution_id: self.live.id });
        }
        if self.next > START {
            if self.reader.is_none() {
                self.reader = self.live.log().map(|(file, _)| LogReader::new(file));
            }
            // A log that cannot be read ends where it cannot; the record says how much there was.
            if let Some(reader) = &mut self.reader
                && let Ok(Some((stream, bytes))) = reader.next(progress.length)
            {
                return Read::Said(Watched::Output { seq: self.next, stream, bytes });
            }
        }
        match progress.end {
            End::Open => Read::Nothing,
            End::Stopped => Read::Stopped,
            End::Complete => Read::Complete,
        }
    }

    /// Waits for its end and gives its record with the beginning of its output. Where this process stops
    /// and leaves the execution to the next one, that is the record of one that has not ended.
    pub async fn complete(self) -> ExecutionRecord {
        self.end().await.0
    }

    /// The same, with why its program was never started, where the platform could not start it.
    pub async fn end(mut self) -> (ExecutionRecord, Option<Arc<NotStarted>>) {
        // The sender lives as long as the execution, which this holds.
        drop(self.progress.wait_for(|progress| progress.end != End::Open).await);
        (self.live.record_with_output().await, self.live.not_started())
    }

    /// Leaves it alone from here on: its end is of no interest, and dropping this does not cancel it.
    pub fn let_go(mut self) {
        if let Some(CancelOnDrop(canceller)) = &mut self.guard {
            canceller.house = Weak::new();
        }
    }

    /// Why its program was never started, where the platform could not start it.
    #[must_use]
    pub fn not_started(&self) -> Option<Arc<NotStarted>> {
        self.live.not_started()
    }

    /// What cancels it from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }
}
