//! The client itself: one server, credentials, patience.

use crate::transport::{Answer, Call, Transport};
use crate::{ClientError, Connect, RetryPolicy, answer};
use bytes::Bytes;
use faas_types::ErrorCode;
use hyper::header::HeaderValue;
use std::sync::Arc;
use std::time::Duration;

/// How long each part of a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the whole answer of an ordinary call was read. Calls that wait for executions name their own.
    pub answer: Duration,
    /// Silence on a stream after which its connection is given up and the stream resumed.
    pub silence: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), answer: Duration::from_secs(30), silence: Duration::from_secs(90) }
    }
}

/// A client of one server. Cheap to clone; clones share connections. Used inside a tokio runtime.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: Arc<Transport>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: RetryPolicy,
}

impl Client {
    /// A client without credentials.
    #[must_use]
    pub fn new(connect: Connect) -> Self {
        Self::over(Transport::new(connect, None))
    }

    /// A client with an API key or a token.
    ///
    /// # Errors
    /// It holds characters that no header can carry.
    pub fn with_key(connect: Connect, key: &str) -> Result<Self, ClientError> {
        let mut credentials = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| {
            ClientError::ours(
                ErrorCode::InvalidField,
                "the API key is refused; accepted: visible ASCII text".to_owned(),
            )
        })?;
        credentials.set_sensitive(true);
        Ok(Self::over(Transport::new(connect, Some(credentials))))
    }

    fn over(transport: Transport) -> Self {
        Self { transport: Arc::new(transport), timeouts: Timeouts::default(), retry: RetryPolicy::default() }
    }

    /// The same with other patience.
    #[must_use]
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The same with another way of trying again.
    #[must_use]
    pub const fn retries(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// A call whose answer is read as a whole within `patience` per try.
    pub(crate) async fn whole(&self, call: &Call, patience: Duration) -> Result<Bytes, ClientError> {
        let once = || async {
            let answer = self.transport.send(call, self.timeouts.connect).await?;
            answer::whole(answer, &self.transport).await
        };
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match tokio::time::timeout(patience, once()).await {
                Ok(Ok(bytes)) => return Ok(bytes),
                Ok(Err(error)) => error,
                Err(_) => return Err(too_slow(patience)),
            };
            self.pause(call, error, tried).await?;
        }
    }

    /// A call whose answer's head comes within the usual patience and whose body takes its time.
    pub(crate) async fn head(&self, call: &Call) -> Result<Answer, ClientError> {
        let patience = self.timeouts.answer;
        match tokio::time::timeout(patience, self.transport.send(call, self.timeouts.connect)).await {
            Ok(answer) => answer,
            Err(_) => Err(too_slow(patience)),
        }
    }

    /// Returns when it is time for another try, or the error where there is none.
    pub(crate) async fn pause(&self, call: &Call, error: ClientError, tried: u32) -> Result<(), ClientError> {
        match self.retry.wait_after(&error, tried).filter(|_| call.repeatable) {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => Err(error),
        }
    }
}

fn too_slow(patience: Duration) -> ClientError {
    ClientError::ours(
        ErrorCode::ServerUnreachable,
        format!("the server did not answer within {patience:?}; look at its log, or try again"),
    )
}
