//! `faas run` and `faas exec` in real sandboxes: streaming, exit codes, records.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use support::{faas, finish, run, run_with_stdin};
use tempfile::TempDir;

fn record(arguments: &[&str]) -> (Value, Option<i32>) {
    let finished = run(arguments);
    assert_eq!(finished.stdout.lines().count(), 1, "one record and nothing else: {finished:?}");
    (serde_json::from_str(&finished.stdout).expect("JSON"), finished.code)
}

#[test]
fn output_arrives_before_the_program_ends() {
    let code = "print('ready', flush=True)\nprint('got', input(), flush=True)";
    let mut child = faas(&["run", "--stdin", "-c", code]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    // The program can only go on because its first line was seen here.
    stdin.write_all(b"answer\n").unwrap();
    line.clear();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "got answer\n");
    let finished = finish(child);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
}

#[test]
fn a_program_that_ends_is_not_kept_by_an_open_stdin() {
    let mut child = faas(&["run", "--stdin", "-c", "print(1)"]).stdin(Stdio::piped()).spawn().unwrap();
    let open = child.stdin.take();
    let finished = finish(child);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "1\n"), "{finished:?}");
    drop(open);
}

#[test]
fn stdin_is_closed_streamed_or_a_file() {
    let count = "import sys; print(len(sys.stdin.buffer.read()))";
    assert_eq!(run_with_stdin(&["run", "-c", count], b"ignored").stdout, "0\n");
    let large = vec![b'x'; 3_000_000];
    assert_eq!(run_with_stdin(&["run", "--stdin", "-c", count], &large).stdout, "3000000\n");
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("input");
    fs::write(&path, b"12345").unwrap();
    assert_eq!(run(&["run", &format!("--stdin={}", path.display()), "-c", count]).stdout, "5\n");
    assert_eq!(run_with_stdin(&["exec", "--stdin", "--", "cat"], b"bytes\x00\xff\n").stdout, "bytes\0\u{fffd}\n");
}

#[test]
fn the_program_may_come_from_standard_input_and_its_language_from_its_first_line() {
    assert_eq!(run_with_stdin(&["run", "-", "a", "b"], b"import sys; print(sys.argv[1:])").stdout, "['a', 'b']\n");
    assert_eq!(run_with_stdin(&["run", "-"], b"#!/bin/bash\necho $BASH_VERSION | cut -c1").stdout.len(), 2);
    assert_eq!(run(&["run", "--default-language", "bash", "-c", "echo $0 | wc -l"]).stdout, "1\n");
    let finished = run(&["run", "--lang", "javascript", "-c", "console.log(process.argv.slice(2).join())", "--", "-x"]);
    assert_eq!(finished.stdout, "-x\n", "{finished:?}");
}

#[test]
fn the_exit_code_is_the_programs() {
    for code in [0, 1, 3, 125, 255] {
        let finished = run(&["run", "-c", &format!("raise SystemExit({code})")]);
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(code), ""), "{finished:?}");
    }
    assert_eq!(run(&["exec", "--", "sh", "-c", "exit 7"]).code, Some(7));
}

#[test]
fn a_signal_is_named_and_added_to_128() {
    for (signal, code, name) in [("KILL", 137, "SIGKILL"), ("SEGV", 139, "SIGSEGV"), ("TERM", 143, "SIGTERM")] {
        let finished = run(&["exec", "--", "sh", "-c", &format!("kill -{signal} $$")]);
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert!(finished.stderr.contains(name), "{finished:?}");
    }
}

#[test]
fn commands_that_cannot_run_are_told_apart() {
    let missing = run(&["exec", "--", "no-such-command"]);
    assert_eq!(missing.code, Some(127), "{missing:?}");
    assert!(missing.stderr.contains("error[command_not_found]") && missing.stderr.contains("no-such-command"));
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data.txt");
    fs::write(&data, b"no program").unwrap();
    let data = run(&["exec", "--file", data.to_str().unwrap(), "--", "./data.txt"]);
    assert_eq!(data.code, Some(126), "{data:?}");
}

