//! A connection's IO with everything that must hold below HTTP.
//!
//! - What the framing refuses never reaches hyper: it is replaced by a byte that every parser
//!   refuses, so that hyper answers 400 in its turn and closes.
//! - Reading has a deadline while a request is awaited or its head is under way; writing has one
//!   while the other side takes nothing. Both hold after an upgrade as far as they apply.
//! - While a request is in flight, bytes of the next one are held back here: hyper sees that its caller
//!   has gone only as long as nothing unread lies before it.
//! - What is read after an upgrade is paid for, and the end of the drain ends it.
//! - Closing reads on for a moment when something unread may be on its way: a socket closed with
//!   unread bytes resets the connection and takes the answer with it.

use super::activity::Activity;
use super::framing::{Framing, Phase};
use super::over::Over;
use super::places::Place;
use crate::limits::HttpLimits;
use bytes::BytesMut;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How much has to be taken within the write timeout for a reader not to count as stuck.
const PROGRESS: usize = 8 << 10;
/// How long and how much is read after the last answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

/// Hyper parses the rest of a head only when it sees its end.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// How much of the next requests is held back at most; a caller that sends more is not looked after
/// until its answer has been sent.
const HELD: usize = 256 << 10;

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the other side broke the protocol's framing")
}

/// The IO of one connection.
#[derive(Debug)]
pub(super) struct Guarded<I> {
    io: I,
    framing: Framing,
    /// What is still to be shown of a refused request.
    refused: Option<&'static [u8]>,
    activity: Arc<Activity>,
    limits: HttpLimits,
    awaited: Timer<(Phase, u64)>,
    blocked: Timer<()>,
    progress: usize,
    lingering: Timer<()>,
    lingered: usize,
    /// What follows the request that is in flight.
    held: BytesMut,
    over: Over,
    _place: Place,
}

/// A deadline for one wait; another wait is another deadline.
#[derive(Debug)]
struct Timer<K> {
    wait: Option<K>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<K: PartialEq + Copy> Timer<K> {
    const fn new() -> Self {
        Self { wait: None, sleep: None }
    }

    fn clear(&mut self) {
        self.wait = None;
    }

    /// Counts from the first call for this wait.
    fn poll(&mut self, wait: K, patience: Duration, context: &mut Context<'_>) -> Poll<()> {
        if self.wait != Some(wait) {
            self.again(patience);
            self.wait = Some(wait);
        }
        self.sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(context))
    }

    fn again(&mut self, patience: Duration) {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(Instant::now() + patience),
            None => self.sleep = Some(Box::pin(tokio::time::sleep(patience))),
        }
    }
}

impl<I> Guarded<I> {
    pub(super) fn new(io: I, activity: Arc<Activity>, limits: HttpLimits, place: Place, over: Over) -> Self {
        Self {
            io,
            framing: Framing::default(),
            refused: None,
            activity,
            limits,
            awaited: Timer::new(),
            blocked: Timer::new(),
            progress: 0,
            lingering: Timer::new(),
            lingered: 0,
            held: BytesMut::new(),
            over,
            _place: place,
        }
    }

    /// How long what is awaited now may take.
    fn patience(&self, phase: Phase) -> Option<Duration> {
        match phase {
            Phase::Head => Some(self.limits.header_timeout),
            // A new connection is opened in order to be used.
            Phase::Idle | Phase::Http2 if self.activity.served() == 0 => Some(self.limits.header_timeout),
            Phase::Idle | Phase::Http2 => Some(self.limits.idle_timeout),
            Phase::Body | Phase::Upgraded => None,
        }
    }

