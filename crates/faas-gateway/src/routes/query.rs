//! Query strings: strict, like bodies. Each name is known and comes once.

use crate::ApiError;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use faas_types::ErrorCode;
use std::str::FromStr;

/// The parameters of a query.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let Some(query) = parts.uri.query() else { return Ok(Self::default()) };
        let axum::extract::Query(pairs) = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| {
                ApiError::new(ErrorCode::InvalidField, format!("the query of {} bytes is malformed", query.len()))
            })?;
        Ok(Self { pairs })
    }
}

impl Parameters {
    /// Refuses every name but these, and names given twice.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for (index, (name, _)) in self.pairs.iter().enumerate() {
            let shown: String = name.chars().take(64).collect();
            if !known.contains(&name.as_str()) {
                let accepted = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let detail = format!("unknown query parameter {shown:?}; accepted: {accepted}");
                return Err(ApiError::new(ErrorCode::UnknownField, detail).field(shown));
            }
            if self.pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                let detail = format!("query parameter {shown} is given twice; accepted: once");
                return Err(ApiError::new(ErrorCode::InvalidField, detail).field(shown));
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter as what it should be.
    pub(crate) fn parse<T: FromStr>(&self, name: &'static str, accepted: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| refused(name, text, accepted))
    }
}

/// A value that is not accepted.
pub(crate) fn refused(name: &'static str, text: &str, accepted: &str) -> ApiError {
    let shown: String = text.chars().take(64).collect();
    ApiError::new(ErrorCode::InvalidField, format!("{name} {shown:?} is refused; accepted: {accepted}")).field(name)
}

impl Parameters {
    /// A parameter as a number, digits only: `parse` alone would take a sign.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u64>, ApiError> {
        self.get(name).map(|text| number(name, text)).transpose()
    }
}

/// The number an SSE client has seen last.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    number("Last-Event-ID", value.to_str().unwrap_or("")).map(Some)
}

fn number(name: &'static str, text: &str) -> Result<u64, ApiError> {
    Some(text)
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| refused(name, text, "a whole number, digits only"))
}
