//! The command line for functions, from `faas new` to `faas functions rm`, against a real server.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use support::server::{Place, Server};
use support::{Finished, assert_refused, root, run};
use tempfile::TempDir;

/// A folder of the test's own and its path as text.
fn folder() -> (TempDir, String) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_str().expect("text").to_owned();
    (folder, path)
}

fn new(directory: &str, name: &str, options: &[&str]) -> PathBuf {
    let made = run(&[&["new", name, "--dir", directory], options].concat());
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
    assert!(made.stdout.contains(&format!("next: faas deploy {directory}/{name}\n")), "{made:?}");
    Path::new(directory).join(name)
}

fn good(server: &Server, arguments: &[&str]) -> Finished {
    let finished = server.run(arguments);
    assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
    finished
}

fn json_of(server: &Server, arguments: &[&str]) -> Value {
    let finished = good(server, arguments);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("no JSON: {finished:?}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn edit(file: &Path, from: &str, to: &str) {
    let before = fs::read_to_string(file).expect("readable");
    assert!(before.contains(from), "{before}");
    fs::write(file, before.replace(from, to)).expect("written");
}

#[test]
fn what_is_new_deploys_answers_changes_and_rolls_back() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (_kept, directory) = folder();
    let hello = new(&directory, "hello", &[]);
    let hello_path = text(&hello);
    let made = good(&server, &["deploy", hello_path]);
    assert_eq!(made.stdout, "hello: made; version 1 is live\n  main.py: added\n");
    let invoked = good(&server, &["invoke", "hello", "--data", "{\"name\":\"World\"}"]);
    assert_eq!(
        (invoked.stdout.as_str(), invoked.stderr.as_str()),
        ("{\"message\":\"Hello, World!\"}\n", "called by World\n")
    );

    let again = good(&server, &["deploy", hello_path]);
    assert_eq!(again.stdout, "hello: nothing changed; version 1 is live\n");
    edit(&hello.join("main.py"), "Hello", "Hi");
    edit(&hello.join("faas.yaml"), "# timeout: 30s", "timeout: 5s");
    fs::write(hello.join("data.bin"), [0xff, 0]).expect("written");
    let changes = "  timeout_ms: 30000 -> 5000\n  data.bin: added\n  main.py: changed\n    \
                   -    return {\"message\": f\"Hello, {name}!\"}\n    +    return {\"message\": f\"Hi, {name}!\"}\n";
    let dry = good(&server, &["deploy", hello_path, "--dry-run"]);
    assert_eq!(dry.stdout, format!("hello: version 2 would be live\n{changes}"));
    let changed = good(&server, &["deploy", hello_path]);
    assert_eq!(changed.stdout, format!("hello: version 2 is live\n{changes}"));
    fs::remove_file(hello.join("data.bin")).expect("there");
    edit(&hello.join("faas.yaml"), "timeout: 5s", "# timeout: 30s");
    let removed = json_of(&server, &["deploy", hello_path, "--json"]);
    let setting = json!({"kind": "setting", "key": "timeout_ms", "old": 5000, "new": 30000});
    let file = json!({"kind": "file", "path": "data.bin", "change": "removed"});
    let report = json!({"name": "hello", "version": 3, "created": false, "changed": true, "dry_run": false,
                        "changes": [setting, file]});
    assert_eq!(removed, report);
    assert!(json_of(&server, &["deploy", hello_path, "--json"])["changed"] == false);

    let back = good(&server, &["functions", "rollback", "hello", "1"]);
    assert_eq!(back.stdout, "hello: version 1 is live\n");
    assert_eq!(good(&server, &["invoke", "hello"]).stdout, "{\"message\":\"Hello, World!\"}\n");
    assert_eq!(good(&server, &["invoke", "hello@2"]).stdout, "{\"message\":\"Hi, World!\"}\n");
    let alias = good(&server, &["functions", "alias", "set", "hello", "next", "2"]);
    assert_eq!(alias.stdout, "ALIAS  VERSION\nnext   2\n");
    assert_eq!(good(&server, &["invoke", "hello@next"]).stdout, "{\"message\":\"Hi, World!\"}\n");
    assert_eq!(json_of(&server, &["functions", "get", "hello@2", "--json"])["timeout_ms"], 5000);
    let versions = good(&server, &["functions", "versions", "hello"]).stdout;
    assert_eq!(versions.lines().count(), 4, "{versions}");
    assert!(versions.lines().nth(2).is_some_and(|line| line.starts_with("2              next")), "{versions}");
    let listed = good(&server, &["functions", "ls"]).stdout;
    assert!(listed.lines().nth(1).is_some_and(|line| line.starts_with("hello  1     3       python")), "{listed}");
    let none = json_of(&server, &["functions", "alias", "rm", "hello", "next", "--json"]);
    assert_eq!(none, json!({"aliases": {}}));

    // Nobody is there to be asked.
    assert_refused(&server.run(&["functions", "rm", "hello"]), "invalid_field", &["--yes"]);
    assert_eq!(good(&server, &["functions", "rm", "hello", "--yes"]).stdout, "hello: deleted\n");
    assert_refused(&server.run(&["invoke", "hello"]), "function_not_found", &["hello", "faas deploy"]);
}

