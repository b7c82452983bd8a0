//! The effective configuration as a list and as a file.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use faas_config::{Config, ConfigFile, EntryValue, Flags, Key, Origin, to_toml};
use std::collections::BTreeMap;

/// A value other than the default for every key.
const OTHER: &str = r#"
listen = ["0.0.0.0:1", "[::1]:2"]
compat_ports = true
data_dir = '/data "quoted" \ ü'
database = "sqlite:/database"
routes_db = "./routes.db"
function_roots = ["/functions", "./examples"]
executor = "process"
drain_timeout = 1.5
runtime_dir = "/run/other"
default_language = "bash"
isolation = "standard"
max_sandboxes = 3
[queue]
waiting = 7
[spares]
sandboxes = 3
memory = "100Mi"
[zygotes]
enabled = false
packages = 2
[warm]
sandboxes = 0
memory = "99Mi"
ttl = "9s"
[cold_start]
timeout = "8s"
[history]
rows = 9
bytes = "5k"
[logs]
bytes = 6
[http]
body_limit = "1Mi"
header_timeout = "1s"
body_timeout = "2m"
write_timeout = "3s"
idle_timeout = "4h"
connections = 5
[log]
level = "warn,a=debug"
format = "json"
[telemetry]
otlp_endpoint = "http://localhost:4318"
[limits]
memory = 128
cpus = 0.5
disk = "1Mi"
pids = 5
timeout = 2
output = "1B"
on_output_limit = "kill"
"#;

fn resolve(path: &str, text: &str) -> Config {
    let file = ConfigFile { path: path.to_owned(), text: text.to_owned() };
    Config::resolve(Some(&file), &BTreeMap::new(), &Flags::default()).unwrap()
}

#[test]
fn the_printed_file_gives_the_same_configuration_again() {
    for text in [OTHER, "", "limits.memory = '64Mi'"] {
        let config = resolve("config.toml", text);
        let printed = to_toml(&config.entries());
        let again = resolve("config.toml", &printed);
        let values =
            |config: &Config| config.entries().into_iter().map(|entry| (entry.key, entry.value)).collect::<Vec<_>>();
        assert_eq!(values(&again), values(&config), "{printed}");
    }
}

#[test]
fn every_key_is_listed_with_where_it_came_from() {
    let entries = resolve("config.toml", OTHER).entries();
    assert_eq!(entries.iter().map(|entry| entry.key).collect::<Vec<_>>(), Key::ALL);
    for entry in &entries {
        let name = entry.key.info().name;
        assert_eq!(entry.origin.to_string(), "file config.toml", "{name} is missing in this test's file");
        assert_ne!(entry.value, EntryValue::Unset, "{name}");
    }
    let printed = to_toml(&entries);
    assert_eq!(printed.matches("# file config.toml\n").count(), Key::ALL.len(), "{printed}");
}

#[test]
fn defaults_say_that_they_are_and_what_they_depend_on() {
    let entries = Config::resolve(None, &BTreeMap::new(), &Flags::default()).unwrap().entries();
    assert!(entries.iter().all(|entry| entry.origin == Origin::Default));
    let printed = to_toml(&entries);
    for line in [
        "listen = [\"127.0.0.1:8080\"]  # default",
        "# data_dir is not set: /var/lib/faas as root, else $XDG_DATA_HOME/faas or ~/.local/share/faas",
        "# timeout = \"30s\"  # default: 30s, or 300s under the argv-json contract",
        "memory = \"256Mi\"  # default",
        "max_sandboxes = 64  # default",
        "[http]",
    ] {
        assert!(printed.lines().any(|found| found == line), "{line:?} is missing in:\n{printed}");
    }
}

#[test]
fn every_documented_default_is_the_real_one() {
    let entries = Config::resolve(None, &BTreeMap::new(), &Flags::default()).unwrap().entries();
    for entry in entries {
        let shown = match entry.value {
            EntryValue::Unset => continue,
            EntryValue::Text(text) => text,
            EntryValue::Number(number) => number.to_string(),
            EntryValue::Truth(value) => value.to_string(),
            EntryValue::List(parts) => parts.join(","),
        };
        let info = entry.key.info();
        let documented = if entry.key == Key::Executor { "process" } else { info.default };
        assert!(documented == shown || documented.starts_with(&format!("{shown}, ")), "{}: {shown}", info.name);
    }
}

#[test]
fn a_hostile_path_of_the_file_adds_no_line() {
    let printed = to_toml(&resolve("a\nisolation = \"standard\" #\u{1b}[2J", "max_sandboxes = 3").entries());
    assert!(!printed.contains("\nisolation = \"standard\"") && !printed.contains('\u{1b}'), "{printed:?}");
}
