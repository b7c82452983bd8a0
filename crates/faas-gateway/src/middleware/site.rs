//! Whom a request is for, and which page sent it.
//!
//! Without credentials, a page of any site in a browser on this machine could reach the server: by
//! posting to it, by a WebSocket, or by pointing its own name at 127.0.0.1. So a request must name a
//! loopback host (or the listener's own address), and an `Origin`, where there is one, must be this
//! very server's. No CORS header is ever given.

use crate::problem::ApiError;
use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Version};
use faas_types::ErrorCode;
use std::net::{IpAddr, SocketAddr};

/// Accepts a request that is for this server and comes from no other site.
pub(super) fn own(request: &Request, local: Option<SocketAddr>) -> Result<(), ApiError> {
    let headers = request.headers();
    let host = match (request.uri().authority(), single(headers, &HOST)?) {
        (Some(target), Some(host)) if !target.as_str().eq_ignore_ascii_case(host) => {
            return Err(malformed(&HOST, "names another host than the request's target"));
        }
        (Some(target), _) => target.clone(),
        (None, Some(host)) => host.parse::<Authority>().map_err(|_| malformed(&HOST, "is not HOST or HOST:PORT"))?,
        (None, None) if request.version() < Version::HTTP_11 => return origin(headers, None),
        (None, None) => return Err(malformed(&HOST, "is missing")),
    };
    if host.as_str().contains('@') {
        return Err(malformed(&HOST, "is not HOST or HOST:PORT"));
    }
    if !is_own(host.host(), local) {
        return Err(ApiError::new(
            ErrorCode::OriginRefused,
            "the host header names another host; in local mode use localhost, 127.0.0.1 or [::1]",
        )
        .field("host"));
    }
    origin(headers, Some(&host))
}

/// A page's origin must be the server itself, as the page's own requests name it.
fn origin(headers: &HeaderMap, host: Option<&Authority>) -> Result<(), ApiError> {
    let Some(origin) = single(headers, &ORIGIN)? else { return Ok(()) };
    let sender = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    if sender.zip(host).is_some_and(|(sender, host)| sender.eq_ignore_ascii_case(host.as_str())) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::OriginRefused,
        "the request comes from a page of another site; in local mode only pages of this server may call it",
    )
    .field("origin"))
}

fn is_own(host: &str, local: Option<SocketAddr>) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    address.parse::<IpAddr>().is_ok_and(|address| {
        address.to_canonical().is_loopback()
            || local.is_some_and(|local| local.ip().to_canonical() == address.to_canonical())
    })
}

/// The one value of a field that may not be repeated.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed(name, "is given twice"));
    }
    value.to_str().map(Some).map_err(|_| malformed(name, "is not plain text"))
}

fn malformed(name: &HeaderName, what: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidField, format!("the {name} header {what}")).field(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::own;
    use axum::body::Body;
    use axum::extract::Request;
    use faas_types::ErrorCode;

    fn verdict(uri: &str, headers: &[(&str, &str)]) -> Result<(), ErrorCode> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        own(&request.body(Body::empty()).expect("a request"), Some(([10, 0, 0, 1], 8080).into()))
            .map_err(|error| error.code)
    }

    #[test]
    fn loopback_and_the_own_address_pass_with_any_port() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:9", "127.1.2.3", "[::1]:80", "10.0.0.1:8080"] {
            assert_eq!(verdict("/", &[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(verdict("http://localhost:80/", &[("host", "localhost:80")]), Ok(()));
    }

    #[test]
    fn a_foreign_host_is_refused() {
        for host in
            ["evil.example", "localhost.evil.example", "localhost.", "10.0.0.2", "127.0.0.1.evil.example", "0.0.0.0"]
        {
            assert_eq!(verdict("/", &[("host", host)]), Err(ErrorCode::OriginRefused), "{host}");
        }
    }

    #[test]
    fn an_unclear_host_is_malformed() {
        for host in ["", "a@localhost", "localhost:80:80", "local host"] {
            assert_eq!(verdict("/", &[("host", host)]), Err(ErrorCode::InvalidField), "{host}");
        }
        assert_eq!(verdict("/", &[]), Err(ErrorCode::InvalidField));
        assert_eq!(verdict("/", &[("host", "localhost"), ("host", "localhost")]), Err(ErrorCode::InvalidField));
        assert_eq!(verdict("http://evil.example/", &[("host", "localhost")]), Err(ErrorCode::InvalidField));
    }

    #[test]
    fn only_this_servers_own_pages_may_call_it() {
        let with = |origin| verdict("/", &[("host", "localhost:8080"), ("origin", origin)]);
        assert_eq!(with("http://localhost:8080"), Ok(()));
        for origin in
            ["null", "http://evil.example", "http://localhost:3000", "http://127.0.0.1:8080", "localhost:8080", ""]
        {
            assert_eq!(with(origin), Err(ErrorCode::OriginRefused), "{origin}");
        }
    }
}
