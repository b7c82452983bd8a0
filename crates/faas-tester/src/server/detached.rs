//! Executions that nobody waits for: handed over, and looked at until they are where they should be.

use super::{Client, Outcome, is_terminal, record, shell, text, until};
use anyhow::{Result, bail};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);

/// Hands over a shell's `script` with so many bytes of input: its id, or the answer that refuses it.
///
/// # Errors
/// The server does neither.
pub async fn try_accept(
    address: SocketAddr,
    token: &str,
    script: &str,
    stdin: usize,
) -> Result<Result<String, String>> {
    let mut body = shell(token, script);
    body["wait"] = false.into();
    body["stdin"] = "x".repeat(stdin).into();
    match Client::default().execute(address, &[], &body).await {
        Outcome::Accepted(id) => Ok(Ok(id)),
        Outcome::Wrong(answer) => Ok(Err(answer)),
        other => bail!("{token}: {other:?}"),
    }
}

/// The same where it has to be taken.
///
/// # Errors
/// It is refused.
pub async fn accept(address: SocketAddr, token: &str, script: &str) -> Result<String> {
    match try_accept(address, token, script, 0).await? {
        Ok(id) => Ok(id),
        Err(answer) => bail!("{token}: {answer}"),
    }
}

/// Waits until it runs.
///
/// # Errors
/// It does not.
pub async fn running(address: SocketAddr, id: &str) -> Result<()> {
    until(&format!("{id} runs"), SOON, async || {
        Ok((text(&record(address, id).await?, "status") == "running").then_some(()))
    })
    .await
}

/// Its record once nothing follows.
///
/// # Errors
/// It does not end.
pub async fn terminal(address: SocketAddr, id: &str) -> Result<Value> {
    until(&format!("{id} ends"), SOON, async || Ok(Some(record(address, id).await?).filter(is_terminal))).await
}
