//! The calls that are about functions.

use crate::change::told;
use crate::list::escape;
use crate::transport::Call;
use crate::{Client, ClientError, answer};
use bytes::Bytes;
use faas_api_model::{
    AliasesAnswer, ExecuteBody, FunctionAnswer, FunctionBody, FunctionPage, FunctionStatsAnswer, ProgressEvent,
    VersionPage,
};
use faas_types::{ErrorCode, ExecutionRecord};
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue, IF_MATCH};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// The longest installation of dependencies that is waited for.
const INSTALLATION: Duration = Duration::from_secs(15 * 60);
pub(crate) const FUNCTIONS: &str = "/api/v1/functions";

/// The functions of a server. A function is named as `hello` or by its id, where one of its versions may be
/// meant also as `hello@3` and `hello@stable`.
#[derive(Debug, Clone, Copy)]
pub struct Functions<'a> {
    pub(crate) client: &'a Client,
}

impl Client {
    /// The functions of the server.
    #[must_use]
    pub const fn functions(&self) -> Functions<'_> {
        Functions { client: self }
    }
}

impl Functions<'_> {
    /// Makes a function; its first version is live at once.
    ///
    /// # Errors
    /// The server cannot be reached or refuses; `function_exists` where the name is taken.
    pub async fn create(&self, body: &FunctionBody) -> Result<FunctionAnswer, ClientError> {
        let call = call(Method::POST, FUNCTIONS.to_owned(), Some(body), None)?;
        answer::json(&self.client.whole(&call, self.installed()).await?)
    }

    /// As [`Self::create`], which says what it does while it installs dependencies.
    ///
    /// # Errors
    /// The same ones, and the stream may break off: then the function is made or not.
    pub async fn create_telling(
        &self,
        body: &FunctionBody,
        hears: &mut (dyn FnMut(ProgressEvent) + Send),
    ) -> Result<FunctionAnswer, ClientError> {
        let call = call(Method::POST, FUNCTIONS.to_owned(), Some(body), None)?;
        told(self.client, call, self.installed(), hears).await
    }

    /// As [`Self::update`], which says what it does while it installs dependencies.
    ///
    /// # Errors
    /// The same ones, and the stream may break off: then the change is made or not.
    pub async fn update_telling(
        &self,
        function: &str,
        patch: &Value,
        etag: Option<&str>,
        hears: &mut (dyn FnMut(ProgressEvent) + Send),
    ) -> Result<FunctionAnswer, ClientError> {
        let call = call(Method::PUT, of_function(function, ""), Some(patch), etag)?;
        told(self.client, call, self.installed(), hears).await
    }

    /// A function with one of its versions and that version's source.
    ///
    /// # Errors
    /// The server cannot be reached or knows no such function or version.
    pub async fn get(&self, function: &str) -> Result<FunctionAnswer, ClientError> {
        self.read(of_function(function, "")).await
    }

    /// A page of functions, newest first, without source.
    ///
    /// # Errors
    /// The server cannot be reached or refuses the cursor.
    pub async fn list(&self, limit: Option<u32>, cursor: Option<&str>) -> Result<FunctionPage, ClientError> {
        self.read(format!("{FUNCTIONS}{}", page_query(limit, cursor))).await
    }

    /// Changes a function by a merge patch (RFC 7396) of what is shown of it; the change is a new version,
    /// live at once. With the etag of what was seen, a change that came in between is `function_changed`.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn update(
        &self,
        function: &str,
        patch: &Value,
        etag: Option<&str>,
    ) -> Result<FunctionAnswer, ClientError> {
        let call = call(Method::PUT, of_function(function, ""), Some(patch), etag)?;
        answer::json(&self.client.whole(&call, self.installed()).await?)
    }

    /// Deletes a function with all its versions.
    ///
    /// # Errors
    /// The server cannot be reached, knows no such function, or it changed.
    pub async fn delete(&self, function: &str, etag: Option<&str>) -> Result<(), ClientError> {
        let call = call(Method::DELETE, of_function(function, ""), None::<&()>, etag)?;
        self.client.whole(&call, self.client.timeouts.answer).await.map(drop)
    }

    /// A page of a function's versions, newest first, without source.
    ///
    /// # Errors
    /// The server cannot be reached or knows no such function.
    pub async fn versions(
        &self,
        function: &str,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<VersionPage, ClientError> {
        self.read(of_function(function, &format!("/versions{}", page_query(limit, cursor)))).await
    }

    /// What a function does and has done since the server began.
    ///
    /// # Errors
    /// The server cannot be reached or knows no such function.
    pub async fn stats(&self, function: &str) -> Result<FunctionStatsAnswer, ClientError> {
        self.read(of_function(function, "/stats")).await
    }

    /// Lets another version be the live one: a number or an alias, else the one before the live one.
    ///
    /// # Errors
    /// The server cannot be reached or knows no such function or version.
    pub async fn rollback(&self, function: &str, version: Option<&str>) -> Result<FunctionAnswer, ClientError> {
        let body = version.map_or_else(|| json!({}), |version| json!({ "version": version }));
        self.ask(Method::POST, of_function(function, "/rollback"), Some(&body)).await
    }

    /// Lets an alias mean a version.
    ///
    /// # Errors
    /// The server cannot be reached or knows no such function or version.
    pub async fn set_alias(&self, function: &str, alias: &str, version: u32) -> Result<AliasesAnswer, ClientError> {
        self.ask(Method::PUT, of_alias(function, alias), Some(&json!({ "version": version }))).await
    }

    /// Lets an alias mean nothing any more.
    ///
    /// # Errors
    /// The server cannot be reached or knows no such function.
    pub async fn remove_alias(&self, function: &str, alias: &str) -> Result<AliasesAnswer, ClientError> {
        self.ask(Method::DELETE, of_alias(function, alias), None::<&()>).await
    }

    /// Calls a function with what the body brings: input or standard input, labels, and whether its end is
    /// waited for, at most `patience`. With an idempotency key the call is made once, however often it is sent.
    ///
    /// # Errors
    /// The server cannot be reached or refuses. A function that failed is no error.
    pub async fn invoke(
        &self,
        function: &str,
        body: &ExecuteBody,
        key: Option<&str>,
        patience: Duration,
    ) -> Result<ExecutionRecord, ClientError> {
        let mut call = call(Method::POST, of_function(function, "/invoke"), Some(body), None)?;
        if let Some(key) = key {
            let value = HeaderValue::from_str(key)
                .map_err(|_| refused("the idempotency key is refused; accepted: visible ASCII text".to_owned()))?;
            call.headers.push((HeaderName::from_static("idempotency-key"), value));
            call.repeatable = true;
        }
        answer::json(&self.client.whole(&call, patience).await?)
    }

    /// How long a deployment may take: what a function depends on is installed before it is answered.
    fn installed(&self) -> Duration {
        self.client.timeouts.answer.max(INSTALLATION)
    }

    async fn read<T: DeserializeOwned>(&self, path: String) -> Result<T, ClientError> {
        answer::json(&self.client.whole(&Call::get(path), self.client.timeouts.answer).await?)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: String,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        let call = call(method, path, body, None)?;
        answer::json(&self.client.whole(&call, self.client.timeouts.answer).await?)
    }
}

