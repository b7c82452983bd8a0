//! The proofs of the lines that start seed 001's server: `python main.py` is `faas-server`, with the same options.

use super::curl::post;
use super::items;
use super::proofs::Outcome;
use super::server::{Launch, plain, programs};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// What stands behind `python main.py`.
fn arguments(lines: &str) -> Result<Vec<String>> {
    let line = items::text("001", lines, "sh")?;
    let rest = line.trim().strip_prefix("python main.py").context("the program's name")?;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

/// Runs a line that starts nothing.
fn run(lines: &str, directory: &Path) -> Result<Output> {
    let mut command = plain(programs()?.join("faas-server"));
    command.env("HOME", directory).env("FAAS_DATA_DIR", directory.join("data")).current_dir(directory);
    Ok(command.args(arguments(lines)?).output()?)
}

fn launch<'a>(lines: &str) -> Result<Launch<'a>> {
    Ok(Launch { arguments: arguments(lines)?, ..Launch::with(&[]) })
}

/// Whether this host gives everything is its own business; what is said is what `faas doctor` says.
pub(super) fn check_system() -> Result<Outcome> {
    let directory = TempDir::new()?;
    let said = run("38-40", directory.path())?;
    let mut doctor = plain(programs()?.join("faas"));
    let doctor = doctor.args(["doctor", "--check-system"]).env("HOME", directory.path()).output()?;
    ensure!(said.status.code() == doctor.status.code(), "{said:?} {doctor:?}");
    // Numbers such as free memory differ from one moment to the next.
    let names = |output: &Output| -> Vec<String> {
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    ensure!(names(&said).len() > 5 && names(&said) == names(&doctor), "{said:?} {doctor:?}");
    ensure!(!directory.path().join("data").exists(), "a server was started");
    Ok(Outcome::Works)
}

/// It writes a file that is not there, and never one that is.
pub(super) fn create_config() -> Result<Outcome> {
    let directory = TempDir::new()?;
    let file = directory.path().join("faas_config.yaml");
    let first = run("41-43", directory.path())?;
    ensure!(first.status.success(), "{first:?}");
    let written = fs::read_to_string(&file)?;
    ensure!(written.contains("\nfunctions:\n") && written.contains("\n# "), "{written}");
    fs::write(&file, "mine")?;
    let second = run("41-43", directory.path())?;
    ensure!(second.status.code() == Some(125), "{second:?}");
    ensure!(String::from_utf8_lossy(&second.stderr).contains("faas_config.yaml"), "{second:?}");
    ensure!(fs::read_to_string(&file)? == "mine", "it was overwritten");
    Ok(Outcome::Works)
}

pub(super) fn start(lines: &str) -> Result<Outcome> {
    let server = launch(lines)?.start()?;
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(Outcome::Works)
}

/// With the file that the line before makes.
pub(super) fn start_with_file() -> Result<Outcome> {
    let directory = TempDir::new()?;
    ensure!(run("41-43", directory.path())?.status.success(), "no sample");
    let server = Launch { directory: Some(directory.path()), ..launch("52-54")? }.start()?;
    let answer = post(&server, "/invoke/hello", r#"{"a": 1}"#)?.expect(200)?.json()?;
    ensure!(answer == json!({"message": "Hello, World!", "data": {"a": 1}}), "{answer}");
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(Outcome::Works)
}

/// It says what is logged, whatever a variable says.
pub(super) fn debug() -> Result<Outcome> {
    start("55-57")?;
    let both = Launch { environment: vec![("RUST_LOG", "no such level=".to_owned())], ..launch("55-57")? };
    // Alone, this variable would be refused.
    let server = both.start()?;
    ensure!(server.stop()?.success(), "it did not end well");
    Ok(Outcome::Works)
}

/// As printed it would be open to other machines; on this machine it listens where it is told to.
pub(super) fn host_and_port() -> Result<Outcome> {
    let mut refused = None;
    // Between the question for a free port and the start somebody else may take it.
    for _ in 0..3 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let replaced = |word: String| word.replace("0.0.0.0", "127.0.0.1").replace("8080", &port.to_string());
        let arguments = arguments("58-59")?.into_iter().map(replaced).collect();
        match (Launch { listen: None, arguments, ..Launch::with(&[]) }).start() {
            Ok(server) => {
                ensure!(server.address()? == (Ipv4Addr::LOCALHOST, port).into(), "{}", server.address()?);
                ensure!(server.stop()?.success(), "it did not end well");
                refused = None;
                break;
            }
            Err(error) => refused = Some(error),
        }
    }
    if let Some(error) = refused {
        return Err(error);
    }
    let (code, said) = Launch { listen: None, ..launch("58-59")? }.refused()?;
    ensure!(code == Some(2) && said.contains("0.0.0.0:8080"), "{code:?}: {said}");
    let (_, rest) = said.split_once("error[").with_context(|| format!("no code: {said}"))?;
    Ok(Outcome::Refused(rest.split_once(']').context("no code")?.0.to_owned()))
}
