//! The output of one run: limited, counted, held back by a slow reader.

use super::state::Gate;
use crate::{Done, EventSender, OutputEvent};
use bytes::Bytes;
use faas_types::{OnOutputLimit, Outcome, OutputLimits, OutputStats, Usage};

/// The most bytes a program writes at once, as a pipe would take them.
const PIECE: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Output passed its limit and the caller had asked to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overflow;

pub(super) struct Console {
    events: EventSender,
    gate: Gate,
    limits: OutputLimits,
    stats: OutputStats,
    /// Whether the program said the end of its answer, or that it has none.
    answered: bool,
    loaded: bool,
}

impl Console {
    pub(super) fn new(events: EventSender, gate: Gate, limits: OutputLimits) -> Self {
        Self { events, gate, limits, stats: OutputStats::default(), answered: false, loaded: false }
    }

    pub(super) async fn write(&mut self, stream: Stream, mut bytes: Bytes) -> Result<(), Overflow> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            self.write_piece(stream, piece).await?;
        }
        Ok(())
    }

    async fn write_piece(&mut self, stream: Stream, mut piece: Bytes) -> Result<(), Overflow> {
        self.gate.open().await;
        let written = self.stats.stdout_bytes + self.stats.stderr_bytes;
        let left = usize::try_from(self.limits.bytes.as_bytes().saturating_sub(written)).unwrap_or(usize::MAX);
        let (count, flag) = match stream {
            Stream::Stdout => (&mut self.stats.stdout_bytes, &mut self.stats.stdout_truncated),
            Stream::Stderr => (&mut self.stats.stderr_bytes, &mut self.stats.stderr_truncated),
        };
        *count += piece.len() as u64;
        let overflows = piece.len() > left;
        *flag |= overflows;
        piece.truncate(left);
        if piece.is_empty() {
            // A program that only writes what is discarded still lets others run.
            tokio::task::yield_now().await;
        } else {
            let event = match stream {
                Stream::Stdout => OutputEvent::Stdout(piece),
                Stream::Stderr => OutputEvent::Stderr(piece),
            };
            // Without a reader the output goes nowhere and the program goes on.
            self.events.send(event).await;
        }
        if overflows && self.limits.on_limit == OnOutputLimit::Kill { Err(Overflow) } else { Ok(()) }
    }

    /// Says something that is no output of a stream. Without a reader it goes nowhere.
    pub(super) async fn say(&mut self, event: OutputEvent) {
        self.answered |= matches!(event, OutputEvent::ResponseEnd | OutputEvent::Failed(_));
        self.loaded |= event == OutputEvent::Loaded;
        self.gate.clone().open().await;
        self.events.send(event).await;
    }

    pub(super) const fn answered(&self) -> bool {
        self.answered
    }

    pub(super) const fn loaded(&self) -> bool {
        self.loaded
    }

    pub(super) async fn done(self, outcome: Outcome, usage: Usage) {
        self.events.done(Done { outcome, usage, output: self.stats }).await;
    }
}
