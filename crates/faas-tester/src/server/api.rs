//! The few calls of the API that every test of the server makes.

use super::{Answer, CallError, Connection};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Where executions are made and listed.
pub const EXECUTIONS: &str = "/api/v1/executions";

/// The largest page of a list.
const PAGE: usize = 200;

/// A request to run a shell's `script`, marked with `token` so that it is found again.
#[must_use]
pub fn shell(token: &str, script: &str) -> Value {
    json!({ "command": ["/bin/sh", "-c", script], "labels": { "token": token } })
}

/// Reads one path on a connection of its own.
///
/// # Errors
/// See [`CallError`].
pub async fn get(address: SocketAddr, path: &str) -> Result<Answer, CallError> {
    Connection::open(address).await?.call("GET", path, &[("connection", "close")], None).await
}

/// Sends a request and gives the answer's status and JSON.
///
/// # Errors
/// The server does not answer.
pub async fn ask(connection: &mut Connection, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
    let answer = connection.call(method, path, &[], body).await.map_err(anyhow::Error::new)?;
    Ok((answer.status(), answer.json()))
}

/// The same of a request that must go well; the answer's JSON.
///
/// # Errors
/// The server does not answer, or refuses.
pub async fn done(connection: &mut Connection, method: &str, path: &str, body: Value) -> Result<Value> {
    let (status, answer) = ask(connection, method, path, Some(&body)).await?;
    ensure!((200..300).contains(&status), "{method} {path}: {status} {answer}");
    Ok(answer)
}

/// The record of an execution.
///
/// # Errors
/// The server does not answer with one.
pub async fn record(address: SocketAddr, id: &str) -> Result<Value> {
    let answer = get(address, &format!("{EXECUTIONS}/{id}")).await?;
    ensure!(answer.status() == 200, "{id}: {} {}", answer.status(), String::from_utf8_lossy(&answer.body));
    Ok(answer.json())
}

/// All executions the server knows, newest first, without their output.
///
/// # Errors
/// The server does not list them.
pub async fn every_record(address: SocketAddr) -> Result<Vec<Value>> {
    let mut connection = Connection::open(address).await?;
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{EXECUTIONS}?limit={PAGE}{cursor}");
        let answer = connection.call("GET", &path, &[], None).await?;
        ensure!(answer.status() == 200, "the list: {} {}", answer.status(), String::from_utf8_lossy(&answer.body));
        let page = answer.json();
        found.extend(page["items"].as_array().context("a list has items")?.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(found),
        }
    }
}

/// Whether a record says that nothing follows.
#[must_use]
pub fn is_terminal(record: &Value) -> bool {
    record["status"].as_str().is_some_and(|status| matches!(status, "succeeded" | "failed" | "cancelled"))
}

/// A text of a record, empty when it is not there.
#[must_use]
pub fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The mark that [`shell`] made.
#[must_use]
pub fn token(record: &Value) -> &str {
    record["labels"]["token"].as_str().unwrap_or_default()
}
