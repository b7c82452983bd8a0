//! The server as a program: how it starts, serves, stops, and what survives it.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Instant;
use support::server::{Place, Server};
use support::{
    BOUND, assert_refused, faas, finish, pid_of, processes_with_argument, run, wait_for_processes_with_argument,
};

fn submit(server: &Server, code: &str) -> String {
    let body = json!({ "code": code, "language": "python", "wait": false }).to_string();
    let (status, record) = server.request("POST", "/api/v1/executions", &body);
    assert_eq!(status, 202, "{record}");
    record["id"].as_str().expect("an id").to_owned()
}

fn record(server: &Server, arguments: &[&str]) -> Value {
    let finished = server.run(arguments);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("no JSON: {finished:?}"))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < BOUND, "{what}");
        std::thread::yield_now();
    }
}

/// Returns once so many servers here were told to stop.
fn wait_until_it_stops(place: &Place, times: usize) {
    until("it does not stop", || place.log().matches("stopping:").count() == times);
}

#[test]
fn it_says_where_it_is_and_serves_there() {
    let place = Place::new();
    let server = place.serve(&[]);
    for part in ["127.0.0.1:", "local mode", "/data\n", "/docs\n"] {
        assert!(server.banner.contains(part), "{part} is missing in {}", server.banner);
    }
    let (status, record) = server.request("POST", "/execute", r#"{"code": "print('hello')", "language": "python"}"#);
    assert_eq!((status, &record["stdout"], &record["status"]), (200, &json!("hello\n"), &json!("succeeded")));
    let (status, problem) = server.request("POST", "/execute", r#"{"kode": "1"}"#);
    assert_eq!((status, &problem["code"], &problem["field"]), (400, &json!("unknown_field"), &json!("kode")));
    // A second server in the same directory is refused, and the first goes on.
    let data = place.path("data");
    let second = run(&["serve", "--listen", ":0", "--data-dir", data.to_str().expect("text")]);
    assert_eq!(second.code, Some(125), "{second:?}");
    assert!(second.stderr.contains("error[storage_unavailable]"), "{second:?}");
    let (status, record) = server.request("POST", "/execute", r#"{"code": "print('still')"}"#);
    assert_eq!((status, &record["stdout"]), (200, &json!("still\n")), "{record}");
    // So is one at its address.
    let other = place.path("other");
    let taken = run(&["serve", "--listen", &server.address, "--data-dir", other.to_str().expect("text")]);
    assert_refused(&taken, "config_invalid", &[&server.address, "--listen", "ss -ltnp"]);
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code, Some(0));
}

#[test]
fn an_address_that_others_can_reach_is_refused_with_the_command_that_works() {
    for address in ["0.0.0.0:0", "[::]:8080", "127.0.0.1:0,192.0.2.1:80"] {
        let finished = run(&["serve", "--listen", address, "--data-dir", "/nonexistent"]);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished:?}");
        assert!(finished.stderr.contains("--listen 127.0.0.1:"), "{finished:?}");
    }
}

#[test]
fn a_storage_of_sources_that_others_can_write_stops_the_start() {
    let place = Place::new();
    let (storage, file) = (place.path("storage"), place.path("faas.yaml"));
    fs::create_dir(&storage).expect("a directory");
    fs::set_permissions(&storage, fs::Permissions::from_mode(0o777)).expect("permissions");
    fs::write(&file, format!("system:\n  function_storage_path: {}\n", storage.display())).expect("a file");
    let data = place.path("data");
    let (file, data) = (file.to_str().expect("text"), data.to_str().expect("text"));
    let finished = run(&["--config", file, "serve", "--listen", ":0", "--data-dir", data]);
    let remedy = format!("`chmod go-w {}`", storage.display());
    assert_refused(&finished, "config_invalid", &["system.function_storage_path", &remedy]);
}

#[test]
fn the_servers_names_serve_without_a_command() {
    for binary in [env!("CARGO_BIN_EXE_faas-server"), env!("CARGO_BIN_EXE_faas-bin")] {
        let help = finish(Command::new(binary).arg("--help").stdout(Stdio::piped()).spawn().expect("it starts"));
        assert!(help.code == Some(0) && help.stdout.contains("--data-dir"), "{help:?}");
        let place = Place::new();
        let mut command = Command::new(binary);
        command.args(["--listen", ":0", "--data-dir"]).arg(place.path("data"));
        command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null()).stdout(Stdio::piped());
        let server = place.start(&mut command);
        assert_eq!(server.request("GET", "/health", "").0, 200);
        server.signal(Signal::INT);
        assert_eq!(server.finish().code, Some(0));
    }
}

