//! Each rule refuses what is just past it and passes what is just before it.

use super::*;
use crate::{HandlerRequest, Stay, StayingProgram};
use bytes::Bytes;
use faas_types::{Contract, OutputLimits};
use std::time::Instant;

fn file(path: &str) -> FileIn {
    FileIn { path: path.to_owned(), content: Bytes::new(), executable: false }
}

fn command(argv: &[&str], env: &[(&str, &str)]) -> Command {
    Command {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        files: Vec::new(),
        deadline: Instant::now(),
        output: OutputLimits::default(),
    }
}

fn invocation(code: &[u8], name: &str) -> Invocation {
    Invocation {
        request: None,
        stay: Stay::No,
        at_once: 1,
        contract: Contract::Script,
        program: Program { code: Bytes::copy_from_slice(code), name: name.to_owned() },
        args: Vec::new(),
        env: Vec::new(),
        files: Vec::new(),
        deadline: Instant::now(),
        output: OutputLimits::default(),
    }
}

/// The refused field's name, with the message for the reader of a failure.
fn field(result: Result<(), CallError>) -> Option<&'static str> {
    match result {
        Ok(()) => None,
        Err(CallError::Invalid { field, .. }) => Some(field),
        Err(other) => panic!("another kind of refusal: {other}"),
    }
}

#[test]
fn argv_names_a_program_and_holds_no_nul() {
    assert_eq!(field(check_command(&command(&["true"], &[]))), None);
    assert_eq!(field(check_command(&command(&["echo", "", "π"], &[]))), None);
    assert_eq!(field(check_command(&command(&[], &[]))), Some("argv"));
    assert_eq!(field(check_command(&command(&["", "a"], &[]))), Some("argv"));
    assert_eq!(field(check_command(&command(&["a\0b"], &[]))), Some("argv"));
    assert_eq!(field(check_command(&command(&["true", "a\0"], &[]))), Some("argv"));
}

#[test]
fn environment_names_are_names() {
    assert_eq!(field(check_command(&command(&["true"], &[("A", "=1="), ("_", "")]))), None);
    for name in ["", "A=B", "=", "A\0"] {
        assert_eq!(field(check_command(&command(&["true"], &[(name, "1")]))), Some("env"), "{name:?}");
    }
    let refusal = check_command(&command(&["true"], &[("TOKEN", "s3cret\0")])).unwrap_err();
    assert!(refusal.to_string().contains("TOKEN"), "{refusal}");
    assert!(!refusal.to_string().contains("s3cret"), "a value is never shown: {refusal}");
}

#[test]
fn arguments_and_environment_fit_one_frame() {
    let word = "x".repeat(MAX_ARGUMENT_BYTES - ENTRY_OVERHEAD);
    assert_eq!(field(check_command(&command(&[&word], &[]))), None);
    assert_eq!(field(check_command(&command(&[&word, ""], &[]))), Some("argv"));
    assert_eq!(field(check_command(&command(&["true"], &[("A", &word)]))), Some("env"));

    let mut many = invocation(b"1", "main.py");
    many.args = vec![String::new(); MAX_ENTRIES];
    assert_eq!(field(check_invocation(&many)), None);
    many.env = vec![("A".to_owned(), String::new()); MAX_ENTRIES];
    assert_eq!(field(check_invocation(&many)), None);
    many.env.push(("A".to_owned(), String::new()));
    assert_eq!(field(check_invocation(&many)), Some("env"));
    many.env.clear();
    many.args.push(String::new());
    assert_eq!(field(check_invocation(&many)), Some("args"));
}

#[test]
fn code_is_text_of_a_bounded_size() {
    assert_eq!(field(check_invocation(&invocation("print('π')".as_bytes(), "main.py"))), None);
    assert_eq!(field(check_invocation(&invocation(&vec![b'#'; MAX_CODE_BYTES], "main.py"))), None);
    for code in [b"".as_slice(), b"a\0b", b"\xff", &vec![b'#'; MAX_CODE_BYTES + 1]] {
        assert_eq!(field(check_invocation(&invocation(code, "main.py"))), Some("code"));
    }
}

#[test]
fn program_name_is_a_plain_file_name() {
    for name in ["main.py", "a b", "..x", "π.js", &"n".repeat(MAX_NAME_BYTES)] {
        assert_eq!(field(check_invocation(&invocation(b"1", name))), None, "{name:?}");
    }
    for name in ["", ".", "..", "a/b", "/a", "a/", "a\0", "-c", &"n".repeat(MAX_NAME_BYTES + 1)] {
        assert_eq!(field(check_invocation(&invocation(b"1", name))), Some("name"), "{name:?}");
    }
}

