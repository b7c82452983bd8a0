//! What a configuration file declares is deployed once, changed when it differs, and told where it cannot be.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use faas_config::{Config, ConfigFile, Flags, Key};
use faas_executor_api::fake::{FakeExecutor, FakeHost};
use faas_lib::{DeclaredSources, Platform, SharedSources};
use faas_orchestrator::{EventKind, FunctionError, FunctionView};
use faas_types::TenantId;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

fn configured(storage: &Path, functions: &str) -> Config {
    let text = format!("system:\n  function_storage_path: {}\nfunctions:\n{functions}", storage.display());
    let file = ConfigFile { path: "faas.yaml".to_owned(), text };
    Config::resolve(Some(&file), &BTreeMap::new(), &Flags::default()).expect("a configuration")
}

/// A directory that only this user writes.
fn storage() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).expect("permissions");
    directory
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

async fn platform() -> Platform {
    Platform::from_executor(Arc::new(FakeExecutor::new(FakeHost::default()))).await.expect("a platform")
}

/// What a start with this configuration says.
async fn start(platform: &Platform, config: &Config) -> Vec<String> {
    let said = platform.deploy(DeclaredSources::read(config), config).await;
    said.iter().map(ToString::to_string).collect()
}

async fn live(platform: &Platform, name: &str) -> Result<FunctionView, FunctionError> {
    platform.orchestrator().functions().view(TenantId::LOCAL, &name.parse().expect("a name")).await
}

#[tokio::test]
async fn a_function_is_made_once_and_changed_when_it_differs() {
    let (storage, platform) = (storage(), platform().await);
    let path = storage.path().join("hello.py");
    write(&path, "first", 0o600);
    let functions = "  hello: {runtime: python, memory: 64Mi, timeout: 7, environment: {A: b}, max_instances: 3}\n";
    let config = configured(storage.path(), functions);
    for _ in 0..2 {
        assert_eq!(start(&platform, &config).await, [""; 0]);
        let view = live(&platform, "hello").await.expect("it is there");
        assert_eq!((view.version.number, view.version.spec.files[0].content.as_ref()), (1, b"first".as_slice()));
        assert_eq!(view.version.spec.env, [("A".to_owned(), "b".to_owned())]);
        assert_eq!((view.version.spec.timeout.as_secs(), view.version.spec.scaling.max), (7, 3));
    }
    write(&path, "second", 0o600);
    assert_eq!(start(&platform, &config).await, [""; 0]);
    assert_eq!(live(&platform, "hello").await.expect("it is there").version.number, 2);
    let longer = configured(storage.path(), &functions.replace("timeout: 7", "timeout: 8"));
    assert_eq!(start(&platform, &longer).await, [""; 0]);
    assert_eq!(live(&platform, "hello").await.expect("it is there").version.number, 3);
    // A file that leaves a function out deletes nothing.
    assert_eq!(start(&platform, &configured(storage.path(), "  other: {code: x}\n")).await, [""; 0]);
    live(&platform, "hello").await.expect("it is there");
    platform.shutdown().await;
}