#[test]
fn the_command_line_runs_programs_there() {
    let place = Place::new();
    let server = place.serve(&[]);
    let code = "import sys\nprint('ready', flush=True)\nprint('got', input(), flush=True)\nsys.exit(3)";
    let mut child = server.command(&["run", "--stdin", "-c", code]).stdin(Stdio::piped()).spawn().expect("starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("readable");
    assert_eq!(line, "ready\n");
    child.stdin.take().expect("piped").write_all(b"answer\n").expect("written");
    line.clear();
    stdout.read_line(&mut line).expect("readable");
    assert_eq!(line, "got answer\n");
    let finished = finish(child);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(3), ""), "{finished:?}");

    let missing = server.run(&["exec", "--", "no-such-command"]);
    assert_eq!(missing.code, Some(127), "{missing:?}");
    let refused = server.run(&["run", "--memory", "1024Ti", "-c", "print(1)"]);
    assert_eq!(refused.code, Some(125), "{refused:?}");
    assert!(refused.stderr.contains("error[resources_above_host]"), "{refused:?}");

    let token = format!("token-served-{}", std::process::id());
    let mut looping = server.command(&["exec", "--", "sh", "-c", "while :; do :; done", &token]);
    let child = looping.spawn().expect("starts");
    // Ours and the program in the sandbox.
    wait_for_processes_with_argument(&token, 2);
    kill_process(pid_of(&child), Signal::INT).expect("running");
    assert_eq!(finish(child).code, Some(130));
    // Its end is told before its sandbox has been cleared away.
    until("the program outlived its run", || processes_with_argument(&token) == 0);

    // Nobody there, and a server that is none.
    let nobody = run(&["run", "--server", "127.0.0.1:1", "-c", "print(1)"]);
    assert!(nobody.code == Some(125) && nobody.stderr.contains("error[server_unreachable]"), "{nobody:?}");
    let named = run(&["run", "--server", "https://localhost", "-c", "print(1)"]);
    assert!(named.code == Some(125) && named.stderr.contains("--server"), "{named:?}");
}

#[test]
fn a_reader_that_does_not_read_holds_no_program_up_and_loses_nothing() {
    let place = Place::new();
    let server = place.serve(&[]);
    let child = server.command(&["run", "-c", "print('x' * 3_000_000, end='')"]).spawn().expect("starts");
    let succeeded = || server.run(&["executions", "ls", "--json", "--status", "succeeded"]).stdout;
    until("the program waits for its reader", || !succeeded().is_empty());
    let finished = finish(child);
    assert_eq!((finished.code, finished.stdout.len()), (Some(0), 3_000_000), "{}", finished.stderr);
}

