//! The layers, their order, their origins and what is refused.

use faas_config::{Config, ConfigError, ConfigFile, Flags, Key, Origin};
use faas_types::{ByteSize, Contract, CpuAmount, ErrorCode, IsolationLevel, Language, OnOutputLimit};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

fn file(text: &str) -> ConfigFile {
    ConfigFile { path: "config.toml".to_owned(), text: text.to_owned() }
}

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn flags(pairs: &[(Key, &str)]) -> Flags {
    pairs.iter().fold(Flags::default(), |flags, (key, text)| flags.with(*key, Some(text)))
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    Config::resolve(Some(&file(text)), &BTreeMap::new(), &Flags::default())
}

#[test]
fn defaults_alone_are_a_whole_configuration() {
    let config = Config::resolve(None, &BTreeMap::new(), &Flags::default()).unwrap();
    assert_eq!(config.memory.value, ByteSize::mib(256));
    assert_eq!(config.disk.value, ByteSize::mib(128));
    assert_eq!(config.isolation.value, IsolationLevel::Strict);
    assert_eq!(config.max_sandboxes.value, 64);
    assert_eq!(config.runtime_dir.value, None);
    assert_eq!(config.memory.origin, Origin::Default);
    assert_eq!(config.timeout_for(Contract::Script), Duration::from_secs(30));
    assert_eq!(config.timeout_for(Contract::ArgvJson), Duration::from_secs(300));
}

#[test]
fn a_later_layer_wins_and_is_named() {
    let text = "default_language = 'bash'\n[limits]\nmemory = '64Mi'\npids = 10\ncpus = 0.5\n";
    let config = Config::resolve(
        Some(&file(text)),
        &env(&[("FAAS_LIMITS_MEMORY", "128Mi"), ("FAAS_LIMITS_PIDS", "20"), ("PATH", "/bin")]),
        &flags(&[(Key::Pids, "30"), (Key::OnOutputLimit, "kill"), (Key::Timeout, "2m")]),
    )
    .unwrap();
    assert_eq!(config.default_language.value, Language::Bash);
    assert_eq!(config.default_language.origin.to_string(), "file config.toml");
    assert_eq!(config.cpus.value, CpuAmount::from_milli(500));
    assert_eq!(config.memory.value, ByteSize::mib(128));
    assert_eq!(config.memory.origin, Origin::Env { name: "FAAS_LIMITS_MEMORY" });
    assert_eq!(config.pids.value, 30);
    assert_eq!(config.pids.origin, Origin::Flag { name: "--pids" });
    assert_eq!(config.output_limits().on_limit, OnOutputLimit::Kill);
    // A timeout that was asked for holds for every contract.
    assert_eq!(config.timeout_for(Contract::ArgvJson), Duration::from_secs(120));
    // The disk that nobody asked for follows the memory.
    assert_eq!(config.disk.value, ByteSize::mib(64));
    assert_eq!(config.disk.origin, Origin::Default);
}

#[test]
fn an_absolute_runtime_dir_is_taken_and_a_relative_one_is_refused() {
    let config = from_file("runtime_dir = '/run/faas'").unwrap();
    assert_eq!(config.runtime_dir.value.as_deref(), Some(Path::new("/run/faas")));
    let error = from_file("runtime_dir = 'run/faas'").unwrap_err();
    assert!(error.to_string().contains("an absolute path"), "{error}");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    for (text, nearest) in [
        ("isolaton = 'strict'", "isolation"),
        ("[limits]\nmemroy = 1", "limits.memory"),
        ("memory = '256Mi'", "limits.memory"),
        ("[limits]\ntime_out = 1", "limits.timeout"),
    ] {
        let error = from_file(text).unwrap_err();
        let ConfigError::UnknownKey { nearest: Some(found), .. } = &error else { panic!("{error}") };
        assert_eq!(found, nearest);
        assert_eq!(error.code(), ErrorCode::ConfigInvalid);
    }
    let far = from_file("[network]\negress = 'all'").unwrap_err().to_string();
    assert!(far.contains("\"network\"") && far.contains("limits.memory"), "{far}");
    assert!(!far.contains("did you mean"), "{far}");
}

#[test]
fn a_variable_that_is_nearly_ours_is_refused_and_others_are_left_alone() {
    let resolve = |name| Config::resolve(None, &env(&[(name, "1")]), &Flags::default());
    let error = resolve("FAAS_LIMITS_MEMROY").unwrap_err().to_string();
    assert!(error.contains("FAAS_LIMITS_MEMORY"), "{error}");
    for other in ["FAAS_CONFIG_FILE", "FAAS_INPUT", "FAAS_DISABLE_CONTAINER", "MEMORY"] {
        resolve(other).expect(other);
    }
}

#[test]
fn bad_quantities_name_the_flag_and_the_accepted_form() {
    for key in [Key::Memory, Key::Cpus, Key::Disk, Key::Pids, Key::Timeout, Key::Output, Key::MaxSandboxes] {
        for text in ["0", "-1", "1e18", "1e3m", "", "NaN", "5 bananas"] {
            let error = Config::resolve(None, &BTreeMap::new(), &flags(&[(key, text)])).expect_err(text);
            let message = error.to_string();
            assert!(message.contains(key.info().flag), "{message}");
            assert!(message.contains(key.info().accepted), "{message}");
            assert_eq!(error.code(), ErrorCode::InvalidField, "{message}");
        }
    }
}

#[test]
fn disk_above_half_of_the_memory_names_both_origins() {
    let error =
        Config::resolve(Some(&file("[limits]\ndisk = '128Mi'")), &BTreeMap::new(), &flags(&[(Key::Memory, "64Mi")]))
            .unwrap_err();
    let message = error.to_string();
    assert!(message.contains("flag --memory") && message.contains("file config.toml"), "{message}");
}

#[test]
fn what_is_no_scalar_or_no_toml_is_refused() {
    let error = from_file("isolation = ['strict']").unwrap_err().to_string();
    assert!(error.contains("isolation") && error.contains("strict or standard"), "{error}");
    let error = from_file("isolation = ").unwrap_err().to_string();
    assert!(error.contains("config.toml") && error.contains("line 1"), "{error}");
}

#[test]
fn every_key_is_found_by_its_names_and_documented() {
    for key in Key::ALL.iter().copied() {
        let info = key.info();
        assert_eq!(Key::from_name(info.name), Some(key));
        assert!(key.variables().all(|name| Key::from_env(name) == Some(key)));
        assert_eq!(info.env, format!("FAAS_{}", info.name.replace('.', "_").to_uppercase()));
        assert!(!info.about.is_empty() && !info.accepted.is_empty() && !info.default.is_empty());
    }
}
