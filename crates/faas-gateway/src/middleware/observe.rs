//! The outermost check: an id for every request, its span, log line and metrics, and an answer
//! even to a panic.

use super::measure::Measure;
use crate::problem::ApiError;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use faas_types::ErrorCode;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const TRACE: HeaderName = HeaderName::from_static("traceparent");
/// The longest id that is taken over from a caller.
const LONGEST: usize = 64;

/// The id of a request: the caller's own when it is a short plain token, else a fresh one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        match headers.get(&HEADER) {
            Some(given) if (1..=LONGEST).contains(&given.len()) && given.as_bytes().iter().all(plain) => {
                Self(given.clone())
            }
            _ => {
                let mut text = [0; uuid::fmt::Simple::LENGTH];
                let fresh = fresh().simple().encode_lower(&mut text);
                // Hexadecimal digits are a valid value.
                Self(HeaderValue::from_str(fresh).unwrap_or_else(|_| HeaderValue::from_static("-")))
            }
        }
    }

    /// As text.
    fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// An id nobody else gives: the time, and a count from a random beginning. Randomness for each would cost a
/// system call.
fn fresh() -> Uuid {
    static BEGINNING: LazyLock<u128> = LazyLock::new(|| Uuid::new_v4().as_u128());
    static GIVEN: AtomicU64 = AtomicU64::new(0);
    let number = BEGINNING.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed).into());
    let [.., a, b, c, d, e, f, g, h, i, j] = number.to_be_bytes();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = u64::try_from(now).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(now, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
}

/// Runs the rest and reports on it.
pub(super) async fn observe<F>(request: Request, measure: &Measure, rest: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let began = Instant::now();
    let id = RequestId::of(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("-", MatchedPath::as_str);
    let span = tracing::info_span!("request", request_id = id.as_str(), %method, route);
    if let Some(parent) = request.headers().get(TRACE).and_then(|value| value.to_str().ok()) {
        faas_telemetry::follow(&span, parent);
    }
    let mut response = match AssertUnwindSafe(rest(request).instrument(span)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => ApiError::new(ErrorCode::Internal, "the server failed; its log has more under this request's id")
            .into_response(),
    };
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        // The headers that were added on the way stay.
        let rendered = error.respond(Some(id.as_str()));
        let (parts, body) = rendered.into_parts();
        response.headers_mut().extend(parts.headers);
        *response.body_mut() = body;
    }
    response.headers_mut().insert(HEADER, id.0.clone());
    let status = response.status().as_u16();
    let latency = began.elapsed();
    measure.request(route, method.as_str(), status, latency);
    let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(target: "faas::access", request_id = id.as_str(), %method, route, status, latency_us);
    response
}

#[cfg(test)]
mod tests {
    use super::{HEADER, RequestId};
    use axum::http::{HeaderMap, HeaderValue};

    fn id(given: &[u8]) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(given).expect("a header value"));
        RequestId::of(&headers)
    }

    #[test]
    fn a_short_plain_token_is_taken_over() {
        assert_eq!(id(b"deploy-7_a.b:c").as_str(), "deploy-7_a.b:c");
        assert_eq!(id(&[b'a'; 64]).as_str().len(), 64);
    }

    #[test]
    fn anything_else_is_replaced() {
        for given in [&b""[..], &[b'a'; 65], b"a b", b"a\"b", b"\xff", b"a\tb", b"<script>"] {
            let id = id(given);
            assert_eq!(id.as_str().len(), 32, "{given:?}");
            assert!(id.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()), "{given:?}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
