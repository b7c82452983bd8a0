//! From hyper's requests to the router's, with what only the connection knows.

use super::activity::{Activity, Answer, InFlight, Intake};
use super::{Shared, Stage};
use axum::body::Body;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::Service;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tower::Service as _;

/// The two ends of a connection; neither is known in process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Endpoints {
    /// The address it came in at.
    pub(crate) local: Option<SocketAddr>,
}

/// The requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    shared: Arc<Shared>,
    activity: Arc<Activity>,
    endpoints: Endpoints,
}

impl Requests {
    pub(super) fn new(shared: Arc<Shared>, activity: Arc<Activity>, endpoints: Endpoints) -> Self {
        Self { shared, activity, endpoints }
    }
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = InFlight::begin(&self.activity);
        let version = request.version();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.endpoints);
        if request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(Intake::of(&self.activity));
        }
        if let Some(refused) = self.activity.refused() {
            request.extensions_mut().insert(refused.clone());
        }
        // A router is always ready.
        let answering = self.shared.router.clone().call(request);
        let (shared, activity) = (Arc::clone(&self.shared), Arc::clone(&self.activity));
        Box::pin(async move {
            let mut response = answering.await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                activity.upgrade();
            } else if version < Version::HTTP_2 && *shared.stage.borrow() > Stage::Serving {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| Answer::new(body, in_flight)))
        })
    }
}
