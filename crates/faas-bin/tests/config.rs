//! `faas config`: what holds, where it came from, what is refused.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use serde_json::Value;
use std::fs;
use std::process::Command;
use support::{Finished, assert_refused, faas, finish, run};
use tempfile::TempDir;

/// A run with nothing but these variables.
fn config(arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    let mut command: Command = faas(&[&["config"], arguments].concat());
    command.env_clear().env("HOME", "/nonexistent").envs(variables.iter().copied());
    finish(command.spawn().expect("the binary starts"))
}

fn json(finished: &Finished) -> Value {
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    serde_json::from_str(&finished.stdout).expect("JSON")
}

#[test]
fn every_value_is_shown_with_where_it_came_from_and_can_be_used_as_a_file() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("config.toml");
    let path = path.to_str().expect("UTF-8");
    fs::write(path, "max_sandboxes = 3\n[http]\nconnections = 9\n").expect("writable");
    let finished = config(
        &["--config", path, "--listen", ":1234", "--data-dir", "/data"],
        &[("FAAS_LIMITS_PIDS", "20"), ("RUST_LOG", "warn")],
    );
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    for line in [
        "listen = [\"127.0.0.1:1234\"]  # flag --listen".to_owned(),
        "data_dir = \"/data\"  # flag --data-dir".to_owned(),
        format!("max_sandboxes = 3  # file {path}"),
        format!("connections = 9  # file {path}"),
        "pids = 20  # env FAAS_LIMITS_PIDS".to_owned(),
        "level = \"warn\"  # env RUST_LOG".to_owned(),
        "memory = \"256Mi\"  # default".to_owned(),
    ] {
        assert!(finished.stdout.lines().any(|found| found == line), "{line:?} is missing: {finished:?}");
    }
    fs::write(path, &finished.stdout).expect("writable");
    let again = json(&config(&["--config", path, "--json"], &[]));
    let items = again["items"].as_array().expect("items");
    let item = |key: &str| items.iter().find(|item| item["key"] == key).expect("listed");
    assert_eq!(item("listen")["value"], serde_json::json!(["127.0.0.1:1234"]));
    assert_eq!(item("limits.pids")["value"], 20);
    assert_eq!(item("limits.pids")["origin"], format!("file {path}"));
    assert_eq!(item("runtime_dir")["value"], Value::Null);
}

#[test]
fn a_check_says_whether_it_holds() {
    let finished = config(&["--check"], &[]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "the configuration holds\n"), "{finished:?}");
    let both = [("SERVER_ADDRESS", ":8080"), ("HTTP_PORT", "8081")];
    assert_refused(&config(&["--check"], &both), "config_invalid", &["SERVER_ADDRESS", "HTTP_PORT", "listen"]);
    let postgres = config(&["--check"], &[("DATABASE_URL", "postgres://u:hunter2@db/faas")]);
    assert_refused(&postgres, "config_invalid", &["DATABASE_URL", "sqlite"]);
    assert!(!postgres.stderr.contains("hunter2"), "{postgres:?}");
    assert_refused(&config(&["--check", "--executor", "docker"], &[]), "invalid_field", &["--executor", "process"]);
}

#[test]
fn variables_without_effect_are_shown_without_their_values() {
    let variables = [("JWT_SECRET", "hunter2"), ("MIN_WORKERS", "2")];
    let shown = config(&[], &variables);
    for name in ["JWT_SECRET", "MIN_WORKERS"] {
        let begin = format!("# {name} is set and has no effect: ");
        assert!(shown.stdout.lines().any(|line| line.starts_with(&begin)), "{name}: {shown:?}");
    }
    let listed = json(&config(&["--json"], &variables));
    let names: Vec<_> = listed["unused"].as_array().expect("a list").iter().map(|item| &item["variable"]).collect();
    assert_eq!(names, ["JWT_SECRET", "MIN_WORKERS"]);
    assert!(!format!("{shown:?}{listed}").contains("hunter2"));
}

#[test]
fn every_key_is_described() {
    let finished = run(&["config", "keys"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    assert!(finished.stdout.contains("### http.body_limit\n") && finished.stdout.contains("FAAS_HTTP_BODY_LIMIT"));
    let keys = json(&run(&["config", "keys", "--json"]));
    let items = keys["items"].as_array().expect("items");
    let listen = items.iter().find(|item| item["key"] == "listen").expect("listed");
    assert!(listen["variables"].as_array().expect("variables").contains(&Value::from("HTTP_PORT")));
}

#[test]
fn a_file_of_ten_megabytes_is_refused_by_its_size() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("faas_config.yaml");
    fs::write(&path, "# \u{e4}\u{e4}\u{e4}\n".repeat(10_000_000 / 9 + 1)).expect("writable");
    let finished = config(&["--check", "--config", path.to_str().expect("UTF-8")], &[]);
    assert_refused(&finished, "config_invalid", &["above the limit of 4194304 bytes"]);
}