#[test]
fn every_template_deploys_and_answers() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (_kept, directory) = folder();
    let message = "{\"message\":\"Hello, you!\"}\n";
    for (language, contract, answer) in [
        ("python", "handler", message),
        ("python", "argv-json", message),
        ("python", "script", "Hello, you!\n"),
        ("python", "command", "Hello, you!\n"),
        ("javascript", "handler", message),
        ("javascript", "argv-json", message),
        ("javascript", "script", "Hello, you!\n"),
        ("javascript", "command", "Hello, you!\n"),
        ("bash", "script", "Hello! You sent {\"name\":\"you\"}\n"),
        ("bash", "command", "Hello! You sent {\"name\":\"you\"}\n"),
        ("python", "cgi", message),
        ("javascript", "cgi", message),
        ("bash", "cgi", "Hello! You sent {\"name\":\"you\"} to /\n"),
        ("php", "cgi", message),
        ("bash", "argv-json", "{\"message\":\"Hello!\",\"you_sent\":{\"name\":\"you\"}}\n"),
    ] {
        let name = format!("{language}-{contract}");
        let made = new(&directory, &name, &["--lang", language, "--contract", contract]);
        good(&server, &["deploy", text(&made)]);
        let invoked = good(&server, &["invoke", &name, "--data", "{\"name\":\"you\"}"]);
        assert_eq!(invoked.stdout, answer, "{name}: {invoked:?}");
        let bare = server.run(&["invoke", &name]);
        assert_eq!(bare.code, Some(0), "{name} without data: {bare:?}");
        assert!(json_of(&server, &["deploy", text(&made), "--json"])["changed"] == false, "{name}");
    }
    let refused = run(&["new", "x", "--dir", &directory, "--lang", "bash", "--contract", "handler"]);
    assert_refused(&refused, "invalid_field", &["--contract handler", "script, command, argv-json, cgi"]);
}

#[test]
fn the_examples_deploy_and_answer() {
    let place = Place::new();
    let server = place.serve(&[]);
    let examples = root().join("examples/functions");
    good(&server, &["deploy", text(&examples.join("python"))]);
    let invoked = good(&server, &["invoke", "wordcount", "-d", "{\"text\":\"a b a c d b a\"}"]);
    assert_eq!(invoked.stdout, "{\"words\":{\"a\":3,\"b\":2,\"c\":1}}\n", "{invoked:?}");
    good(&server, &["deploy", text(&examples.join("javascript"))]);
    let path = ["--path", "/any?name=you", "--header", "accept-language: de"];
    let asked = good(&server, &[&["invoke", "greeter", "-i"][..], &path].concat());
    let (head, body) = asked.stdout.split_once("\n\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\n") && head.contains("\nx-language: de\n"), "{asked:?}");
    assert_eq!((body, asked.stderr.as_str()), ("Hallo, you!\n", ""));
}

