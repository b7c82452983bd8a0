//! `ETag` and `If-Match`: a change of what its caller has seen, or none (RFC 9110, 8.8.3 and 13.1.1).

use crate::ApiError;
use crate::openapi::Parameter;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use faas_store_api::{Seen, StoredFunction};
use faas_types::ErrorCode;
use serde_json::json;

pub(super) fn parameter() -> Parameter {
    let description =
        "The etag the function had when its caller saw it; the change is refused when it has another one.";
    Parameter::header("If-Match", description, json!({"type": "string", "pattern": "^(\\*|\"[!#-~]+\")$"}))
}

/// The tag of a function.
pub(super) fn tag(function: &StoredFunction) -> HeaderValue {
    // Of letters, digits and signs, so it is always a value.
    HeaderValue::try_from(format!("\"{}\"", function.seen())).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// What a change is to meet; `None` is any.
pub(super) fn expected(headers: &HeaderMap) -> Result<Option<Seen>, ApiError> {
    let mut given = headers.get_all(IF_MATCH).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let refused = || {
        let detail = "If-Match is refused; accepted: one etag as it was answered, in its quotes, or *";
        ApiError::new(ErrorCode::InvalidField, detail).field("If-Match")
    };
    if given.next().is_some() {
        return Err(refused());
    }
    match value.as_bytes() {
        b"*" => Ok(None),
        text => seen(text).map(Some).ok_or_else(refused),
    }
}

/// Whether the caller has the function as it is already.
pub(super) fn is_known(headers: &HeaderMap, current: &StoredFunction) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag))
        .any(|tag| tag == b"*" || seen(tag) == Some(current.seen()))
}

fn seen(tag: &[u8]) -> Option<Seen> {
    let text = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{expected, is_known, tag};
    use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use faas_store_api::{NewFunction, StoredFunction};
    use faas_types::{FunctionId, TenantId, Timestamp, VersionId};

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    fn function() -> StoredFunction {
        let (id, name) = (FunctionId::generate(), "hello".parse().expect("a name"));
        let (version, at) = (VersionId::generate(), Timestamp::now());
        NewFunction { id, tenant: TenantId::LOCAL, name, version, spec: Vec::new(), made_with: None, at }.begin().0
    }

    fn text(function: &StoredFunction) -> String {
        tag(function).to_str().expect("text").to_owned()
    }

    #[test]
    fn one_tag_or_any() {
        let function = function();
        let tag = text(&function);
        assert_eq!(expected(&HeaderMap::new()).expect("none"), None);
        assert_eq!(expected(&headers(&IF_MATCH, &[&tag])).expect("a tag"), Some(function.seen()));
        assert_eq!(expected(&headers(&IF_MATCH, &["*"])).expect("any"), None);
        let (bare, weak, list) = (tag.trim_matches('"'), format!("W/{tag}"), format!("{tag}, {tag}"));
        for wrong in [&[bare][..], &["\"3\""], &["\"x\""], &[&weak], &[&list], &[&tag, &tag], &[""]] {
            assert!(expected(&headers(&IF_MATCH, wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_known_function_is_recognised() {
        let (function, other) = (function(), function());
        let (tag, others) = (text(&function), text(&other));
        let (list, weak) = (format!("{others}, {tag}"), format!("W/{tag}"));
        for known in [&[&*tag][..], &[&list], &[&weak], &["*"], &[&others, &tag]] {
            assert!(is_known(&headers(&IF_NONE_MATCH, known), &function), "{known:?}");
        }
        let later = StoredFunction { revision: 2, ..function.clone() };
        assert!(!is_known(&headers(&IF_NONE_MATCH, &[&tag]), &later), "it has changed");
        assert!(!is_known(&headers(&IF_NONE_MATCH, &[&others]), &function), "another function");
        assert!(!is_known(&HeaderMap::new(), &function));
    }
}
