//! Reads answers: up to a bound, a problem document as an error, JSON as what was asked for.

use crate::ClientError;
use crate::transport::{Answer, Transport};
use bytes::Bytes;
use faas_types::ErrorCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The largest answer that is read: a record with all of its inline output, each byte of it escaped.
pub(crate) const ANSWER_BYTES: usize = 32 * 1024 * 1024;
/// The largest refusal that is read.
const REFUSAL_BYTES: usize = 64 * 1024;

/// The whole body of a good answer; its connection is kept.
pub(crate) async fn whole(answer: Answer, transport: &Transport) -> Result<Bytes, ClientError> {
    let Answer { response, sender } = answer;
    let (head, body) = response.into_parts();
    let good = head.status.is_success();
    let bytes = read(body, if good { ANSWER_BYTES } else { REFUSAL_BYTES }).await?;
    transport.keep(sender);
    if good {
        return Ok(bytes);
    }
    Err(ClientError::from_answer(head.status.as_u16(), &bytes, retry_after(&head.headers)))
}

/// The body of a good answer, to be read as it comes; of another one the error.
pub(crate) async fn streamed(answer: Answer) -> Result<Incoming, ClientError> {
    let (head, body) = answer.response.into_parts();
    if head.status.is_success() {
        return Ok(body);
    }
    let bytes = read(body, REFUSAL_BYTES).await?;
    Err(ClientError::from_answer(head.status.as_u16(), &bytes, retry_after(&head.headers)))
}

pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|error| ClientError::broken(&error.to_string()))
}

/// What the header asks for; dates are not among what servers of ours say.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn read(body: Incoming, limit: usize) -> Result<Bytes, ClientError> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ClientError::ours(
            ErrorCode::Internal,
            format!("the server's answer is above {limit} bytes; it was not read"),
        )),
        Err(error) => Err(ClientError::lost(&error)),
    }
}
