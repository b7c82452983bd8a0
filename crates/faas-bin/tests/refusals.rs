//! Bad input: each refusal names the field and the accepted form, and needs no sandbox.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use support::{assert_refused, faas, finish, run, run_with_stdin};
use tempfile::TempDir;

/// A file of a fresh directory.
fn file(directory: &TempDir, name: &str, content: &[u8]) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn quantities_that_mean_nothing_name_their_option_and_the_accepted_form() {
    for option in ["--timeout", "--memory", "--cpus", "--disk", "--pids", "--output-limit", "--max-sandboxes"] {
        for value in ["0", "-1", "1e18", "1e3m"] {
            let finished = run(&["run", option, value, "-c", "print(1)"]);
            assert_refused(&finished, "invalid_field", &[option, &format!("{value:?}"), "accepted: "]);
        }
    }
    let finished = run(&["exec", "--memory", "64Mi", "--disk", "64Mi", "--", "true"]);
    assert_refused(&finished, "invalid_field", &["--memory", "--disk", "half"]);
}

#[test]
fn code_that_is_none_is_refused() {
    let directory = TempDir::new().unwrap();
    assert_refused(&run(&["run", "-c", ""]), "code_empty", &["code"]);
    assert_refused(&run(&["run", &file(&directory, "empty.py", b"")]), "code_empty", &["code"]);
    assert_refused(&run_with_stdin(&["run", "-"], b""), "code_empty", &["code"]);

    let large = vec![b'#'; 50 * 1000 * 1000];
    assert_refused(&run(&["run", &file(&directory, "large.py", &large)]), "code_too_large", &["16777216", "16Mi"]);
    assert_refused(&run_with_stdin(&["run", "-"], &large), "code_too_large", &["16Mi"]);

    let nul = file(&directory, "nul.py", b"print(1)\0");
    assert_refused(&run(&["run", &nul]), "not_text", &["NUL", "byte 8", "accepted: UTF-8"]);
    let broken = file(&directory, "broken.py", b"print('\xff')");
    assert_refused(&run(&["run", &broken]), "not_text", &["UTF-8", "byte 7"]);
    let child = faas(&["run", "-c"]).arg(OsStr::from_bytes(b"print('\xff')")).spawn().unwrap();
    assert_refused(&finish(child), "not_text", &["code"]);
    let child = faas(&["run", "-c", "print(1)"]).arg(OsStr::from_bytes(b"\xff")).spawn().unwrap();
    assert_refused(&finish(child), "not_text", &["ARGS"]);
}

#[test]
fn programs_that_cannot_be_read_or_understood_are_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().to_str().unwrap();
    assert_refused(&run(&["run", "no-such-file.py"]), "program_unreadable", &["no-such-file.py"]);
    assert_refused(&run(&["run", path]), "program_unreadable", &[path]);
    assert_refused(&run(&["run"]), "invalid_field", &["FILE", "-c CODE"]);

    let ruby = file(&directory, "program.rb", b"puts 1");
    assert_refused(&run(&["run", &ruby]), "unknown_language", &["program.rb", ".py", ".js", ".sh", "--lang"]);
    for language in ["ruby", "../../bin/sh", ""] {
        let finished = run(&["run", "--lang", language, "-c", "1"]);
        assert_refused(&finished, "unknown_language", &["--lang", "python", "javascript", "bash", "php"]);
    }
}

