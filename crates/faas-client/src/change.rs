//! A change of a function that tells what it does until it is done.

use crate::sse::{BadStream, Frame, Parser};
use crate::transport::Call;
use crate::{Client, ClientError, answer};
use faas_api_model::{FunctionAnswer, ProgressEvent};
use http_body_util::BodyExt as _;
use hyper::header::CONTENT_TYPE;
use serde::Deserialize;
use std::time::Duration;

/// Sends a change, and hears what it says until it is made or refused. A server that tells nothing is
/// understood as well.
pub(crate) async fn told(
    client: &Client,
    call: Call,
    patience: Duration,
    hears: &mut (dyn FnMut(ProgressEvent) + Send),
) -> Result<FunctionAnswer, ClientError> {
    let call = Call { accept: "text/event-stream, application/json;q=0.9", ..call };
    let hearing = async {
        let opened = client.transport.send(&call, client.timeouts.connect).await?;
        let kind = opened.response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return answer::json(&answer::whole(opened, &client.transport).await?);
        }
        let mut body = answer::streamed(opened).await?;
        let (mut parser, mut frames) = (Parser::default(), Vec::new());
        loop {
            let piece = match tokio::time::timeout(client.timeouts.silence, body.frame()).await {
                Err(_) => return Err(ClientError::lost(&format!("silence for {:?}", client.timeouts.silence))),
                Ok(None) => return Err(ClientError::lost(&"the stream ended before the change")),
                Ok(Some(piece)) => piece.map_err(|error| ClientError::lost(&error))?,
            };
            let Some(bytes) = piece.data_ref() else { continue };
            parser.push(bytes, &mut frames).map_err(|bad| match bad {
                BadStream::TooLarge => ClientError::broken("an event is too large"),
                BadStream::NotText => ClientError::broken("an event is not text"),
            })?;
            for Frame { name, data, .. } in frames.drain(..) {
                match name.as_deref() {
                    Some("progress") => hears(answer::json(data.as_bytes())?),
                    Some("function") => return answer::json(data.as_bytes()),
                    Some("error") => return Err(refusal(&data)),
                    // Of a newer server.
                    Some(_) | None => {}
                }
            }
        }
    };
    match tokio::time::timeout(patience, hearing).await {
        Ok(told) => told,
        Err(_) => Err(ClientError::lost(&format!("the change was not made within {patience:?}"))),
    }
}

/// The problem that an event brings, which would have had a status of its own.
fn refusal(data: &str) -> ClientError {
    #[derive(Deserialize)]
    struct Status {
        status: u16,
    }
    let status = serde_json::from_str(data).map_or(500, |Status { status }| status);
    ClientError::from_answer(status, data.as_bytes(), None)
}
