//! Events as they are written.

use crate::ApiError;
use bytes::Bytes;
use faas_api_model::{OutputText, StreamEvent, StreamName};
use faas_orchestrator::Watched;
use serde::Serialize;

/// What an execution said, as an event.
pub(super) fn event(watched: Watched) -> StreamEvent {
    match watched {
        Watched::Started { seq, execution_id } => StreamEvent::Started { seq, execution_id },
        Watched::Output { seq, stream, bytes } => {
            let stream = match stream {
                faas_orchestrator::StreamName::Stdout => StreamName::Stdout,
                faas_orchestrator::StreamName::Stderr => StreamName::Stderr,
            };
            StreamEvent::Output { seq, stream, text: OutputText::new(&bytes) }
        }
        Watched::Complete { seq, record } => StreamEvent::complete(seq, *record),
    }
}

/// A failure as the last event of a stream.
pub(super) fn error_event(error: &ApiError) -> StreamEvent {
    StreamEvent::Error {
        code: error.code.as_str().to_owned(),
        detail: error.detail.clone(),
        error: error.detail.clone(),
        field: error.field.clone(),
        retry_after_ms: error.retry_after_ms,
    }
}

/// An event of a stream for SSE.
pub(super) fn sse(event: &StreamEvent) -> Bytes {
    named(event.seq(), event.name(), event)
}

/// Any event for SSE. JSON has no line breaks, so it is one line.
pub(super) fn named(seq: Option<u64>, name: &str, data: &impl Serialize) -> Bytes {
    let mut text = Vec::new();
    if let Some(seq) = seq {
        text.extend_from_slice(format!("id: {seq}\n").as_bytes());
    }
    text.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
    // Texts and numbers always serialise, and a vector takes every write.
    drop(serde_json::to_writer(&mut text, data));
    text.extend_from_slice(b"\n\n");
    Bytes::from(text)
}
