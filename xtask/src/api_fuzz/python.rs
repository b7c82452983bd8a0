//! Schemathesis in a virtual environment of its own, every package at the version that is written down.

use super::{Place, say};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = include_str!("requirements.txt");
/// The sandboxes' interpreter, or whichever comes first in PATH.
const INTERPRETERS: [&str; 2] = ["/usr/bin/python3", "python3"];

pub(super) enum Readiness {
    /// Schemathesis' own program.
    Ready(PathBuf),
    /// Why not, for the SKIP line.
    Unavailable(String),
}

pub(super) fn ready(place: &Place) -> Result<Readiness> {
    let environment = place.work.join("python");
    let program = environment.join("bin/schemathesis");
    // Written last, so that it says what is complete.
    let installed = environment.join("installed.txt");
    if program.exists() && fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) {
        return Ok(Readiness::Ready(program));
    }
    let Some(interpreter) = INTERPRETERS.into_iter().find(|name| makes_environments(name)) else {
        let reason = "no python3 with venv and pip; scripts/install-test-deps installs python3-venv";
        return Ok(Readiness::Unavailable(reason.to_owned()));
    };
    say("api-fuzz: installing schemathesis into target/api-fuzz/python")?;
    let requirements = place.work.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).with_context(|| requirements.display().to_string())?;
    call(Command::new(interpreter).args(["-m", "venv", "--clear"]).arg(&environment))?;
    call(
        Command::new(environment.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--requirement"])
            .arg(&requirements),
    )?;
    fs::write(&installed, REQUIREMENTS).with_context(|| installed.display().to_string())?;
    Ok(Readiness::Ready(program))
}

fn makes_environments(interpreter: &str) -> bool {
    let mut command = Command::new(interpreter);
    command.args(["-c", "import ensurepip, venv"]).current_dir(Path::new("/"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn call(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