#[test]
fn a_call_takes_its_input_from_everywhere_and_says_how_it_went() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (_kept, directory) = folder();
    let file = Path::new(&directory).join("echo.py");
    let code = "import sys\ndef handle(request):\n    print('seen')\n    print('wrong', file=sys.stderr)\n    \
                if request.body == b'fail':\n        raise ValueError('mine')\n    \
                return request.body.upper(), 201, {'x-method': request.method, 'x-path': request.path}\n";
    fs::write(&file, code).expect("written");
    let made = good(&server, &["deploy", text(&file)]);
    assert_eq!(made.stdout, "echo: made; version 1 is live\n  echo.py: added\n");
    let named = good(&server, &["deploy", text(&file), "--name", "other"]);
    assert!(named.stdout.starts_with("other: made"), "{named:?}");

    let data = Path::new(&directory).join("data.json");
    fs::write(&data, "{\"a\": 1}").expect("written");
    assert_eq!(good(&server, &["invoke", "echo", "--data", &format!("@{}", text(&data))]).stdout, "{\"A\":1}");
    assert_eq!(good(&server, &["invoke", "echo", "--file", text(&data)]).stdout, "{\"A\": 1}");
    let mut command = server.command(&["invoke", "echo", "--stdin", "--trace"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(b"words").expect("written");
    let finished = support::finish(child);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "WORDS"), "{finished:?}");
    for part in ["seen\n", "wrong\n", "trace: exe_", "echo@1: start ", "queued ", "run ", "total "] {
        assert!(finished.stderr.contains(part), "{part:?} is missing: {finished:?}");
    }
    fs::write(&data, "fail").expect("written");
    let failed = server.run(&["invoke", "echo", "--file", text(&data)]);
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    assert!(failed.stderr.contains("error[user_error]: ") && failed.stderr.contains("Traceback"), "{failed:?}");

    let record = json_of(&server, &["invoke", "echo", "-d", "1", "--json"]);
    assert_eq!((&record["result"], &record["function"]), (&json!("1"), &json!("echo")));
    let once = ["invoke", "echo", "-d", "1", "--json", "--idempotency-key", "once"];
    assert_eq!(json_of(&server, &once)["id"], json_of(&server, &once)["id"]);
    let detached = good(&server, &["invoke", "echo", "-d", "2", "--async"]);
    let waited = json_of(&server, &["executions", "wait", detached.stdout.trim(), "--json"]);
    assert_eq!(waited["result"], json!("2"));

    let asked = good(&server, &["invoke", "echo", "-i", "--method", "PATCH", "--path", "/a/b", "-d", "\"x\""]);
    for part in ["HTTP/1.1 201 Created\n", "x-method: PATCH\n", "x-path: /a/b\n", "\n\n\"X\""] {
        assert!(asked.stdout.contains(part), "{part:?} is missing: {asked:?}");
    }
    let failed = server.run(&["invoke", "echo", "--method", "POST", "--file", text(&data)]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stdout.contains("\"error_kind\":\"user_error\""), "{failed:?}");
}

#[test]
fn logs_are_printed_oldest_first() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (_kept, directory) = folder();
    let file = Path::new(&directory).join("says.py");
    fs::write(&file, "def handle(request):\n    print(request.get_text())\n").expect("written");
    good(&server, &["deploy", text(&file)]);
    for word in ["1", "2", "3"] {
        good(&server, &["invoke", "says", "-d", word]);
    }
    let all = good(&server, &["logs", "says"]);
    assert_eq!(all.stdout, "1\n2\n3\n", "{all:?}");
    assert_eq!(all.stderr.matches("says@1 succeeded in ").count(), 3, "{all:?}");
    assert_eq!(good(&server, &["logs", "says", "-n", "1"]).stdout, "3\n");
    assert_refused(&server.run(&["logs", "nobody"]), "function_not_found", &["nobody"]);
}

#[test]
fn a_handler_that_runs_without_a_server_prints_its_result() {
    let code = "def handle(request):\n    print('log')\n    return {'hello': request.get_json()['name']}\n";
    let finished = run(&["run", "--contract", "handler", "--input", "{\"name\":\"World\"}", "-c", code]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "log\n{\"hello\":\"World\"}\n"), "{finished:?}");
    let finished = run(&["run", "--contract", "handler", "-c", "def handle(request): return 'as it is'"]);
    assert_eq!(finished.stdout, "as it is", "{finished:?}");
}

#[test]
fn mistakes_are_named_with_their_place_and_the_next_step() {
    let (_kept, directory) = folder();
    let at = |name: &str, text: &str| {
        let path = Path::new(&directory).join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    };
    assert_refused(&run(&["deploy", &directory]), "program_unreadable", &["faas.yaml does not exist", "faas new NAME"]);
    assert_refused(&run(&["deploy", "no-such-place"]), "program_unreadable", &["no-such-place", "faas new NAME"]);
    at("main.py", "def handle(request): return 1\n");
    at("faas.yaml", "name: hello\nruntiem: python\n");
    assert_refused(&run(&["deploy", &directory]), "config_invalid", &["faas.yaml line 2", "runtiem", "\"runtime\"?"]);
    at("faas.yaml", "name: hello\ntimeout: soon\n");
    assert_refused(&run(&["deploy", &directory]), "config_invalid", &["faas.yaml line 2", "timeout", "accepted"]);
    at("faas.yaml", &format!("name: hello\n# {}\n", "x".repeat(10_000_000)));
    assert_refused(&run(&["deploy", &directory]), "file_refused", &["faas.yaml", "262144"]);
    let huge = format!("name: hello\nenv: {}{}\n", "[".repeat(50_000), "]".repeat(50_000));
    at("faas.yaml", &huge);
    assert_refused(&run(&["deploy", &directory]), "config_invalid", &["line 2", "limit"]);

    at("faas.yaml", "name: hello\n");
    let unanswered = ["--server", "http://127.0.0.1:1"];
    let nobody = run(&[&["deploy", &directory][..], &unanswered].concat());
    assert_refused(&nobody, "server_unreachable", &["127.0.0.1:1", "faas serve"]);
    let wrong = run(&["invoke", "hello", "--data", "{\"name\": World}"]);
    assert_refused(&wrong, "invalid_json", &["--data", "line 1 column 10", "single quotes"]);
    let missing = run(&["invoke", "hello", "--data", "@no-such-file"]);
    assert_refused(&missing, "file_refused", &["no-such-file"]);
    let header = [&["invoke", "hello", "--header", "secret"][..], &unanswered].concat();
    assert_refused(&run(&header), "invalid_field", &["--header", "NAME: VALUE"]);
    assert_eq!(run(&["invoke", "hello", "--data", "1", "--stdin"]).code, Some(125));

    let taken = Path::new(&directory).join("taken");
    fs::create_dir(&taken).expect("made");
    let refused = run(&["new", "taken", "--dir", &directory]);
    assert_refused(&refused, "file_refused", &["taken", "nothing is written over"]);
    assert_eq!(fs::read_dir(&taken).expect("readable").count(), 0);
    for name in ["../up", "live", "a b", ""] {
        assert_refused(&run(&["new", name, "--dir", &directory]), "invalid_field", &["NAME"]);
    }
    assert_refused(&run(&["new", "a", "--lang", "cobol"]), "unknown_language", &["--lang", "python"]);
    std::os::unix::fs::symlink("/etc/passwd", Path::new(&directory).join("passwd")).expect("a link");
    assert_refused(&run(&["deploy", &directory]), "file_refused", &["passwd", "leads out", ".faasignore"]);
}

