//! From a source to a body: a piece at a time, to a reader that keeps up.
//!
//! A task reads the source and hands pieces to the body through a channel of two places. When the
//! body is dropped, because its client went away, the task drops the source.

use super::pace::{Pace, noticing};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Pieces between the source and the connection.
const PLACES: usize = 2;
/// How often a silent stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a stream ends with or is filled with, beside its source's pieces.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// How long a reader may stay behind.
    pub(super) patience: Duration,
    /// The last words to a reader that was too slow; without any its body is broken off.
    pub(super) too_slow: Option<Bytes>,
    /// What a silent stream says.
    pub(super) keep_alive: Option<Bytes>,
}

/// A body that is given what the source gives.
pub(super) fn deliver(source: impl Stream<Item = Bytes> + Send + 'static, manner: Manner) -> Body {
    let (sender, receiver) = mpsc::channel(PLACES);
    let slow = Arc::new(AtomicBool::new(false));
    tokio::spawn(pump(source, sender, Arc::clone(&slow), manner.patience));
    let reading = Reading { receiver, slow, manner, over: false };
    Body::from_stream(stream::unfold(reading, Reading::next))
}

async fn pump(
    source: impl Stream<Item = Bytes>,
    sender: mpsc::Sender<Bytes>,
    slow: Arc<AtomicBool>,
    patience: Duration,
) {
    let mut source = pin!(source);
    let mut pace = Pace::new(patience);
    loop {
        let (piece, waited) = tokio::select! {
            () = sender.closed() => return,
            next = noticing(source.next()) => next,
        };
        let Some(piece) = piece else { return };
        if waited {
            pace.caught_up();
        }
        let length = piece.len();
        match timeout(patience, sender.send(piece)).await {
            Ok(Ok(())) if pace.keeps_up(length) => {}
            Ok(Err(_)) => return,
            Ok(Ok(())) | Err(_) => {
                slow.store(true, Ordering::Release);
                return;
            }
        }
    }
}

struct Reading {
    receiver: mpsc::Receiver<Bytes>,
    slow: Arc<AtomicBool>,
    manner: Manner,
    over: bool,
}

impl Reading {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if self.over {
            return None;
        }
        let next = std::future::poll_fn(|context| {
            // What is left between here and the source is of no use to a reader that is cut off.
            if self.slow.load(Ordering::Acquire) { Poll::Ready(None) } else { self.receiver.poll_recv(context) }
        });
        let piece = match &self.manner.keep_alive {
            None => next.await,
            Some(words) => match timeout(KEEP_ALIVE, next).await {
                Ok(piece) => piece,
                Err(_) => Some(words.clone()),
            },
        };
        if let Some(piece) = piece {
            return Some((Ok(piece), self));
        }
        if !self.slow.load(Ordering::Acquire) {
            return None;
        }
        self.over = true;
        let last = self.manner.too_slow.take();
        let last = last.ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "the reader was too slow"));
        Some((last, self))
    }
}

#[cfg(test)]
mod tests {
    use super::{Manner, deliver};
    use bytes::Bytes;
    use futures_util::stream::{self, StreamExt as _};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(15);

    fn manner(too_slow: Option<&'static str>) -> Manner {
        Manner { patience: PATIENCE, too_slow: too_slow.map(Bytes::from), keep_alive: Some(Bytes::from(":\n\n")) }
    }

    /// A source without end, and how many pieces were taken from it.
    fn endless(length: usize) -> (impl futures_util::Stream<Item = Bytes> + Send + 'static, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let source = stream::repeat_with(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            Bytes::from(vec![b'x'; length])
        });
        (source, taken)
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stops_is_told_so_and_holds_next_to_nothing() {
        let (source, taken) = endless(65_536);
        let mut body = deliver(source, manner(Some("too slow"))).into_data_stream();
        assert_eq!(body.next().await.expect("a piece").expect("whole").len(), 65_536);
        tokio::time::sleep(PATIENCE * 2).await;
        assert!(taken.load(Ordering::Relaxed) <= 6, "pieces pile up");
        assert_eq!(body.next().await.expect("last words").expect("whole"), "too slow");
        assert!(body.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_trickles_is_told_so_too() {
        let (source, _) = endless(100);
        let mut body = deliver(source, manner(Some("too slow"))).into_data_stream();
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if body.next().await.expect("a piece or last words").expect("whole") == "too slow" {
                return;
            }
        }
        panic!("100 bytes a second count as keeping up");
    }

    #[tokio::test(start_paused = true)]
    async fn without_last_words_a_body_is_broken_off() {
        let (source, _) = endless(10);
        let mut body = deliver(source, manner(None)).into_data_stream();
        tokio::time::sleep(PATIENCE * 2).await;
        let mut last = body.next().await.expect("an item");
        while last.is_ok() {
            last = body.next().await.expect("an error before the end");
        }
        assert!(body.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_source_is_kept_alive_and_dropped_with_its_reader() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let source = stream::pending::<Bytes>().map(move |piece| {
            let _held = &held;
            piece
        });
        let mut body = deliver(source, manner(None)).into_data_stream();
        assert_eq!(body.next().await.expect("alive").expect("whole"), ":\n\n");
        drop(body);
        while Arc::strong_count(&alive) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
