//! Connections: HTTP/1.1 over what [`Connect`] opens, idle ones kept for the next call.
//!
//! Invariant: a connection is used again only after its last answer was read to the end.

use crate::connect::Connection;
use crate::{ClientError, Connect};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Connections kept while nobody uses them.
const IDLE_CONNECTIONS: usize = 16;
/// What a server's head may take, and what is read of a body at once.
const READ_BYTES: usize = 256 * 1024;
const HEADERS: usize = 100;
const AGENT: &str = concat!("faas/", env!("CARGO_PKG_VERSION"));

type Sender = SendRequest<Full<Bytes>>;

/// One request, as often as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    /// JSON, where there is a body and its fields say nothing else.
    pub(crate) body: Option<Bytes>,
    pub(crate) accept: &'static str,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether sending it twice is as good as once.
    pub(crate) repeatable: bool,
}

impl Call {
    pub(crate) fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
            accept: "application/json",
            headers: Vec::new(),
            repeatable: true,
        }
    }
}

/// The head of an answer, its body still to be read, and the connection it comes over.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    pub(crate) sender: Sender,
}

/// Makes and keeps connections to one server.
#[derive(Debug)]
pub(crate) struct Transport {
    connect: Connect,
    credentials: Option<HeaderValue>,
    idle: Mutex<Vec<Sender>>,
}

impl Transport {
    pub(crate) const fn new(connect: Connect, credentials: Option<HeaderValue>) -> Self {
        Self { connect, credentials, idle: Mutex::new(Vec::new()) }
    }

    pub(crate) const fn connect(&self) -> &Connect {
        &self.connect
    }

    pub(crate) const fn credentials(&self) -> Option<&HeaderValue> {
        self.credentials.as_ref()
    }

    /// Sends a request once. A kept connection that turns out to be closed is replaced.
    pub(crate) async fn send(&self, call: &Call, connect_patience: Duration) -> Result<Answer, ClientError> {
        if let Some(mut sender) = self.kept().await {
            match sender.try_send_request(self.request(call)?).await {
                Ok(response) => return Ok(Answer { response, sender }),
                Err(mut error) => {
                    let unsent = error.take_message().is_some();
                    if !unsent && !call.repeatable {
                        return Err(ClientError::lost(error.error()));
                    }
                }
            }
        }
        let mut sender = self.fresh(connect_patience).await?;
        match sender.send_request(self.request(call)?).await {
            Ok(response) => Ok(Answer { response, sender }),
            Err(error) => Err(ClientError::lost(&error)),
        }
    }

    /// Takes a connection back whose answer was read to its end.
    pub(crate) fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS && !sender.is_closed() {
            idle.push(sender);
        }
    }

    async fn kept(&self) -> Option<Sender> {
        loop {
            let mut sender = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            // Fails at once where the server has closed it.
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn fresh(&self, patience: Duration) -> Result<Sender, ClientError> {
        let connection: Connection = self.connect.open(patience).await?;
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(READ_BYTES)
            .max_headers(HEADERS)
            .handshake(TokioIo::new(connection))
            .await
            .map_err(|error| ClientError::lost(&error))?;
        // Its failure is met by the call that uses it.
        tokio::spawn(async move { drop(driver.await) });
        Ok(sender)
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut builder =
            Request::builder().method(call.method.clone()).uri(&call.path).header(HOST, self.connect.authority());
        let json = HeaderValue::from_static("application/json");
        let ours = [
            (USER_AGENT, Some(HeaderValue::from_static(AGENT))),
            (ACCEPT, Some(HeaderValue::from_static(call.accept))),
            (AUTHORIZATION, self.credentials.clone()),
            (CONTENT_TYPE, call.body.is_some().then_some(json)),
        ];
        for (name, value) in ours {
            // What the call brings itself stands in the place of ours.
            if let Some(value) = value.filter(|_| call.headers.iter().all(|(given, _)| *given != name)) {
                builder = builder.header(name, value);
            }
        }
        for (name, value) in &call.headers {
            builder = builder.header(name, value);
        }
        builder
            .body(Full::new(call.body.clone().unwrap_or_default()))
            .map_err(|error| ClientError::broken(&format!("no request can be made of {:?}: {error}", call.path)))
    }
}
