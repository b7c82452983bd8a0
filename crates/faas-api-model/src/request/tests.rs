//! What requests mean and what is refused: every refusal names its field, nothing takes long.

use super::{BodyError, ClientFrame, ExecuteBody, InvokeBody, OnDisconnect};
use faas_types::{ByteSize, CpuAmount, ErrorCode, Language};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

fn read(body: &Value) -> Result<ExecuteBody, BodyError> {
    ExecuteBody::from_json(body.to_string().as_bytes())
}

fn with(field: &str, value: Value) -> Result<ExecuteBody, BodyError> {
    let mut body = json!({"code": "print(1)"});
    body[field] = value;
    read(&body)
}

fn refused(field: &str, value: Value) -> (ErrorCode, String) {
    let error = with(field, value.clone()).expect_err(&format!("{field}: {value}"));
    (error.code(), error.field_name().unwrap_or("").to_owned())
}

#[test]
fn a_body_is_read_in_every_form_the_seeds_use() {
    let body =
        with("resources", json!({"cpu_cores": 2, "memory_mb": 4096, "disk_mb": 64, "pids": 32})).expect("numbers");
    assert_eq!(
        (body.cpu, body.memory, body.disk, body.pids),
        (Some(CpuAmount::from_milli(2000)), Some(ByteSize::mib(4096)), Some(ByteSize::mib(64)), Some(32))
    );
    let body = with("resources", json!({"cpu": "100m", "memory": "256Mi", "disk": 64, "pids": "32"})).expect("texts");
    assert_eq!((body.cpu, body.memory), (Some(CpuAmount::from_milli(100)), Some(ByteSize::mib(256))));
    for (field, value, milliseconds) in [
        ("timeout", json!(30), 30_000),
        ("timeout", json!(0.5), 500),
        ("timeout", json!("1500ms"), 1500),
        ("timeout_ms", json!(250), 250),
    ] {
        assert_eq!(with(field, value).expect(field).timeout, Some(Duration::from_millis(milliseconds)));
    }
    for (value, bytes) in [
        (json!("hé"), "hé".as_bytes()),
        (json!([0, 255]), &[0, 255]),
        (json!({"base64": "AP8="}), &[0, 255]),
        (json!({"text": "a"}), b"a"),
    ] {
        assert_eq!(with("payload", value.clone()).expect("payload").stdin.as_deref(), Some(bytes));
        assert_eq!(with("stdin", value).expect("stdin").stdin.as_deref(), Some(bytes));
    }
    for value in [json!({"A": "1", "B": ""}), json!(["A=1", "B="])] {
        let env = with("env", value).expect("env").env;
        assert_eq!(env, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), String::new())]);
    }
    let body = with("files", json!({"a.txt": "x", "b": {"base64": "AA==", "executable": true}})).expect("files");
    assert_eq!((body.files[0].content.as_slice(), body.files[0].executable), (&b"x"[..], false));
    assert_eq!((body.files[1].content.as_slice(), body.files[1].executable), (&[0][..], true));
    assert_eq!(with("language", json!("node")).expect("language").language, Some(Language::JavaScript));
    assert_eq!(with("on_disconnect", json!("detach")).expect("policy").on_disconnect, Some(OnDisconnect::Detach));
    assert_eq!(with("input", json!({"a": [1, null]})).expect("input").input, Some(json!({"a": [1, null]})));
}

#[test]
fn null_is_absence() {
    let body =
        read(&json!({"code": "x", "stdin": null, "resources": null, "network": null, "function": null, "gpu": null}));
    assert_eq!(body.expect_err("gpu is no field of the body").code(), ErrorCode::UnknownField);
    let body = read(
        &json!({"code": "x", "stdin": null, "resources": {"memory": null, "gpu": null}, "network": null, "function": null}),
    );
    assert_eq!(body.expect("nulls"), ExecuteBody { code: Some("x".to_owned()), ..ExecuteBody::default() });
}

#[test]
fn what_asks_for_nothing_passes_and_what_nothing_can_honour_is_named() {
    for (field, value) in [
        ("network", json!("none")),
        ("keep_ms", json!(0)),
        ("secrets", json!([])),
        ("checkpoint_after", json!(false)),
        ("resources", json!({"gpu": 0})),
    ] {
        assert!(with(field, value).is_ok(), "{field}");
    }
    let unsupported = [
        ("version", json!(3)),
        ("image", json!("alpine")),
        ("secrets", json!(["A"])),
        ("network", json!({"egress": []})),
        ("checkpoint_after", json!(true)),
        ("parent_snapshot", json!("snap_1")),
        ("keep_ms", json!(1000)),
        ("callback_url", json!("http://x")),
        ("retry", json!({"attempts": 2})),
        ("mode", json!("persistent")),
        ("mode", json!("branched")),
        ("contract", json!("wasi-http")),
    ];
    for (field, value) in unsupported {
        assert_eq!(refused(field, value), (ErrorCode::FieldUnsupported, field.to_owned()));
    }
    assert_eq!(refused("resources", json!({"gpu": 1})), (ErrorCode::FieldUnsupported, "resources.gpu".to_owned()));
}

