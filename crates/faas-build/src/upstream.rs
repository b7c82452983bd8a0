//! What is asked of an index, over the network: the only place of a build that reaches it.
//!
//! Invariant: every request goes to an origin of the index it is for; a redirect elsewhere is not
//! followed; every wait has a bound.

use crate::index::Index;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::io;
use std::time::Duration;

const MAX_REDIRECTS: u32 = 5;
const MAX_PATH_BYTES: usize = 4096;

/// Why an index did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("the path is not one that is asked of an index")]
    Path,
    #[error("the index redirects to a host that is not its own")]
    Elsewhere,
    #[error("the index redirects without end")]
    Redirects,
    #[error("the index said nothing for {} s", .0.as_secs())]
    Silence(Duration),
    #[error("the index cannot be reached: {0}")]
    Unreachable(String),
}

/// A client of indexes.
pub(crate) struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    silence: Duration,
}

/// An answer whose body comes as it is asked for.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    body: Incoming,
    silence: Duration,
}

impl Upstream {
    /// With the certificates this host trusts.
    ///
    /// # Errors
    /// The host has none.
    pub(crate) fn new(silence: Duration) -> io::Result<Self> {
        let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), silence })
    }

    /// Asks the origin with this number for a path and query.
    pub(crate) async fn get(
        &self,
        index: &Index,
        origin: usize,
        path: &str,
        accept: &str,
    ) -> Result<Answer, UpstreamError> {
        let mut address = index.origins.get(origin).ok_or(UpstreamError::Path)?.address.clone();
        check_path(path)?;
        address.push_str(path);
        for _ in 0..=MAX_REDIRECTS {
            let response = self.ask(index, &address, accept).await?;
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            match location {
                Some(location) if is_redirect(response.status()) => address = redirected(&address, location),
                _ => {
                    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                    return Ok(Answer {
                        status: response.status().as_u16(),
                        content_type: kind.unwrap_or("application/octet-stream").to_owned(),
                        body: response.into_body(),
                        silence: self.silence,
                    });
                }
            }
        }
        Err(UpstreamError::Redirects)
    }

    async fn ask(&self, index: &Index, address: &str, accept: &str) -> Result<Response<Incoming>, UpstreamError> {
        let origin = index
            .origins
            .iter()
            .find(|origin| address.strip_prefix(&origin.address).is_some_and(|path| path.starts_with('/')))
            .ok_or(UpstreamError::Elsewhere)?;
        let mut request = Request::get(address)
            .header(USER_AGENT, concat!("faas-build/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, HeaderValue::from_str(accept).map_err(|_| UpstreamError::Path)?);
        if let Some(authorization) = &origin.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::new()).map_err(|_| UpstreamError::Path)?;
        match tokio::time::timeout(self.silence, self.client.request(request)).await {
            Err(_) => Err(UpstreamError::Silence(self.silence)),
            Ok(Err(error)) => Err(UpstreamError::Unreachable(causes(&error))),
            Ok(Ok(response)) => Ok(response),
        }
    }
}

impl Answer {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        loop {
            let frame = tokio::time::timeout(self.silence, self.body.frame()).await;
            match frame.map_err(|_| UpstreamError::Silence(self.silence))? {
                None => return Ok(None),
                Some(Err(error)) => return Err(UpstreamError::Unreachable(causes(&error))),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }
}

/// A path as a client asks for it: absolute, printable, and not above anything.
fn check_path(path: &str) -> Result<(), UpstreamError> {
    let bare = path.split(['?', '#']).next().unwrap_or_default();
    let harmless = path.starts_with('/')
        && path.len() <= MAX_PATH_BYTES
        && path.bytes().all(|byte| byte.is_ascii_graphic())
        && !bare.split('/').any(|part| matches!(part.to_ascii_lowercase().as_str(), ".." | "%2e%2e" | ".%2e" | "%2e."));
    if harmless { Ok(()) } else { Err(UpstreamError::Path) }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, absolute.
fn redirected(from: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let path_at = from.find("://").and_then(|at| from.get(at + 3..)?.find('/').map(|slash| at + 3 + slash));
    let origin = path_at.and_then(|at| from.get(..at)).unwrap_or(from);
    if location.starts_with('/') {
        return format!("{origin}{location}");
    }
    let directory = from.rsplit_once('/').map_or(from, |(directory, _)| directory);
    format!("{directory}/{location}")
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{UpstreamError, check_path, redirected};

    #[test]
    fn a_path_stays_on_its_host_and_below_its_top() {
        for path in ["/simple/a/", "/a?b=../c", "/@scope%2fname"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        for path in ["", "a", "http://x/", "/../a", "/a/%2E%2e/b", "/a b", "/a\r\nHost: x", "/a\0"] {
            assert_eq!(check_path(path), Err(UpstreamError::Path), "{path:?}");
        }
    }

    #[test]
    fn redirects_are_resolved() {
        assert_eq!(redirected("https://a/b/c", "https://x/"), "https://x/");
        assert_eq!(redirected("https://a/b/c", "/d"), "https://a/d");
        assert_eq!(redirected("https://a/b/c", "d"), "https://a/b/d");
        assert_eq!(redirected("https://a/b/c", "//x/d"), "https://a//x/d");
    }
}
