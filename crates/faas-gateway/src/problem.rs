//! Errors as they leave the gateway: RFC 9457 `application/problem+json`.
//!
//! Invariants: every code has one status; 429 and 503 always carry `Retry-After`; `error` repeats
//! `detail`. Handlers return [`ApiError`]; the outermost middleware fills in the request's id,
//! which is why the error travels with the response as an extension.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use faas_types::ErrorCode;
use serde::Serialize;
use std::time::Duration;

/// The media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// How long a caller is asked to wait when nobody knows better.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// Where the fault of a request that is not done is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Request,
    Body,
    Server,
}

/// Why a request is not done, for the person or program that sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct ApiError {
    /// The stable code.
    pub code: ErrorCode,
    /// What is wrong with this request, and the next step.
    pub detail: String,
    /// The field of the request that is wrong.
    pub field: Option<String>,
    /// The limit that was passed, in the unit that `detail` names.
    pub limit: Option<u64>,
    /// How long to wait before the next try.
    pub retry_after_ms: Option<u64>,
    /// What the tools said that failed.
    pub log: Option<String>,
    /// Where the fault is.
    place: Place,
}

impl ApiError {
    /// An error with nothing but its code and its explanation.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
            limit: None,
            retry_after_ms: None,
            log: None,
            place: Place::Request,
        }
    }

    /// Names the field of the request.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names the limit that was passed.
    #[must_use]
    pub const fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Says when the next try is worth it.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// What is not there was named in the body: the path led somewhere.
    #[must_use]
    pub(crate) const fn in_body(mut self) -> Self {
        self.place = Place::Body;
        self
    }

    /// It is what the server was given beforehand that is at fault, not this request.
    #[must_use]
    pub(crate) const fn at_server(mut self) -> Self {
        self.place = Place::Server;
        self
    }

    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.place {
            Place::Request => status_of(self.code),
            Place::Body => status_in_body(self.code),
            Place::Server => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The milliseconds to wait: always known where the status says that retrying helps.
    fn wait_ms(&self) -> Option<u64> {
        self.retry_after_ms.or_else(|| {
            matches!(self.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
                .then(|| u64::try_from(RETRY_AFTER_DEFAULT.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// What is said of it, with the id of the request when it is known.
    pub(crate) fn problem<'a>(&'a self, request_id: Option<&'a str>) -> impl Serialize + 'a {
        Problem {
            kind: format!("urn:faas:error:{}", self.code.as_str()),
            title: self.code.as_str().replace('_', " "),
            status: self.status().as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id,
            error: &self.detail,
            field: self.field.as_deref(),
            limit: self.limit,
            retry_after_ms: self.wait_ms(),
            log: self.log.as_deref(),
        }
    }

    /// The answer, with the id of the request when it is known.
    pub(crate) fn respond(&self, request_id: Option<&str>) -> Response {
        let wait_ms = self.wait_ms();
        // Strings and numbers always serialise.
        let body = serde_json::to_vec(&self.problem(request_id)).unwrap_or_default();
        let mut response =
            (self.status(), [(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON))], body).into_response();
        if let Some(wait_ms) = wait_ms {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1000).max(1)));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.respond(None);
        response.extensions_mut().insert(self);
        response
    }
}

/// The members of the body, in the order they are written.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
}

/// The status of a code where what is not there was named in the body.
pub(crate) fn status_in_body(code: ErrorCode) -> StatusCode {
    match status_of(code) {
        StatusCode::NOT_FOUND => StatusCode::UNPROCESSABLE_ENTITY,
        status => status,
    }
}

/// The status of a code: 400 malformed, 422 well-formed but impossible here, 503 only where trying
/// again helps.
#[must_use]
pub const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidField
        | ErrorCode::CodeEmpty
        | ErrorCode::NotText
        | ErrorCode::ProgramUnreadable
        | ErrorCode::FileRefused
        | ErrorCode::InvalidJson
        | ErrorCode::UnknownField
        | ErrorCode::PathNotCanonical => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::OriginRefused => StatusCode::FORBIDDEN,
        ErrorCode::NotFound
        | ErrorCode::ExecutionNotFound
        | ErrorCode::FunctionNotFound
        | ErrorCode::VersionNotFound
        | ErrorCode::InstanceNotFound => StatusCode::NOT_FOUND,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::BodyTimeout | ErrorCode::ReaderTooSlow => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::ExecutionFinished
        | ErrorCode::IdempotencyConflict
        | ErrorCode::FunctionExists
        | ErrorCode::NoSource
        | ErrorCode::RouteTaken
        | ErrorCode::TooManyVersions => StatusCode::CONFLICT,
        ErrorCode::FunctionChanged => StatusCode::PRECONDITION_FAILED,
        ErrorCode::CodeTooLarge | ErrorCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::UriTooLong => StatusCode::URI_TOO_LONG,
        ErrorCode::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ErrorCode::FunctionBusy => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::UnknownLanguage
        | ErrorCode::RuntimeMissing
        | ErrorCode::CommandNotFound
        | ErrorCode::IsolationUnavailable
        | ErrorCode::LimitNotEnforceable
        | ErrorCode::ResourcesAboveHost
        | ErrorCode::VerbUnsupported
        | ErrorCode::DependencyNotFound
        | ErrorCode::DependencyRefused
        | ErrorCode::FieldUnsupported => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::ConfigInvalid | ErrorCode::LauncherLost | ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::SandboxLost | ErrorCode::BuildFailed => StatusCode::BAD_GATEWAY,
        ErrorCode::AtCapacity
        | ErrorCode::SandboxAssemblyFailed
        | ErrorCode::QueueFull
        | ErrorCode::FunctionFailing
        | ErrorCode::Stopping
        | ErrorCode::StorageUnavailable
        | ErrorCode::ServerUnreachable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests;
