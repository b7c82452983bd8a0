//! `faas dev` and `faas logs -f`: what happens while they run.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use rustix::process::{Signal, kill_process};
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};
use support::server::Place;
use support::{BOUND, faas, finish, pid_of, run};
use tempfile::TempDir;

/// A command that runs on, and the lines of both of its streams as they come.
struct Running {
    child: Option<Child>,
    lines: Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary starts");
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                // Nobody listens after the test.
                BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
            });
        }
        Self { child: Some(child), lines }
    }

    /// The first line that contains this, and how long it took to come.
    fn until(&self, part: &str) -> (String, Duration) {
        let begin = Instant::now();
        let mut seen = String::new();
        loop {
            let left = BOUND.saturating_sub(begin.elapsed());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("{part:?} does not come:\n{seen}"));
            if line.contains(part) {
                return (line, begin.elapsed());
            }
            seen.push_str(&(line + "\n"));
        }
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(mut self) -> Option<i32> {
        let child = self.child.take().expect("running");
        kill_process(pid_of(&child), Signal::INT).expect("running");
        finish(child).code
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn edit(file: &Path, from: &str, to: &str) {
    let before = fs::read_to_string(file).expect("readable");
    assert!(before.contains(from), "{before}");
    fs::write(file, before.replace(from, to)).expect("written");
}

#[test]
fn a_save_is_live_in_under_a_second_and_calls_are_shown() {
    let place = Place::new();
    let server = place.serve(&[]);
    let directory = TempDir::new().expect("a folder");
    let path = directory.path().to_str().expect("text");
    assert_eq!(run(&["new", "hello", "--dir", path]).code, Some(0));
    let hello = directory.path().join("hello");
    let dev = Running::start(server.command(&["dev", hello.to_str().expect("text")]));
    dev.until("hello: made; version 1 is live");
    assert_eq!(server.run(&["invoke", "hello", "-d", "{\"name\":\"me\"}"]).code, Some(0));
    dev.until("called by me");
    dev.until("hello@1 succeeded in ");

    edit(&hello.join("main.py"), "Hello", "Hi");
    let (_, took) = dev.until("hello: version 2 is live");
    assert!(took < Duration::from_secs(1), "{took:?}");
    // A mistake is said, the last good version goes on, and the next save mends it.
    edit(&hello.join("faas.yaml"), "contract:", "contrcat:");
    dev.until("did you mean \"contract\"?");
    assert_eq!(server.run(&["invoke", "hello"]).stdout, "{\"message\":\"Hi, World!\"}\n");
    edit(&hello.join("faas.yaml"), "contrcat:", "contract:");
    edit(&hello.join("main.py"), "data.get(\"name\", \"World\")", "data[\"nobody\"]");
    dev.until("hello: version 3 is live");
    assert_eq!(server.run(&["invoke", "hello"]).code, Some(1));
    dev.until("KeyError: 'nobody'");
    dev.until("hello@3 failed in ");
    assert_eq!(dev.interrupt(), Some(0));
}

#[test]
fn without_a_server_one_is_started_and_ended() {
    let directory = TempDir::new().expect("a folder");
    let file = directory.path().join("alone.py");
    fs::write(&file, "def handle(request): return 'alone'\n").expect("written");
    // Where a server of somebody else's answers at the usual address, that one is used.
    let usual = "127.0.0.1:8080";
    if std::net::TcpStream::connect(usual).is_ok() {
        println!("SKIP: something answers at {usual}");
        return;
    }
    let mut command = faas(&["dev", file.to_str().expect("text")]);
    command.env("TMPDIR", directory.path());
    fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    let dev = Running::start(command);
    let (line, _) = dev.until("on a server of its own, http://");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split(';').next()).expect("an address").to_owned();
    dev.until("alone: made; version 1 is live");
    let invoked = run(&["invoke", "alone", "--server", &format!("http://{address}")]);
    assert_eq!((invoked.code, invoked.stdout.as_str()), (Some(0), "alone"), "{invoked:?}");
    assert_eq!(dev.interrupt(), Some(0));
    assert!(std::net::TcpStream::connect(&address).is_err(), "its server is gone");
    let left: Vec<_> =
        fs::read_dir(directory.path()).expect("readable").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["alone.py"], "its state is gone");
}

#[test]
fn logs_go_on_with_calls_that_come() {
    let place = Place::new();
    let server = place.serve(&[]);
    let directory = TempDir::new().expect("a folder");
    let file = directory.path().join("says.py");
    fs::write(&file, "def handle(request):\n    print('said', request.get_text())\n").expect("written");
    assert_eq!(server.run(&["deploy", file.to_str().expect("text")]).code, Some(0));
    assert_eq!(server.run(&["invoke", "says", "-d", "1"]).code, Some(0));
    let logs = Running::start(server.command(&["logs", "says", "-f"]));
    logs.until("said 1");
    for word in ["2", "3"] {
        assert_eq!(server.run(&["invoke", "says", "-d", word]).code, Some(0));
        logs.until(&format!("said {word}"));
        logs.until("says@1 succeeded in ");
    }
}
