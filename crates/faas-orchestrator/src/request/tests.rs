use super::{ExecutionRequest, LONGEST_TIMEOUT, RequestError, Work};
use bytes::Bytes;
use faas_executor_api::{FileIn, MAX_CODE_BYTES, Stay};
use faas_types::{ByteSize, Contract, ErrorCode, Language, Mode};
use serde_json::json;
use std::time::{Duration, Instant};

fn script(code: impl Into<Bytes>) -> ExecutionRequest {
    script_under(code, Contract::Script)
}

fn script_under(code: impl Into<Bytes>, contract: Contract) -> ExecutionRequest {
    let name = "main.py".to_owned();
    ExecutionRequest::new(Work::Script { code: code.into(), name, language: Language::Python, contract })
}

fn command(argv: &[&str]) -> ExecutionRequest {
    ExecutionRequest::new(Work::Command { argv: argv.iter().map(|text| (*text).to_owned()).collect() })
}

fn refused(request: &ExecutionRequest) -> RequestError {
    request.check().expect_err("the request is bad")
}

#[test]
fn bad_code_has_its_own_codes() {
    let too_large = Bytes::from(vec![b'#'; MAX_CODE_BYTES + 1]);
    for (code, expected, text) in [
        (Bytes::new(), ErrorCode::CodeEmpty, "empty"),
        (too_large, ErrorCode::CodeTooLarge, "16777216"),
        (Bytes::from_static(b"print(1)\0"), ErrorCode::NotText, "NUL byte at byte 8"),
        (Bytes::from_static(b"print(\xff)"), ErrorCode::NotText, "UTF-8 at byte 6"),
    ] {
        let error = refused(&script(code));
        assert_eq!(error.code(), expected);
        assert!(error.to_string().contains(text), "{error}");
    }
    let largest = vec![b'#'; MAX_CODE_BYTES];
    assert!(script(largest).check().is_ok());
}

#[test]
fn other_bad_fields_are_named() {
    let file = |path: &str| FileIn { path: path.to_owned(), content: Bytes::from_static(b"x"), executable: false };
    let change = |change: &dyn Fn(&mut ExecutionRequest)| {
        let mut request = script("print(1)");
        change(&mut request);
        refused(&request)
    };
    let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for (error, code, text) in [
        (change(&|request| request.timeout = Duration::ZERO), ErrorCode::InvalidField, "timeout"),
        (
            change(&|request| request.timeout = LONGEST_TIMEOUT + Duration::from_millis(1)),
            ErrorCode::InvalidField,
            "timeout",
        ),
        (change(&|request| request.output.bytes = ByteSize::from_bytes(0)), ErrorCode::InvalidField, "output"),
        (change(&|request| request.resources.pids = 0), ErrorCode::InvalidField, "pids"),
        (change(&|request| request.resources.memory = ByteSize::from_bytes(1)), ErrorCode::InvalidField, "memory"),
        (change(&|request| request.env = vec![env("", "x")]), ErrorCode::InvalidField, "env"),
        (change(&|request| request.env = vec![env("A=B", "x")]), ErrorCode::InvalidField, "env"),
        (change(&|request| request.env = vec![env("A", "x\0")]), ErrorCode::InvalidField, "env"),
        (change(&|request| request.env = vec![env("A", "1"), env("A", "2")]), ErrorCode::InvalidField, "twice"),
        (change(&|request| request.args = vec!["\0".to_owned()]), ErrorCode::InvalidField, "args"),
        (change(&|request| request.files = vec![file("../x")]), ErrorCode::FileRefused, "../x"),
        (change(&|request| request.files = vec![file("/etc/passwd")]), ErrorCode::FileRefused, "/etc/passwd"),
        (change(&|request| request.files = vec![file("a"), file("a")]), ErrorCode::FileRefused, "\"a\""),
        (change(&|request| request.resources.disk = ByteSize::from_bytes(1)), ErrorCode::InvalidField, "disk"),
        (refused(&command(&[])), ErrorCode::InvalidField, "argv"),
        (refused(&command(&[""])), ErrorCode::InvalidField, "argv"),
    ] {
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn files_must_fit_in_the_disk() {
    let mut request = script("print(1)");
    request.resources.disk = ByteSize::mib(1);
    let content = Bytes::from(vec![0; 1024 * 1024 + 1]);
    request.files = vec![FileIn { path: "data".to_owned(), content, executable: false }];
    let error = refused(&request);
    assert_eq!(error.code(), ErrorCode::FileRefused);
    assert!(error.to_string().contains("1Mi") && error.to_string().contains("raise disk"), "{error}");
}

#[test]
fn input_goes_where_the_contract_wants_it() {
    let placed = |contract, input| {
        let mut request = script_under("print(1)", contract);
        request.args = vec!["last".to_owned()];
        request.input = input;
        request.check().expect("good request");
        match request.into_call(Instant::now(), Stay::No) {
            super::Call::Invoke(call) => (call.args, call.env),
            super::Call::Exec(_) => panic!("a script is invoked"),
        }
    };
    let text = |text: &str| text.to_owned();
    let variable = (text("FAAS_INPUT"), text("{\"a\":1}"));
    assert_eq!(placed(Contract::Script, Some(json!({"a": 1}))), (vec![text("last")], vec![variable]));
    assert_eq!(placed(Contract::Script, None), (vec![text("last")], vec![]));
    assert_eq!(placed(Contract::ArgvJson, Some(json!([1]))), (vec![text("[1]"), text("last")], vec![]));
    assert_eq!(placed(Contract::ArgvJson, None), (vec![text("{}"), text("last")], vec![]));

    let mut request = command(&["cat"]);
    request.input = Some(json!(1));
    assert!(refused(&request).to_string().contains("input"));
    let mut request = script("print(1)");
    request.input = Some(json!(1));
    request.env = vec![(text("FAAS_INPUT"), text("2"))];
    assert!(refused(&request).to_string().contains("FAAS_INPUT"));
}

#[test]
fn modes_that_are_not_built_are_refused_by_name() {
    for mode in [Mode::Checkpointed, Mode::Branched, Mode::Persistent] {
        let error = refused(&ExecutionRequest { mode, ..script("print(1)") });
        assert_eq!((error.code(), error.field()), (ErrorCode::FieldUnsupported, Some("mode")));
        assert!(error.to_string().contains(mode.as_str()) && error.to_string().contains("ephemeral"), "{error}");
    }
}

#[test]
fn labels_are_bounded() {
    let labelled = |name: &str, value: &str| ExecutionRequest {
        labels: [(name.to_owned(), value.to_owned())].into(),
        ..script("print(1)")
    };
    assert!(labelled("team", "blue").check().is_ok());
    for request in [labelled("", "x"), labelled(&"n".repeat(257), "x"), labelled("n", &"x".repeat(257))] {
        assert_eq!(refused(&request).field(), Some("labels"));
    }
    let many = (0..65).map(|number| (number.to_string(), String::new())).collect();
    assert_eq!(refused(&ExecutionRequest { labels: many, ..script("print(1)") }).field(), Some("labels"));
}
