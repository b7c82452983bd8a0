//! Where the source of a function comes from beside its JSON: an archive in a form, a module on the host.

use crate::harness::{Answer, House};
use axum::body::Body;
use axum::http::Request;
use faas_executor_api::FileIn;
use faas_executor_api::fake::FakeHost;
use faas_gateway::{ApiError, HttpLimits, ModuleSource, Modules};
use faas_types::{ByteSize, ErrorCode, Language};
use serde_json::{Value, json};
use std::sync::Arc;

const FUNCTIONS: &str = "/api/v1/functions";
const HELLO: &str = "/api/v1/functions/hello";

/// A tar archive of these files: path, permissions, content.
fn tar(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, mode, content) in files {
        let mut header = tar::Header::new_ustar();
        // The library refuses what an attacker writes.
        header.as_ustar_mut().expect("ustar").name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(*mode);
        header.set_size(u64::try_from(content.len()).expect("short"));
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        tar.append(&header, *content).expect("appended");
    }
    tar.into_inner().expect("ended")
}

/// A form of these parts, whose boundary is `XX`.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        body.extend_from_slice(format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

async fn send(house: &House, method: &str, path: &str, body: impl Into<Body>) -> Answer {
    let request =
        Request::builder().method(method).uri(path).header("content-type", "multipart/form-data; boundary=XX");
    house.ask(request.body(body.into()).expect("a request")).await
}

async fn upload(house: &House, method: &str, path: &str, function: &Value, archive: &[u8]) -> Answer {
    let function = function.to_string();
    send(house, method, path, form(&[("function", function.as_bytes()), ("source", archive)])).await
}

/// A text file as it is shown.
fn text(content: &str) -> Value {
    json!({"text": content, "executable": false})
}

#[tokio::test]
async fn an_archive_becomes_the_files_of_a_function() {
    let house = House::new().await;
    let archive =
        tar(&[("./app.py", 0o644, b"answer-echo\n"), ("./bin/tool", 0o755, b"\xff\0"), ("./lib/a.py", 0o600, b"")]);
    let function = json!({"name": "hello", "runtime": "python", "main": "app.py", "timeout": 5});
    let made = upload(&house, "POST", FUNCTIONS, &function, &archive).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, HELLO), "{}", made.text());
    let made = made.json();
    let files = json!({"app.py": text("answer-echo\n"), "bin/tool": {"base64": "/wA=", "executable": true}, "lib/a.py": text("")});
    assert_eq!((&made["files"], &made["main"], &made["timeout_ms"]), (&files, &json!("app.py"), &json!(5000)));
    let called = house.post(&format!("{HELLO}/invoke"), &json!({"input": {"a": 1}})).await;
    assert_eq!((called.status.as_u16(), &called.json()["status"]), (200, &json!("succeeded")), "{}", called.text());
}

#[tokio::test]
async fn an_archive_replaces_all_there_was_and_leaves_the_rest() {
    let house = House::new().await;
    let files = json!({"app.py": "raise\n", "old.py": "x"});
    let body = json!({"name": "hello", "files": files, "main": "app.py", "env": {"A": "1"}});
    let made = house.post(FUNCTIONS, &body).await;
    assert_eq!(made.status, 201, "{}", made.text());

    let archive = tar(&[("app.py", 0o644, b"answer-echo\n"), ("new.py", 0o644, b"y")]);
    let changed = upload(&house, "PUT", HELLO, &json!({"timeout": 7}), &archive).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let changed = changed.json();
    assert_eq!(changed["files"], json!({"app.py": text("answer-echo\n"), "new.py": text("y")}), "old.py is gone");
    assert_eq!(
        (&changed["main"], &changed["env"]),
        (&json!("app.py"), &json!({"A": "1"})),
        "what the form does not name"
    );
    assert_eq!((&changed["timeout_ms"], &changed["version"]), (&json!(7000), &json!(2)));

    let one =
        upload(&house, "PUT", HELLO, &json!({"main": "main.py"}), &tar(&[("main.py", 0o644, b"answer-echo\n")])).await;
    assert_eq!(one.json()["code"], "answer-echo\n", "one plain file is what code means: {}", one.text());
    assert_eq!(house.get("/api/v1/functions/hello@2").await.json()["files"], changed["files"], "versions never change");

    let stale = form(&[("function", b"{\"main\": \"app.py\"}"), ("source", &archive)]);
    let request = Request::put(HELLO)
        .header("content-type", "multipart/form-data; boundary=XX")
        .header("if-match", made.header("etag"));
    let stale = house.ask(request.body(Body::from(stale)).expect("a request")).await;
    assert_eq!(stale.problem(), (412, "function_changed".to_owned()));
}

