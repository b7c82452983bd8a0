//! One of the program's output streams, from its pipe to the caller, within the output limit.

use crate::pipes::OutputPipe;
use bytes::Bytes;
use faas_executor_api::{EventSender, Interrupt, Interrupter, OutputEvent};
use faas_types::{OnOutputLimit, OutputLimits};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// The output limit, shared by both streams of a call.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU64,
    on_limit: OnOutputLimit,
}

impl Budget {
    pub(crate) fn new(limits: OutputLimits) -> Self {
        Self { left: AtomicU64::new(limits.bytes.as_bytes()), on_limit: limits.on_limit }
    }

    /// How many of `wanted` bytes may still be forwarded.
    fn take(&self, wanted: u64) -> u64 {
        let before =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(wanted)));
        // The update always yields a value, so it always succeeds.
        before.unwrap_or(0).min(wanted)
    }
}

/// What became of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StreamStats {
    /// Bytes the program wrote.
    pub(crate) bytes: u64,
    /// Whether some were discarded.
    pub(crate) truncated: bool,
}

/// Where a stream goes.
pub(crate) struct Sink<'a> {
    pub(crate) wrap: fn(Bytes) -> OutputEvent,
    pub(crate) events: &'a EventSender,
    pub(crate) budget: &'a Budget,
    pub(crate) interrupter: &'a Interrupter,
}

impl Sink<'_> {
    /// Passes bytes on as far as the limit allows; the reader may be slow.
    pub(crate) async fn forward(&self, mut bytes: Bytes, stats: &mut StreamStats) {
        let wanted = bytes.len() as u64;
        stats.bytes += wanted;
        let allowed = self.budget.take(wanted);
        if allowed < wanted {
            stats.truncated = true;
            if self.budget.on_limit == OnOutputLimit::Kill {
                self.interrupter.interrupt(Interrupt::OutputLimit);
            }
        }
        bytes.truncate(usize::try_from(allowed).unwrap_or(usize::MAX));
        if !bytes.is_empty() {
            // Nobody reading is fine: the program goes on, its output is discarded.
            let _ = self.events.send((self.wrap)(bytes)).await;
        }
    }
}

/// What a stream needs beside its pipe.
pub(crate) struct Forward<'a> {
    pub(crate) sink: Sink<'a>,
    /// Becomes true when the program has ended, or answered if it stays.
    pub(crate) ended: watch::Receiver<bool>,
}

impl Forward<'_> {
    /// Forwards until the pipe's end, or until the program's call has ended and what it wrote before is
    /// forwarded: a descendant that keeps the pipe open does not keep the call open.
    pub(crate) async fn run(mut self, pipe: &mut OutputPipe) -> StreamStats {
        let mut stats = StreamStats::default();
        loop {
            let bytes = tokio::select! {
                biased;
                bytes = pipe.read() => bytes,
                () = wait_true(&mut self.ended) => break,
            };
            if bytes.is_empty() {
                return stats;
            }
            self.sink.forward(bytes, &mut stats).await;
            if *self.ended.borrow() {
                break;
            }
        }
        let mut waiting = pipe.waiting();
        while waiting > 0 {
            let bytes = pipe.read_waiting(waiting);
            if bytes.is_empty() {
                break;
            }
            waiting = waiting.saturating_sub(bytes.len() as u64);
            self.sink.forward(bytes, &mut stats).await;
        }
        stats
    }
}

/// Returns once the value is true, or never when it no longer can become so.
pub(crate) async fn wait_true(value: &mut watch::Receiver<bool>) {
    if value.wait_for(|value| *value).await.is_err() {
        std::future::pending::<()>().await;
    }
}
