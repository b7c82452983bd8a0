//! Asking a function over HTTP: whatever request, whatever answer, its body as it comes.

use crate::functions::{Functions, of_function};
use crate::transport::{Answer, Call};
use crate::{ClientError, Logs, answer};
use bytes::Bytes;
use faas_types::ErrorCode;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use std::time::Duration;

/// What stands in the head of every answer of a function.
const EXECUTION: &str = "x-faas-execution-id";

/// A request to a function.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The method; `GET` where it is none.
    pub method: String,
    /// Path and query as the function sees them, with a slash first.
    pub path: String,
    /// Fields of its head; they stand in place of ours of the same name.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Option<Bytes>,
}

/// What a function, or the server in its place, answered.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The fields of the head.
    pub headers: HeaderMap,
    /// The body, piece by piece.
    pub body: Logs,
}

impl Functions<'_> {
    /// Asks a function through its own address; the head of the answer comes within `patience`.
    ///
    /// # Errors
    /// The server cannot be reached or refuses. What the function answers is an answer, whatever its status.
    pub async fn ask_http(
        &self,
        function: &str,
        question: Question,
        patience: Duration,
    ) -> Result<Response, ClientError> {
        let call = call(function, question)?;
        let asked = self.client.transport.send(&call, self.client.timeouts.connect);
        let answered = tokio::time::timeout(patience, asked).await.map_err(|_| {
            let detail = format!("the function did not begin to answer within {patience:?}; give it longer");
            ClientError::ours(ErrorCode::ServerUnreachable, detail)
        })??;
        let headers = answered.response.headers();
        let is_problem = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
        // A function may answer with a problem as well, and then there is an execution.
        if is_problem && !headers.contains_key(EXECUTION) && !answered.response.status().is_success() {
            drop(answer::streamed(answered).await?);
            return Err(ClientError::broken("a refusal without a reason"));
        }
        let Answer { response, .. } = answered;
        let (head, body) = response.into_parts();
        Ok(Response { status: head.status, headers: head.headers, body: Logs::of(body) })
    }
}

fn call(function: &str, question: Question) -> Result<Call, ClientError> {
    let Question { method, path, headers, body } = question;
    let method = if method.is_empty() { Method::GET } else { read(&method, "the method", "a word such as POST")? };
    if !path.starts_with('/') {
        return Err(refused(&path, "the path", "one that begins with /"));
    }
    let mut fields = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let name = read::<HeaderName>(&name, "a header's name", "letters, digits and -")?;
        // The value may be a secret.
        let value = HeaderValue::from_str(&value)
            .map_err(|_| refused(name.as_str(), "the value of a header", "text of one line"))?;
        fields.push((name, value));
    }
    // The root has an address without a slash at its end.
    let path = if path == "/" || path.starts_with("/?") { &path[1..] } else { &path };
    let path = of_function(function, &format!("/http{path}"));
    Ok(Call { method, body, accept: "*/*", headers: fields, repeatable: false, ..Call::get(path) })
}

fn read<T: std::str::FromStr>(text: &str, what: &str, accepted: &str) -> Result<T, ClientError> {
    text.parse().map_err(|_| refused(text, what, accepted))
}

fn refused(given: &str, what: &str, accepted: &str) -> ClientError {
    ClientError::ours(ErrorCode::InvalidField, format!("{what} {given:?} is refused; accepted: {accepted}"))
}

#[cfg(test)]
mod tests {
    use super::{Question, call};

    #[test]
    fn what_is_no_request_is_refused_by_its_part() {
        let good = Question { path: "/a?b=c".to_owned(), ..Question::default() };
        let made = call("hello", good.clone()).expect("a request");
        assert_eq!((made.method.as_str(), made.path.as_str()), ("GET", "/api/v1/functions/hello/http/a?b=c"));
        for (path, address) in [("/", "/http"), ("/?a=b", "/http?a=b"), ("//", "/http//")] {
            let made = call("a", Question { path: path.to_owned(), ..Question::default() }).expect("a request");
            assert_eq!(made.path, format!("/api/v1/functions/a{address}"));
        }
        for (question, part) in [
            (Question { method: "A B".to_owned(), ..good.clone() }, "the method"),
            (Question { path: "a".to_owned(), ..good.clone() }, "the path"),
            (Question { headers: vec![("a b".to_owned(), String::new())], ..good.clone() }, "name"),
            (Question { headers: vec![("a".to_owned(), "b\nc".to_owned())], ..good }, "value"),
        ] {
            let error = call("hello", question).expect_err(part).to_string();
            assert!(error.contains(part) && error.contains("accepted"), "{error}");
        }
    }
}
