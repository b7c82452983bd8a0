//! What one connection is doing, as far as its deadlines and its place need to know.
//!
//! Written by the connection's IO and by its requests, read by the connection's task and by whoever
//! looks for a place to free. An answer that HTTP/2's flow control blocks never reaches the IO, so
//! the bodies say themselves when they wait for their reader.

use super::refused::Refused;
use crate::budget::Lease;
use crate::problem::ApiError;
use axum::body::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// One connection.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    in_flight: AtomicUsize,
    served: AtomicU64,
    /// Since when nothing is in flight, in milliseconds after `began`.
    idle_since: AtomicU64,
    http2: AtomicBool,
    upgraded: AtomicBool,
    evicted: Notify,
    /// Answers whose next piece nobody asks for, and since when. They are few.
    blocked: Mutex<Vec<(u64, Instant)>>,
    /// What pays for what is read after an upgrade.
    payer: Mutex<Option<Lease>>,
    /// Why its last request is refused.
    refused: OnceLock<Refused>,
    /// Whoever holds a next request back until nothing is in flight.
    holding: AtomicWaker,
}

/// What routes may tell the IO of the connection they upgrade.
#[derive(Debug, Clone)]
pub(crate) struct Intake(Arc<Activity>);

impl Intake {
    pub(super) fn of(activity: &Arc<Activity>) -> Self {
        Self(Arc::clone(activity))
    }

    /// From now on each byte that is read after the upgrade is paid into this lease first.
    pub(crate) fn pay_into(&self, lease: Lease) {
        *self.0.payer.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease);
    }
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            in_flight: AtomicUsize::new(0),
            served: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            http2: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            evicted: Notify::new(),
            blocked: Mutex::default(),
            payer: Mutex::new(None),
            refused: OnceLock::new(),
            holding: AtomicWaker::new(),
        }
    }

    /// Since when no request has been in flight; `None` while one is, or after an upgrade.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        if self.in_flight.load(Ordering::Acquire) > 0 || self.upgraded() {
            return None;
        }
        Some(self.began + Duration::from_millis(self.idle_since.load(Ordering::Acquire)))
    }

    /// A request is in flight that no other may overtake.
    pub(super) fn answering(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) > 0 && !self.upgraded()
    }

    /// Whom to wake when nothing is in flight any more.
    pub(super) fn wake_when_idle(&self, waker: &Waker) {
        self.holding.register(waker);
    }

    /// Pays for what was read after an upgrade; `false` when there is no memory for it.
    pub(super) fn pay(&self, bytes: usize) -> bool {
        let payer = self.payer.lock().unwrap_or_else(PoisonError::into_inner);
        payer.as_ref().is_none_or(|lease| lease.pay(bytes).is_ok())
    }

    /// The next request it shows, its last, is refused.
    pub(super) fn refuse(&self, error: ApiError) {
        let _ = self.refused.set(Refused(error));
    }

    /// Why the request that is taken up now is refused, if it is.
    pub(super) fn refused(&self) -> Option<&Refused> {
        self.refused.get()
    }

    /// Requests taken up so far.
    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Acquire)
    }

    /// It speaks HTTP/2.
    pub(super) fn speaks_http2(&self) {
        self.http2.store(true, Ordering::Release);
    }

    pub(super) fn http2(&self) -> bool {
        self.http2.load(Ordering::Acquire)
    }

    /// The server has agreed to speak something else.
    pub(super) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Release);
    }

    pub(super) fn upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Acquire)
    }

    /// Its place is given to another.
    pub(super) fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Ends when the place was given to another.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// An answer has waited for its reader for longer than `patience`.
    pub(super) fn blocked_for(&self, patience: Duration) -> bool {
        let blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        blocked.iter().any(|(_, since)| since.elapsed() > patience)
    }

    fn block(&self, request: u64) {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        blocked.retain(|(number, _)| *number != request);
        blocked.push((request, Instant::now()));
    }

    fn unblock(&self, request: u64) {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).retain(|(number, _)| *number != request);
    }
}

/// One request: in flight from its head until its answer's last byte is handed over.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    request: u64,
}

impl InFlight {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.in_flight.fetch_add(1, Ordering::AcqRel);
        let request = activity.served.fetch_add(1, Ordering::AcqRel);
        Self { activity: Arc::clone(activity), request }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let now = u64::try_from(self.activity.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.activity.idle_since.store(now, Ordering::Release);
        self.activity.unblock(self.request);
        self.activity.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.activity.holding.wake();
    }
}

/// An answer's body that tells when it waits for its reader.
#[derive(Debug)]
pub(super) struct Answer {
    body: axum::body::Body,
    request: InFlight,
}

impl Answer {
    pub(super) fn new(body: axum::body::Body, request: InFlight) -> Self {
        if !body.is_end_stream() {
            request.activity.block(request.request);
        }
        Self { body, request }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match polled {
            Poll::Ready(Some(Ok(_))) if !self.body.is_end_stream() => self.request.activity.block(self.request.request),
            _ => self.request.activity.unblock(self.request.request),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
