//! The server under test, with a data directory of its own.
//!
//! Invariant: it has ended and is reaped when it is dropped.

use super::Place;
use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// How long it may take to say where it listens, and to end.
const BOUND: Duration = Duration::from_secs(60);

pub(super) struct Server {
    child: Child,
    descriptor: OwnedFd,
    data: PathBuf,
    url: String,
}

impl Server {
    /// Starts it on a port that the system chooses.
    pub(super) fn start(binary: &Path, place: &Place) -> Result<Self> {
        // Not in the checkout: its parents may be closed to the user the server becomes.
        let data = std::env::temp_dir().join(format!("faas-api-fuzz-{}", std::process::id()));
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FAAS_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let descriptor = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut server = Self { child, descriptor, data, url: String::new() };
        let (sender, lines) = channel();
        let log = File::create(place.log())?;
        keep(stdout.context("stdout is piped")?, log.try_clone()?, sender.clone())?;
        keep(stderr.context("stderr is piped")?, log, sender)?;
        let end = Instant::now() + BOUND;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else {
                bail!("the server did not say where it listens: {}", fs::read_to_string(place.log())?);
            };
            if let Some(url) = url_in(&line) {
                server.url = url;
                return Ok(server);
            }
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Tells it to stop; it has to do so by itself and without an error.
    pub(super) fn stop(mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "it ended before it was told to: {}", self.child.wait()?);
        pidfd_send_signal(&self.descriptor, Signal::TERM)?;
        ensure!(self.ends()?, "it did not end within {} s after SIGTERM", BOUND.as_secs());
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    fn ends(&self) -> Result<bool> {
        let bound = Timespec { tv_sec: i64::try_from(BOUND.as_secs())?, tv_nsec: 0 };
        Ok(poll(&mut [PollFd::new(&self.descriptor, PollFlags::IN)], Some(&bound))? == 1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked first: one that is killed leaves its sandboxes to be ended by the next one.
        let _ = pidfd_send_signal(&self.descriptor, Signal::TERM);
        if !self.ends().unwrap_or(false) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// Writes a pipe's lines into the log and sends them on while anybody listens.
fn keep(pipe: impl Read + Send + 'static, mut log: File, to: Sender<String>) -> Result<()> {
    std::thread::Builder::new().name("server-log".to_owned()).spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(std::result::Result::ok) {
            let _ = writeln!(log, "{line}");
            let _ = to.send(line);
        }
    })?;
    Ok(())
}

/// `http://ADDRESS:PORT` in a line.
fn url_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|character: char| !character.is_ascii_digit() && !"[]:.".contains(character));
    let address = rest.get(..end.unwrap_or(rest.len()))?.trim_end_matches(['.', ':']);
    address.parse::<std::net::SocketAddr>().ok().map(|address| format!("http://{address}"))
}

#[cfg(test)]
mod tests {
    use super::url_in;

    #[test]
    fn the_address_is_found_in_a_line() {
        for line in
            ["http://127.0.0.1:80", "listening on http://127.0.0.1:80.", "  at http://127.0.0.1:80/docs (local)"]
        {
            assert_eq!(url_in(line).as_deref(), Some("http://127.0.0.1:80"), "{line}");
        }
        assert_eq!(url_in("http://[::1]:80,"), Some("http://[::1]:80".to_owned()));
        for line in ["127.0.0.1:80", "http://localhost/", "http://127.0.0.1"] {
            assert_eq!(url_in(line), None, "{line}");
        }
    }
}
