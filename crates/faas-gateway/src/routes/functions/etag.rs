//! `ETag` and `If-Match`: a change of what its caller has seen, or none (RFC 9110, 8.8.3 and 13.1.1).

use crate::ApiError;
use crate::openapi::Parameter;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use faas_types::ErrorCode;
use serde_json::json;

pub(super) fn parameter() -> Parameter {
    let description =
        "The etag the function had when its caller saw it; the change is refused when it has another one.";
    Parameter::header("If-Match", description, json!({"type": "string", "pattern": "^(\\*|\"[0-9]+\")$"}))
}

/// The tag of a revision.
pub(super) fn tag(revision: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{revision}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"0\""))
}

/// The revision that a change is to meet; `None` is any.
pub(super) fn expected(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let mut given = headers.get_all(IF_MATCH).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let refused = || {
        let detail = "If-Match is refused; accepted: one etag as it was answered, such as \"3\", or *";
        ApiError::new(ErrorCode::InvalidField, detail).field("If-Match")
    };
    if given.next().is_some() {
        return Err(refused());
    }
    match value.as_bytes() {
        b"*" => Ok(None),
        text => revision(text).map(Some).ok_or_else(refused),
    }
}

/// Whether the caller has this revision already.
pub(super) fn is_known(headers: &HeaderMap, current: u64) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag))
        .any(|tag| tag == b"*" || revision(tag) == Some(current))
}

fn revision(tag: &[u8]) -> Option<u64> {
    let digits = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let digits = str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{expected, is_known, tag};
    use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_tag_or_any() {
        assert_eq!(tag(3), "\"3\"");
        assert_eq!(expected(&HeaderMap::new()).expect("none"), None);
        assert_eq!(expected(&headers(IF_MATCH, &["\"3\""])).expect("a tag"), Some(3));
        assert_eq!(expected(&headers(IF_MATCH, &["*"])).expect("any"), None);
        for wrong in [&["3"][..], &["\"+3\""], &["\"x\""], &["W/\"3\""], &["\"3\", \"4\""], &["\"3\"", "\"4\""], &[""]]
        {
            assert!(expected(&headers(IF_MATCH, wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_known_revision_is_recognised() {
        for known in [&["\"3\""][..], &["\"2\", \"3\""], &["W/\"3\""], &["*"], &["\"1\"", "\"3\""]] {
            assert!(is_known(&headers(IF_NONE_MATCH, known), 3), "{known:?}");
        }
        assert!(!is_known(&headers(IF_NONE_MATCH, &["\"4\""]), 3));
        assert!(!is_known(&HeaderMap::new(), 3));
    }
}