#[tokio::test]
async fn a_key_makes_one_function_of_one_archive_whatever_divides_the_form() {
    let house = House::new().await;
    let send = async |content: &[u8], boundary: &str| {
        let archive = tar(&[("main.py", 0o644, content)]);
        let form = form(&[("function", b"{\"name\": \"hello\"}"), ("source", &archive)]);
        let form: Vec<u8> = String::from_utf8(form).expect("text").replace("--XX", &format!("--{boundary}")).into();
        let kind = format!("multipart/form-data; boundary={boundary}");
        let request = Request::post(FUNCTIONS).header("content-type", kind).header("idempotency-key", "one");
        house.ask(request.body(Body::from(form)).expect("a request")).await
    };
    let first = send(b"answer-echo\n", "AA").await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = send(b"answer-echo\n", "BB").await;
    assert_eq!((again.status.as_u16(), &again.json()["id"]), (201, &first.json()["id"]), "{}", again.text());
    assert_eq!(send(b"answer-other\n", "AA").await.problem(), (409, "idempotency_conflict".to_owned()));
}

#[tokio::test]
async fn rows_100_and_101_what_is_no_source_is_refused_by_the_name_of_its_entry() {
    let house = House::new().await;
    let good = tar(&[("main.py", 0o644, b"answer-echo\n")]);
    let function = json!({"name": "hello", "runtime": "python"});
    let zeros = vec![0; 17 << 20];
    for (archive, status, code, part) in [
        (tar(&[("../evil", 0o644, b"x")]), 400, "file_refused", "../evil"),
        (tar(&[("/etc/evil", 0o644, b"x")]), 400, "file_refused", "/etc/evil"),
        (tar(&[("evil", 0o4755, b"x")]), 400, "file_refused", "evil"),
        (tar(&[("evil", 0o644, b"x"), ("evil", 0o644, b"x")]), 400, "file_refused", "evil"),
        (tar(&[]), 400, "file_refused", "no file"),
        (good[..516].to_vec(), 400, "file_refused", "main.py"),
        (b"#!/bin/sh\n".to_vec(), 400, "file_refused", "no archive"),
        (tar(&[("large", 0o644, &zeros)]), 413, "code_too_large", "16Mi"),
    ] {
        let refused = upload(&house, "POST", FUNCTIONS, &function, &archive).await;
        assert_eq!(refused.problem(), (status, code.to_owned()), "{part}");
        let refused = refused.json();
        let detail = refused["detail"].as_str().expect("a text");
        assert!(refused["field"] == "source" && detail.contains(part) && detail.contains("accepted"), "{refused}");
    }
    // What is wrong with the files rather than with the archive is said as of files.
    let refused = upload(&house, "POST", FUNCTIONS, &function, &tar(&[("other.py", 0o644, b"x")])).await;
    assert_eq!((refused.problem().0, &refused.json()["field"]), (400, &json!("main")));
    for member in [json!({"code": "x"}), json!({"files": {"a": "x"}}), json!({"module": "a.py"})] {
        let mut function = function.clone();
        function.as_object_mut().expect("an object").extend(member.as_object().expect("an object").clone());
        let refused = upload(&house, "POST", FUNCTIONS, &function, &good).await;
        assert_eq!((refused.problem().0, &refused.json()["field"]), (400, &json!("source")), "{member}");
    }
    let refused = upload(&house, "POST", FUNCTIONS, &json!({"name": "hello", "nobody": 1}), &good).await;
    assert_eq!(refused.problem(), (400, "unknown_field".to_owned()));
    assert_eq!(house.get(FUNCTIONS).await.json()["items"], json!([]), "nothing was made");
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let house = House::new().await;
    let whole = form(&[("function", b"{}"), ("source", b"x")]);
    for (body, field) in [
        (whole[..whole.len() - 10].to_vec(), "body"),
        (b"no form at all".to_vec(), "body"),
        (form(&[("function", b"{}")]), "source"),
        (form(&[("source", b"x")]), "function"),
        (form(&[("function", b"{}"), ("source", b"x"), ("source", b"x")]), "source"),
        (form(&[("file", b"x")]), "file"),
    ] {
        let refused = send(&house, "POST", FUNCTIONS, body).await;
        assert_eq!((refused.problem().0, &refused.json()["field"]), (400, &json!(field)));
    }
    for kind in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=XX"] {
        let request = Request::post(FUNCTIONS).header("content-type", kind).body(Body::from(whole.clone()));
        let refused = house.ask(request.expect("a request")).await;
        assert!(matches!(refused.problem().0, 400 | 415), "{kind}: {}", refused.text());
    }
    // A page of another site can send a form without asking; no browser lets it hide where it is from.
    let request = Request::post(FUNCTIONS)
        .header("content-type", "multipart/form-data; boundary=XX")
        .header("origin", "https://evil.example")
        .body(Body::from(whole));
    let refused = house.ask(request.expect("a request")).await;
    assert_eq!(refused.problem(), (403, "origin_refused".to_owned()));
}

