//! The body of a request: JSON, whole, paid for until it is handed on.
//!
//! How long it may be and that it is not encoded is the middleware's business, which has bounded it
//! before it gets here.

use crate::ApiError;
use crate::budget::Lease;
use crate::state::Shared;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use faas_types::ErrorCode;
use std::error::Error;

/// Reading more than this takes so long that others on the same thread would wait.
const READ_IN_PLACE: usize = 1 << 20;

/// The bytes of a JSON body.
#[derive(Debug)]
pub(crate) struct JsonBody {
    bytes: Bytes,
    paid: Option<Lease>,
}

impl FromRequest<Shared> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, ApiError> {
        check(request.headers())?;
        let RawBody { bytes, paid } = RawBody::from_request(request, state).await?;
        Ok(Self { bytes, paid })
    }
}

/// The bytes of any body.
#[derive(Debug)]
pub(crate) struct RawBody {
    bytes: Bytes,
    paid: Option<Lease>,
}

impl FromRequest<Shared> for RawBody {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, _state: &Shared) -> Result<Self, ApiError> {
        let paid = request.extensions_mut().remove::<Lease>();
        let bytes = axum::body::to_bytes(request.into_body(), usize::MAX).await.map_err(|error| unreadable(&error))?;
        Ok(Self { bytes, paid })
    }
}

impl RawBody {
    /// The bytes, and what keeps them paid for.
    pub(crate) fn into_parts(self) -> (Bytes, Option<Lease>) {
        (self.bytes, self.paid)
    }

    /// A JSON body, or none at all.
    pub(crate) fn json_or_nothing(self, headers: &HeaderMap) -> Result<JsonBody, ApiError> {
        let Self { bytes, paid } = self;
        if !bytes.is_empty() {
            check(headers)?;
        }
        Ok(JsonBody { bytes, paid })
    }
}

impl JsonBody {
    /// One that came as the first message of a WebSocket.
    pub(crate) const fn of_message(bytes: Bytes, paid: Option<Lease>) -> Self {
        Self { bytes, paid }
    }

    /// What the body says, and what keeps its bytes paid for.
    pub(crate) async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&[u8]) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<(T, Option<Lease>), ApiError> {
        let Self { bytes, paid } = self;
        if bytes.len() <= READ_IN_PLACE {
            return Ok((read(&bytes)?, paid));
        }
        let reading = tokio::task::spawn_blocking(move || (read(&bytes), paid));
        let (read, paid) = reading
            .await
            .map_err(|_| ApiError::new(ErrorCode::Internal, "the server failed to read the body; its log has more"))?;
        Ok((read?, paid))
    }
}

fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    let json = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or("").trim();
        kind.eq_ignore_ascii_case("application/json")
    });
    if json {
        return Ok(());
    }
    let detail = "the body's type is not JSON; send content-type: application/json";
    Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail))
}

/// Why a body did not arrive: the middleware's own error where it is one.
fn unreadable(error: &(dyn Error + 'static)) -> ApiError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(known) = error.downcast_ref::<ApiError>() {
            return known.clone();
        }
        cause = error.source();
    }
    ApiError::new(ErrorCode::InvalidJson, "the body ended before it was whole")
}