    /// Whether the wait for the other side has become too long.
    fn poll_awaited(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let phase = self.framing.phase();
        let Some(patience) = self.patience(phase) else {
            self.awaited.clear();
            return Poll::Pending;
        };
        let number = if phase == Phase::Http2 { self.activity.served() } else { self.framing.requests() };
        loop {
            ready!(self.awaited.poll((phase, number), patience, context));
            // While an answer is under way, the next request has time.
            let left = match self.activity.idle_since() {
                _ if phase == Phase::Head => Duration::ZERO,
                Some(since) => patience.saturating_sub(since.elapsed()),
                None => patience,
            };
            if left.is_zero() {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "no request arrived in time"));
            }
            self.awaited.again(left);
        }
    }

    fn poll_blocked(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.blocked.poll((), self.limits.write_timeout, context));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the reader takes nothing"))
    }

    /// Reads on while a request is in flight: what comes is held back, and that nothing more comes is
    /// told. `None` when the request has been answered meanwhile.
    fn poll_caller(&mut self, context: &mut Context<'_>) -> Option<Poll<io::Result<()>>>
    where
        I: AsyncRead + Unpin,
    {
        let mut space = [0; 4096];
        while self.held.len() < HELD {
            let mut piece = ReadBuf::new(&mut space);
            match Pin::new(&mut self.io).poll_read(context, &mut piece) {
                Poll::Ready(Ok(())) if piece.filled().is_empty() => return Some(Poll::Ready(Ok(()))),
                Poll::Ready(Ok(())) => self.held.extend_from_slice(piece.filled()),
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending if self.held.is_empty() => return Some(self.poll_awaited(context).map(Err)),
                Poll::Pending => break,
            }
        }
        // Nothing else tells that it is the next request's turn.
        self.activity.wake_when_idle(context.waker());
        self.activity.answering().then_some(Poll::Pending)
    }

    fn wrote(&mut self, bytes: usize) {
        self.progress += bytes;
        if self.progress >= PROGRESS {
            self.unblocked();
        }
    }

    fn unblocked(&mut self) {
        self.blocked.clear();
        self.progress = 0;
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Guarded<I> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(shown) = &mut this.refused {
            let (now, later) = shown.split_at(shown.len().min(buffer.remaining()));
            buffer.put_slice(now);
            *shown = later;
            return Poll::Ready(if now.is_empty() { Err(broken()) } else { Ok(()) });
        }
        let upgraded = this.activity.upgraded();
        if upgraded {
            this.framing.upgrade();
            if let Poll::Ready(error) = this.over.poll(context) {
                return Poll::Ready(Err(error));
            }
        }
        if this.framing.phase() == Phase::Idle
            && this.activity.answering()
            && let Some(seen) = this.poll_caller(context)
        {
            return seen;
        }
        let before = buffer.filled().len();
        let scanned = if this.held.is_empty() {
            if Pin::new(&mut this.io).poll_read(context, buffer)?.is_pending() {
                return this.poll_awaited(context).map(Err);
            }
            let read = buffer.filled().get(before..).unwrap_or_default();
            let scanned = this.framing.scan(read);
            if let Ok(whole) = scanned {
                this.held.extend_from_slice(read.get(whole..).unwrap_or_default());
                buffer.set_filled(before + whole);
            }
            scanned
        } else {
            // Read where it lies: what follows one request is not moved for each.
            let length = this.held.len().min(buffer.remaining());
            let scanned = this.framing.scan(this.held.get(..length).unwrap_or_default());
            let shown = scanned.unwrap_or_else(|offset| offset + 1);
            buffer.put_slice(&this.held.split_to(shown));
            scanned
        };
        if upgraded && !this.activity.pay(buffer.filled().len() - before) {
            buffer.set_filled(before);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::OutOfMemory, "there is no memory for more")));
        }
        if let Err(offset) = scanned {
            if this.framing.phase() == Phase::Http2 {
                return Poll::Ready(Err(broken()));
            }
            this.refused = Some(HEAD_END);
            if let Some(byte) = buffer.filled_mut().get_mut(before + offset) {
                *byte = 0;
            }
            buffer.set_filled(before + offset + 1);
        }
        if this.framing.phase() == Phase::Http2 && !this.activity.http2() {
            this.activity.speaks_http2();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Guarded<I> {
    /// Reads what is still on its way, within bounds, and throws it away.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 4096];
        while self.lingered < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.io).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => self.lingered += buffer.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.lingering.poll((), LINGER, context),
            }
        }
        Poll::Ready(())
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<I> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write(context, bytes) {
            Poll::Ready(Ok(written)) => {
                this.wrote(written);
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.poll_blocked(context).map(Err),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write_vectored(context, slices) {
            Poll::Ready(Ok(written)) => {
                this.wrote(written);
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.poll_blocked(context).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// Whoever writes flushes when everything was taken.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(context);
        match flushed {
            Poll::Pending => this.poll_blocked(context).map(Err),
            Poll::Ready(_) => {
                this.unblocked();
                flushed
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_shutdown(context))?;
        if this.refused.is_some()
            || !this.held.is_empty()
            || matches!(this.framing.phase(), Phase::Head | Phase::Body | Phase::Http2)
        {
            ready!(this.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
