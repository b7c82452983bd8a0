//! A server for as long as a command runs: this program once more, on a port that the system chooses, with its
//! state in a directory of its own that goes with it. `faas dev` and `faas bench density` start one.

use crate::contexts::address;
use crate::diagnostic::CliError;
use faas_client::{Client, Connect};
use faas_types::ErrorCode;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long it may take until it serves.
const START: Duration = Duration::from_secs(30);
/// How long it may take until it is gone.
const STOP: Duration = Duration::from_secs(10);
/// How long its executions may take to end with it.
const DRAIN: &str = "1s";

/// A server of ours. Dropping it ends it.
pub(crate) struct OwnServer {
    child: Child,
    address: String,
    data: PathBuf,
}

impl OwnServer {
    /// Starts it for this command, with these further options, and waits until it serves.
    pub(crate) async fn start(of: &str, options: &[String]) -> Result<Self, CliError> {
        let program = std::env::current_exe().map_err(|error| CliError::io("this program cannot be found", &error))?;
        let data = std::env::temp_dir().join(format!("faas-{of}-{}", std::process::id()));
        let mut command = Command::new(program);
        command.args(["serve", "--listen", ":0", "--drain-timeout", DRAIN, "--log-level", "warn", "--data-dir"]);
        // In a group of its own Ctrl-C ends it through us, after the last call was shown.
        command.arg(&data).args(options).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| CliError::io("a server cannot be started", &error))?;
        let stdout = child.stdout.take();
        let mut own = Self { child, address: String::new(), data };
        let (sender, found) = oneshot::channel();
        std::thread::spawn(move || {
            let lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines().map_while(Result::ok));
            let mut sender = Some(sender);
            // To the end, so that nothing it says waits for a reader.
            for line in lines {
                if let Some((_, address)) = line.split_once("address  ")
                    && let Some(sender) = sender.take()
                {
                    drop(sender.send(address.trim().to_owned()));
                }
            }
        });
        let not_started = || {
            CliError::new(
                ErrorCode::ServerUnreachable,
                "no server answers, and one of its own did not start".to_owned(),
            )
            .help("the lines above say why; or start one with `faas serve` and name it with --server")
        };
        own.address = match tokio::time::timeout(START, found).await {
            Ok(Ok(address)) => address,
            Ok(Err(_)) | Err(_) => return Err(not_started()),
        };
        Ok(own)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The server's own process, from which every one of its sandboxes descends.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn client(&self) -> Result<Client, CliError> {
        Ok(Client::new(Connect::Tcp(address("the server's own address", &self.address)?)))
    }

    /// Ends it in order.
    pub(crate) async fn stop(mut self) {
        let pid = Pid::from_child(&self.child);
        if kill_process(pid, Signal::TERM).is_err() {
            return;
        }
        let mut waited = tokio::task::spawn_blocking(move || {
            drop(self.child.wait());
            self
        });
        if tokio::time::timeout(STOP, &mut waited).await.is_err() {
            // It may have ended just now.
            let _ = kill_process(pid, Signal::KILL);
            drop(waited.await);
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.data));
    }
}
