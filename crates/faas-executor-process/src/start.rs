//! Starting the launcher, before any thread exists.

use crate::capabilities::capabilities;
use crate::create::ProcessExecutor;
use crate::error::{DelegateError, StartError};
use crate::link::Link;
use faas_protocol::frame::{HEADER, MAX_BODY};
use faas_protocol::launcher::{FromLauncher, Host};
use faas_sandbox_linux::{caps, packet, sealed};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The launcher with everything in it, run from sealed memory.
const LAUNCHER: &[u8] = include_bytes!(env!("FAAS_LAUNCHER"));

/// Where root's launchers keep their state: one place, so that no two take the same host uids.
const ROOT_RUNTIME_DIR: &str = "/run/faas";

/// How long the launcher may take to look at the host. Ending what a dead launcher left is part of it.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How the launcher is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where an ordinary user's launcher keeps its state. `None`: `$XDG_RUNTIME_DIR/faas`, else
    /// `/tmp/faas-UID`. Root's is `/run/faas`.
    pub runtime_dir: Option<PathBuf>,
    /// How many sandboxes may live at once, at most [`MOST_SANDBOXES`](crate::MOST_SANDBOXES).
    pub max_sandboxes: u32,
    /// The directory of all installed packages, absolute and there; `None` where sandboxes get none.
    pub packages: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { runtime_dir: None, max_sandboxes: 64, packages: None }
    }
}

/// A launcher that is ready. Dropping it ends the launcher and everything it made.
#[derive(Debug)]
pub struct Launcher {
    socket: OwnedFd,
    child: Child,
    host: Host,
}

impl Launcher {
    /// Starts a launcher and waits until it is ready. The caller keeps its privileges; give them up
    /// with [`Launcher::become_unprivileged`].
    ///
    /// # Errors
    /// What is in the way and the next step.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let runtime_dir = runtime_dir(settings.runtime_dir.as_deref())?;
        let spawn = |errno: rustix::io::Errno| StartError::Spawn(errno.into());
        let program = sealed::sealed_file("faas-launcher", LAUNCHER).map_err(spawn)?;
        let (ours, theirs) = packet::pair().map_err(spawn)?;
        set_socket_timeout(&ours, Timeout::Recv, Some(START_TIMEOUT)).map_err(spawn)?;
        let child = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
            .arg0("faas-launcher")
            .arg(runtime_dir)
            .arg(settings.max_sandboxes.to_string())
            .args(&settings.packages)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(StartError::Spawn)?;
        let mut launcher = Self { socket: ours, child, host: unknown_host() };
        launcher.host = launcher.hear_hello()?;
        set_socket_timeout(&launcher.socket, Timeout::Recv, None).map_err(spawn)?;
        Ok(launcher)
    }

    fn hear_hello(&mut self) -> Result<Host, StartError> {
        let mut buffer = vec![0_u8; HEADER + MAX_BODY];
        let received =
            packet::receive(&self.socket, &mut buffer).map_err(|errno| StartError::Lost(errno.to_string()))?;
        let frame = buffer.get(..received.length).unwrap_or_default();
        if frame.is_empty() {
            let status = self.child.wait().map_err(StartError::Spawn)?;
            return Err(StartError::Lost(status.to_string()));
        }
        match FromLauncher::decode(frame) {
            Ok(FromLauncher::Hello(host)) if host.version == faas_protocol::VERSION => Ok(host),
            Ok(FromLauncher::Refused { reason, fix }) => {
                self.child.wait().map_err(StartError::Spawn)?;
                Err(StartError::Refused { reason, fix })
            }
            Ok(_) => Err(StartError::Lost("it did not say hello".to_owned())),
            Err(error) => Err(StartError::Lost(error.to_string())),
        }
    }

    /// What this host gives to sandboxes.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Makes the calling process an ordinary user with no capability and no way back. Does nothing
    /// for a process that is not root.
    ///
    /// # Errors
    /// The process has threads, or the kernel refused; the process must then exit.
    pub fn become_unprivileged(&self) -> Result<(), StartError> {
        if self.host.server_uid == 0 {
            return Ok(());
        }
        let threads = std::fs::read_dir("/proc/self/task").map_err(StartError::Privileges)?.count();
        if threads != 1 {
            return Err(StartError::Threads { threads });
        }
        caps::become_user(self.host.server_uid).map_err(|errno| StartError::Privileges(errno.into()))
    }

    /// The executor on top of this launcher. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The runtime cannot watch the launcher's socket.
    pub fn into_executor(self) -> Result<ProcessExecutor, StartError> {
        let Self { socket, child, host } = self;
        let link = Link::start(socket).map_err(StartError::Spawn)?;
        Ok(ProcessExecutor::new(link, child, capabilities(&host), host))
    }
}

fn unknown_host() -> Host {
    Host {
        version: 0,
        root: false,
        server_uid: 0,
        layers: Vec::new(),
        limits: Vec::new(),
        missing: Vec::new(),
        runtimes: Vec::new(),
        memory_bytes: 0,
        cpu_milli: 0,
        pids: 0,
        max_sandboxes: 0,
        reconciled: 0,
        packages: false,
    }
}

fn runtime_dir(given: Option<&Path>) -> Result<PathBuf, StartError> {
    let uid = rustix::process::geteuid();
    match given {
        Some(given) if uid.is_root() && given != Path::new(ROOT_RUNTIME_DIR) => {
            Err(StartError::RootRuntimeDir { given: given.to_owned() })
        }
        Some(given) if given.is_absolute() => Ok(given.to_owned()),
        Some(_) => Err(StartError::NoRuntimeDir),
        None if uid.is_root() => Ok(PathBuf::from(ROOT_RUNTIME_DIR)),
        None => {
            let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
            let session = session.filter(|dir| dir.is_absolute() && dir.is_dir());
            let own = || std::env::temp_dir().join(format!("faas-{}", uid.as_raw()));
            Ok(session.map_or_else(own, |dir| dir.join("faas")))
        }
    }
}

/// Gives an ordinary user cgroups to limit sandboxes with, and returns their paths. `user` is a name
/// or a number.
///
/// # Errors
/// The caller is not root, or there is no such user.
pub fn delegate(user: &str) -> Result<Vec<PathBuf>, DelegateError> {
    Ok(faas_sandbox_linux::delegate::delegate(uid_of(user)?)?)
}

/// Takes back what [`delegate`] gave.
///
/// # Errors
/// The caller is not root, or there is no such user.
pub fn undelegate(user: &str) -> Result<(), DelegateError> {
    Ok(faas_sandbox_linux::delegate::undelegate(uid_of(user)?)?)
}

fn uid_of(user: &str) -> Result<u32, DelegateError> {
    if !rustix::process::geteuid().is_root() {
        return Err(DelegateError::NotRoot);
    }
    if let Ok(uid) = user.parse() {
        return Ok(uid);
    }
    let passwd = std::fs::read_to_string("/etc/passwd")?;
    passwd
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(user)).then(|| fields.nth(1)?.parse().ok()).flatten()
        })
        .ok_or_else(|| DelegateError::UnknownUser { name: user.to_owned() })
}

#[cfg(test)]
mod tests;
