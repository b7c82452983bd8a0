//! Runs the built binary, always with a bound in time, and ends what it started.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod server;

use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long one run may take before the test fails.
pub(crate) const BOUND: Duration = Duration::from_secs(120);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository's root")
}

/// The built binary, without any configuration of the machine.
pub(crate) fn faas(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faas"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FAAS_")) {
        command.env_remove(name);
    }
    command.args(arguments).env("HOME", "/nonexistent").env_remove("SUDO_USER").current_dir(root());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end.
pub(crate) fn run(arguments: &[&str]) -> Finished {
    finish(faas(arguments).spawn().expect("the binary starts"))
}

/// Runs to the end with this on standard input.
pub(crate) fn run_with_stdin(arguments: &[&str], stdin: &[u8]) -> Finished {
    let mut child = faas(arguments).stdin(Stdio::piped()).spawn().expect("the binary starts");
    let mut pipe = child.stdin.take().expect("piped");
    let stdin = stdin.to_vec();
    // The program need not read it all.
    let writer = thread::spawn(move || drop(pipe.write_all(&stdin)));
    let finished = finish(child);
    writer.join().expect("the writer ends");
    finished
}

/// Waits for the end of what was spawned, reading what is still piped.
pub(crate) fn finish(mut child: Child) -> Finished {
    let pid = pid_of(&child);
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_end(&mut bytes).expect("output is readable");
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let stderr = read(child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>));
    let (sender, receiver) = mpsc::channel();
    let waiter = thread::spawn(move || sender.send(child.wait().expect("waitable")));
    let status = receiver.recv_timeout(BOUND).unwrap_or_else(|_| {
        kill_process(pid, Signal::KILL).expect("ours to end");
        panic!("the run did not end within {BOUND:?}")
    });
    waiter.join().expect("the waiter ends").expect("the status was taken");
    Finished {
        code: status.code(),
        stdout: stdout.join().expect("the reader ends"),
        stderr: stderr.join().expect("the reader ends"),
    }
}

/// The process id for signals.
pub(crate) fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Asserts that a request was refused with this code, naming all of these.
pub(crate) fn assert_refused(finished: &Finished, code: &str, names: &[&str]) {
    assert_eq!(finished.code, Some(125), "{finished:?}");
    assert_eq!(finished.stdout, "", "{finished:?}");
    assert!(finished.stderr.contains(&format!("error[{code}]: ")), "{finished:?}");
    assert!(finished.stderr.contains("  help: "), "{finished:?}");
    assert!(finished.stderr.contains(&format!("docs/errors/{code}.md")), "{finished:?}");
    for name in names {
        assert!(finished.stderr.contains(name), "{name:?} is not named: {finished:?}");
    }
}

/// How many processes have this text among their arguments.
pub(crate) fn processes_with_argument(text: &str) -> usize {
    let has = |path: PathBuf| {
        std::fs::read(path.join("cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|argument| argument == text.as_bytes()))
    };
    std::fs::read_dir("/proc").expect("/proc").flatten().filter(|entry| has(entry.path())).count()
}

/// Returns once so many processes have this text among their arguments.
pub(crate) fn wait_for_processes_with_argument(text: &str, count: usize) {
    let begin = Instant::now();
    while processes_with_argument(text) < count {
        assert!(begin.elapsed() < BOUND, "{text} is not among the arguments of {count} processes");
        thread::yield_now();
    }
}