#[test]
fn what_the_server_refuses_is_said_and_leaves_the_live_version() {
    let place = Place::new();
    let server = place.serve(&[]);
    let (_kept, directory) = folder();
    let hello = new(&directory, "hello", &[]);
    good(&server, &["deploy", text(&hello)]);
    edit(&hello.join("faas.yaml"), "runtime: python", "runtime: python2.7");
    assert_refused(&server.run(&["deploy", text(&hello)]), "runtime_missing", &["python2.7"]);
    edit(&hello.join("faas.yaml"), "python2.7", "python");
    fs::write(hello.join("main.py"), b"print('\xff')").expect("written");
    assert_refused(&server.run(&["deploy", text(&hello)]), "not_text", &["UTF-8"]);
    assert_eq!(json_of(&server, &["functions", "get", "hello", "--json"])["newest"], 1);
    assert_eq!(good(&server, &["invoke", "hello"]).stdout, "{\"message\":\"Hello, World!\"}\n");
    // Asked through HTTP, a function that is missing is a refusal, not an answer.
    assert_refused(&server.run(&["invoke", "nobody", "-i"]), "function_not_found", &["nobody"]);
}

/// A server that shows one function and says that it was changed when it is to be changed; what it was sent.
fn changed_in_between() -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let id = "01890000000070008000000000000000";
    let at = "2026-01-01T00:00:00Z";
    let function = json!({"id": format!("fn_{id}"), "name": "hello", "version": 4, "version_id": format!("ver_{id}"),
                          "live": 4, "newest": 4, "etag": "9", "aliases": {}, "created_at": at, "updated_at": at,
                          "deployed_at": at, "runtime": "python", "code": "old"});
    let limits = json!({"http": {}, "execution": {}, "defaults": {}, "platform": {}});
    let problem = json!({"type": "t", "title": "t", "status": 412, "detail": "hello has changed",
                         "code": "function_changed", "error": "e"});
    let answers = [("200 OK", function), ("200 OK", limits), ("412 Precondition Failed", problem)];
    let server = std::thread::spawn(move || {
        let answer = |(status, body): (&str, Value)| {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(support::BOUND)).expect("a bound");
            let (mut request, mut buffer) = (String::new(), [0; 4096]);
            while !request.contains("\r\n\r\n") || (request.starts_with("PUT") && !request.ends_with('}')) {
                let length = stream.read(&mut buffer).expect("readable");
                assert!(length > 0, "it ends early: {request}");
                request.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
            let body = body.to_string();
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all((head + &body).as_bytes()).expect("written");
            request
        };
        answers.into_iter().map(answer).collect()
    });
    (address, server)
}

#[test]
fn a_deployment_in_between_is_noticed() {
    let (address, server) = changed_in_between();
    let (_kept, directory) = folder();
    let hello = new(&directory, "hello", &[]);
    let refused = run(&["deploy", text(&hello), "--server", &address]);
    assert_refused(&refused, "function_changed", &["hello has changed", "deploy again"]);
    let requests = server.join().expect("served");
    let put = requests[2].to_ascii_lowercase();
    assert!(put.starts_with("put ") && put.contains("if-match: \"9\"\r\n"), "what was seen is what is changed: {put}");
}
