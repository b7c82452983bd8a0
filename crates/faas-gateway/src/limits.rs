//! What one connection and one request may take: bytes, counts and time.
//!
//! Every limit holds on every listener and on in-process connections. The composition root reads
//! them from the configuration, tests pass short ones, and `GET /api/v1/limits` shows them.

use faas_types::ByteSize;
use std::time::Duration;

/// The limits of the HTTP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once, over all listeners.
    pub connections: u32,
    /// From the first byte of a request's head to its last.
    pub header_timeout: Duration,
    /// The longest head: request line and header fields. At least 8 KiB.
    pub header_bytes: ByteSize,
    /// The most header fields of a request.
    pub headers: u32,
    /// The longest path with its query.
    pub path_bytes: ByteSize,
    /// The longest body.
    pub body_bytes: ByteSize,
    /// What the bodies of all requests under way may hold together; never less than one longest body.
    pub all_bodies_bytes: ByteSize,
    /// How long a body may take, beside the time its bytes need at `body_rate`.
    pub body_timeout: Duration,
    /// The slowest a body may arrive, per second, once `body_timeout` is used up.
    pub body_rate: ByteSize,
    /// How long a reader may block an answer.
    pub write_timeout: Duration,
    /// How long a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// How long a stopping server waits for requests in flight.
    pub drain_timeout: Duration,
}

impl HttpLimits {
    /// What all bodies may hold together: otherwise a body within its own limit might never fit.
    pub(crate) fn all_bodies(&self) -> ByteSize {
        self.all_bodies_bytes.max(self.body_bytes)
    }

    /// Streams at once, over all connections: events, logs and WebSockets. The other half of the
    /// connections is left to requests.
    #[must_use]
    pub const fn all_streams(&self) -> u32 {
        if self.connections < 4 { 1 } else { self.connections / 2 }
    }
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            header_timeout: Duration::from_secs(10),
            header_bytes: ByteSize::from_bytes(64 << 10),
            headers: 100,
            path_bytes: ByteSize::from_bytes(8 << 10),
            body_bytes: ByteSize::mib(32),
            all_bodies_bytes: ByteSize::mib(256),
            body_timeout: Duration::from_secs(30),
            body_rate: ByteSize::from_bytes(64 << 10),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            streams: 128,
            drain_timeout: Duration::from_secs(30),
        }
    }
}
