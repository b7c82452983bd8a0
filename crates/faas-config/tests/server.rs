//! The server's keys: their forms, the variables other programs' documents name, and what is not in this build.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use faas_config::{Config, ConfigError, ConfigFile, ExecutorChoice, Flags, Key, LogFormat, Origin, ServerConfig};
use faas_config::{default_data_dir, is_own_variable};
use faas_types::{ByteSize, ErrorCode};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_env(pairs: &[(&str, &str)]) -> Result<ServerConfig, ConfigError> {
    Config::resolve(None, &env(pairs), &Flags::default()).map(|config| config.server)
}

fn from_file(text: &str) -> Result<ServerConfig, ConfigError> {
    let file = ConfigFile { path: "config.toml".to_owned(), text: text.to_owned() };
    Config::resolve(Some(&file), &BTreeMap::new(), &Flags::default()).map(|config| config.server)
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn defaults_alone_are_a_whole_server() {
    let server = from_env(&[]).unwrap();
    assert_eq!(server.listen.value, addresses(&["127.0.0.1:8080"]));
    assert_eq!((server.data_dir.value, server.database.value), (None, None));
    assert_eq!(server.executor.value, ExecutorChoice::Process);
    assert_eq!(server.drain_timeout.value, Duration::from_secs(30));
    assert_eq!((server.queue_waiting.value, server.history_rows.value), (1000, 100_000));
    assert_eq!((server.warm_sandboxes.value, server.warm_ttl.value), (8, Duration::from_secs(300)));
    assert_eq!((server.history_bytes.value, server.logs_bytes.value), (ByteSize::mib(1024), ByteSize::mib(1024)));
    assert_eq!(server.http.body_limit.value, ByteSize::mib(32));
    assert_eq!(server.http.header_timeout.value, Duration::from_secs(10));
    assert_eq!((server.log_level.value.as_str(), server.log_format.value), ("info", LogFormat::Text));
}

#[test]
fn listen_is_a_list_in_the_file_and_a_text_with_commas_elsewhere() {
    let expected = addresses(&["127.0.0.1:8080", "[::1]:9000"]);
    for text in ["listen = [':8080', '[::1]:9000']", "listen = ':8080, [::1]:9000'", "listen = [8080, '[::1]:9000']"] {
        assert_eq!(from_file(text).unwrap().listen.value, expected, "{text}");
    }
    assert_eq!(from_env(&[("FAAS_LISTEN", ":8080,[::1]:9000")]).unwrap().listen.value, expected);
    for text in ["listen = []", "listen = ['a']", "listen = [[8080]]", "listen = 70000", "log = { level = ['info'] }"] {
        let error = from_file(text).unwrap_err();
        assert!(matches!(error, ConfigError::Value { .. }), "{text}: {error}");
    }
}

#[test]
fn names_that_other_documents_use_are_read() {
    for name in ["SERVER_ADDRESS", "FAAS_GATEWAY_PORT", "FAAS_API_PORT", "GATEWAY_PORT", "HTTP_PORT"] {
        let value = if name == "SERVER_ADDRESS" { ":3000" } else { "3000" };
        let server = from_env(&[(name, value)]).unwrap();
        assert_eq!(server.listen.value, addresses(&["127.0.0.1:3000"]), "{name}");
        let Origin::Env { name: origin } = server.listen.origin else { panic!("{:?}", server.listen.origin) };
        assert_eq!(origin, name);
    }
    let config = Config::resolve(None, &env(&[("MAX_CONCURRENT_EXECUTIONS", "10")]), &Flags::default()).unwrap();
    assert_eq!(config.max_sandboxes.value, 10);
    let server = from_env(&[("FAAS_EXECUTOR_TYPE", "platform"), ("FAAS_DEFAULT_MODE", "process")]).unwrap();
    assert_eq!(server.executor.value, ExecutorChoice::Process);
    let server = from_env(&[("DATABASE_URL", "sqlite:///srv/faas/faas.db")]).unwrap();
    assert_eq!(server.database.value, Some(PathBuf::from("/srv/faas")));
}

#[test]
fn the_routes_file_and_the_function_roots_are_paths_from_here_or_from_the_root() {
    let server = from_env(&[]).unwrap();
    assert_eq!((server.routes_db.value, server.function_roots.value), (None, None));
    for text in ["/srv/faas_meta.db", "./faas_meta.db", "../a/b.db"] {
        assert_eq!(from_env(&[("FAAS_ROUTES_DB", text)]).unwrap().routes_db.value, Some(PathBuf::from(text)));
    }
    let roots = Some(["/srv/functions", "./examples"].map(PathBuf::from).to_vec());
    for text in ["/srv/functions, ./examples", "/srv/functions,./examples"] {
        assert_eq!(from_env(&[("FAAS_FUNCTION_ROOTS", text)]).unwrap().function_roots.value, roots, "{text}");
    }
    assert_eq!(from_file("function_roots = ['/srv/functions', './examples']").unwrap().function_roots.value, roots);
    for (name, texts) in [
        ("FAAS_ROUTES_DB", ["", "faas_meta.db", "/", "/srv/", "/srv/..", "./.", "~/a.db"].as_slice()),
        ("FAAS_FUNCTION_ROOTS", &["", "examples", "/srv,", "/srv,/srv", "/srv,~/a"]),
    ] {
        for text in texts {
            let error = from_env(&[(name, *text)]).unwrap_err();
            assert!(matches!(error, ConfigError::Value { .. }), "{name}={text}: {error}");
        }
    }
}

#[test]
fn compatible_ports_are_added_to_those_that_are_named() {
    let asked = |text: &str| from_file(text).unwrap().addresses();
    assert_eq!(asked("compat_ports = false"), addresses(&["127.0.0.1:8080"]));
    assert_eq!(asked("compat_ports = true"), addresses(&["127.0.0.1:8080", "127.0.0.1:8000", "127.0.0.1:9080"]));
    assert_eq!(asked("compat_ports = true\nlisten = [':9080']"), addresses(&["127.0.0.1:9080", "127.0.0.1:8000"]));
    assert_eq!(from_env(&[("FAAS_COMPAT_PORTS", "true")]).unwrap().addresses().len(), 3);
    for text in ["compat_ports = 1", "compat_ports = 'yes'", "compat_ports = ''", "isolation = true"] {
        let error = from_file(text).unwrap_err();
        assert!(matches!(error, ConfigError::Value { .. }), "{text}: {error}");
    }
}

/// As another platform's documents print it.
const FOREIGN: &str = "
system:
  default_mode: process   # a comment
  max_concurrent_functions: 1000
  cold_start_timeout: 30
  warm_instance_ttl: 600
  api_gateway_port: 8000
  base_image: python:3.11-slim
  process_isolation_level: strict
  logging_level: INFO

functions:
  example-function:
    dependencies:
      - requests==2.28.0
    environment:
      DEBUG: 'false'
";

fn from_yaml(text: &str) -> Result<Config, ConfigError> {
    let file = ConfigFile { path: "faas_config.yaml".to_owned(), text: text.to_owned() };
    Config::resolve(Some(&file), &BTreeMap::new(), &Flags::default())
}

#[test]
fn a_yaml_file_of_ours_or_of_another_platform_is_read() {
    let config = from_yaml(FOREIGN).unwrap();
    assert_eq!(config.server.addresses(), addresses(&["127.0.0.1:8000"]));
    assert_eq!((config.max_sandboxes.value, config.server.warm_ttl.value), (1000, Duration::from_secs(600)));
    assert_eq!(config.server.log_level.value, "info");
    assert_eq!(config.isolation.origin, Origin::File { path: "faas_config.yaml".to_owned() });
    let declared: Vec<_> = config.functions.all.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(declared, ["example-function"]);
    let names: Vec<_> = config.unused.iter().map(|unused| unused.name.as_ref()).collect();
    assert_eq!(names, ["system.base_image"]);
    let ours = from_yaml("listen: [':1']\ncompat_ports: true\nlimits:\n  memory: 64\n").unwrap();
    assert_eq!((ours.server.addresses().len(), ours.memory.value), (3, ByteSize::mib(64)));
    from_yaml("listen: 8000\nsystem: {api_gateway_port: 8000}").expect("they agree");
}

#[test]
fn what_a_yaml_file_asks_for_is_refused_as_in_any_other() {
    for (text, part) in [
        ("system: {default_mode: container}", "process"),
        ("system: {api_gateway_ports: 8000}", "system.api_gateway_ports"),
        ("system: {max_concurrent_functions: 0}", "max_sandboxes"),
        ("system: {logging_level: [INFO]}", "log.level"),
        ("system: 3", "system"),
        ("functions: [a]", "functions"),
        ("functions: {'a b': {}}", "a b"),
        ("functions: {a: {timeuot: 3}}", "did you mean \"timeout\""),
        ("system: {function_storage_path: here}", "system.function_storage_path"),
        ("system: {function_storage_path: [here]}", "system.function_storage_path"),
        ("listen: 1\nsystem: {api_gateway_port: 2}", "system.api_gateway_port"),
        ("listen: &a 1", "YAML"),
        ("memory: 1", "limits.memory"),
    ] {
        let error = from_yaml(text).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConfigInvalid, "{text}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
    from_file("system = { default_mode = 'process' }").expect_err("the section is of that file only");
}

#[test]
fn variables_without_effect_are_named_and_their_values_are_not_kept() {
    let pairs = [("JWT_SECRET", "hunter2"), ("FAAS_DISABLE_CONTAINER", "1"), ("MIN_WORKERS", "")];
    let config = Config::resolve(None, &env(&pairs), &Flags::default()).unwrap();
    let names: Vec<_> = config.unused.iter().map(|unused| unused.name.as_ref()).collect();
    assert_eq!(names, ["FAAS_DISABLE_CONTAINER", "JWT_SECRET"], "an empty one counts as unset");
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(Config::resolve(None, &env(&[]), &Flags::default()).unwrap().unused.is_empty());
    let error = from_env(&[("FAAS_DISABLE_CONTAINERS", "1")]).unwrap_err();
    assert!(matches!(error, ConfigError::UnknownVariable { .. }), "{error}");
}

#[test]
fn two_variables_that_differ_are_refused_naming_both() {
    for pairs in [
        [("SERVER_ADDRESS", ":8080"), ("HTTP_PORT", "8081")],
        [("FAAS_LISTEN", "0.0.0.0:8080"), ("FAAS_GATEWAY_PORT", "8080")],
        [("FAAS_DATABASE", "sqlite:/a"), ("DATABASE_URL", "sqlite:/b")],
        [("FAAS_MAX_SANDBOXES", "5"), ("MAX_CONCURRENT_EXECUTIONS", "10")],
    ] {
        let error = from_env(&pairs).unwrap_err();
        assert!(matches!(error, ConfigError::Conflict { .. }), "{error}");
        assert_eq!(error.code(), ErrorCode::ConfigInvalid);
        let message = error.to_string();
        assert!(pairs.iter().all(|(name, _)| message.contains(name)), "{message}");
        // A flag over both does not hide that somebody is mistaken.
        let flags = Flags::default().with(Key::Listen, Some(":1")).with(Key::Database, Some("sqlite:/c"));
        let flags = flags.with(Key::MaxSandboxes, Some("1"));
        assert_eq!(Config::resolve(None, &env(&pairs), &flags).unwrap_err(), error);
    }
    from_env(&[("SERVER_ADDRESS", ":8080"), ("HTTP_PORT", "8080"), ("GATEWAY_PORT", "")]).expect("they agree");
}

#[test]
fn rust_log_wins_over_our_own_variable() {
    let server = from_env(&[("FAAS_LOG_LEVEL", "INFO"), ("RUST_LOG", "warn,faas_gateway=debug")]).unwrap();
    assert_eq!(server.log_level.value, "warn,faas_gateway=debug");
    assert_eq!(server.log_level.origin, Origin::Env { name: "RUST_LOG" });
    let server = from_env(&[("FAAS_LOG_LEVEL", "DEBUG"), ("RUST_LOG", "")]).unwrap();
    assert_eq!(
        (server.log_level.value.as_str(), server.log_level.origin.to_string().as_str()),
        ("debug", "env FAAS_LOG_LEVEL")
    );
}

#[test]
fn parts_that_are_not_built_are_refused_naming_what_there_is() {
    for (name, value, available) in [
        ("FAAS_EXECUTOR_TYPE", "docker", "process"),
        ("FAAS_DEFAULT_MODE", "container", "process"),
        ("FAAS_EXECUTOR", "firecracker", "process"),
        ("DATABASE_URL", "postgres://db/faas", "sqlite"),
        ("NATS_URL", "nats://localhost:4222", "database"),
    ] {
        let error = from_env(&[(name, value)]).unwrap_err();
        assert!(matches!(error, ConfigError::NotBuilt { .. }), "{error}");
        assert_eq!(error.code(), ErrorCode::ConfigInvalid);
        let message = error.to_string();
        assert!(message.contains(name) && message.contains(available), "{message}");
    }
    from_env(&[("NATS_URL", "")]).expect("an empty one asks for nothing");
}

#[test]
fn a_password_in_an_address_is_never_repeated() {
    for (name, value) in [
        ("DATABASE_URL", "postgres://user:hunter2@db/faas"),
        ("DATABASE_URL", "sqlite:hunter2"),
        ("DATABASE_URL", "hunter2"),
        ("NATS_URL", "nats://user:hunter2@bus"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:hunter2@collector"),
    ] {
        let error = from_env(&[(name, value)]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn service_links_of_kubernetes_are_no_ports_of_ours() {
    let link = "tcp://10.0.0.7:8080";
    let server = from_env(&[("FAAS_GATEWAY_PORT", link), ("GATEWAY_PORT", link), ("HTTP_PORT", "9000")]).unwrap();
    assert_eq!(server.listen.value, addresses(&["127.0.0.1:9000"]));
    from_env(&[("FAAS_LISTEN", link)]).expect_err("ours is always meant");
}

#[test]
fn zero_and_nonsense_are_refused_for_every_number() {
    for key in [
        Key::DrainTimeout,
        Key::QueueWaiting,
        Key::WarmTtl,
        Key::HistoryRows,
        Key::HistoryBytes,
        Key::LogsBytes,
        Key::HttpBodyLimit,
        Key::HttpHeaderTimeout,
        Key::HttpBodyTimeout,
        Key::HttpWriteTimeout,
        Key::HttpIdleTimeout,
        Key::HttpConnections,
    ] {
        for text in ["0", "-1", "1e9", "", "NaN", "5 bananas"] {
            let flags = Flags::default().with(key, Some(text));
            let message = Config::resolve(None, &BTreeMap::new(), &flags).expect_err(text).to_string();
            assert!(message.contains(key.info().flag) && message.contains(key.info().accepted), "{message}");
        }
    }
}

#[test]
fn no_sandboxes_need_be_kept_warm() {
    assert_eq!(from_env(&[("FAAS_WARM_SANDBOXES", "0")]).unwrap().warm_sandboxes.value, 0);
    for text in ["8192", "-1", "", "many"] {
        from_env(&[("FAAS_WARM_SANDBOXES", text)]).expect_err(text);
    }
}

#[test]
fn the_data_directory_of_nobody_s_choice_follows_the_user() {
    let home = [("HOME", "/home/ada")];
    assert_eq!(default_data_dir(true, &env(&home)).as_deref(), Some(Path::new("/var/lib/faas")));
    assert_eq!(default_data_dir(false, &env(&home)).as_deref(), Some(Path::new("/home/ada/.local/share/faas")));
    let both = env(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "/data")]);
    assert_eq!(default_data_dir(false, &both).as_deref(), Some(Path::new("/data/faas")));
    let relative = env(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "data")]);
    assert_eq!(default_data_dir(false, &relative).as_deref(), Some(Path::new("/home/ada/.local/share/faas")));
    assert_eq!(default_data_dir(false, &env(&[])), None);
}

#[test]
fn what_begins_with_our_prefix_is_ours() {
    assert!(is_own_variable("FAAS_LISTEN") && is_own_variable("FAAS_EXECUTOR_TYPE"));
    assert!(!is_own_variable("DATABASE_URL") && !is_own_variable("RUST_LOG"));
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let line = "# nothing\n";
    let largest = line.repeat(ConfigFile::MAX_BYTES / line.len());
    from_yaml(&largest).expect("it is as large as may be");
    let error = from_yaml(&line.repeat((10 << 20) / line.len())).unwrap_err();
    assert!(matches!(error, ConfigError::TooLarge { .. }), "{error}");
    assert_eq!(error.code(), ErrorCode::ConfigInvalid);
    assert!(error.to_string().contains("faas_config.yaml is above the limit of 4194304 bytes"), "{error}");
}
