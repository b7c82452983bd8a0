//! Runs one program of a step: its output goes through as it comes and is kept for counting.

use anyhow::{Context, anyhow};
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

/// A program to run.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) folder: PathBuf,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program.rsplit('/').next().unwrap_or(&self.program))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
    }
}

/// How it ended.
pub(super) struct Finished {
    pub(super) success: bool,
    /// What it wrote to stdout and then what it wrote to stderr.
    pub(super) lines: Vec<String>,
}

/// Waits for the program; it gets no standard input and no colours.
pub(super) fn run(call: &Call) -> anyhow::Result<Finished> {
    let mut child = Command::new(&call.program)
        .args(&call.arguments)
        .envs(call.environment.iter().map(|(name, value)| (name, value)))
        .env("CARGO_TERM_COLOR", "never")
        .env("NO_COLOR", "1")
        .current_dir(&call.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", call.program))?;
    let stdout = child.stdout.take().context("no stdout")?;
    let stderr = child.stderr.take().context("no stderr")?;
    let errors = thread::spawn(move || forward(stderr, std::io::stderr()));
    let mut lines = forward(stdout, std::io::stdout())?;
    lines.extend(errors.join().map_err(|_| anyhow!("the thread that reads stderr panicked"))??);
    let status = child.wait().with_context(|| format!("waiting for {}", call.program))?;
    Ok(Finished { success: status.success(), lines })
}

fn forward(from: impl Read, mut to: impl Write) -> anyhow::Result<Vec<String>> {
    let mut from = BufReader::new(from);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(lines);
        }
        to.write_all(&line)?;
        lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
}
