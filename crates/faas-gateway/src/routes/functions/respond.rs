//! A request passed on to a function, and its answer passed back.
//!
//! Invariants: what the function answers is never taken for the platform's word, nor does a page of it run as
//! one of the platform's own (its policy gives it an origin of its own); fields that belong to one connection,
//! and the caller's credentials, are not passed on; a body that breaks off is broken off for the caller too.

use crate::ApiError;
use crate::routes::RawBody;
use crate::routes::submission::Order;
use crate::state::State;
use crate::stream::refusal_of;
use axum::Json;
use axum::body::Body;
use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use faas_api_model::FailedCall;
use faas_executor_api::ResponseHead;
use faas_orchestrator::{Attached, CallInput, HttpCall, OnDisconnect, Respond, ResponsePart, ResponseStream, Stdin};
use faas_orchestrator::{Submitted, Version, Wait, Watch};
use faas_types::{Contract, ErrorCode, ErrorKind, ExecutionId, ExecutionRecord, TenantId};
use futures_util::stream;
use std::io;

/// Fields that belong to one connection (RFC 9110, 7.6.1), in requests and in answers.
const OF_CONNECTION: [HeaderName; 5] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
const OF_CONNECTION_TOO: [&str; 4] = ["keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"];
/// What an answer must not say: it is ours to say, or would reach beyond the answer.
const OURS: [&str; 11] = [
    "alt-svc",
    "clear-site-data",
    "nel",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "strict-transport-security",
    "x-accel-buffering",
    "x-accel-redirect",
    "x-request-id",
    "x-sendfile",
];

const EXECUTION: HeaderName = HeaderName::from_static("x-faas-execution-id");
const KIND: HeaderName = HeaderName::from_static("x-faas-error-kind");

/// A page may run its scripts, but as nobody's.
const POLICY: &str = "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads";

/// What a caller asks.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    /// As the function sees it.
    pub(crate) path: &'a str,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: RawBody,
}

/// Asks a version, and gives its answer.
pub(crate) async fn respond(
    state: &State,
    tenant: TenantId,
    version: &Version,
    asked: Asked<'_>,
) -> Result<Response, ApiError> {
    let Asked { method, path, uri, headers, body } = asked;
    let (body, paid) = body.into_parts();
    let answers = version.spec.contract.answers();
    let (input, stdin) = if answers {
        let http = HttpCall {
            method: method.as_str().to_owned(),
            path: path.to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: passed_on(headers),
            body,
        };
        (CallInput { http: Some(http), ..CallInput::default() }, Stdin::Closed)
    } else {
        input_of(version.spec.contract, body)?
    };
    let order = Order {
        tenant,
        request: version.request(input),
        stdin,
        on_disconnect: OnDisconnect::Cancel,
        idempotency: None,
        respond: if answers { Respond::Stream } else { Respond::Record },
        paid,
    };
    let Submitted::Attached(attached) = order.submit(state, Wait::Attached).await? else {
        return Err(ApiError::new(ErrorCode::Internal, "a call that somebody waits for was put aside"));
    };
    let Attached { id, response, watch, .. } = attached;
    match response {
        Some(response) => stream_response(id, *method == Method::HEAD, response, watch).await,
        None => {
            let record = ended(watch).await?;
            Ok(of_output(version.spec.contract, record))
        }
    }
}

/// What programs that do not answer requests are given of one.
fn input_of(contract: Contract, body: Bytes) -> Result<(CallInput, Stdin), ApiError> {
    if contract != Contract::ArgvJson {
        return Ok((CallInput::default(), Stdin::Bytes(body)));
    }
    let input = match body.trim_ascii() {
        [] => None,
        text => Some(serde_json::from_slice(text).map_err(|error| {
            let detail = format!("the body is not acceptable JSON: {error}; the function takes JSON, or no body");
            ApiError::new(ErrorCode::InvalidJson, detail)
        })?),
    };
    Ok((CallInput { input, ..CallInput::default() }, Stdin::Closed))
}

fn passed_on(headers: &HeaderMap) -> Vec<(String, Bytes)> {
    let is_kept =
        |name: &&HeaderName| !is_of_connection(name) && **name != AUTHORIZATION && name.as_str() != "x-api-key";
    headers
        .keys()
        .filter(is_kept)
        .flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)))
        .map(|(name, value)| (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}

fn is_of_connection(name: &HeaderName) -> bool {
    OF_CONNECTION.contains(name) || OF_CONNECTION_TOO.contains(&name.as_str())
}

async fn stream_response(
    id: ExecutionId,
    is_head: bool,
    mut response: ResponseStream,
    watch: Watch,
) -> Result<Response, ApiError> {
    match response.next().await {
        Some(ResponsePart::Head(head)) => Ok(match head_of(id, head) {
            // Nobody reads the body, and that is no reason to end the call.
            Ok(answer) if is_head => {
                watch.let_go();
                answer
            }
            Ok(answer) => whole_or_streamed(answer, response, watch).await,
            Err(why) => {
                watch.let_go();
                failed(id, ErrorKind::UserError, why)
            }
        }),
        Some(ResponsePart::Failed(why)) => {
            let answer = failed(id, ErrorKind::UserError, why);
            watch.let_go();
            Ok(answer)
        }
        Some(ResponsePart::Body(_) | ResponsePart::End) | None => {
            let record = ended(watch).await?;
            let silent = || "the program ended before it had answered".to_owned();
            let kind = record.error_kind.unwrap_or(ErrorKind::UserError);
            Ok(failed(id, kind, record.error.unwrap_or_else(silent)))
        }
    }
}

/// Status and headers as a function gave them; `Err` says why they can be none.
fn head_of(id: ExecutionId, head: ResponseHead) -> Result<Response, String> {
    let status = StatusCode::from_u16(head.status).ok().filter(|status| (200..600).contains(&status.as_u16()));
    let status = status.ok_or_else(|| format!("the answer's status {} is not one of 200 to 599", head.status))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in head.headers {
        let refused = || format!("the answer's header {name:?} is none");
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| refused())?;
        let name = HeaderName::try_from(name.as_str()).map_err(|_| refused())?;
        let ours = OURS.contains(&name.as_str()) || name.as_str().starts_with("x-faas-");
        if !ours && !is_of_connection(&name) && name != CONTENT_LENGTH {
            headers.append(name, value);
        }
    }
    mark(headers, id);
    Ok(response)
}