/// Row 92: quantities out of every range, each with its accepted forms.
#[test]
fn quantities_out_of_range_are_refused_with_the_accepted_forms() {
    let resources = [
        ("memory_mb", json!(-1)),
        ("memory_mb", json!(0)),
        ("memory_mb", json!(1e18)),
        ("memory", json!("256MiB ")),
        ("memory_mb", json!("256")),
        ("memory", json!("")),
        ("cpu", json!("1e3m")),
        ("cpu_cores", json!(10_000)),
        ("cpu_cores", json!(0)),
        ("cpu", json!("NaN")),
        ("pids", json!(0)),
        ("pids", json!(-4)),
        ("disk_mb", json!(0)),
        ("pids", json!(1.5)),
        ("memory", json!([])),
        ("memory", json!(true)),
        ("memory_mb", json!(9_223_372_036_854_775_808_u64)),
    ];
    for (field, value) in resources {
        let error = with("resources", json!({field: value.clone()})).expect_err(&format!("{field}: {value}"));
        assert_eq!(
            (error.code(), error.field_name()),
            (ErrorCode::InvalidField, Some(format!("resources.{field}").as_str()))
        );
    }
    let accepted = with("resources", json!({"cpu": "1e3m"})).expect_err("an exponent").to_string();
    assert!(accepted.contains("thousandths of a core"), "{accepted}");
    for value in [json!(0), json!(-1), json!("NaN"), json!("0s"), json!("25h"), json!(1e18)] {
        assert_eq!(refused("timeout", value), (ErrorCode::InvalidField, "timeout".to_owned()));
    }
    for value in [json!(0), json!(0.5), json!("5"), json!(86_400_001)] {
        assert_eq!(refused("timeout_ms", value), (ErrorCode::InvalidField, "timeout_ms".to_owned()));
    }
}

/// Row 93: the body of seed 002.
#[test]
fn a_seed_s_body_is_refused_where_it_means_nothing() {
    let wrong = [
        ("payload", json!([256])),
        ("payload", json!([-1])),
        ("payload", json!(["a"])),
        ("env_vars", json!(["NOEQUALS"])),
        ("env_vars", json!(["=x"])),
        ("command", json!([])),
        ("command", json!([""])),
        ("command", json!("ls")),
        ("image", json!("../..")),
        ("image", json!("")),
        ("image", json!("a:b:c")),
        ("image", json!("a@sha256:1")),
    ];
    for (field, value) in wrong {
        let mut body = json!({"command": ["/bin/true"]});
        body[field] = value.clone();
        let error = InvokeBody::from_json(body.to_string().as_bytes()).expect_err(&format!("{field}: {value}"));
        assert_eq!((error.code(), error.field_name()), (ErrorCode::InvalidField, Some(field)));
    }
    let printed = br#"{"image": "ignored-for-firecracker", "command": ["/path/to/executable", "arg1", "arg2"],
        "env_vars": ["VAR1=value1", "VAR2=value2"], "payload": [104, 105]}"#;
    let body = InvokeBody::from_json(printed).expect("as printed");
    assert_eq!((body.payload.as_slice(), body.env.len(), body.command.len()), (&b"hi"[..], 2, 3));
    for image in ["python:3.12-slim", "registry.example:5000/team/tool:1", &format!("a@sha256:{}", "0".repeat(64))] {
        let body = json!({"command": ["x"], "image": image}).to_string();
        assert!(InvokeBody::from_json(body.as_bytes()).is_ok(), "{image}");
    }
}

