//! Ctrl-C, readers that go away, terminals.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Stdio};
use support::{faas, finish, pid_of, processes_with_argument, run_with_stdin, wait_for_processes_with_argument};
use tempfile::TempDir;

/// A command in a sandbox that says it is up and then never ends; its token is among its arguments.
fn never_ending(token: &str) -> (Child, BufReader<ChildStdout>) {
    let mut command = faas(&["exec", "--", "sh", "-c", "echo up; while :; do :; done", token]);
    let mut child = command.process_group(0).spawn().expect("starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("readable");
    assert_eq!(line, "up\n", "{:?}", finish(child).stderr);
    (child, stdout)
}

#[test]
fn signals_cancel_and_leave_nothing() {
    let to_us: fn(Pid, Signal) = |pid, signal| kill_process(pid, signal).expect("running");
    // As a terminal does on Ctrl-C.
    let to_the_group: fn(Pid, Signal) = |pid, signal| kill_process_group(pid, signal).expect("running");
    let ways = [(to_us, Signal::INT, 130), (to_us, Signal::TERM, 143), (to_the_group, Signal::INT, 130)];
    for (number, (send, signal, code)) in ways.into_iter().enumerate() {
        let token = format!("token-{}-{number}", std::process::id());
        let (child, _stdout) = never_ending(&token);
        assert_eq!(processes_with_argument(&token), 2, "ours and the program in the sandbox");
        send(pid_of(&child), signal);
        let finished = finish(child);
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert!(finished.stderr.contains("cancelled"), "{finished:?}");
        assert_eq!(processes_with_argument(&token), 0, "the program outlived its run");
    }
}

#[test]
fn a_cancelled_run_has_a_record() {
    let token = format!("token-json-{}", std::process::id());
    // Only the program in the sandbox has the token among its arguments, once it runs.
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("program.sh");
    fs::write(&path, format!("exec sh -c 'while :; do :; done' {token}")).expect("written");
    let child = faas(&["run", "--json", path.to_str().expect("a text")]).spawn().expect("starts");
    wait_for_processes_with_argument(&token, 1);
    kill_process(pid_of(&child), Signal::INT).expect("running");
    let finished = finish(child);
    assert_eq!(finished.code, Some(130), "{finished:?}");
    let record: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!((&record["status"], &record["error_kind"]), (&"cancelled".into(), &"cancelled".into()));
}

#[test]
fn an_impatient_user_is_not_kept() {
    let (child, _stdout) = never_ending("impatient");
    for _ in 0..2 {
        kill_process(pid_of(&child), Signal::INT).expect("running, or not waited for yet");
    }
    let finished = finish(child);
    assert_eq!(finished.code, Some(130), "{finished:?}");
}

#[test]
fn a_reader_that_does_not_read_does_not_hold_up_ctrl_c() {
    let code = "print('up', flush=True)\nwhile True: print('x' * 1000)";
    let mut child = faas(&["run", "-c", code]).spawn().expect("starts");
    let mut stdout = BufReader::with_capacity(3, child.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("readable");
    kill_process(pid_of(&child), Signal::INT).expect("running");
    // The pipe stays open and full while it ends.
    let finished = finish(child);
    assert_eq!(finished.code, Some(130), "{finished:?}");
    drop(stdout);
}

#[test]
fn input_that_nobody_reads_does_not_hold_up_ctrl_c() {
    let code = "print('up', flush=True)\nwhile True: pass";
    let endless = File::open("/dev/zero").expect("there");
    let mut child = faas(&["run", "--stdin", "-c", code]).stdin(Stdio::from(endless)).spawn().expect("starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("readable");
    kill_process(pid_of(&child), Signal::INT).expect("running");
    let finished = finish(child);
    assert_eq!(finished.code, Some(130), "{finished:?}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let mut child = faas(&["run", "-c", "while True: print('line', flush=True)"]).spawn().expect("starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("readable");
    drop(stdout);
    let finished = finish(child);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(141), ""), "{finished:?}");
}

/// What a terminal gets from a run of this code.
fn on_a_terminal(code: &str) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).expect("granted");
    unlockpt(&terminal).expect("unlocked");
    let name = ptsname(&terminal, Vec::new()).expect("a name").into_string().expect("a text");
    let side = File::options().read(true).write(true).open(name).expect("its other side");
    let child = faas(&["run", "-c", code]).stdout(Stdio::from(side)).spawn().expect("starts");
    let finished = finish(child);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let mut shown = Vec::new();
    let mut piece = [0; 4096];
    let mut terminal = File::from(terminal);
    // With the other side closed, a terminal at its end answers with an error.
    while let Ok(length @ 1..) = terminal.read(&mut piece) {
        shown.extend_from_slice(&piece[..length]);
    }
    String::from_utf8(shown).expect("only UTF-8 reaches a terminal")
}

#[test]
fn control_sequences_reach_a_file_and_no_terminal() {
    let code = "import sys; sys.stdout.buffer.write(b'a\\x1b]52;c;aGk=\\x07\\x9b2J\\xc2\\x9bb\\n')";
    let shown = on_a_terminal(code);
    assert!(shown.starts_with("a^[]52;c;aGk=^G\u{fffd}2J<U+009B>b"), "{shown:?}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");

    let raw = run_with_stdin(&["run", "-"], code.as_bytes());
    assert!(raw.stdout.contains('\u{1b}'), "{raw:?}");
}