#[test]
fn our_limits_exit_with_128_and_name_the_option_that_raises_them() {
    for (arguments, kind, option) in [
        (["--timeout", "300ms", "-c", "while True: pass"].as_slice(), "timeout", "--timeout"),
        (&["--memory", "64Mi", "-c", "b = [bytearray(1 << 20) for _ in range(500)]"], "oom", "--memory"),
        (
            &["--output-limit", "1Mi", "--on-output-limit", "kill", "-c", "while True: print('x' * 999)"],
            "limit",
            "--output-limit",
        ),
    ] {
        let finished = run(&[&["run"], arguments].concat());
        assert_eq!(finished.code, Some(128), "{finished:?}");
        assert!(finished.stderr.contains(&format!("error[{kind}]: ")), "{finished:?}");
        assert!(finished.stderr.contains(option), "{finished:?}");
    }
    let discarded = run(&["run", "--output-limit", "1Mi", "-c", "print('x' * 2000000)"]);
    assert_eq!((discarded.code, discarded.stdout.len()), (Some(0), 1024 * 1024));
    assert!(
        discarded.stderr.contains("warning") && discarded.stderr.contains("--output-limit"),
        "{}",
        discarded.stderr
    );
}

#[test]
fn the_environment_is_empty_unless_given_and_input_is_json() {
    let mut command = faas(&["run", "--env", "A=1=2", "--input", "{\"n\": [1]}", "-c"]);
    command.arg("import os; print(os.environ.get('A'), os.environ.get('FAAS_INPUT'), os.environ.get('SECRET'))");
    let finished = finish(command.env("SECRET", "ours").spawn().unwrap());
    assert_eq!(finished.stdout, "1=2 {\"n\":[1]} None\n", "{finished:?}");
}

#[test]
fn files_are_passed_in_under_their_name_or_another() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("data.txt");
    fs::write(&path, b"content").unwrap();
    let path = path.to_str().unwrap();
    let other = format!("{path}:deep/er/other");
    let finished = run(&["exec", "--file", path, "--file", &other, "--", "cat", "data.txt", "deep/er/other"]);
    assert_eq!((finished.stdout.as_str(), finished.code), ("contentcontent", Some(0)), "{finished:?}");
}

#[test]
fn json_is_one_record_with_what_happened() {
    let (good, code) = record(&["run", "--json", "-c", "import sys; print('out'); print('err', file=sys.stderr)"]);
    assert_eq!(code, Some(0));
    assert_eq!((&good["stdout"], &good["stderr"]), (&Value::from("out\n"), &Value::from("err\n")));
    assert_eq!((&good["status"], &good["language"]), (&Value::from("succeeded"), &Value::from("python")));
    assert_eq!((&good["exit_code"], &good["error_kind"]), (&Value::from(0), &Value::Null));
    assert_eq!((&good["executor"], &good["isolation"]["level"]), (&Value::from("process"), &Value::from("strict")));
    assert!(good["start"]["total_us"].as_u64().is_some_and(|us| us > 0), "{good}");
    assert!(good["id"].as_str().is_some_and(|id| id.starts_with("exe_")), "{good}");

    let (late, code) = record(&["run", "--json", "--timeout", "300ms", "-c", "while True: pass"]);
    assert_eq!((&late["error_kind"], code), (&Value::from("timeout"), Some(128)));
    assert_eq!(late["exit_code"], Value::Null);

    let (lossy, _) = record(&["exec", "--json", "--", "printf", "a\\377b"]);
    assert_eq!((&lossy["stdout"], &lossy["stdout_base64"]), (&Value::from("a\u{fffd}b"), &Value::from("Yf9i")));
    assert_eq!(lossy["language"], Value::Null);
}

#[test]
fn argv_json_takes_and_gives_json() {
    let sum = "import json, sys; print('log'); print(json.dumps({'sum': sum(json.loads(sys.argv[1])['n'])}))";
    let (record, code) = record(&["run", "--json", "--contract", "argv-json", "--input", "{\"n\":[1,2]}", "-c", sum]);
    assert_eq!((&record["result"]["sum"], code), (&Value::from(3), Some(0)));

    let failed = run(&["run", "--contract", "argv-json", "-c", "print('{\"error\": \"no such image\"}')"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("no such image"), "{failed:?}");
}

#[test]
fn doctor_reports_every_layer_and_its_exit_code_is_the_verdict() {
    let finished = run(&["doctor", "--check-system", "--json"]);
    let report: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let strict = report["strict"].as_bool().expect("a verdict");
    assert_eq!(finished.code, Some(i32::from(!strict)), "{finished:?}");
    let names: Vec<&str> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|finding| finding["name"].as_str())
        .collect();
    for name in [
        "user", "pid", "mount", "net", "seccomp", "landlock", "memory", "pids", "cpu", "disk", "python", "kernel",
        "swap",
    ] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    let strict_run = run(&["run", "-c", "print(1)"]);
    assert_eq!(strict_run.code == Some(0), strict, "the verdict is what a run meets: {strict_run:?}");
}
