//! `cargo xtask api-fuzz`: schemathesis against a server of the built binary.
//!
//! The server's own OpenAPI document says what may be sent and what may come back; schemathesis sends
//! what fits it and what does not, and fails on an answer the document does not have: a status, a
//! content type, a header, a field, a server error. Every failure shows the `curl` line that repeats it.
//!
//! Invariant: it never passes by not running. Where Python cannot make a virtual environment it prints
//! SKIP and why, and with `CI=true` that is a failure.

mod python;
mod server;

use anyhow::{Context, Result, bail, ensure};
use python::Readiness;
use server::Server;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Any number does; the same one sends the same requests.
const SEED: &str = "20240229";
/// Seconds, for all requests together.
const TIME: &str = "75";
/// What a document cannot say.
const HOOKS: &str = include_str!("api_fuzz/hooks.py");
/// Checks that ask for what this API does not promise, each with why.
const LEFT_OUT: [(&str, &str); 3] = [
    ("ignored_auth", "on loopback without configured users, credentials are not asked for"),
    ("use_after_free", "DELETE on a function's own address is a call of the function and deletes nothing"),
    ("positive_data_acceptance", "a well-formed request is refused where this host cannot honour it"),
];

/// Runs `api-fuzz`; arguments after its name go to schemathesis.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let place = Place::find()?;
    let schemathesis = match python::ready(&place)? {
        Readiness::Ready(program) => program,
        Readiness::Unavailable(reason) if std::env::var("CI").is_ok_and(|value| value == "true") => {
            bail!("api-fuzz may not be skipped in CI: {reason}");
        }
        Readiness::Unavailable(reason) => {
            say(&format!("SKIP api-fuzz: {reason}"))?;
            return say("0 passed, 0 failed, 1 skipped");
        }
    };
    let binary = build(&place)?;
    let server = Server::start(&binary, &place)?;
    let hooks = place.work.join("faas_hooks.py");
    std::fs::write(&hooks, HOOKS).with_context(|| hooks.display().to_string())?;
    let checks = LEFT_OUT.map(|(check, _)| check).join(",");
    let status = Command::new(schemathesis)
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", server.url()))
        .args(["--no-color", "--wait-for-schema", "60", "--seed", SEED, "--max-time", TIME])
        .args(["--request-timeout", "30", "--generation-database", "none", "--continue-on-failure"])
        .args(["--exclude-checks", &checks])
        .args(arguments)
        .env("SCHEMATHESIS_HOOKS", "faas_hooks")
        .env("PYTHONPATH", &place.work)
        .current_dir(&place.work)
        .status()
        .context("run schemathesis")?;
    let log = place.log();
    let shown = log.strip_prefix(&place.root).unwrap_or(&log).display().to_string();
    server.stop().with_context(|| format!("the server; its log is {shown}"))?;
    ensure!(status.success(), "schemathesis found what is shown above ({status}); the server's log is {shown}");
    say("api-fuzz: every answer was one the document has")
}

/// The server as the tests use it.
fn build(place: &Place) -> Result<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = ["build", "--quiet", "--package", "faas-bin", "--bin", "faas-server"];
    let status = Command::new(cargo).args(arguments).current_dir(&place.root).status().context("run cargo build")?;
    ensure!(status.success(), "the server could not be built");
    Ok(place.target.join("debug/faas-server"))
}

fn say(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Where the repository and the build's files are.
struct Place {
    root: PathBuf,
    target: PathBuf,
    /// `target/api-fuzz`, for the virtual environment and the server's log.
    work: PathBuf,
}

impl Place {
    fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent directory")?.to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let target = root.join(target);
        let work = target.join("api-fuzz");
        std::fs::create_dir_all(&work).with_context(|| format!("create {}", work.display()))?;
        Ok(Self { work, target, root })
    }

    fn log(&self) -> PathBuf {
        self.work.join("server.log")
    }
}
