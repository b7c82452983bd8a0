//! Bodies with a longest length and a latest end.
//!
//! Invariant: whatever a route makes of a body that was refused here, the answer is the refusal.
//! What is read is never more than the limit and is paid for out of the [`Budget`], and nothing is
//! decompressed.

use crate::budget::{Budget, Lease};
use crate::limits::HttpLimits;
use crate::problem::ApiError;
use crate::server::bytes;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, UPGRADE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use faas_types::ErrorCode;
use http_body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Runs the rest with the request's body inside its bounds.
pub(super) async fn bounded(mut request: Request, next: Next, limits: &HttpLimits, budget: &Budget) -> Response {
    let hint = request.body().size_hint();
    if hint.exact() == Some(0) {
        if request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(budget.lease());
        }
        return next.run(request).await;
    }
    if request
        .headers()
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return ApiError::new(
            ErrorCode::UnsupportedMediaType,
            "compressed bodies are not accepted; send the body as it is, without content-encoding",
        )
        .field("content-encoding")
        .into_response();
    }
    if hint.lower() > limits.body_bytes.as_bytes() {
        return too_large(limits).into_response();
    }
    let refusal = Arc::new(OnceLock::new());
    let lease = budget.lease();
    request.extensions_mut().insert(lease.clone());
    let request = request.map(|body| Body::new(Bounded::new(body, *limits, lease, Arc::clone(&refusal))));
    let response = next.run(request).await;
    match refusal.get() {
        Some(refusal) => ApiError::clone(refusal).into_response(),
        None => response,
    }
}

fn too_large(limits: &HttpLimits) -> ApiError {
    let limit = limits.body_bytes.as_bytes();
    ApiError::new(ErrorCode::BodyTooLarge, format!("the body is larger than {limit} bytes")).limit(limit)
}

/// A body that ends with a refusal when it is too long, too slow or broken.
struct Bounded {
    body: Body,
    limits: HttpLimits,
    lease: Lease,
    received: usize,
    began: Instant,
    deadline: Option<Pin<Box<Sleep>>>,
    refusal: Arc<OnceLock<ApiError>>,
}

impl Bounded {
    fn new(body: Body, limits: HttpLimits, lease: Lease, refusal: Arc<OnceLock<ApiError>>) -> Self {
        Self { body, limits, lease, received: 0, began: Instant::now(), deadline: None, refusal }
    }

    fn refuse(&self, error: ApiError) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let _ = self.refusal.set(error.clone());
        Poll::Ready(Some(Err(axum::Error::new(error))))
    }

    /// The bytes that arrived have earned their time.
    fn latest(&self) -> Instant {
        let rate = bytes(self.limits.body_rate).max(1);
        let earned =
            Duration::from_millis(u64::try_from(self.received.saturating_mul(1000) / rate).unwrap_or(u64::MAX));
        self.began + self.limits.body_timeout + earned
    }

    /// Ready when the time is over.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let latest = self.latest();
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(latest)));
        if deadline.deadline() != latest {
            deadline.as_mut().reset(latest);
        }
        deadline.as_mut().poll(context)
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let Poll::Ready(polled) = Pin::new(&mut this.body).poll_frame(context) else {
            ready!(this.poll_deadline(context));
            return this.refuse(ApiError::new(
                ErrorCode::BodyTimeout,
                format!("the body did not arrive within {} s", this.limits.body_timeout.as_secs_f64()),
            ));
        };
        match polled {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                this.received += length;
                if this.received > bytes(this.limits.body_bytes) {
                    return this.refuse(too_large(&this.limits));
                }
                if let Err(full) = this.lease.pay(length) {
                    return this.refuse(full);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(_)) => this.refuse(
                ApiError::new(ErrorCode::InvalidField, "the body is broken off or its framing is broken").field("body"),
            ),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
