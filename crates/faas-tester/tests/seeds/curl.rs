//! Requests through the `curl` that people type, sent where the server under test really listens.
#![allow(dead_code, reason = "each test file uses its part")]

use super::server::{Server, plain, programs};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("{self:?}"))
    }

    /// Fails unless the answer has this status.
    pub(crate) fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "expected {status}: {self:?}");
        Ok(self)
    }

    /// The header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(line_name, value)| line_name.eq_ignore_ascii_case(name).then_some(value.trim()))
    }
}

/// Runs a command line as printed: `localhost` of these ports leads to the server.
pub(crate) fn sh(server: &Server, line: &str) -> Result<Output> {
    Ok(shell(server)?.arg("-c").arg(line).output()?)
}

/// A shell in which `faas` is the built one, and in which curl goes to the server for the seeds' ports.
pub(crate) fn shell(server: &Server) -> Result<Command> {
    let address = server.address()?;
    let lines: String =
        [8080, 8000, 9080].iter().map(|port| format!("connect-to = \"localhost:{port}:{address}\"\n")).collect();
    let home = server.home();
    fs::write(home.join(".curlrc"), format!("silent\nshow-error\nmax-time = 120\n{lines}"))?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = plain("sh");
    command.env("CURL_HOME", home).env("HOME", home);
    command.env("PATH", format!("{}:{path}", programs()?.display()));
    Ok(command)
}

/// A request of our own wording: `curl` with these arguments after the URL of this path.
pub(crate) fn request(server: &Server, path: &str, arguments: &[&str]) -> Result<Answer> {
    let url = format!("http://{}{path}", server.address()?);
    let output = plain("curl").args(["-sS", "-i", "--max-time", "120", &url]).args(arguments).output()?;
    ensure!(output.status.success(), "curl {url}: {}", String::from_utf8_lossy(&output.stderr));
    answer(&output.stdout)
}

/// Posts JSON.
pub(crate) fn post(server: &Server, path: &str, body: &str) -> Result<Answer> {
    request(server, path, &["-H", "Content-Type: application/json", "--data-binary", body])
}

fn answer(bytes: &[u8]) -> Result<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (mut head, mut body) = text.split_once("\r\n\r\n").context("no end of the head")?;
    // `Expect: 100-continue` puts a head of its own in front.
    while head.starts_with("HTTP/1.1 100 ") {
        (head, body) = body.split_once("\r\n\r\n").context("no head after 100 Continue")?;
    }
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no status")?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
