//! A connection's IO with everything that must hold below HTTP.
//!
//! - What the framing refuses never reaches hyper. In the place of a refused head hyper sees a request that
//!   ends the connection, and the refusal is its answer, in its turn; a refused body breaks off.
//! - Reading has a deadline while a request is awaited or its head is under way; writing has one
//!   while the other side takes nothing. Both hold after an upgrade as far as they apply.
//! - While a request is in flight, bytes of the next one are held back here: hyper sees that its caller
//!   has gone only as long as nothing unread lies before it.
//! - What is read after an upgrade is paid for, and the end of the drain ends it.
//! - Closing reads on for a moment when something unread may be on its way: a socket closed with
//!   unread bytes resets the connection and takes the answer with it.

use super::activity::Activity;
use super::framing::{Fault, Framing, HeadLimits, Phase};
use super::over::Over;
use super::places::Place;
use super::refused::refusal;
use crate::limits::HttpLimits;
use bytes::BytesMut;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
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

/// What hyper sees in the place of a refused head; the answer to `HEAD` must have no body.
const REFUSED: &[u8] = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";
const REFUSED_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n";
/// How much is read at once of what is held back.
const PIECE: usize = 4096;

/// How much of the next requests is held back at most; a caller that sends more is not looked after
/// until its answer has been sent.
const HELD: usize = 256 << 10;

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the other side broke the protocol's framing")
}

fn no_memory() -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, "there is no memory for more")
}

/// The IO of one connection.
#[derive(Debug)]
pub(super) struct Guarded<I> {
    io: I,
    framing: Framing,
    /// What was refused last, if anything was: nothing more is read.
    refused: Option<Refused>,
    activity: Arc<Activity>,
    limits: HttpLimits,
    awaited: Timer<(Phase, u64)>,
    blocked: Timer<()>,
    progress: usize,
    lingering: Timer<()>,
    lingered: usize,
    /// What hyper has not seen yet: a head that is not whole, and what follows the request in flight.
    held: BytesMut,
    /// So much of it may pass.
    passed: usize,
    over: Over,
    _place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Head,
    Body,
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
            framing: Framing::new(HeadLimits::of(&limits)),
            refused: None,
            activity,
            limits,
            awaited: Timer::new(),
            blocked: Timer::new(),
            progress: 0,
            lingering: Timer::new(),
            lingered: 0,
            held: BytesMut::new(),
            passed: 0,
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

    /// Reads a piece that is held back at first; how much, 0 at the end.
    fn poll_held(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        I: AsyncRead + Unpin,
    {
        let mut space = [const { MaybeUninit::uninit() }; PIECE];
        let mut piece = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut piece))?;
        self.held.extend_from_slice(piece.filled());
        Poll::Ready(Ok(piece.filled().len()))
    }

    /// Reads on while a request is in flight: what comes is held back, and that nothing more comes is
    /// told. `None` when the request has been answered meanwhile.
    fn poll_caller(&mut self, context: &mut Context<'_>) -> Option<Poll<io::Result<()>>>
    where
        I: AsyncRead + Unpin,
    {
        while self.held.len() < HELD {
            match self.poll_held(context) {
                Poll::Ready(Ok(0)) => return Some(Poll::Ready(Ok(()))),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending if self.held.is_empty() => return Some(self.poll_awaited(context).map(Err)),
                Poll::Pending => break,
            }
        }
        // Nothing else tells that it is the next request's turn.
        self.activity.wake_when_idle(context.waker());
        self.activity.answering().then_some(Poll::Pending)
    }

    /// Does what the framing says; how many of the bytes it read may pass. `is_head`: they begin with a
    /// request by that method.
    fn judge(&mut self, scanned: Result<usize, Fault>, is_head: bool) -> io::Result<usize> {
        let fault = match scanned {
            Ok(passed) => {
                if self.framing.phase() == Phase::Http2 && !self.activity.http2() {
                    self.activity.speaks_http2();
                }
                return Ok(passed);
            }
            Err(fault) => fault,
        };
        match fault {
            Fault::Flood => Err(broken()),
            Fault::Body(offset) => {
                self.refused = Some(Refused::Body);
                Ok(offset)
            }
            Fault::Head(fault) => {
                self.activity.refuse(refusal(fault, &self.limits));
                let shown = if is_head { REFUSED_HEAD } else { REFUSED };
                self.refused = Some(Refused::Head);
                self.held.clear();
                self.held.extend_from_slice(shown);
                self.passed = shown.len();
                Ok(0)
            }
        }
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
        let upgraded = this.activity.upgraded();
        if upgraded {
            this.framing.upgrade();
            if let Poll::Ready(error) = this.over.poll(context) {
                return Poll::Ready(Err(error));
            }
        }
        loop {
            if this.passed > 0 {
                let length = this.passed.min(buffer.remaining());
                if upgraded && !this.activity.pay(length) {
                    return Poll::Ready(Err(no_memory()));
                }
                buffer.put_slice(&this.held.split_to(length));
                this.passed -= length;
                return Poll::Ready(Ok(()));
            }
            match this.refused {
                // Its answer ends the connection.
                Some(Refused::Head) => return Poll::Pending,
                Some(Refused::Body) => return Poll::Ready(Err(broken())),
                None => {}
            }
            if this.framing.phase() == Phase::Idle
                && this.activity.answering()
                && let Some(seen) = this.poll_caller(context)
            {
                return seen;
            }
            if !this.held.is_empty() {
                let scanned = this.framing.scan(&this.held);
                let passed = this.judge(scanned, asks_for_head(&this.held))?;
                if this.refused != Some(Refused::Head) {
                    this.passed = passed;
                }
                if this.passed > 0 || this.refused.is_some() {
                    continue;
                }
                match this.poll_held(context)? {
                    Poll::Ready(0) => return Poll::Ready(Ok(())),
                    Poll::Ready(_) => continue,
                    Poll::Pending => return this.poll_awaited(context).map(Err),
                }
            }
            // What is whole at once, as most requests are, is read where hyper wants it.
            let before = buffer.filled().len();
            if Pin::new(&mut this.io).poll_read(context, buffer)?.is_pending() {
                return this.poll_awaited(context).map(Err);
            }
            let read = buffer.filled().get(before..).unwrap_or_default();
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let scanned = this.framing.scan(read);
            let passed = this.judge(scanned, asks_for_head(read))?;
            if this.refused.is_none() {
                this.held.extend_from_slice(read.get(passed..).unwrap_or_default());
            }
            buffer.set_filled(before + passed);
            if upgraded && !this.activity.pay(passed) {
                buffer.set_filled(before);
                return Poll::Ready(Err(no_memory()));
            }
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Guarded<I> {
    /// Reads what is still on its way, within bounds, and throws it away.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; PIECE];
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

/// Whether these bytes begin with a request whose answer has no body; a blank line may stand before it.
fn asks_for_head(bytes: &[u8]) -> bool {
    bytes.strip_prefix(b"\r\n").unwrap_or(bytes).starts_with(b"HEAD ")
}
