//! A server of the built binary on a port of its own, and requests to it as plain as they can be.

use super::{BOUND, Finished, faas, finish, pid_of};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{File, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use tempfile::TempDir;

/// A directory in which servers keep their state.
pub(crate) struct Place {
    directory: TempDir,
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Option<Child>,
    /// Host and port.
    pub(crate) address: String,
    /// Everything it said when it began.
    pub(crate) banner: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        // A server started by root becomes somebody who must be able to get there.
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("ours");
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What its servers logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Starts a server here and waits until it serves.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let data = self.path("data");
        let arguments = [&["serve", "--listen", ":0", "--data-dir", data.to_str().expect("text")], arguments].concat();
        self.start(&mut faas(&arguments))
    }

    /// Starts this command, which is a server, and waits until it serves.
    pub(crate) fn start(&self, command: &mut Command) -> Server {
        let log = File::options().create(true).append(true).open(self.path("log")).expect("a file");
        // Else it would make one in the repository, where it is started.
        command.env("FAAS_ROUTES_DB", self.path("faas_meta.db"));
        let mut child = command.stderr(Stdio::from(log)).spawn().expect("the binary starts");
        let stdout = child.stdout.take().expect("piped");
        let mut server = Server { child: Some(child), address: String::new(), banner: String::new() };
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        while !server.banner.contains("/docs") {
            let line = receiver.recv_timeout(BOUND);
            let line = line.unwrap_or_else(|_| panic!("it does not serve: {}", self.log()));
            if let Some((_, address)) = line.split_once("address  http://") {
                address.clone_into(&mut server.address);
            }
            server.banner.push_str(&(line + "\n"));
        }
        server
    }
}

impl Server {
    pub(crate) fn pid(&self) -> Pid {
        pid_of(self.child.as_ref().expect("running"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("running");
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        finish(self.child.take().expect("running"))
    }

    /// Ends it as a loss of power would.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
        assert_eq!(self.finish().code, None);
    }

    /// Runs the command line against it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        finish(self.command(arguments).spawn().expect("the binary starts"))
    }

    /// The command line that talks to it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = faas(arguments);
        command.env("FAAS_SERVER", format!("http://{}", self.address));
        command
    }

    /// Sends a request; nobody reads the answer unless the caller does.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(BOUND)).expect("a bound");
        let address = &self.address;
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
        let head = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + body).as_bytes()).expect("it reads");
        stream
    }

    /// Sends a request and reads its answer.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut text = String::new();
        self.send(method, path, body).read_to_string(&mut text).expect("an answer");
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {text}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
