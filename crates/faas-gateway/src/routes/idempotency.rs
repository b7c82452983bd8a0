//! `Idempotency-Key`: the same key with the same request is done once.

use crate::ApiError;
use crate::openapi::Parameter;
use axum::http::HeaderMap;
use faas_store_api::Idempotency;
use faas_types::ErrorCode;
use serde_json::json;

/// The header's name.
pub(crate) const HEADER: &str = "idempotency-key";
/// The most characters of a key.
pub(crate) const MAX_KEY: usize = 255;

/// What a request asks for beside its body, the same under all its paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// An execution, waited for, streamed or detached.
    Execute,
    /// A call of this function.
    Call(String),
    /// A function that is made.
    MakeFunction,
    /// The command of a seed's function of this id.
    Invoke(String),
}

/// A key as its caller gave it.
#[derive(Debug)]
pub(crate) struct Key(String);

/// The header as the document describes it.
pub(crate) fn parameter(description: &'static str) -> Parameter {
    let schema = json!({"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$"});
    Parameter::header("Idempotency-Key", description, schema)
}

/// The key of a request, where it has one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<Key>, ApiError> {
    let mut keys = headers.get_all(HEADER).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=MAX_KEY).contains(&key.len()));
    let key = key.filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()));
    let (Some(key), None) = (key, keys.next()) else {
        let detail = "Idempotency-Key is refused; accepted: one key of 1 to 255 visible ASCII characters";
        return Err(ApiError::new(ErrorCode::InvalidField, detail).field("Idempotency-Key"));
    };
    Ok(Some(Key(key.to_owned())))
}

impl Key {
    /// The key with a digest of what is asked for under it.
    pub(crate) fn of(self, operation: &Operation, body: &[u8]) -> Idempotency {
        let [name, which] = match operation {
            Operation::Execute => ["execute", ""],
            Operation::Call(function) => ["call", function],
            Operation::MakeFunction => ["function", ""],
            Operation::Invoke(id) => ["invoke", id],
        };
        let mut hasher = blake3::Hasher::new();
        for part in [name.as_bytes(), which.as_bytes(), body] {
            // With its length in front no two requests share a text.
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part);
        }
        Idempotency { key: self.0, digest: *hasher.finalize().as_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER, Operation, key};
    use axum::http::{HeaderMap, HeaderValue};

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).expect("a header's value"));
        }
        headers
    }

    #[test]
    fn a_digest_covers_the_operation_and_the_body() {
        let headers = headers(&[b"k"]);
        let digest = |operation, body: &[u8]| key(&headers).expect("a key").expect("given").of(&operation, body).digest;
        let same = digest(Operation::Execute, b"b");
        assert_eq!(digest(Operation::Execute, b"b"), same);
        for other in [
            digest(Operation::Execute, b"c"),
            digest(Operation::Invoke(String::new()), b"b"),
            digest(Operation::Invoke("b".to_owned()), b""),
        ] {
            assert_ne!(other, same);
        }
        assert_ne!(digest(Operation::Invoke("a".to_owned()), b""), digest(Operation::Invoke("b".to_owned()), b""));
    }

    #[test]
    fn keys_are_checked() {
        assert!(key(&HeaderMap::new()).expect("none").is_none());
        let long = [b'k'; 256];
        for wrong in [&[&b""[..]][..], &[b"a b"], &[&long], &[b"\xff"], &[b"a", b"a"]] {
            assert!(key(&headers(wrong)).is_err(), "{wrong:?}");
        }
    }
}
