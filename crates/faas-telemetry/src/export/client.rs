//! How batches of spans travel: HTTP on a runtime of their own.

use async_trait::async_trait;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How long the collector may take for one batch.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Called only by the exporting thread, which belongs to no runtime. Having its own, it neither waits
/// for the server's work nor ends with it: the last spans leave after the server has stopped.
#[derive(Debug)]
pub(super) struct Client {
    runtime: Runtime,
    http: HyperClient,
}

impl Client {
    pub(super) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        Ok(Self { runtime, http: HyperClient::with_default_connector(TIMEOUT, None) })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.runtime.block_on(self.http.send_bytes(request))
    }
}
