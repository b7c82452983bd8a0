//! The contracts handler and cgi: the response is the result.
//!
//! A JSON body is the result as it is, every other body is a text. What user code failed with, or that it
//! never answered, is the error.

use super::argv_json::{MAX_RESULT_BYTES, MAX_RESULT_DEPTH, is_deeper_than};
use bytes::Bytes;
use faas_executor_api::ResponseHead;
use serde_json::Value;

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResponseError {
    /// User code failed, in its own words.
    #[error("{0}")]
    Failed(String),
    /// The program ended without a word.
    #[error("the program ended before it had answered; return an answer, and do not end the process")]
    Missing,
    /// A record cannot hold it.
    #[error("the answer is above {MAX_RESULT_BYTES} bytes, which is the most a result may have; return less")]
    TooLarge,
    /// It says that it is JSON, and is not, or is nested too deeply.
    #[error("the answer says that it is JSON and cannot be read; it may have {MAX_RESULT_DEPTH} levels")]
    Invalid,
}

/// A response while it arrives. Holds no more than a result may have.
#[derive(Debug, Default)]
pub(crate) struct Response {
    json: bool,
    body: Vec<u8>,
    too_large: bool,
    complete: bool,
    failed: Option<String>,
    /// Somebody else has it, so that it is no result.
    passed_on: bool,
}

impl Response {
    /// It goes to its reader, and only how it ends is of interest here.
    pub(crate) const fn is_passed_on(&mut self) {
        self.passed_on = true;
    }

    pub(crate) fn head(&mut self, head: &ResponseHead) {
        let content_type = head.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        self.json = content_type.is_some_and(|(_, value)| is_json(value));
    }

    pub(crate) fn body(&mut self, bytes: &Bytes) {
        if self.passed_on {
            return;
        }
        self.too_large |= self.body.len().saturating_add(bytes.len()) > MAX_RESULT_BYTES;
        if !self.too_large {
            self.body.extend_from_slice(bytes);
        }
    }

    pub(crate) const fn complete(&mut self) {
        self.complete = true;
    }

    pub(crate) fn failed(&mut self, message: String) {
        self.failed = Some(message);
    }

    /// The result of a program that ended by itself.
    pub(crate) fn result(self) -> Result<Value, ResponseError> {
        if let Some(message) = self.failed {
            return Err(ResponseError::Failed(message));
        }
        match (self.complete, self.too_large) {
            (true, _) if self.passed_on => Ok(Value::Null),
            (false, _) => Err(ResponseError::Missing),
            (true, true) => Err(ResponseError::TooLarge),
            (true, false) if !self.json => Ok(Value::String(String::from_utf8_lossy(&self.body).into_owned())),
            (true, false) => {
                let value = serde_json::from_slice(&self.body).map_err(|_| ResponseError::Invalid)?;
                if is_deeper_than(&value, MAX_RESULT_DEPTH) { Err(ResponseError::Invalid) } else { Ok(value) }
            }
        }
    }
}

/// `application/json`, or a type that ends with `+json`.
fn is_json(content_type: &[u8]) -> bool {
    let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
    let essence = content_type.get(..end).unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence == b"application/json" || essence.ends_with(b"+json")
}

#[cfg(test)]
mod tests {
    use super::{MAX_RESULT_BYTES, Response, ResponseError};
    use bytes::Bytes;
    use faas_executor_api::ResponseHead;
    use serde_json::{Value, json};

    fn response(content_type: Option<&'static str>, body: impl Into<Bytes>) -> Response {
        let mut response = Response::default();
        let headers = content_type.map(|value| ("Content-Type".to_owned(), Bytes::from_static(value.as_bytes())));
        response.head(&ResponseHead { status: 200, headers: headers.into_iter().collect() });
        response.body(&body.into());
        response
    }

    fn whole(content_type: Option<&'static str>, body: impl Into<Bytes>) -> Result<Value, ResponseError> {
        let mut response = response(content_type, body);
        response.complete();
        response.result()
    }

    #[test]
    fn json_is_the_result_and_everything_else_a_text() {
        for kind in ["application/json", "application/json; charset=utf-8", "Application/Problem+JSON"] {
            assert_eq!(whole(Some(kind), r#"{"a":[1,null]}"#), Ok(json!({"a": [1, null]})), "{kind}");
        }
        for kind in [None, Some("text/plain"), Some("application/jsonp"), Some("text/html; a=application/json")] {
            assert_eq!(whole(kind, "{}"), Ok(json!("{}")), "{kind:?}");
        }
        assert_eq!(whole(None, &b"a\xffb"[..]), Ok(json!("a\u{fffd}b")));
        assert_eq!(whole(None, ""), Ok(json!("")));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert_eq!(response(None, "half").result(), Err(ResponseError::Missing));
        assert_eq!(Response::default().result(), Err(ResponseError::Missing));
        assert_eq!(whole(Some("application/json"), "{"), Err(ResponseError::Invalid));
        let deep = "[".repeat(65) + &"]".repeat(65);
        assert_eq!(whole(Some("application/json"), deep), Err(ResponseError::Invalid));
        assert_eq!(whole(None, vec![b'x'; MAX_RESULT_BYTES + 1]), Err(ResponseError::TooLarge));
        assert!(whole(None, vec![b'x'; MAX_RESULT_BYTES]).is_ok());
        let mut raised = response(None, "half");
        raised.failed("ValueError: mine".to_owned());
        assert_eq!(raised.result().unwrap_err().to_string(), "ValueError: mine");
    }
}