#[test]
fn other_options_name_what_they_accept() {
    let directory = TempDir::new().unwrap();
    let words = file(&directory, "words.txt", b"words");
    let path = directory.path().to_str().unwrap();
    let outside = format!("{words}:../outside");
    let absolute = format!("{words}:/etc/passwd");
    let missing = format!("--stdin={path}/missing");
    for (arguments, code, names) in [
        (["--isolation", "none"].as_slice(), "invalid_field", ["--isolation", "strict or standard"].as_slice()),
        (&["--on-output-limit", "stop"], "invalid_field", &["--on-output-limit", "discard or kill"]),
        (&["--runtime-dir", "relative"], "invalid_field", &["--runtime-dir", "an absolute path"]),
        (&["--default-language", "ruby"], "invalid_field", &["--default-language", "python, javascript, bash or php"]),
        (&["--contract", "ring"], "invalid_field", &["--contract", "script, command, argv-json, handler, cgi"]),
        (&["--contract", "handler", "--lang", "bash"], "invalid_field", &["contract", "bash"]),
        (&["--input", "{"], "invalid_field", &["--input", "JSON"]),
        (&["--input", "1", "--contract", "command"], "invalid_field", &["contract", "argv-json"]),
        (&["--env", "NAME"], "invalid_field", &["--env", "NAME=VALUE"]),
        (&["--env", "=VALUE"], "invalid_field", &["--env", "NAME=VALUE"]),
        (&["--env", "A=1", "--env", "A=2"], "invalid_field", &["env", "\"A\"", "twice"]),
        (&["--file", "no-such-file"], "file_refused", &["--file", "no-such-file", "PATH[:DEST]"]),
        (&["--file", path], "file_refused", &["--file", "directory"]),
        (&["--file", &outside], "file_refused", &["../outside"]),
        (&["--file", &absolute], "file_refused", &["/etc/passwd", "relative"]),
        (&["--file", &words, "--file", &words], "file_refused", &["words.txt", "twice"]),
        (&["--disk", "64Ki", "--file", "/dev/zero:zero"], "file_refused", &["disk", "64Ki"]),
        (&[&missing], "file_refused", &["--stdin", "missing"]),
        (&["--config", "/nonexistent.toml"], "config_invalid", &["/nonexistent.toml", "--config"]),
    ] {
        let arguments = [&["run"], arguments, &["-c", "print(1)"]].concat();
        assert_refused(&run(&arguments), code, names);
    }
    assert_refused(&run_with_stdin(&["run", "--stdin", "-"], b"print(1)"), "invalid_field", &["--stdin=PATH"]);
    assert_refused(&run(&["exec", "--", ""]), "invalid_field", &["argv"]);
}

#[test]
fn the_configuration_is_refused_where_it_is_wrong() {
    let directory = TempDir::new().unwrap();
    let wrong = file(&directory, "config.toml", b"[limits]\nmemroy = '1Gi'\n");
    let finished = run(&["--config", &wrong, "run", "-c", "print(1)"]);
    assert_refused(&finished, "config_invalid", &["limits.memroy", "limits.memory", &wrong]);
    let child = faas(&["run", "-c", "print(1)"]).env("FAAS_CONFIG_FILE", &wrong).spawn().unwrap();
    assert_refused(&finish(child), "config_invalid", &["limits.memory"]);
    let child = faas(&["run", "-c", "print(1)"]).env("FAAS_LIMITS_MEMORY", "0").spawn().unwrap();
    assert_refused(&finish(child), "config_invalid", &["FAAS_LIMITS_MEMORY", "256Mi"]);
}

#[test]
fn a_command_line_that_cannot_be_read_exits_with_125_and_says_why() {
    for (arguments, names) in [
        (["run", "--no-such-option", "x.py"].as_slice(), ["--no-such-option", "Usage: faas run"].as_slice()),
        (&["no-such-command"], &["no-such-command", "Usage: faas"]),
        (&["exec"], &["COMMAND", "Usage: faas exec"]),
        (&["completions", "no-such-shell"], &["bash", "zsh", "fish"]),
        (&[], &["Usage: faas", "doctor"]),
    ] {
        let finished = run(arguments);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(125), ""), "{finished:?}");
        for name in names {
            assert!(finished.stderr.contains(name), "{name:?} is not named: {finished:?}");
        }
    }
}

#[test]
fn doctor_fix_names_what_it_needs() {
    assert_refused(&run(&["doctor", "--fix"]), "invalid_field", &["--user", "--fix --user NAME"]);
}
