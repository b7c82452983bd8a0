//! Whether a request asks for a WebSocket.

use crate::ApiError;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use axum::http::request::Parts;
use faas_types::ErrorCode;

/// The upgrade that is asked for, if one is.
pub(crate) struct Upgrade(pub(crate) Option<WebSocketUpgrade>);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let asked =
            parts.headers.get(UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
        if !asked {
            return Ok(Self(None));
        }
        let has_body = parts.headers.contains_key(TRANSFER_ENCODING)
            || parts.headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
        if has_body {
            // Its bytes and the first frames would be one stream.
            let detail = "a WebSocket handshake has no body; accepted: none, and the request as the first text frame";
            return Err(ApiError::new(ErrorCode::InvalidField, detail).field("upgrade"));
        }
        WebSocketUpgrade::from_request_parts(parts, state).await.map(|upgrade| Self(Some(upgrade))).map_err(|error| {
            ApiError::new(ErrorCode::InvalidField, format!("the WebSocket handshake is refused: {}", error.body_text()))
                .field("upgrade")
        })
    }
}
