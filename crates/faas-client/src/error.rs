//! Why a call did not give what was asked for.

use faas_api_model::ProblemBody;
use faas_types::ErrorCode;
use std::time::Duration;

/// How much of a foreign text an error repeats.
const EXCERPT_CHARACTERS: usize = 300;

/// Why a call did not give what was asked for: the server's problem document, or our own finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ClientError {
    /// The stable code; a newer server may know some that this client does not.
    pub code: String,
    /// What is wrong, for people.
    pub detail: String,
    /// The HTTP status; `None` where no answer came.
    pub status: Option<u16>,
    /// The field of the request that it is about.
    pub field: Option<String>,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
    /// The server's name for the request, to find it in its log.
    pub request_id: Option<String>,
}

impl ClientError {
    /// A finding of this side.
    pub(crate) fn ours(code: ErrorCode, detail: String) -> Self {
        Self { code: code.as_str().to_owned(), detail, status: None, field: None, retry_after: None, request_id: None }
    }

    /// The server did something that no server of ours does.
    pub(crate) fn broken(what: &str) -> Self {
        Self::ours(ErrorCode::Internal, format!("the server's answer cannot be used: {what}; check the address"))
    }

    /// The connection ended where it should not.
    pub(crate) fn lost(why: &impl std::fmt::Display) -> Self {
        Self::ours(ErrorCode::ServerUnreachable, format!("the connection to the server was lost: {why}; try again"))
    }

    /// A stream ended before what it told of.
    #[must_use]
    pub fn ended() -> Self {
        Self::lost(&"the stream ended before the execution")
    }

    /// The code, where this client knows it.
    #[must_use]
    pub fn known(&self) -> Option<ErrorCode> {
        ErrorCode::ALL.iter().copied().find(|code| code.as_str() == self.code)
    }

    /// What a refused request's answer says.
    pub(crate) fn from_answer(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        if let Ok(problem) = serde_json::from_slice::<ProblemBody>(body) {
            let ProblemBody { code, detail, field, retry_after_ms, request_id, .. } = problem;
            let retry_after = retry_after_ms.map(Duration::from_millis).or(retry_after);
            return Self { code, detail, status: Some(status), field, retry_after, request_id };
        }
        let text: String = String::from_utf8_lossy(body).trim().chars().take(EXCERPT_CHARACTERS).collect();
        let said = if text.is_empty() { String::new() } else { format!(": {text}") };
        let detail = format!("the server answered with status {status} and no problem document{said}");
        Self { status: Some(status), retry_after, ..Self::ours(ErrorCode::Internal, detail) }
    }

    /// What an event of the kind `error` says.
    pub(crate) fn from_event(code: String, detail: String, field: Option<String>, retry_after_ms: Option<u64>) -> Self {
        let retry_after = retry_after_ms.map(Duration::from_millis);
        Self { code, detail, status: None, field, retry_after, request_id: None }
    }
}

#[cfg(test)]
mod tests {
    use super::ClientError;
    use faas_types::ErrorCode;
    use std::time::Duration;

    #[test]
    fn a_problem_document_becomes_an_error_with_all_it_says() {
        let body =
            br#"{"type":"x","title":"Too many","status":429,"detail":"the queue has no room","code":"queue_full",
            "request_id":"req_1","error":"the queue has no room","field":"f","retry_after_ms":1500}"#;
        let error = ClientError::from_answer(429, body, Some(Duration::from_secs(2)));
        assert_eq!(error.known(), Some(ErrorCode::QueueFull));
        assert_eq!((error.status, error.field.as_deref()), (Some(429), Some("f")));
        assert_eq!(
            (error.retry_after, error.request_id.as_deref()),
            (Some(Duration::from_millis(1500)), Some("req_1"))
        );
        assert_eq!(error.to_string(), "the queue has no room");
    }

    #[test]
    fn what_is_no_problem_document_is_quoted_and_cut() {
        let page = "<html>".repeat(1000);
        let error = ClientError::from_answer(502, page.as_bytes(), None);
        assert_eq!((error.known(), error.status), (Some(ErrorCode::Internal), Some(502)));
        assert!(error.detail.contains("502") && error.detail.contains("<html>") && error.detail.len() < 500, "{error}");
    }

    #[test]
    fn a_code_of_a_newer_server_is_kept_as_it_is() {
        let body =
            br#"{"type":"x","title":"x","status":400,"detail":"x","code":"not_yet_invented","error":"x","new":1}"#;
        let error = ClientError::from_answer(400, body, None);
        assert_eq!((error.known(), error.code.as_str()), (None, "not_yet_invented"));
    }
}
