//! The control of every run: what this machine takes to start a child process that writes one byte, and to
//! see its end. It tells how busy the machine was, whatever is measured beside it.

use super::percentiles::Percentiles;
use crate::diagnostic::CliError;
use faas_types::ErrorCode;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Programs that write their argument.
const PROGRAMS: [&str; 2] = ["/usr/bin/printf", "/bin/printf"];

/// The control.
#[derive(Debug, Clone)]
pub(super) struct Control {
    program: PathBuf,
}

impl Control {
    /// Finds a program that writes a byte.
    pub(super) fn find() -> Result<Self, CliError> {
        let found = PROGRAMS.iter().map(Path::new).find(|path| path.is_file());
        let program = found.ok_or_else(|| {
            let detail = format!("the control has no program; looked for {}", PROGRAMS.join(" and "));
            CliError::new(ErrorCode::RuntimeMissing, detail).help("install the core utilities of your distribution")
        })?;
        Ok(Self { program: program.to_owned() })
    }

    /// One sample, on a thread that may wait.
    pub(super) async fn sample(&self) -> Result<Duration, CliError> {
        let control = self.clone();
        let timed = tokio::task::spawn_blocking(move || control.once()).await;
        timed
            .unwrap_or_else(|_| Err(io::Error::other("its thread is gone")))
            .map_err(|error| CliError::io(&format!("the control {} cannot be run", self.program.display()), &error))
    }

    fn once(&self) -> io::Result<Duration> {
        let begin = Instant::now();
        let mut child = Command::new(&self.program)
            .arg("x")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut byte = [0];
        let read = child.stdout.take().map(|mut stdout| stdout.read_exact(&mut byte));
        let status = child.wait()?;
        let time = begin.elapsed();
        read.transpose()?;
        if status.success() { Ok(time) } else { Err(io::Error::other(format!("it ended with {status}"))) }
    }
}

/// Whose p99 is how often the other's.
pub(super) fn p99_ratio(calls: &Percentiles, control: &Percentiles) -> Option<f64> {
    let (calls, control) = (calls.p99_ms?, control.p99_ms?);
    (control > 0.0).then(|| super::percentiles::rounded(calls / control))
}