/// Row 80: hostile JSON.
#[test]
fn hostile_json_is_refused() {
    let deep = format!(r#"{{"code": "x", "input": {}}}"#, "[".repeat(100_000));
    let closed = format!(r#"{{"code": "x", "input": {}{}}}"#, "[".repeat(40_000), "]".repeat(40_000));
    let short = format!(r#"{{"code": "x", "retry": {}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    let cases: &[(&str, ErrorCode)] = &[
        (&deep, ErrorCode::InvalidJson),
        (&closed, ErrorCode::InvalidField),
        (&short, ErrorCode::FieldUnsupported),
        (r#"{"code": "x", "timeout": 1e999}"#, ErrorCode::InvalidJson),
        (r#"{"code": "x", "input": 1e999}"#, ErrorCode::InvalidField),
        (r#"{"code": "x", "code": "y"}"#, ErrorCode::InvalidJson),
        (r#"{"code": "x", "input": {"a": 1, "a": 2}}"#, ErrorCode::InvalidField),
        (r#"{"code": "x", "resources": {"pids": 8, "pids": 9}}"#, ErrorCode::InvalidJson),
        (r#"{"code": "\ud800"}"#, ErrorCode::InvalidJson),
        (r#"{"code": "x", "timeout_ms": 9223372036854775808}"#, ErrorCode::InvalidField),
        (r#"{"code": "x"} {}"#, ErrorCode::InvalidJson),
        (r#"{"code": "x", /* no */ "wait": true}"#, ErrorCode::InvalidJson),
        ("", ErrorCode::InvalidJson),
        ("[]", ErrorCode::InvalidJson),
        ("null", ErrorCode::InvalidJson),
        (r#"{"code": "x", "cmd": 1}"#, ErrorCode::UnknownField),
        (r#"{"code": 5}"#, ErrorCode::InvalidField),
        (r#"{"code": "x", "language": "../../bin/sh"}"#, ErrorCode::UnknownLanguage),
    ];
    for (body, code) in cases {
        let error = ExecuteBody::from_json(body.as_bytes()).expect_err(body);
        assert_eq!(error.code(), *code, "{error}");
        assert!(error.to_string().len() < 2000, "a message repeats a body");
    }
}

#[test]
fn two_names_of_one_thing_exclude_each_other() {
    let pairs = [
        json!({"code": "x", "command": ["y"]}),
        json!({"code": "x", "stdin": "a", "payload": "b"}),
        json!({"code": "x", "timeout": 1, "timeout_ms": 1}),
        json!({"code": "x", "resources": {"memory": 1, "memory_mb": 1}}),
        json!({"command": ["x"], "language": "bash"}),
        json!({"command": ["x"], "contract": "script"}),
        json!({"code": "x", "contract": "command"}),
        json!({}),
        json!({"command": []}),
        json!({"command": [""]}),
    ];
    for body in pairs {
        assert_eq!(read(&body).expect_err(&body.to_string()).code(), ErrorCode::InvalidField);
    }
}

#[test]
fn labels_are_bounded() {
    let many: serde_json::Map<String, Value> = (0..33).map(|index| (format!("l{index}"), json!("v"))).collect();
    for value in [
        json!({"a b": "x"}),
        json!({"": "x"}),
        json!({"a": "x\ny"}),
        json!({"a": "x".repeat(257)}),
        Value::Object(many),
    ] {
        assert_eq!(refused("labels", value), (ErrorCode::InvalidField, "labels".to_owned()));
    }
    assert_eq!(with("labels", json!({"team/a": "é"})).expect("labels").labels["team/a"], "é");
}

#[test]
fn client_frames_are_strict() {
    for frame in [ClientFrame::Eof, ClientFrame::Cancel, ClientFrame::Signal(15)] {
        let text = serde_json::to_vec(&frame).expect("json");
        assert_eq!(ClientFrame::from_json(&text), Ok(frame));
    }
    for text in [
        "{}",
        r#"{"type":"signal"}"#,
        r#"{"type":"signal","signal":0}"#,
        r#"{"type":"signal","signal":65}"#,
        r#"{"type":"eof","signal":9}"#,
        r#"{"type":"stop"}"#,
        "x",
    ] {
        assert!(ClientFrame::from_json(text.as_bytes()).is_err(), "{text}");
    }
}

proptest! {
    /// What a client of ours writes is what the server reads.
    #[test]
    fn a_body_survives_json(
        code in any::<Option<String>>(), stdin in any::<Option<Vec<u8>>>(), path in "[a-z]{1,8}",
        content in any::<Vec<u8>>(), milliseconds in 1u64..86_400_000, memory in 1u64..u64::MAX, wait in any::<Option<bool>>(),
    ) {
        let command = code.is_none().then(|| vec!["x".to_owned()]);
        let body = ExecuteBody {
            code, command, stdin, wait,
            timeout: Some(Duration::from_millis(milliseconds)),
            memory: Some(ByteSize::from_bytes(memory)),
            env: vec![("A".to_owned(), "=".to_owned())],
            files: vec![super::FileBody { path, content, executable: true }],
            ..ExecuteBody::default()
        };
        let json = serde_json::to_vec(&body).expect("json");
        prop_assert_eq!(ExecuteBody::from_json(&json).expect("reads"), body);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        drop(ExecuteBody::from_json(&bytes));
        drop(InvokeBody::from_json(&bytes));
        drop(ClientFrame::from_json(&bytes));
    }
}

mod function {
    use crate::{ExecuteBody, FileBody, FunctionBody, RouteAuth, merge};
    use faas_types::{ByteSize, ErrorCode, FunctionRef};
    use proptest::prelude::*;
    use serde_json::json;
    use std::time::Duration;

    fn read(body: &serde_json::Value) -> Result<FunctionBody, (ErrorCode, Option<String>)> {
        FunctionBody::from_json(body.to_string().as_bytes())
            .map_err(|error| (error.code(), error.field_name().map(str::to_owned)))
    }

    #[test]
    fn what_is_shown_can_be_sent_back() {
        let body = FunctionBody {
            name: Some("hello".parse().expect("a name")),
            runtime: Some("python3.11".parse().expect("a runtime")),
            files: vec![FileBody { path: "a.py".to_owned(), content: b"\xff".to_vec(), executable: true }],
            main: Some("a.py".to_owned()),
            memory: Some(ByteSize::from_bytes(9_000_000)),
            disk: Some(ByteSize::mib(3)),
            cpu: Some(faas_types::CpuAmount::from_milli(250)),
            pids: Some(9),
            timeout: Some(Duration::from_millis(1500)),
            env: vec![("A".to_owned(), "b".to_owned())],
            routes: vec!["GET:/a".to_owned()],
            auth: Some(RouteAuth::Public),
            ..FunctionBody::default()
        };
        let text = serde_json::to_vec(&body).expect("JSON");
        assert_eq!(FunctionBody::from_json(&text).expect("accepted"), body);
    }

    #[test]
    fn two_sources_or_two_names_of_one_thing_are_refused() {
        let refused = |body: serde_json::Value| read(&body).expect_err("refused");
        let field = |name: &str| (ErrorCode::InvalidField, Some(name.to_owned()));
        assert_eq!(refused(json!({"code": "x", "files": {"main.py": "x"}})), field("files"));
        assert_eq!(refused(json!({"code": "x", "module": "x"})), field("module"));
        assert_eq!(refused(json!({"code": "x", "main": "x"})), field("main"));
        assert_eq!(refused(json!({"timeout": 1, "timeout_ms": 1})), field("timeout"));
        assert_eq!(refused(json!({"scaling": {"idle_ttl": 1, "idle_ttl_ms": 1}})), field("scaling.idle_ttl"));
        assert_eq!(refused(json!({"name": "../x"})), field("name"));
        assert_eq!(refused(json!({"name": "live"})), field("name"));
        assert_eq!(
            refused(json!({"runtime": "../../bin/sh"})),
            (ErrorCode::UnknownLanguage, Some("runtime".to_owned()))
        );
        assert_eq!(refused(json!({"image": "alpine"})), (ErrorCode::FieldUnsupported, Some("image".to_owned())));
    }

    #[test]
    fn a_call_takes_what_it_is_given_and_nothing_the_function_brings() {
        let function: FunctionRef = "hello@2".parse().expect("a reference");
        let call = |body: &str| ExecuteBody::call_from_json(function.clone(), body.as_bytes());
        assert_eq!(call("").expect("nothing").function, Some(function.clone()));
        assert_eq!(call(r#"{"input": {"a": 1}}"#).expect("input").input, Some(json!({"a": 1})));
        for field in ["code", "language", "timeout", "env", "files", "function"] {
            let value = match field {
                "env" | "files" => json!({"A": "b"}),
                "timeout" => json!(5),
                "language" => json!("python"),
                _ => json!("x"),
            };
            let error = call(&json!({field: value}).to_string()).expect_err(field);
            assert_eq!(error.field_name(), Some(field));
        }
        let body = json!({"function": "hello@2", "input": 1}).to_string();
        assert_eq!(ExecuteBody::from_json(body.as_bytes()).expect("accepted").function, Some(function.clone()));
        let body = json!({"function": "hello", "code": "x"}).to_string();
        assert_eq!(ExecuteBody::from_json(body.as_bytes()).expect_err("both").field_name(), Some("code"));
    }

    proptest! {
        #[test]
        fn merging_nothing_changes_nothing(code in "\\PC{0,20}", timeout in 1_u64..100_000) {
            let shown = json!({"code": code, "timeout_ms": timeout, "resources": {"pids": 8}});
            prop_assert_eq!(merge(shown.clone(), json!({})), shown);
        }
    }
}