/// What every answer of a function says of itself.
fn mark(headers: &mut HeaderMap, id: ExecutionId) {
    headers.append(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(EXECUTION, id);
    }
}

/// The answer with what there is of its body at once, or with a body that follows.
async fn whole_or_streamed(answer: Response, mut response: ResponseStream, watch: Watch) -> Response {
    // A short answer is whole by now, or in a moment, as a rule: it was written at once.
    let first = soon(&mut response).await;
    let second = if matches!(first, Some(ResponsePart::Body(_))) { soon(&mut response).await } else { None };
    match (first, second) {
        (Some(ResponsePart::End), _) => {
            watch.let_go();
            answer
        }
        (Some(ResponsePart::Body(body)), Some(ResponsePart::End)) => {
            watch.let_go();
            answer.map(|_| Body::from(body))
        }
        (first, second) => {
            let parts = first.into_iter().chain(second).collect::<Vec<_>>().into_iter();
            let body = Following { parts, response, watch: Some(watch) };
            answer.map(|_| Body::from_stream(stream::unfold(body, Following::next)))
        }
    }
}

/// The next part, where it is there when others had their turn.
async fn soon(response: &mut ResponseStream) -> Option<ResponsePart> {
    if let Some(part) = response.try_next() {
        return Some(part);
    }
    tokio::task::yield_now().await;
    response.try_next()
}

/// A body that follows. Dropping it before its end cancels the call.
struct Following {
    parts: std::vec::IntoIter<ResponsePart>,
    response: ResponseStream,
    /// `None` once nothing follows.
    watch: Option<Watch>,
}

impl Following {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        self.watch.as_ref()?;
        let part = match self.parts.next() {
            Some(part) => Some(part),
            None => self.response.next().await,
        };
        match part {
            Some(ResponsePart::Body(bytes)) => Some((Ok(bytes), self)),
            Some(ResponsePart::End) => {
                self.watch.take()?.let_go();
                None
            }
            Some(ResponsePart::Failed(_) | ResponsePart::Head(_)) | None => {
                self.watch.take()?.let_go();
                // What came before is written meanwhile, the head as well: without it nobody could tell that there
                // was an answer which broke off.
                tokio::task::yield_now().await;
                Some((Err(broken_off()), self))
            }
        }
    }
}

fn broken_off() -> io::Error {
    io::Error::other("the function's answer broke off")
}

/// The record of a call once it has ended; the platform's own failure as its refusal.
async fn ended(watch: Watch) -> Result<ExecutionRecord, ApiError> {
    let (record, why) = watch.end().await;
    if !record.status.is_terminal() {
        let detail = format!("the server is stopping; {} goes on when it is back", record.id);
        return Err(ApiError::new(ErrorCode::Stopping, detail));
    }
    match refusal_of(&record, why.as_deref()) {
        Some(refusal) => Err(refusal),
        None => Ok(record),
    }
}

/// The answer of a program that does not answer requests: what it wrote.
fn of_output(contract: Contract, record: ExecutionRecord) -> Response {
    let id = record.id;
    if let Some(kind) = record.error_kind {
        return failed(id, kind, record.error.unwrap_or_default());
    }
    if record.stdout_truncated && contract != Contract::ArgvJson {
        return failed(id, ErrorKind::Limit, "the program wrote more than an answer can hold".to_owned());
    }
    let (kind, body) = match contract {
        Contract::ArgvJson => ("application/json", record.result.unwrap_or_default().to_string().into_bytes()),
        Contract::Script | Contract::Command | Contract::Handler | Contract::Cgi => {
            let exact = record.stdout_base64.and_then(|text| STANDARD.decode(text).ok());
            ("text/plain; charset=utf-8", exact.unwrap_or_else(|| record.stdout.into_bytes()))
        }
    };
    let mut response = ([(CONTENT_TYPE, kind)], body).into_response();
    mark(response.headers_mut(), id);
    response
}

/// The answer for a function that gave none.
fn failed(id: ExecutionId, kind: ErrorKind, error: String) -> Response {
    let status = match kind {
        ErrorKind::UserError | ErrorKind::Oom | ErrorKind::Limit | ErrorKind::Platform => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        ErrorKind::SandboxLost => StatusCode::BAD_GATEWAY,
        ErrorKind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
    };
    let body = FailedCall { error, error_kind: kind.as_str().to_owned(), execution_id: id.to_string() };
    let mut response = (status, [(KIND, kind.as_str())], Json(body)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(axum::http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    mark(response.headers_mut(), id);
    response
}