#[test]
fn paths_stay_beneath_the_working_directory() {
    let longest = vec!["d".repeat(MAX_NAME_BYTES); 16].join("/");
    assert_eq!(longest.len(), MAX_PATH_BYTES - 1);
    for path in ["a", "a/b/c.txt", ".hidden", "...", "..a", "a b", "-", "π", &"n".repeat(MAX_NAME_BYTES), &longest] {
        assert!(check_file(&file(path)).is_ok(), "{path:?}");
    }
    let too_long = format!("{longest}/n");
    for path in [
        "",
        ".",
        "..",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "a/./b",
        "/abs",
        "/",
        "a//b",
        "a/",
        "a\0b",
        &"n".repeat(256),
        &too_long,
    ] {
        match check_file(&file(path)) {
            Err(CallError::File { path: named, reason }) => {
                assert_eq!(named, path);
                assert!(!reason.is_empty());
            }
            other => panic!("{path:?} gave {other:?}"),
        }
    }
}

#[test]
fn each_file_has_a_path_of_its_own() {
    let check = |paths: &[&str]| {
        let mut command = command(&["true"], &[]);
        command.files = paths.iter().map(|path| file(path)).collect();
        let mut call = invocation(b"1", "main.py");
        call.files.clone_from(&command.files);
        assert_eq!(check_command(&command).is_ok(), check_invocation(&call).is_ok());
        check_command(&command)
    };
    assert!(check(&["a", "b/a", "b/c", "ab/c"]).is_ok());
    for paths in [["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"], ["a", "../b"]] {
        assert!(matches!(check(&paths), Err(CallError::File { .. })), "{paths:?}");
    }
}

#[test]
fn a_request_is_for_contracts_that_answer_and_its_entry_for_handlers() {
    let asked = |contract: Contract, entry: &str| {
        let request = crate::HandlerRequest {
            entry: entry.to_owned(),
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Bytes::new(),
        };
        field(check_invocation(&Invocation { contract, request: Some(request), ..invocation(b"1", "main.py") }))
    };
    for contract in Contract::ALL {
        let unasked = field(check_invocation(&Invocation { contract, ..invocation(b"1", "main.py") }));
        match contract.answers() {
            true => assert_eq!((asked(contract, "handle"), unasked), (None, Some("request")), "{contract}"),
            false => assert_eq!((asked(contract, "handle"), unasked), (Some("request"), None), "{contract}"),
        }
    }
    assert_eq!(asked(Contract::Handler, "main.handle"), Some("handler"));
    assert_eq!(asked(Contract::Cgi, "main.handle"), None);
}

fn handler() -> Invocation {
    let request = HandlerRequest {
        entry: "handle".to_owned(),
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    Invocation { contract: Contract::Handler, request: Some(request), ..invocation(b"x = 1", "main.py") }
}

#[test]
fn only_handlers_stay() {
    assert_eq!(field(check_invocation(&Invocation { stay: Stay::Answered, ..handler() })), None);
    let at_once = |stay, at_once| field(check_invocation(&Invocation { stay, at_once, ..handler() }));
    assert_eq!(at_once(Stay::Loaded, 100), None);
    assert_eq!(at_once(Stay::Loaded, 101), Some("at_once"));
    assert_eq!(at_once(Stay::Answered, 0), Some("at_once"));
    assert_eq!(at_once(Stay::No, 2), Some("at_once"));
    assert_eq!(at_once(Stay::Answered, 2), Some("stay"));
    let asked = |stay, at_once| field(check_shared(&Invocation { stay, at_once, ..handler() }));
    assert_eq!(asked(Stay::Answered, 2), None);
    assert_eq!(asked(Stay::Answered, 101), Some("at_once"));
    assert_eq!(asked(Stay::Loaded, 2), Some("stay"));
    assert_eq!(
        field(check_invocation(&Invocation { stay: Stay::Answered, ..invocation(b"x", "main.py") })),
        Some("stay")
    );
}

#[test]
fn a_program_that_stays_is_told_from_every_other() {
    let loaded = Invocation { files: vec![file("a")], args: vec!["b".to_owned()], ..handler() };
    let staying = StayingProgram::of(&loaded);
    let differs = |change: fn(&mut Invocation)| {
        let mut call = loaded.clone();
        change(&mut call);
        field(staying.check(&call))
    };
    assert_eq!(differs(|call| call.deadline += std::time::Duration::from_secs(1)), None);
    assert_eq!(differs(|call| call.program.code = Bytes::copy_from_slice(b"x = 1")), None);
    assert_eq!(differs(|call| call.files[0].content = Bytes::copy_from_slice(b"")), None);
    assert_eq!(differs(|call| call.contract = Contract::Script), Some("contract"));
    assert_eq!(differs(|call| call.request.as_mut().unwrap().entry.push('s')), Some("handler"));
    assert_eq!(differs(|call| call.program.code = Bytes::from_static(b"x = 2")), Some("code"));
    assert_eq!(differs(|call| call.program.name.push('s')), Some("code"));
    assert_eq!(differs(|call| call.args.clear()), Some("args"));
    assert_eq!(differs(|call| call.env.push(("A".to_owned(), String::new()))), Some("env"));
    assert_eq!(differs(|call| call.files.clear()), Some("files"));
    assert_eq!(differs(|call| call.files.push(file("b"))), Some("files"));
    assert_eq!(differs(|call| call.files[0].path.push('b')), Some("files"));
    assert_eq!(differs(|call| call.files[0].executable = true), Some("files"));
    assert_eq!(differs(|call| call.files[0].content = Bytes::from_static(b"x")), Some("files"));
}
