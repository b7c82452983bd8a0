//! What an execution's stream says, over server-sent events and WebSocket alike.

use crate::ClientError;
use bytes::Bytes;
use faas_api_model::{PlatformEventAnswer, StreamEvent, StreamName};
use faas_types::{ExecutionId, ExecutionRecord};
use serde::Deserialize;

/// One thing an execution says. Numbers only rise; nothing follows `Complete`.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Its program was started.
    Started {
        /// Its number.
        seq: u64,
        /// Which execution it is.
        execution_id: ExecutionId,
    },
    /// A piece of its output.
    Output {
        /// Its number.
        seq: u64,
        /// Where it was written.
        stream: StreamName,
        /// The bytes as written.
        bytes: Bytes,
    },
    /// It ended.
    Complete {
        /// Its number.
        seq: u64,
        /// Its record, without the output.
        record: Box<ExecutionRecord>,
    },
}

impl Event {
    /// Its number; a stream resumes after the last one seen.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Started { seq, .. } | Self::Output { seq, .. } | Self::Complete { seq, .. } => *seq,
        }
    }
}

/// The event in this text; `None` for a kind this client does not know.
///
/// # Errors
/// It is not JSON, is no event, or says that the stream failed.
pub(crate) fn parse(text: &str) -> Result<Option<Event>, ClientError> {
    match serde_json::from_str(text) {
        Ok(StreamEvent::Started { seq, execution_id }) => Ok(Some(Event::Started { seq, execution_id })),
        Ok(StreamEvent::Output { seq, stream, text }) => match text.bytes() {
            Some(bytes) => Ok(Some(Event::Output { seq, stream, bytes: Bytes::from(bytes) })),
            None => Err(malformed(&"its base64 is malformed")),
        },
        Ok(StreamEvent::Complete { seq, execution, .. }) => Ok(Some(Event::Complete { seq, record: execution })),
        Ok(StreamEvent::Error { code, detail, field, retry_after_ms, .. }) => {
            Err(ClientError::from_event(code, detail, field, retry_after_ms))
        }
        Err(error) => match serde_json::from_str(text) {
            Ok(Named { kind }) if !KINDS.contains(&kind.as_str()) => Ok(None),
            _ => Err(malformed(&error)),
        },
    }
}

/// The platform's event in this text.
///
/// # Errors
/// It is no event.
pub(crate) fn parse_platform(text: &str) -> Result<Option<PlatformEventAnswer>, ClientError> {
    serde_json::from_str(text).map(Some).map_err(|error| malformed(&error))
}

/// The kinds of events that this client knows.
const KINDS: [&str; 4] = ["started", "output", "complete", "error"];

/// What every event has, also those of newer servers.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
}

fn malformed(error: &dyn std::fmt::Display) -> ClientError {
    ClientError::broken(&format!("an event is malformed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{Event, parse};
    use bytes::Bytes;
    use faas_api_model::{StreamEvent, StreamName};
    use faas_types::{Contract, ErrorCode, ExecutionId, ExecutionRecord};
    use proptest::prelude::*;

    #[test]
    fn each_kind_is_read() {
        let id = ExecutionId::generate();
        let started = format!(r#"{{"seq":1,"type":"started","execution_id":"{id}","more":true}}"#);
        assert_eq!(parse(&started), Ok(Some(Event::Started { seq: 1, execution_id: id })));
        let output = |text: &str, stream, bytes: &'static [u8]| {
            assert_eq!(parse(text), Ok(Some(Event::Output { seq: 2, stream, bytes: Bytes::from_static(bytes) })));
        };
        output(r#"{"seq":2,"type":"output","stream":"stdout","data":"a\n"}"#, StreamName::Stdout, b"a\n");
        output(
            r#"{"seq":2,"type":"output","stream":"stderr","data":"a\ufffdb","data_base64":"Yf9i"}"#,
            StreamName::Stderr,
            b"a\xffb",
        );
        let record = ExecutionRecord::queued(id, None, Contract::Command, "process");
        let complete = serde_json::to_string(&StreamEvent::complete(3, record.clone())).expect("JSON");
        assert_eq!(parse(&complete), Ok(Some(Event::Complete { seq: 3, record: Box::new(record) })));
        assert_eq!(parse(r#"{"seq":4,"type":"of a newer server"}"#), Ok(None));
    }

    #[test]
    fn an_error_event_is_an_error_and_so_is_what_is_no_event() {
        let error = parse(r#"{"type":"error","code":"reader_too_slow","detail":"too slow","error":"too slow"}"#)
            .expect_err("an error");
        assert_eq!((error.known(), error.detail.as_str()), (Some(ErrorCode::ReaderTooSlow), "too slow"));
        let unpadded = r#"{"type":"output","seq":1,"stream":"stdout","data":"","data_base64":"Y"}"#;
        for text in ["", "{}", "[1]", r#"{"type":"output","seq":1,"stream":"stdout"}"#, unpadded] {
            assert_eq!(parse(text).expect_err(text).known(), Some(ErrorCode::Internal));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
