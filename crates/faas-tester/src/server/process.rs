//! One life of a server process: started, found by the address it prints, ended.
//!
//! Invariant: what was started is ended and reaped at the latest when it is dropped.

use super::built_server;
use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a server may take until it says where it listens.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// How many of its last lines are kept for the message of a failing test.
const LINES: usize = 60;

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its data directory.
    pub data: PathBuf,
    /// Its other flags.
    pub flags: Vec<String>,
    /// What is added to its environment.
    pub variables: Vec<(&'static str, OsString)>,
}

impl Options {
    /// A server with its defaults on a port of the system's choice.
    #[must_use]
    pub const fn new(data: PathBuf) -> Self {
        Self { data, flags: Vec::new(), variables: Vec::new() }
    }

    /// One more flag with its value.
    #[must_use]
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// One more variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Starts it and waits until it says where it listens.
    ///
    /// # Errors
    /// It cannot be started or ends at once; what it said is in the error.
    pub fn start(&self) -> Result<Server> {
        self.spawn()?.ready()
    }

    /// Starts it and waits for nothing.
    ///
    /// # Errors
    /// There is no such program.
    pub fn spawn(&self) -> Result<Starting> {
        let program = built_server()?;
        let mut command = Command::new(&program);
        let ours = |name: &str| name.starts_with("FAAS_") || name == "RUST_LOG" || name == "DATABASE_URL";
        for (name, _) in std::env::vars_os().filter(|(name, _)| ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(&self.data).args(&self.flags);
        command.env("HOME", "/nonexistent").envs(self.variables.iter().cloned()).current_dir("/");
        Starting::by(command)
    }
}

/// A server that was started and has not said where it listens.
#[derive(Debug)]
pub struct Starting {
    life: Life,
    lines: Lines,
    address: Receiver<SocketAddr>,
}

impl Starting {
    /// A server by a command of the caller's, which has it listen on the loopback. Waits for nothing.
    ///
    /// # Errors
    /// There is no such program.
    pub fn by(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let lines = Lines::default();
        let (sender, address) = channel();
        if let Some(pipe) = child.stdout.take() {
            lines.collect(pipe, sender.clone());
        }
        if let Some(pipe) = child.stderr.take() {
            lines.collect(pipe, sender);
        }
        Ok(Self { life: Life::of(child)?, lines, address })
    }

    /// Waits until it says where it listens.
    ///
    /// # Errors
    /// It ends instead, or does not say it; what it said is in the error.
    pub fn ready(self) -> Result<Server> {
        match self.address.recv_timeout(STARTS_WITHIN) {
            Ok(address) => Ok(Server { life: self.life, lines: self.lines, address }),
            Err(RecvTimeoutError::Disconnected) => bail!("the server ended at its start:\n{}", self.lines.text()),
            Err(RecvTimeoutError::Timeout) => {
                bail!("the server does not say where it listens:\n{}", self.lines.text())
            }
        }
    }

    /// Kills it and waits for its end.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(mut self) -> Result<()> {
        self.life.kill()
    }
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    life: Life,
    lines: Lines,
    address: SocketAddr,
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.life.child.id()
    }

    /// The last of what it wrote.
    #[must_use]
    pub fn last_lines(&self) -> String {
        self.lines.text()
    }

    /// Whether it ended by itself.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.life.child.try_wait()?)
    }

    /// Asks it to stop.
    ///
    /// # Errors
    /// It is gone.
    pub fn ask_to_stop(&self) -> Result<()> {
        pidfd_send_signal(&self.life.descriptor, Signal::TERM).context("SIGTERM to the server")
    }

    /// Waits until it has ended of itself, as it should with code 0.
    ///
    /// # Errors
    /// It does not end within `bound`, or ends otherwise; what it said is in the error.
    pub fn end_within(mut self, bound: Duration) -> Result<()> {
        let status = self.life.end_within(bound).with_context(|| self.lines.text())?;
        ensure!(status.success(), "the server ended with {status}:\n{}", self.lines.text());
        Ok(())
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// See [`Server::end_within`].
    pub fn stop(self, bound: Duration) -> Result<()> {
        self.ask_to_stop()?;
        self.end_within(bound)
    }

    /// Kills it and waits for its end.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.life.kill()
    }
}

/// A child with a descriptor that means it and nobody who takes over its number.
#[derive(Debug)]
struct Life {
    child: Child,
    descriptor: OwnedFd,
}

impl Life {
    fn of(child: Child) -> Result<Self> {
        let descriptor = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        Ok(Self { child, descriptor })
    }

    fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn end_within(&mut self, bound: Duration) -> Result<ExitStatus> {
        let patience = Timespec { tv_sec: i64::try_from(bound.as_secs())?, tv_nsec: i64::from(bound.subsec_nanos()) };
        let mut ready = [PollFd::new(&self.descriptor, PollFlags::IN)];
        ensure!(poll(&mut ready, Some(&patience))? == 1, "the server did not end within {bound:?}");
        Ok(self.child.wait()?)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The last lines of a server.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<VecDeque<String>>>);

impl Lines {
    /// Reads a pipe to its end, so that the server never waits for its reader. The first address in it is
    /// passed on. The launcher holds the pipe a little longer than the server, so nobody joins the thread.
    fn collect(&self, pipe: impl Read + Send + 'static, address: Sender<SocketAddr>) {
        let lines = Arc::clone(&self.0);
        thread::spawn(move || {
            let mut address = Some(address);
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if let Some(found) = address_in(&line)
                    && let Some(sender) = address.take()
                {
                    // Nobody waits for it any more when the server was killed at its start.
                    let _ = sender.send(found);
                }
                if line.contains(" status=20") {
                    // A request that went well: there are thousands.
                    continue;
                }
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == LINES {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
        });
    }

    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("  | {line}\n")).collect()
    }
}

/// The first address on the loopback with a port that somebody can connect to.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.match_indices("127.0.0.1:").find_map(|(index, host)| {
        let digits = line[index + host.len()..].split(|character: char| !character.is_ascii_digit()).next()?;
        let port = digits.parse().ok().filter(|port| *port != 0)?;
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    })
}

#[cfg(test)]
mod tests {
    use super::address_in;

    #[test]
    fn the_address_is_found_in_a_banner_and_a_log_line() {
        for (line, port) in [
            ("listening on http://127.0.0.1:40123/ (local mode)", Some(40123)),
            (r#"{"message":"listening","address":"127.0.0.1:5"}"#, Some(5)),
            ("asked for 127.0.0.1:0, got 127.0.0.1:77", Some(77)),
            ("asked for 127.0.0.1:0", None),
            ("10.0.0.1:80", None),
            ("127.0.0.1:99999", None),
        ] {
            assert_eq!(address_in(line).map(|address| address.port()), port, "{line}");
        }
    }
}
