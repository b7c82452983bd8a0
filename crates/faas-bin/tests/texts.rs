//! Help, completions, manual pages.

mod support;

use std::fs;
use support::run;
use tempfile::TempDir;

#[test]
fn help_names_every_command_and_option() {
    for (arguments, names) in [
        (
            ["--help"].as_slice(),
            [
                "run",
                "exec",
                "serve",
                "new",
                "deploy",
                "invoke",
                "functions",
                "logs",
                "dev",
                "executions",
                "limits",
                "stats",
                "events",
                "bench",
                "context",
                "config",
                "doctor",
                "completions",
                "man",
                "--config",
                "125",
                "130",
            ]
            .as_slice(),
        ),
        (&["new", "--help"], &["--lang", "--contract", "--dir", "<NAME>"]),
        (&["deploy", "--help"], &["--name", "--dry-run", "--json", "--server", "[DIR|ARCHIVE|FILE]"]),
        (
            &["invoke", "--help"],
            &[
                "--data",
                "--file",
                "--stdin",
                "--async",
                "--json",
                "--trace",
                "--idempotency-key",
                "--method",
                "--path",
                "--header",
                "--include",
            ],
        ),
        (&["functions", "--help"], &["ls", "get", "rm", "versions", "rollback", "alias"]),
        (&["functions", "rm", "--help"], &["--yes", "--json"]),
        (&["logs", "--help"], &["--follow", "half a second", "--last"]),
        (&["dev", "--help"], &["[DIR|FILE]", "--server", "Ctrl-C"]),
        (
            &["serve", "--help"],
            &[
                "--listen",
                "--data-dir",
                "--drain-timeout",
                "--http-body-limit",
                "--check-system",
                "--create-config",
                "--host",
                "SIGTERM",
            ],
        ),
        (&["executions", "--help"], &["ls", "get", "logs", "cancel", "wait"]),
        (
            &["executions", "ls", "--help"],
            &["--status", "--function", "--label", "--limit", "--json", "--server", "--context"],
        ),
        (&["context", "--help"], &["add", "use", "ls", "rm", "contexts.toml"]),
        (
            &["run", "--help"],
            &[
                "--code",
                "--lang",
                "--timeout",
                "--memory",
                "--cpus",
                "--disk",
                "--pids",
                "--env",
                "--stdin[=<PATH>]",
                "--file",
                "--input",
                "--contract",
                "--isolation",
                "--on-output-limit",
                "--json",
                "--server",
                "--detach",
                "[FILE] [ARGS]...",
                "256Mi",
                "30s",
                "strict",
            ],
        ),
        (&["exec", "--help"], &["--timeout", "--json", "<COMMAND>..."]),
        (&["bench", "--help"], &["cold", "warm", "throughput", "density", "trace", "open loop", "control"]),
        (
            &["bench", "cold", "--help"],
            &["--samples", "--rate", "--language", "--contract", "--gate", "--json", "--server"],
        ),
        (&["bench", "throughput", "--help"], &["--clients", "--seconds", "--instances", "--concurrency"]),
        (
            &["bench", "trace", "--help"],
            &["--azure-2019", "--azure-2021", "--functions", "--speed", "--seed", "--zipf", "--idle-ttl"],
        ),
        (&["doctor", "--help"], &["--check-system", "--fix", "--user", "--json", "--server"]),
    ] {
        let finished = run(arguments);
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
        for name in names {
            assert!(finished.stdout.contains(name), "{name:?} is not named: {finished:?}");
        }
        // Not a terminal: no colours.
        assert!(!finished.stdout.contains('\u{1b}'));
    }
    let version = run(&["--version"]);
    assert_eq!(version.stdout, format!("faas {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_know_the_options_in_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let finished = run(&["completions", shell]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        for name in
            ["faas", "doctor", "check-system", "on-output-limit", "invoke", "idempotency-key", "rollback", "dry-run"]
        {
            assert!(finished.stdout.contains(name), "{shell}: {name:?} is missing");
        }
    }
}

#[test]
fn manual_pages_are_made_for_every_command() {
    let main = run(&["man"]);
    assert!(main.code == Some(0) && main.stdout.contains(".TH faas 1"), "{main:?}");
    let directory = TempDir::new().unwrap();
    let finished = run(&["man", directory.path().to_str().unwrap()]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), ""), "{finished:?}");
    for page in [
        "faas.1",
        "faas-run.1",
        "faas-exec.1",
        "faas-doctor.1",
        "faas-completions.1",
        "faas-man.1",
        "faas-serve.1",
        "faas-executions-ls.1",
        "faas-new.1",
        "faas-deploy.1",
        "faas-invoke.1",
        "faas-functions-rollback.1",
        "faas-functions-alias-set.1",
        "faas-logs.1",
        "faas-dev.1",
        "faas-bench-cold.1",
    ] {
        let text = fs::read_to_string(directory.path().join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
    assert!(fs::read_to_string(directory.path().join("faas-run.1")).unwrap().contains("timeout"));
}