fn call(method: Method, path: String, body: Option<&impl Serialize>, etag: Option<&str>) -> Result<Call, ClientError> {
    let body = body.map(serde_json::to_vec).transpose();
    let body = body.map_err(|error| refused(format!("the request cannot be sent: {error}")))?;
    let mut call = Call { method, body: body.map(Bytes::from), repeatable: false, ..Call::get(path) };
    if let Some(etag) = etag {
        let value = HeaderValue::from_str(&format!("\"{etag}\""))
            .map_err(|_| refused("the etag is refused; accepted: one as it was answered".to_owned()))?;
        call.headers.push((IF_MATCH, value));
    }
    Ok(call)
}

fn refused(what: String) -> ClientError {
    ClientError::ours(ErrorCode::InvalidField, what)
}

/// Whatever the text, the path stays that of one function. An `@` is no character that a path must escape,
/// yet escaped it means the same.
pub(crate) fn of_function(function: &str, below: &str) -> String {
    let mut path = format!("{FUNCTIONS}/");
    escape(function, &mut path);
    path.push_str(below);
    path
}

fn of_alias(function: &str, alias: &str) -> String {
    let mut path = of_function(function, "/aliases/");
    escape(alias, &mut path);
    path
}

fn page_query(limit: Option<u32>, cursor: Option<&str>) -> String {
    let mut query = String::new();
    if let Some(limit) = limit {
        query.push_str(&format!("?limit={limit}"));
    }
    if let Some(cursor) = cursor {
        query.push_str(if query.is_empty() { "?cursor=" } else { "&cursor=" });
        escape(cursor, &mut query);
    }
    query
}

#[cfg(test)]
mod tests {
    use super::{of_alias, of_function, page_query};

    #[test]
    fn a_name_cannot_leave_its_place() {
        assert_eq!(of_function("hello@3", "/invoke"), "/api/v1/functions/hello%403/invoke");
        assert_eq!(of_alias("a/../b?c", "#d"), "/api/v1/functions/a%2F..%2Fb%3Fc/aliases/%23d");
        assert_eq!(page_query(Some(7), Some("a&b")), "?limit=7&cursor=a%26b");
        assert_eq!((page_query(None, None), page_query(None, Some("a"))), (String::new(), "?cursor=a".to_owned()));
    }
}
