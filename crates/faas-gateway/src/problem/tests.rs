use super::{ApiError, status_of};
use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use faas_types::{ErrorCode, RetryClass};
use std::time::Duration;

async fn body(response: Response) -> serde_json::Value {
    let bytes = to_bytes(response.into_body(), 1 << 16).await.expect("a problem is small");
    serde_json::from_slice(&bytes).expect("a problem is JSON")
}

#[test]
fn every_code_has_an_error_status_and_503_only_where_retrying_helps() {
    for &code in ErrorCode::ALL {
        let status = status_of(code);
        assert!(status.is_client_error() || status.is_server_error(), "{code:?}: {status}");
        if status == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(code.retry_class(), RetryClass::Later, "{code:?} is answered with 503");
        }
    }
}

#[test]
fn each_429_and_503_says_when_to_come_back() {
    for &code in ErrorCode::ALL {
        let response = ApiError::new(code, "later").into_response();
        let promised = response.headers().contains_key(RETRY_AFTER);
        let helps = matches!(response.status().as_u16(), 429 | 503);
        assert_eq!(promised, helps, "{code:?}");
    }
}

#[tokio::test]
async fn a_problem_has_its_members_and_repeats_its_detail() {
    let error = ApiError::new(ErrorCode::BodyTooLarge, "the body is above 32 bytes").field("body").limit(32);
    let response = error.respond(Some("req_1"));
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(
        body(response).await,
        serde_json::json!({
            "type": "urn:faas:error:body_too_large", "title": "body too large", "status": 413,
            "detail": "the body is above 32 bytes", "code": "body_too_large", "request_id": "req_1",
            "error": "the body is above 32 bytes", "field": "body", "limit": 32,
        })
    );
}

#[tokio::test]
async fn a_wait_is_rounded_up_to_whole_seconds() {
    let response = ApiError::new(ErrorCode::QueueFull, "full").retry_after(Duration::from_millis(1001)).into_response();
    assert_eq!(response.headers()[RETRY_AFTER], "2");
    let body = body(response).await;
    assert_eq!(body["retry_after_ms"], 1001);
    assert!(body.get("request_id").is_none());
}
