//! What an execution says, as the body of an answer.

use super::deliver::{Manner, deliver};
use super::frame::{error_event, event, sse};
use super::watchers::Place;
use crate::ApiError;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use faas_orchestrator::{NotStarted, StreamName, Watch, Watched};
use faas_types::{ErrorCode, ExecutionRecord};
use futures_util::{FutureExt as _, stream};
use std::time::Duration;

/// How much that is not wanted is passed over before others have their turn, and before it is seen
/// that the reader has gone.
const PASSED_PIECES: usize = 4096;
const PASSED_BYTES: usize = 1 << 20;

/// Tells proxies in between not to hold pieces back.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How long a reader may stay behind. The connection looks after itself every half of its own time, and
/// then takes pieces in a reader's place, which begins this anew: twice a third is still less than the
/// whole, so that the last words find it open.
pub(crate) fn patience(write_timeout: Duration) -> Duration {
    write_timeout / 3
}

/// The words to a reader that was too slow.
pub(super) fn too_slow() -> ApiError {
    ApiError::new(
        ErrorCode::ReaderTooSlow,
        "this reader stayed behind and was cut off; the execution goes on, and the stream can be resumed after its last seq",
    )
}

/// The words where a stream ends and the execution does not.
pub(super) fn stopping() -> ApiError {
    ApiError::new(
        ErrorCode::Stopping,
        "the server is stopping before this execution has ended; resume the stream after its last seq when it is back",
    )
}

/// Why its program was never started, where the platform could not start it: said before the end by a
/// code, like the same request is answered where nobody streams.
pub(crate) fn refusal(record: &ExecutionRecord) -> Option<ApiError> {
    let refusal = record.refusal.as_deref()?;
    let code = ErrorCode::ALL.iter().find(|code| code.as_str() == refusal).copied()?;
    Some(ApiError::new(code, record.error.clone().unwrap_or_default()))
}

/// The same where more is known of it than its record says.
pub(crate) fn refusal_of(record: &ExecutionRecord, why: Option<&NotStarted>) -> Option<ApiError> {
    let refusal = refusal(record)?;
    Some(match why.and_then(NotStarted::retry_after) {
        Some(wait) => refusal.retry_after(wait),
        None => refusal,
    })
}

/// An execution's events as SSE.
pub(crate) fn events(watch: Watch, place: Place, from: u64, write_timeout: Duration) -> Response {
    let said = Said { watch, _place: place, from, last: None, end: None, over: false };
    let manner = Manner {
        patience: patience(write_timeout),
        too_slow: Some(sse(&error_event(&too_slow()))),
        keep_alive: Some(Bytes::from_static(b": still here\n\n")),
    };
    event_stream(deliver(stream::unfold(said, Said::next), manner))
}

/// The answer of every SSE route.
pub(super) fn event_stream(body: axum::body::Body) -> Response {
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), (UNBUFFERED, "no")];
    (headers, body).into_response()
}

struct Said {
    watch: Watch,
    /// Held as long as somebody reads.
    _place: Place,
    from: u64,
    last: Option<u64>,
    /// The end, while the words before it are on their way.
    end: Option<Bytes>,
    over: bool,
}

impl Said {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if self.over {
            return None;
        }
        if let Some(end) = self.end.take() {
            self.over = true;
            return Some((end, self));
        }
        let Some(watched) = self.watch.next().await else {
            self.over = true;
            // A reader that resumes after the end has missed nothing.
            let resumed_after_end = self.last.is_none() && self.from > 1;
            return (!resumed_after_end).then(|| (sse(&error_event(&stopping())), self));
        };
        let refusal = match &watched {
            Watched::Complete { record, .. } => refusal(record),
            Watched::Started { .. } | Watched::Output { .. } => None,
        };
        self.over = refusal.is_none() && matches!(watched, Watched::Complete { .. });
        let event = event(watched);
        self.last = event.seq();
        if let Some(refusal) = refusal {
            self.end = Some(sse(&event));
            return Some((sse(&error_event(&refusal)), self));
        }
        Some((sse(&event), self))
    }
}

/// What of an execution's output is wanted.
pub(crate) struct Output {
    pub(crate) watch: Watch,
    /// Held as long as somebody reads.
    pub(crate) _place: Place,
    pub(crate) only: Option<StreamName>,
    pub(crate) follow: bool,
}

/// An execution's output as it was written.
pub(crate) fn plain(output: Output, write_timeout: Duration) -> Response {
    let manner = Manner { patience: patience(write_timeout), too_slow: None, keep_alive: None };
    let body = deliver(stream::unfold(output, Output::next), manner);
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (UNBUFFERED, "no"),
    ];
    (headers, body).into_response()
}

impl Output {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let (mut pieces, mut passed) = (0, 0);
        loop {
            // Without follow the end is where there is nothing more at present.
            let next = if self.follow { self.watch.next().await } else { self.watch.next().now_or_never().flatten() };
            match next? {
                Watched::Started { .. } => {}
                Watched::Output { stream, bytes, .. } => {
                    if self.only.is_none_or(|only| only == stream) {
                        return Some((bytes, self));
                    }
                    pieces += 1;
                    passed += bytes.len();
                    if pieces == PASSED_PIECES || passed >= PASSED_BYTES {
                        (pieces, passed) = (0, 0);
                        tokio::task::yield_now().await;
                    }
                }
                Watched::Complete { .. } => return None,
            }
        }
    }
}