#[test]
fn executions_are_listed_shown_read_cancelled_and_awaited() {
    let place = Place::new();
    let server = place.serve(&[]);
    let hostile = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(4)";
    let detached = server.run(&["run", "--detach", "--label", "team=\u{1b}[31mred", "-c", hostile]);
    assert_eq!(detached.code, Some(125), "{detached:?}");
    let detached = server.run(&["run", "--detach", "--label", "team=red", "-c", hostile]);
    let id = detached.stdout.trim().to_owned();
    assert!(detached.code == Some(0) && id.starts_with("exe_"), "{detached:?}");

    let waited = server.run(&["executions", "wait", &id]);
    assert_eq!((waited.code, waited.stdout), (Some(4), format!("{id} failed\n")));
    assert_eq!(record(&server, &["executions", "get", "--json", &id])["stdout"], "out\n");
    let shown = server.run(&["executions", "get", &id]);
    assert!(shown.stdout.contains("label team") && shown.stdout.contains("exit code"), "{shown:?}");
    let logs = server.run(&["executions", "logs", "--follow", &id]);
    // Two pipes have no common order.
    assert!(logs.code == Some(0) && ["out\nerr\n", "err\nout\n"].contains(&logs.stdout.as_str()), "{logs:?}");
    assert_eq!(server.run(&["executions", "logs", "--stream", "stderr", &id]).stdout, "err\n");

    let endless = submit(&server, "while True: pass");
    let cancelled = server.run(&["executions", "cancel", &endless]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(server.run(&["executions", "wait", &endless]).code, Some(130));
    let again = server.run(&["executions", "cancel", &endless]);
    assert!(again.code == Some(125) && again.stderr.contains("error[execution_finished]"), "{again:?}");
    let unknown = server.run(&["executions", "get", "exe_00000000000000000000000000000000"]);
    assert!(unknown.code == Some(125) && unknown.stderr.contains("error[execution_not_found]"), "{unknown:?}");

    let list = server.run(&["executions", "ls", "--json", "--limit", "0"]);
    let ids: Vec<Value> = list.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(ids.iter().map(|record| record["id"].as_str().expect("an id")).collect::<Vec<_>>(), [&endless, &id]);
    for filter in [["--label", "team=red"], ["--status", "failed"]] {
        let list = server.run(&[&["executions", "ls"], &filter[..]].concat());
        assert!(list.stdout.contains(&id) && !list.stdout.contains(&endless), "{list:?}");
    }
    let wrong = server.run(&["executions", "ls", "--status", "done"]);
    assert!(wrong.code == Some(125) && wrong.stderr.contains("queued, starting"), "{wrong:?}");
}

#[test]
fn limits_stats_events_and_health_are_shown() {
    let place = Place::new();
    let server = place.serve(&["--http-body-limit", "3Mi"]);
    assert_eq!(record(&server, &["limits", "--json"])["http"]["body_bytes"], 3 << 20);
    assert!(server.run(&["limits"]).stdout.contains("body_bytes"));
    assert_eq!(record(&server, &["stats", "--json"])["running"], 0);
    assert!(server.run(&["stats"]).stdout.contains("queued"));
    let events = server.run(&["events", "--json"]);
    let first: Value = serde_json::from_str(events.stdout.lines().next().expect("an event")).expect("JSON");
    assert_eq!(first["seq"], 1, "{events:?}");
    assert!(server.run(&["events"]).stdout.starts_with("1 "));
    let doctor = finish(faas(&["doctor", "--json", "--server", &server.address]).spawn().expect("starts"));
    let report: Value = serde_json::from_str(&doctor.stdout).expect("JSON");
    assert_eq!(doctor.code, Some(i32::from(report["strict"] != true)), "{doctor:?}");
    assert!(report["findings"].as_array().is_some_and(|findings| findings.len() > 10), "{report}");
}

#[test]
fn contexts_are_kept_for_their_owner_and_used() {
    let place = Place::new();
    let server = place.serve(&[]);
    let home = place.path("home");
    fs::create_dir(&home).expect("made");
    let with = |arguments: &[&str], stdin: Option<&str>| {
        let mut command = faas(arguments);
        command.env("HOME", &home).stdin(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut pipe = child.stdin.take().expect("piped");
        drop(pipe.write_all(stdin.unwrap_or_default().as_bytes()));
        drop(pipe);
        finish(child)
    };
    let added = with(&["context", "add", "here", "--server", &server.address, "--key-stdin"], Some("demo-key\n"));
    assert_eq!((added.code, added.stderr.as_str()), (Some(0), ""), "{added:?}");
    assert_eq!(with(&["context", "use", "here"], None).code, Some(0));
    let list = with(&["context", "ls", "--json"], None);
    assert!(list.stdout.contains(r#""current":true"#) && !list.stdout.contains("demo-key"), "{list:?}");
    // It really goes to the server: there it is listed.
    assert_eq!(with(&["run", "-c", "print(7)"], None).stdout, "7\n");
    assert_eq!(with(&["executions", "ls", "--json"], None).stdout.lines().count(), 1);
    assert_eq!(with(&["run", "--server", "local", "-c", "print(8)"], None).stdout, "8\n");
    assert_eq!(with(&["executions", "ls", "--json"], None).stdout.lines().count(), 1);
    assert_eq!(with(&["context", "rm", "here"], None).code, Some(0));
    let gone = with(&["run", "--context", "here", "-c", "print(1)"], None);
    assert!(gone.code == Some(125) && gone.stderr.contains("here"), "{gone:?}");
}

#[test]
fn what_was_accepted_survives_a_kill() {
    let place = Place::new();
    let server = place.serve(&["--max-sandboxes", "1"]);
    let token = format!("token-killed-{}", std::process::id());
    let code = format!("import subprocess; subprocess.run(['sh', '-c', 'while :; do :; done', '{token}'])");
    let running = submit(&server, &code);
    let queued: Vec<String> = (0..5).map(|number| submit(&server, &format!("print({number})"))).collect();
    wait_for_processes_with_argument(&token, 1);
    server.kill();

    let server = place.serve(&[]);
    for (number, id) in queued.iter().enumerate() {
        let waited = server.run(&["executions", "wait", id]);
        assert_eq!(waited.code, Some(0), "{waited:?} {}", place.log());
        assert_eq!(record(&server, &["executions", "get", "--json", id])["stdout"], format!("{number}\n"));
    }
    let lost = record(&server, &["executions", "get", "--json", &running]);
    assert_eq!((&lost["status"], &lost["error_kind"]), (&json!("failed"), &json!("sandbox_lost")), "{lost}");
    assert_eq!(processes_with_argument(&token), 0, "the program outlived its server");
}

#[test]
fn a_server_told_to_stop_finishes_what_runs_and_a_second_word_is_final() {
    let place = Place::new();
    let server = place.serve(&[]);
    let code = "print('ready', flush=True)\nprint('got', input())";
    let mut child = server.command(&["run", "--stdin", "-c", code]).stdin(Stdio::piped()).spawn().expect("starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("readable");
    server.signal(Signal::TERM);
    wait_until_it_stops(&place, 1);
    // The program can only end because of this, and the server is stopping already.
    child.stdin.take().expect("piped").write_all(b"answer\n").expect("written");
    line.clear();
    stdout.read_line(&mut line).expect("readable");
    assert_eq!(line, "got answer\n");
    let finished = finish(child);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(server.finish().code, Some(0), "{}", place.log());

    let server = place.serve(&[]);
    let token = format!("token-impatient-{}", std::process::id());
    let body = json!({ "command": ["sh", "-c", "while :; do :; done", token] }).to_string();
    let _stream = server.send("POST", "/execute", &body);
    wait_for_processes_with_argument(&token, 1);
    server.signal(Signal::TERM);
    // Both signals at once would be one.
    wait_until_it_stops(&place, 2);
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code, Some(143), "{}", place.log());
    // The launcher clears up by itself.
    until("the program outlived its server", || processes_with_argument(&token) == 0);
}
