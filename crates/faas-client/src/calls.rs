//! The calls, one function each.

use crate::client::Client;
use crate::follow::Kind;
use crate::list::escape;
use crate::transport::Call;
use crate::{ClientError, Event, EventStream, ListFilter, Logs, answer};
use bytes::Bytes;
use faas_api_model::{
    CapabilitiesAnswer, EventPage, ExecuteBody, ExecutionPage, HealthAnswer, LimitsAnswer, PlatformEventAnswer,
    StatsAnswer, StreamName,
};
use faas_types::{ErrorCode, ExecutionRecord};
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use std::time::Duration;

const EXECUTIONS: &str = "/api/v1/executions";

impl Client {
    /// Runs a program and waits for its end, at most `patience`. With an idempotency key the request
    /// is repeated where the server asks for patience.
    ///
    /// # Errors
    /// The server cannot be reached or refuses. A program that failed is no error.
    pub async fn execute(
        &self,
        body: &ExecuteBody,
        key: Option<&str>,
        patience: Duration,
    ) -> Result<ExecutionRecord, ClientError> {
        let call = post_execution(&ExecuteBody { wait: Some(true), ..body.clone() }, key)?;
        answer::json(&self.whole(&call, patience).await?)
    }

    /// Hands a program over; it is run when its turn comes, whatever becomes of the server until then.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn submit(&self, body: &ExecuteBody, key: Option<&str>) -> Result<ExecutionRecord, ClientError> {
        let call = post_execution(&ExecuteBody { wait: Some(false), ..body.clone() }, key)?;
        answer::json(&self.whole(&call, self.timeouts.answer).await?)
    }

    /// An execution with the beginning of its output.
    ///
    /// # Errors
    /// The server cannot be reached or knows no such execution.
    pub async fn get(&self, id: &str) -> Result<ExecutionRecord, ClientError> {
        self.read(of_execution(id, "")).await
    }

    /// Executions, newest first.
    ///
    /// # Errors
    /// The server cannot be reached or refuses the filter.
    pub async fn list(&self, filter: &ListFilter) -> Result<ExecutionPage, ClientError> {
        self.read(format!("{EXECUTIONS}{}", filter.query())).await
    }

    /// What an execution wrote, to one of its streams or to both, as far as its log is kept; with
    /// `follow` until its end.
    ///
    /// # Errors
    /// The server cannot be reached or knows no such execution.
    pub async fn logs(&self, id: &str, stream: Option<StreamName>, follow: bool) -> Result<Logs, ClientError> {
        let stream = match stream {
            None => "",
            Some(StreamName::Stdout) => "&stream=stdout",
            Some(StreamName::Stderr) => "&stream=stderr",
        };
        Logs::open(self, of_execution(id, &format!("/logs?follow={follow}{stream}"))).await
    }

    /// An execution's events from the one after `last`, over as many connections as that takes.
    #[must_use]
    pub fn stream(&self, id: &str, last: Option<u64>) -> EventStream<Event> {
        EventStream::new(self.clone(), of_execution(id, "/stream"), last, Kind::EXECUTION)
    }

    /// Asks for an execution's end. One that has ended is an error of the code `execution_finished`.
    ///
    /// # Errors
    /// The server cannot be reached, or there is nothing to cancel.
    pub async fn cancel(&self, id: &str) -> Result<ExecutionRecord, ClientError> {
        let call = Call { method: Method::POST, ..Call::get(of_execution(id, "/cancel")) };
        answer::json(&self.whole(&call, self.timeouts.answer).await?)
    }

    /// Waits for an execution's end, at most `patience`.
    ///
    /// # Errors
    /// The server cannot be reached for long, knows no such execution, or the patience is at its end.
    pub async fn wait(&self, id: &str, patience: Duration) -> Result<ExecutionRecord, ClientError> {
        let ended = async {
            let mut stream = self.stream(id, None);
            while let Some(event) = stream.next().await {
                match event {
                    Ok(Event::Complete { .. }) => break,
                    Ok(Event::Started { .. } | Event::Output { .. }) => {}
                    // Why its program was never started is said this way too, and is an end.
                    Err(error) => {
                        return self.get(id).await.ok().filter(|record| record.status.is_terminal()).ok_or(error);
                    }
                }
            }
            self.get(id).await
        };
        match tokio::time::timeout(patience, ended).await {
            Ok(record) => record,
            Err(_) => Err(ClientError::ours(
                ErrorCode::ServerUnreachable,
                format!("the execution has not ended within {patience:?}; wait longer, or cancel it"),
            )),
        }
    }

    /// Every limit of the server.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn limits(&self) -> Result<LimitsAnswer, ClientError> {
        self.read("/api/v1/limits".to_owned()).await
    }

    /// What the server is doing.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn stats(&self) -> Result<StatsAnswer, ClientError> {
        self.read("/api/v1/stats".to_owned()).await
    }

    /// What has happened on the server lately, from the event after `after`.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn events(&self, after: Option<u64>) -> Result<EventPage, ClientError> {
        let query = after.map_or_else(String::new, |after| format!("?after={after}"));
        self.read(format!("/api/v1/events{query}")).await
    }

    /// What happens on the server, from the event after `after`, as it happens.
    #[must_use]
    pub fn follow_events(&self, after: u64) -> EventStream<PlatformEventAnswer> {
        EventStream::new(self.clone(), "/api/v1/events?follow=true".to_owned(), Some(after), Kind::PLATFORM)
    }

    /// Whether the server lives.
    ///
    /// # Errors
    /// The server cannot be reached or is not well.
    pub async fn health(&self) -> Result<HealthAnswer, ClientError> {
        self.read("/health".to_owned()).await
    }

    /// What the server offers.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn capabilities(&self) -> Result<CapabilitiesAnswer, ClientError> {
        self.read("/api/v1/capabilities".to_owned()).await
    }

    async fn read<T: DeserializeOwned>(&self, path: String) -> Result<T, ClientError> {
        answer::json(&self.whole(&Call::get(path), self.timeouts.answer).await?)
    }
}

/// Whatever the text, the path stays that of one execution.
fn of_execution(id: &str, below: &str) -> String {
    let mut path = format!("{EXECUTIONS}/");
    escape(id, &mut path);
    path.push_str(below);
    path
}

fn post_execution(body: &ExecuteBody, key: Option<&str>) -> Result<Call, ClientError> {
    let refused = |what: String| ClientError::ours(ErrorCode::InvalidField, what);
    let body = serde_json::to_vec(body).map_err(|error| refused(format!("the request cannot be sent: {error}")))?;
    let mut call = Call {
        method: Method::POST,
        body: Some(Bytes::from(body)),
        repeatable: key.is_some(),
        ..Call::get(EXECUTIONS.to_owned())
    };
    if let Some(key) = key {
        let value = HeaderValue::from_str(key)
            .map_err(|_| refused("the idempotency key is refused; accepted: visible ASCII text".to_owned()))?;
        call.headers.push((HeaderName::from_static("idempotency-key"), value));
    }
    Ok(call)
}
