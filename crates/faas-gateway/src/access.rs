//! Who is calling, and whether they may.
//!
//! [`Access`] turns a request's credentials into a [`Caller`], which every route finds among its
//! request's extensions. In local mode everybody is the tenant `local`; what looks like a token is
//! still refused, because a caller that sends one believes that it counts.

use crate::problem::ApiError;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use faas_types::{ErrorCode, TenantId};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Keys that the examples use; they are known in local mode only.
const SAMPLE_KEYS: [&str; 2] = ["demo-key", "admin-key"];
const UNKNOWN_KEY: &str = r#"299 - "unknown API key: in local mode it acts as the tenant local""#;
/// The longest credential that is looked at.
const LONGEST: usize = 8 << 10;

/// The rules by which callers are told apart.
#[derive(Debug, Clone)]
pub struct Access {
    rules: Rules,
}

#[derive(Debug, Clone)]
enum Rules {
    /// Every listener is on loopback and no credentials are configured.
    Local,
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose executions they see and make.
    pub tenant: TenantId,
    /// What they should know about their credentials, as a `warning` header.
    pub(crate) warning: Option<HeaderValue>,
}

impl Access {
    /// Local mode: no credentials are needed.
    #[must_use]
    pub const fn local() -> Self {
        Self { rules: Rules::Local }
    }

    /// The caller of a request.
    ///
    /// # Errors
    /// The credentials are malformed, or do not count.
    pub(crate) fn decide(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        match self.rules {
            Rules::Local => local(headers),
        }
    }
}

fn local(headers: &HeaderMap) -> Result<Caller, ApiError> {
    let mut warning = None;
    for key in [bearer(headers)?, single(headers, &API_KEY)?].into_iter().flatten() {
        if looks_like_a_token(key) {
            return Err(unauthorized(
                "the token is malformed, expired or not signed by this server; in local mode leave the authorization out",
            ));
        }
        if !SAMPLE_KEYS.contains(&key) {
            warning = Some(HeaderValue::from_static(UNKNOWN_KEY));
        }
    }
    Ok(Caller { tenant: TenantId::LOCAL, warning })
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = single(headers, &AUTHORIZATION)? else { return Ok(None) };
    match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() => Ok(Some(key.trim())),
        _ => Err(unauthorized("the authorization header is not understood; send `Bearer` with an API key")),
    }
}

/// A JSON Web Token, or what is left of one.
fn looks_like_a_token(key: &str) -> bool {
    key.starts_with("eyJ") || key.split('.').count() == 3
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(text) if values.next().is_none() && !text.is_empty() && text.len() <= LONGEST => Ok(Some(text)),
        _ => Err(unauthorized(&format!("the {name} header is empty, too long, given twice or not plain text"))),
    }
}

fn unauthorized(detail: &str) -> ApiError {
    ApiError::new(ErrorCode::Unauthorized, detail)
}

#[cfg(test)]
mod tests {
    use super::Access;
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use faas_types::{ErrorCode, TenantId};

    /// Whether a warning is given.
    fn decide(given: &[(&'static str, &str)]) -> Result<bool, ErrorCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
        }
        let caller = Access::local().decide(&headers).map_err(|error| error.code)?;
        assert_eq!(caller.tenant, TenantId::LOCAL);
        Ok(caller.warning.is_some())
    }

    #[test]
    fn nobody_needs_credentials_and_the_samples_work() {
        assert_eq!(decide(&[]), Ok(false));
        assert_eq!(decide(&[("authorization", "Bearer demo-key")]), Ok(false));
        assert_eq!(decide(&[("authorization", "bearer  admin-key")]), Ok(false));
        assert_eq!(decide(&[("x-api-key", "demo-key")]), Ok(false));
        // What a browser adds by itself lets nobody in and keeps nobody out.
        assert_eq!(decide(&[("cookie", "authorization=eyJhbGciOiJub25lIn0.e30.; x-api-key=your-api-key")]), Ok(false));
    }

    #[test]
    fn an_unknown_key_is_local_with_a_warning() {
        assert_eq!(decide(&[("authorization", "Bearer your-api-key")]), Ok(true));
        assert_eq!(decide(&[("x-api-key", "your-api-key"), ("authorization", "Bearer demo-key")]), Ok(true));
    }

    #[test]
    fn what_looks_like_a_token_or_is_malformed_does_not_count() {
        let long = format!("Bearer {}", "a".repeat(1 << 20));
        for given in [
            &[("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")][..],
            &[("authorization", "Bearer eyJhbGciOiJub25lIn0")],
            &[("authorization", "Bearer a.b.c")],
            &[("x-api-key", "a.b.c")],
            &[("authorization", "Basic YTpi")],
            &[("authorization", "Bearer ")],
            &[("authorization", "")],
            &[("authorization", &long)],
            &[("x-api-key", "")],
            &[("authorization", "Bearer demo-key"), ("authorization", "Bearer demo-key")],
        ] {
            assert_eq!(decide(given), Err(ErrorCode::Unauthorized), "{}", given.len());
        }
    }
}