#[tokio::test]
async fn what_an_archive_unpacks_to_is_paid_for_with_its_body() {
    let [body_bytes, all_bodies_bytes] = [ByteSize::mib(1), ByteSize::mib(1)];
    let limits = HttpLimits { body_bytes, all_bodies_bytes, ..HttpLimits::default() };
    let house = House::with(|_| {}, limits, FakeHost::default()).await;
    let archive = tar(&[("main.py", 0o644, b"answer-echo\n"), ("data", 0o644, &vec![b'x'; 600 << 10])]);
    let refused = upload(&house, "POST", FUNCTIONS, &json!({"name": "hello"}), &archive).await;
    assert_eq!(refused.problem(), (503, "at_capacity".to_owned()), "600 KiB fit once, not twice");
    let archive = tar(&[("main.py", 0o644, b"answer-echo\n"), ("data", 0o644, &vec![b'x'; 400 << 10])]);
    for name in ["one", "two", "three"] {
        let made = upload(&house, "POST", FUNCTIONS, &json!({"name": name}), &archive).await;
        assert_eq!(made.status, 201, "what was paid came back: {}", made.text());
    }
}

/// One module that is there.
struct OneModule;

impl Modules for OneModule {
    fn read(&self, module: &str, language: Language) -> Result<ModuleSource, ApiError> {
        if module != "greet" {
            return Err(ApiError::new(ErrorCode::FileRefused, "module is not there").field("module"));
        }
        let main = language.main_file().replacen("main", "index", 1);
        let file = |path: &str| FileIn { path: path.to_owned(), content: "answer-echo\n".into(), executable: false };
        Ok(ModuleSource { files: vec![file(&main), file("other.py")], main })
    }
}

#[tokio::test]
async fn a_module_becomes_the_files_of_a_version() {
    let house = House::with_modules(Arc::new(OneModule)).await;
    let made = house.post(FUNCTIONS, &json!({"name": "hello", "runtime": "python", "module": "greet"})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!(made["files"], json!({"index.py": text("answer-echo\n"), "other.py": text("answer-echo\n")}));
    assert_eq!((&made["main"], &made["module"]), (&json!("index.py"), &Value::Null), "it is its files from now on");

    let changed = house.put(HELLO, &json!({"code": "raise\n"})).await.json();
    assert_eq!((&changed["code"], &changed["files"]), (&json!("raise\n"), &Value::Null));
    let back = house.put(HELLO, &json!({"module": "greet", "main": "other.py"})).await.json();
    assert_eq!((&back["main"], &back["files"], &back["code"]), (&json!("other.py"), &made["files"], &Value::Null));

    let refused = house.put(HELLO, &json!({"module": "nothing"})).await;
    assert_eq!((refused.problem(), &refused.json()["field"]), ((400, "file_refused".to_owned()), &json!("module")));
    assert_eq!(house.get(HELLO).await.json()["version"], 3, "nothing changed");
}

#[tokio::test]
async fn without_function_roots_a_module_is_refused() {
    let house = House::new().await;
    let refused = house.post(FUNCTIONS, &json!({"name": "hello", "module": "greet.py"})).await;
    assert_eq!(
        (refused.problem(), &refused.json()["field"]),
        ((422, "field_unsupported".to_owned()), &json!("module"))
    );
}
