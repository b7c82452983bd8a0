//! The built programs, and a server of them: started on a port of its own with a data directory of
//! its own, and ended at the latest when it is dropped.
#![allow(dead_code, reason = "each test file uses its part")]

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take until it answers, and to end.
const BOUND: Duration = Duration::from_secs(60);

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The directory of the built programs; builds them first.
pub(crate) fn programs() -> Result<&'static Path> {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = PROGRAMS.get() {
        return Ok(path);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let status = Command::new(cargo).args(["build", "--quiet", "-p", "faas-bin", "--bins"]).status()?;
    ensure!(status.success(), "cargo could not build the programs");
    // Tests are in target/PROFILE/deps; cargo build without a profile makes target/debug.
    let test = std::env::current_exe()?;
    let target = test.ancestors().nth(3).with_context(|| format!("{} is in no target directory", test.display()))?;
    Ok(PROGRAMS.get_or_init(|| target.join("debug")))
}

/// This program without any configuration of the machine.
pub(crate) fn plain(program: impl AsRef<std::ffi::OsStr>) -> Command {
    const OTHERS: [&str; 7] =
        ["RUST_LOG", "SERVER_ADDRESS", "GATEWAY_PORT", "HTTP_PORT", "DATABASE_URL", "NATS_URL", "SUDO_USER"];
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FAAS_")) {
        command.env_remove(name);
    }
    for name in OTHERS {
        command.env_remove(name);
    }
    command.env_remove("MAX_CONCURRENT_EXECUTIONS").current_dir(root()).stdin(Stdio::null());
    command
}

/// How a server is to be started.
#[derive(Debug, Clone)]
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a str,
    pub(crate) environment: Vec<(&'a str, String)>,
    /// What `--listen` says; `None` when a variable says it.
    pub(crate) listen: Option<&'a str>,
    /// Further arguments.
    pub(crate) arguments: Vec<String>,
    /// The working directory, where it is not the repository.
    pub(crate) directory: Option<&'a Path>,
}

impl<'a> Launch<'a> {
    /// On a port that the system chooses, with these variables.
    pub(crate) fn with(environment: &[(&'a str, &str)]) -> Self {
        let environment = environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let (arguments, directory) = (Vec::new(), None);
        Self { program: "faas-server", environment, listen: Some("127.0.0.1:0"), arguments, directory }
    }

    /// The command, with a data directory inside `home`.
    pub(crate) fn command(&self, home: &Path) -> Result<Command> {
        let mut command = plain(programs()?.join(self.program));
        command
            .env("HOME", home)
            .env("FAAS_DATA_DIR", home.join("data"))
            .env("FAAS_ROUTES_DB", home.join("faas_meta.db"))
            .env("FAAS_FUNCTION_ROOTS", format!("{},/opt/functions", functions(home).display()));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(listen) = self.listen {
            command.args(["--listen", listen]);
        }
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        command.args(&self.arguments);
        Ok(command)
    }

    /// Starts it and waits until it takes work.
    pub(crate) fn start(&self) -> Result<Server> {
        let home = home()?;
        let mut process = Owned::start(self.command(home.path())?.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        let (sender, lines) = channel();
        let stdout = process.child.stdout.take().context("stdout is piped")?;
        forward(stdout, sender.clone());
        forward(process.child.stderr.take().context("stderr is piped")?, sender);
        let mut server = Server { process, lines, seen: Vec::new(), address: None, home };
        server.wait_until_ready().with_context(|| format!("{}: it said {:#?}", self.program, server.seen))?;
        Ok(server)
    }

    /// Starts what is expected to be refused: its exit code, and everything it said.
    pub(crate) fn refused(&self) -> Result<(Option<i32>, String)> {
        let home = home()?;
        let mut process = Owned::start(self.command(home.path())?.stdout(Stdio::null()).stderr(Stdio::piped()))?;
        let (sender, lines) = channel();
        forward(process.child.stderr.take().context("stderr is piped")?, sender);
        ensure!(process.ends_within(BOUND)?, "it did not end by itself: {:#?}", lines.try_iter().collect::<Vec<_>>());
        let status = process.child.wait()?;
        Ok((status.code(), lines.iter().map(|line| line + "\n").collect()))
    }
}

/// A directory of a server's own. The user that the server becomes may pass through it.
fn home() -> Result<TempDir> {
    let home = tempfile::Builder::new().prefix("server-test-").tempdir()?;
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))?;
    // The repository may lie where that user cannot pass.
    let samples = functions(home.path()).join("php");
    fs::create_dir_all(&samples)?;
    for name in ["hello.php", "info.php"] {
        fs::copy(root().join("examples/php").join(name), samples.join(name))?;
    }
    Ok(home)
}

/// Where the modules of its routes file are: the samples.
pub(crate) fn functions(home: &Path) -> PathBuf {
    home.join("functions")
}

/// A child that is killed and reaped at the latest when it is dropped.
struct Owned {
    child: Child,
    descriptor: OwnedFd,
}

impl Owned {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.spawn()?;
        Ok(Self { descriptor: pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?, child })
    }

    /// Whether it ended within so long.
    fn ends_within(&self, bound: Duration) -> Result<bool> {
        let seconds = Timespec { tv_sec: i64::try_from(bound.as_secs())?, tv_nsec: 0 };
        let mut ready = [PollFd::new(&self.descriptor, PollFlags::IN)];
        Ok(poll(&mut ready, Some(&seconds))? == 1)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // A server that is killed leaves its sandboxes to be ended by the next one, so it is asked first.
        let _ = pidfd_send_signal(&self.descriptor, Signal::TERM);
        if !self.ends_within(BOUND).unwrap_or(false) {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

/// Sends each line on; the thread ends with the pipe.
fn forward(pipe: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody may be listening any more, and the server is not to block on a full pipe.
            drop(to.send(line));
        }
    });
}

/// A running server.
pub(crate) struct Server {
    process: Owned,
    lines: Receiver<String>,
    seen: Vec<String>,
    address: Option<SocketAddr>,
    home: TempDir,
}

impl Server {
    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        self.address.context("it has an address once it started")
    }

    /// A directory of its own, which goes with it.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it has said until now.
    pub(crate) fn said(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    /// Tells it to stop, waits for its end, and answers how it ended.
    pub(crate) fn stop(mut self) -> Result<ExitStatus> {
        pidfd_send_signal(&self.process.descriptor, Signal::TERM)?;
        let ended = self.process.ends_within(BOUND)?;
        ensure!(ended, "it did not end within {BOUND:?}: {:#?}", self.said());
        Ok(self.process.child.wait()?)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let end = Instant::now() + BOUND;
        while self.address.is_none() {
            let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                bail!("it did not say where it listens");
            };
            self.address = address_in(&line);
            self.seen.push(line);
        }
        let url = format!("http://{}/ready", self.address()?);
        // curl itself waits between the tries, and longer each time.
        let ready = plain("curl")
            .args(["-sSf", "--retry", "12", "--retry-connrefused", "--retry-max-time", "60", "-o", "/dev/null", &url])
            .output()?;
        ensure!(ready.status.success(), "{url}: {}", String::from_utf8_lossy(&ready.stderr));
        Ok(())
    }
}

/// The address in a line that says `http://ADDRESS:PORT`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|character: char| !character.is_ascii_digit() && !"[]:.".contains(character));
    rest.get(..end.unwrap_or(rest.len()))?.trim_end_matches(['.', ':']).parse().ok()
}
