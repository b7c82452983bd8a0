//! Seed 004's routes: its printed requests and its SQL, against a server and its routes file.

use super::curl::{Answer, request, sh, shell};
use super::items;
use super::proofs::Outcome;
use super::server::Server;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// What runs PHP, where sandboxes look for it.
const PHP: &str = "/usr/bin/php-cgi";
/// How long anything may take that is bound to happen.
const SOON: Duration = Duration::from_secs(60);

fn printed(server: &Server, lines: &str) -> Result<Value> {
    let output = sh(server, &items::text("004", lines, "sh")?)?;
    ensure!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
}

/// Whether this host has PHP; where it has none, the answer has to say so.
#[expect(clippy::print_stdout, reason = "what a machine cannot run says so")]
fn has_php(lines: &str, answer: &Value) -> Result<bool> {
    if Path::new(PHP).exists() {
        return Ok(true);
    }
    println!("SKIP 004 {lines}: {PHP} is not installed, and the refusal names its package");
    ensure!(answer["code"] == "runtime_missing", "{answer}");
    ensure!(answer["detail"].as_str().is_some_and(|detail| detail.contains("php-cgi")), "{answer}");
    Ok(false)
}

pub(crate) fn hello(server: &Server) -> Result<Outcome> {
    let answer = printed(server, "79-83")?;
    ensure!(!has_php("79-83", &answer)? || answer["message"] == "Hello, Alice!", "{answer}");
    Ok(Outcome::Works)
}

pub(crate) fn info(server: &Server) -> Result<Outcome> {
    let answer = printed(server, "84-85")?;
    ensure!(!has_php("84-85", &answer)? || answer["path"] == "/api/info", "{answer}");
    Ok(Outcome::Works)
}

/// The code that a printed request is refused with.
pub(crate) fn refused(server: &Server, lines: &str) -> Result<Outcome> {
    let answer = printed(server, lines)?;
    Ok(Outcome::Refused(answer["code"].as_str().with_context(|| answer.to_string())?.to_owned()))
}

/// The printed row, and what it led to, is there: before the document's five seconds are over.
pub(crate) fn inserted(server: &Server) -> Result<Outcome> {
    let output = in_home(server, &items::text("004", "101-108", "sh")?)?;
    ensure!(output.is_empty(), "{output}");
    let begun = Instant::now();
    // The server sees the row when it has come; until then nobody has this path.
    let answer = loop {
        let answer: Answer = request(server, "/api/convert", &["-X", "POST", "-d", r#"{"format":"png"}"#])?;
        if answer.status != 404 || begun.elapsed() > SOON {
            break answer;
        }
    };
    ensure!(answer.expect(503)?.json()?["code"] == "field_unsupported", "it leads somewhere else");
    ensure!(begun.elapsed() < Duration::from_secs(5), "it was synced after {:?}", begun.elapsed());
    Ok(Outcome::Works)
}

/// What `watch` would repeat for as long as nobody ends it.
pub(crate) fn watched(server: &Server) -> Result<Outcome> {
    let text = items::text("004", "198-202", "sh")?;
    let command =
        text.lines().find_map(|line| line.strip_prefix("watch -n 1 '")?.strip_suffix('\'')).context("watch")?;
    let rows = in_home(server, command)?;
    ensure!(rows.lines().any(|row| row.starts_with(r#"POST:/api/hello|{"name":"hello""#)), "{rows}");
    Ok(Outcome::Works)
}

/// Runs a command line where the server's routes file is.
fn in_home(server: &Server, line: &str) -> Result<String> {
    let output = shell(server)?.current_dir(server.home()).arg("-c").arg(line).output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}
