//! A disk that stops syncing when it is told to: a library that stands before the C library's calls.

use anyhow::{Context, Result, ensure};
use faas_tester::server::{DataDirectory, Options};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What stands before the C library's calls.
const SOURCE: &str = include_str!("failing_sync.c");

/// The fault of one data directory, which begins and ends on demand.
#[derive(Debug)]
pub(crate) struct Fault {
    below: PathBuf,
    library: PathBuf,
    switch: PathBuf,
}

impl Fault {
    /// Builds it beside the data directory; `None` where there is no C compiler.
    pub(crate) fn of(data: &DataDirectory) -> Result<Option<Self>> {
        let data = data.path();
        // As the kernel names it.
        let below = data.parent().context("a data directory lies in another")?.canonicalize()?;
        let (library, switch) = (below.join("failing_sync.so"), below.join("syncing-fails"));
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut command = Command::new(&compiler);
        command.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-x", "c", "-", "-o"]).arg(&library);
        let mut child = match command.stdin(Stdio::piped()).spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            started => started.with_context(|| format!("cannot start {}", compiler.display()))?,
        };
        child.stdin.take().context("it has an input")?.write_all(SOURCE.as_bytes())?;
        ensure!(child.wait()?.success(), "{} cannot build failing_sync.c", compiler.display());
        Ok(Some(Self { below, library, switch }))
    }

    /// A server whose disk has it.
    pub(crate) fn within(&self, options: Options) -> Options {
        options
            .variable("LD_PRELOAD", &self.library)
            .variable("FAILING_SYNC_BELOW", &self.below)
            .variable("FAILING_SYNC_SWITCH", &self.switch)
    }

    /// From now on nothing is synced.
    pub(crate) fn begin(&self) -> Result<()> {
        File::create(&self.switch)?;
        Ok(())
    }

    /// From now on everything is, again.
    pub(crate) fn end(&self) -> Result<()> {
        Ok(fs::remove_file(&self.switch)?)
    }
}
