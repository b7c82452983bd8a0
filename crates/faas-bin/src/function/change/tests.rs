use super::{Change, compare};
use faas_client::model::{FileBody, FunctionBody, merge, read_patch};
use faas_types::{ByteSize, Language};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a server shows of a function of which only its source was said.
fn shown() -> Map<String, Value> {
    let shown = json!({
        "runtime": "python", "handler": "handle", "contract": "handler", "isolation": "standard", "mode": "cached",
        "resources": {"cpu_cores": 1, "memory_mb": 256, "disk_mb": 128, "pids": 64}, "timeout_ms": 30000,
        "output_limit": "64Mi", "on_output_limit": "discard", "auth": "key", "code": "x = 1\n",
        "scaling": {"min": 0, "max": 10, "concurrency": 1}, "shown_by_a_newer_server": 1,
    });
    shown.as_object().expect("an object").clone()
}

fn defaults() -> BTreeMap<String, u64> {
    [
        ("cpu_milli", 1000),
        ("memory_bytes", 256 << 20),
        ("disk_bytes", 128 << 20),
        ("pids", 64),
        ("timeout_ms", 30_000),
        ("argv_json_timeout_ms", 300_000),
        ("output_bytes", 64 << 20),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn file(path: &str, content: &[u8]) -> FileBody {
    FileBody { path: path.to_owned(), content: content.to_vec(), executable: false }
}

fn wanted(files: Vec<FileBody>) -> FunctionBody {
    let main = files.first().map(|file| file.path.clone());
    FunctionBody { runtime: Some(Language::Python.into()), main, files, ..FunctionBody::default() }
}

fn described(changes: &[Change]) -> String {
    changes.iter().map(Change::describe).collect()
}

#[test]
fn what_nobody_says_is_no_change() {
    let difference = compare(&shown(), &wanted(vec![file("main.py", b"x = 1\n")]), &defaults()).expect("comparable");
    assert_eq!((difference.changes, difference.patch), (Vec::new(), json!({})));
}

#[test]
fn what_was_allowed_is_not_when_it_is_said_no_more() {
    let mut shown = shown();
    let files = || vec![file("main.py", b"x = 1\n")];
    let allowing = FunctionBody { allow_build: Some(true), ..wanted(files()) };
    let refusing = FunctionBody { allow_build: Some(false), ..wanted(files()) };
    let patch = |shown: &_, wanted: &_| compare(shown, wanted, &defaults()).expect("comparable").patch;
    assert_eq!(patch(&shown, &allowing), json!({"allow_build": true}));
    assert_eq!(patch(&shown, &refusing), json!({}));
    shown.insert("allow_build".to_owned(), json!(true));
    for wanted in [wanted(files()), refusing] {
        assert_eq!(patch(&shown, &wanted), json!({"allow_build": null}));
    }
}

#[test]
fn what_is_said_no_more_gets_its_default_again() {
    let mut shown = shown();
    shown["timeout_ms"] = json!(5000);
    shown["resources"] = json!({"cpu_cores": 2, "memory_mb": 64, "disk_mb": 32, "pids": 64});
    shown.insert("env".to_owned(), json!({"A": "secret", "B": "2"}));
    shown.insert("routes".to_owned(), json!(["POST:/a"]));
    let mut wanted = wanted(vec![file("main.py", b"x = 1\n")]);
    wanted.env = vec![("B".to_owned(), "2".to_owned())];
    wanted.memory = Some(ByteSize::mib(64));
    let difference = compare(&shown, &wanted, &defaults()).expect("comparable");
    let patch = json!({"timeout_ms": 30000, "resources": {"cpu_cores": 1}, "env": {"A": null}, "routes": null});
    assert_eq!(difference.patch, patch);
    let text = described(&difference.changes);
    assert_eq!(
        text,
        "  env.A: (not shown) -> (none)\n  resources.cpu_cores: 2 -> 1\n  routes: [\"POST:/a\"] -> (none)\n  \
         timeout_ms: 5000 -> 30000\n"
    );
}

#[test]
fn files_are_added_changed_and_removed() {
    let mut shown = shown();
    shown.remove("code");
    let files = json!({"main.py": {"text": "a\nb\n", "executable": false}, "old": {"text": "", "executable": false},
                       "data": {"text": "x", "executable": false}});
    shown.insert("files".to_owned(), files);
    shown.insert("main".to_owned(), json!("main.py"));
    let wanted = wanted(vec![file("main.py", b"a\nc\n"), file("new", b""), file("data", b"\xff")]);
    let difference = compare(&shown, &wanted, &defaults()).expect("comparable");
    let text = "  data: changed\n  main.py: changed\n    -b\n    +c\n  new: added\n  old: removed\n";
    assert_eq!(described(&difference.changes), text);
    let read = read_patch(difference.patch.to_string().as_bytes()).expect("a server takes it");
    let merged = merge(Value::Object(shown), read);
    let again = compare(merged.as_object().expect("an object"), &wanted, &defaults()).expect("comparable");
    assert_eq!(again.changes, Vec::new());
}

#[test]
fn nothing_a_terminal_obeys_is_shown() {
    let change = Change::File { path: "a\u{1b}[2J".to_owned(), change: "changed", lines: vec!["+\u{9b}2J".to_owned()] };
    assert_eq!(change.describe(), "  a^[[2J: changed\n    +<U+009B>2J\n");
}

fn some_files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    proptest::collection::btree_map(
        "[abc]",
        prop_oneof![Just(b"x".to_vec()), Just(b"\xff".to_vec()), Just(vec![])],
        1..4,
    )
}

proptest! {
    #[test]
    fn after_its_patch_nothing_is_different(
        before in some_files(), after in some_files(), timeout in proptest::option::of(1..9_u64),
        env in proptest::collection::btree_map("[AB]", "[xy]", 0..3), old_env in proptest::collection::btree_map("[AB]", "[xy]", 0..3)
    ) {
        let bodies = |files: BTreeMap<String, Vec<u8>>| files.iter().map(|(path, content)| file(path, content)).collect::<Vec<_>>();
        let mut old = wanted(bodies(before));
        old.env = old_env.into_iter().collect();
        let mut shown = shown();
        shown.remove("code");
        shown.extend(serde_json::to_value(&old).expect("JSON").as_object().expect("an object").clone());
        let mut wanted = wanted(bodies(after));
        wanted.timeout = timeout.map(std::time::Duration::from_secs);
        wanted.env = env.into_iter().collect();
        let difference = compare(&shown, &wanted, &defaults()).expect("comparable");
        let patch = read_patch(difference.patch.to_string().as_bytes()).expect("a server takes it");
        prop_assert_eq!(difference.changes.is_empty(), patch == json!({}));
        let merged = merge(Value::Object(shown), patch);
        let again = compare(merged.as_object().expect("an object"), &wanted, &defaults()).expect("comparable");
        prop_assert_eq!(again.changes, Vec::new());
    }
}
