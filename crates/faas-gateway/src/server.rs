//! The HTTP server: its own accept loop, and one guarded connection at a time.
//!
//! Invariants: every byte of every connection passes [`guarded`]; there are never more connections
//! than places; once stopping, no new connection is taken, requests in flight end within the
//! drain's bound, and nobody is told to go in the middle of an answer. The composition root calls
//! [`Server::run`]; a client in the same process calls [`Server::connection`] with one end of a
//! pipe and gets the same treatment.

mod accept;
mod activity;
mod bind;
mod flood;
mod framing;
mod guarded;
mod over;
mod places;
mod refused;
mod requests;

pub(crate) use activity::Intake;
pub use bind::{BindError, bind_address};
pub(crate) use refused::Refused;
pub(crate) use requests::Endpoints;

use crate::limits::HttpLimits;
use activity::Activity;
use axum::Router;
use faas_types::ByteSize;
use guarded::Guarded;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use over::Over;
use places::{Place, Places};
use requests::Requests;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a stopping server leaves idle connections open, answering `connection: close`: a
/// request that is on its way when the server stops is still served. Whoever drains what is behind
/// the routes waits for so long first.
pub const DRAIN_GRACE: Duration = Duration::from_millis(500);
/// The smallest buffer hyper accepts.
const SMALLEST_BUFFER: usize = 8192;
/// How many headers hyper takes without being told; being told costs it more for each request.
const HEADERS: usize = 100;
/// What one HTTP/2 answer may keep that its reader has not taken.
const SEND_BUFFER: usize = 64 << 10;
/// HTTP/2 streams reset by the other side before we take them up, and by us for its errors.
const PENDING_RESETS: usize = 20;
const ERROR_RESETS: usize = 64;

/// How far the server is with stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Stage {
    Serving,
    /// No new connections; answers close theirs.
    Draining,
    /// Idle connections are closed too.
    Closing,
    /// The drain's bound is over.
    Aborted,
}

/// A cheap handle of the server.
#[derive(Debug, Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    router: Router,
    limits: HttpLimits,
    builder: auto::Builder<TokioExecutor>,
    places: Arc<Places>,
    stage: watch::Sender<Stage>,
}

impl Server {
    /// A server of these routes.
    #[must_use]
    pub fn new(router: Router, limits: HttpLimits) -> Self {
        let places = Places::new(usize::try_from(limits.connections).unwrap_or(usize::MAX));
        let stage = watch::Sender::new(Stage::Serving);
        Self { shared: Arc::new(Shared { router, limits, builder: builder(&limits), places, stage }) }
    }

    /// Serves until `stop` resolves, then finishes what is in flight, within the drain's bound.
    pub async fn run(self, listeners: Vec<TcpListener>, stop: impl Future) {
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept::accept(self.clone(), listener));
        }
        stop.await;
        self.stage(Stage::Draining);
        while accepting.join_next().await.is_some() {}
        let limits = self.shared.limits;
        if timeout(DRAIN_GRACE.min(limits.drain_timeout), self.shared.places.empty()).await.is_err() {
            self.stage(Stage::Closing);
            if timeout(limits.drain_timeout, self.shared.places.empty()).await.is_err() {
                tracing::warn!("connections are cut: their requests did not end within the drain timeout");
                self.stage(Stage::Aborted);
            }
        }
    }

    /// Serves one connection to its end: a socket, or one end of a pipe in this process.
    pub async fn connection<I>(&self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::new());
        if let Some(place) = self.shared.places.take(&activity) {
            self.serve(io, activity, place, Endpoints::default()).await;
        } else {
            accept::refuse(io).await;
        }
    }

    fn stage(&self, stage: Stage) {
        self.shared.stage.send_replace(stage);
    }

    async fn serve<I>(&self, io: I, activity: Arc<Activity>, place: Place, endpoints: Endpoints)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = self.shared.limits;
        let over = Over::new(self.shared.stage.subscribe());
        let io = TokioIo::new(Guarded::new(io, Arc::clone(&activity), limits, place, over));
        let requests = Requests::new(Arc::clone(&self.shared), Arc::clone(&activity), endpoints);
        let mut connection = pin!(self.shared.builder.serve_connection_with_upgrades(io, requests));
        let mut stage = self.shared.stage.subscribe();
        stage.mark_changed();
        let mut stuck = tokio::time::interval((limits.write_timeout / 2).max(Duration::from_millis(1)));
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                () = activity.evicted() => return,
                _ = stuck.tick() => if activity.blocked_for(limits.write_timeout) {
                    return;
                },
                _ = stage.changed() => match *stage.borrow_and_update() {
                    Stage::Serving => {}
                    Stage::Draining => if activity.http2() {
                        connection.as_mut().graceful_shutdown();
                    },
                    Stage::Closing => connection.as_mut().graceful_shutdown(),
                    Stage::Aborted => return,
                },
            }
        }
    }
}

/// Hyper's part of the limits. For HTTP/1 it is the smaller one: [`guarded`] shows it whole heads within
/// their limits, and tells waiting for a request from waiting for the rest of one.
fn builder(limits: &HttpLimits) -> auto::Builder<TokioExecutor> {
    let header_bytes = bytes(limits.header_bytes).max(SMALLEST_BUFFER);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Hyper refuses a head that fills its buffer.
    builder.http1().header_read_timeout(None).max_buf_size(header_bytes + 1);
    let headers = usize::try_from(limits.headers).unwrap_or(usize::MAX);
    if headers > HEADERS {
        builder.http1().max_headers(headers);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(limits.write_timeout))
        .keep_alive_timeout(limits.write_timeout)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(ERROR_RESETS);
    builder
}

/// A size as this machine counts memory.
pub(crate) fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_bytes()).unwrap_or(usize::MAX)
}