#[tokio::test]
async fn a_directory_goes_before_a_file_and_code_before_both() {
    let (storage, platform) = (storage(), platform().await);
    write(&storage.path().join("whole/main.py"), "main", 0o600);
    write(&storage.path().join("whole/lib/part.py"), "part", 0o600);
    write(&storage.path().join("whole.py"), "file", 0o600);
    write(&storage.path().join("inline.py"), "file", 0o600);
    let config = configured(storage.path(), "  whole: {}\n  inline: {code: here}\n");
    assert_eq!(start(&platform, &config).await, [""; 0]);
    let view = live(&platform, "whole").await.expect("it is there");
    let paths: Vec<&str> = view.version.spec.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!((view.version.spec.main.as_str(), paths), ("main.py", vec!["lib/part.py", "main.py"]));
    let view = live(&platform, "inline").await.expect("it is there");
    assert_eq!(view.version.spec.files[0].content.as_ref(), b"here");
    platform.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_deployed_is_an_event_and_the_rest_is_deployed() {
    let (storage, platform) = (storage(), platform().await);
    write(&storage.path().join("shared.py"), "anybody", 0o666);
    write(&storage.path().join("elsewhere"), "x", 0o600);
    symlink(storage.path().join("elsewhere"), storage.path().join("link.py")).expect("a link");
    write(&storage.path().join("empty/other.py"), "x", 0o600);
    write(&storage.path().join("packages.py"), "x", 0o600);
    let names = ["absent", "shared", "link", "empty"];
    let mut functions: String = names.iter().map(|name| format!("  {name}: {{}}\n")).collect();
    functions += "  packages: {dependencies: [requests==2.28.0]}\n  crowded: {code: x, min_instances: 9, max_instances: 1}\n  good: {code: x}\n";
    let said = start(&platform, &configured(storage.path(), &functions)).await;
    for (name, part) in [
        ("absent", format!("nothing is at {0}/absent/ or {0}/absent.py", storage.path().display())),
        ("shared", "can be written by another user".to_owned()),
        ("link", "is a symbolic link".to_owned()),
        ("empty", "\"main.py\" is not among files".to_owned()),
        ("packages", "packages".to_owned()),
        ("crowded", "scaling.min".to_owned()),
    ] {
        let found = said.iter().find(|line| line.starts_with(&format!("functions.{name} "))).expect(name);
        assert!(found.contains(&part), "{name}: {found}");
        match live(&platform, name).await {
            Err(FunctionError::NoSource { why }) => assert!(name == "absent" && *found == why, "{name}"),
            Err(FunctionError::Unknown { .. }) => assert_ne!(name, "absent"),
            other => panic!("{name}: {other:?}"),
        }
    }
    live(&platform, "good").await.expect("it is there");
    let functions = platform.orchestrator().functions();
    let sourceless = || functions.sourceless(TenantId::LOCAL).into_iter().map(|(name, _)| name.to_string());
    assert_eq!(sourceless().collect::<Vec<_>>(), ["absent"]);
    let events = platform.orchestrator().events().recent(0);
    let mut noted: Vec<_> =
        events.into_iter().filter(|event| event.kind == EventKind::FunctionRefused).map(|event| event.detail).collect();
    let mut expected = said.clone();
    noted.sort();
    expected.sort();
    assert_eq!((noted, said.len()), (expected, 6));
    platform.shutdown().await;
}

#[tokio::test]
async fn nothing_is_taken_from_a_storage_path_that_others_can_write() {
    let (storage, platform) = (storage(), platform().await);
    write(&storage.path().join("hello.py"), "x", 0o600);
    fs::set_permissions(storage.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
    let said = start(&platform, &configured(storage.path(), "  hello: {}\n")).await;
    assert!(said[0].contains("can be written by another user"), "{said:?}");
    live(&platform, "hello").await.expect_err("it is not there");
    platform.shutdown().await;
}

#[test]
fn a_directory_of_sources_that_others_can_write_is_told_with_what_to_do() {
    let storage = storage();
    let path = storage.path();
    let open = |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
    let as_storage = configured(path, "  hello: {}\n");
    let flags = Flags::default().with(Key::FunctionRoots, path.to_str());
    let as_root = Config::resolve(None, &BTreeMap::new(), &flags).expect("a configuration");
    for config in [&as_storage, &as_root] {
        assert_eq!(SharedSources::check(config), Ok(()));
    }
    open(0o757);
    let path = path.to_owned();
    assert_eq!(SharedSources::check(&as_storage), Err(SharedSources::Storage { path: path.clone() }));
    let refused = SharedSources::check(&as_root).expect_err("everybody writes there");
    assert!(refused.to_string().contains(&format!("`chmod o-w {}`", path.display())), "{refused}");
    assert_eq!(refused, SharedSources::Root { path: path.clone() });
    open(0o755);
    assert_eq!(SharedSources::check(&as_storage), Ok(()));
    assert_eq!(SharedSources::check(&configured(&path.join("absent"), "  hello: {}\n")), Ok(()));
}
