//! What an execution wrote or a function answers, as bytes and over one connection: one that is lost is an
//! error.

use crate::transport::Call;
use crate::{Client, ClientError, answer};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// The output of one execution, or the body of one answer, piece by piece.
#[derive(Debug)]
pub struct Logs {
    body: Incoming,
}

impl Logs {
    pub(crate) const fn of(body: Incoming) -> Self {
        Self { body }
    }

    pub(crate) async fn open(client: &Client, path: String) -> Result<Self, ClientError> {
        let call = Call { accept: "text/plain", ..Call::get(path) };
        let mut tried = 0;
        loop {
            tried += 1;
            let opened = match client.head(&call).await {
                Ok(answer) => answer::streamed(answer).await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(body) => return Ok(Self { body }),
                Err(error) => client.pause(&call, error, tried).await?,
            }
        }
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, ClientError>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                }
                Err(error) => return Some(Err(ClientError::lost(&error))),
            }
        }
    }
}
