//! CGI programs in real sandboxes: the examples' answers, and what hostile PHP tries.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use std::io::Read as _;
use support::server::{Place, Server};
use support::{Finished, root, run};

/// Runs PHP and gives what it answered; `None`, said aloud, where there is none.
#[expect(clippy::print_stdout, reason = "what was not run must be visible in the test's output")]
fn php(arguments: &[&str]) -> Option<Finished> {
    if !std::path::Path::new("/usr/bin/php-cgi").exists() {
        println!("SKIP: there is no /usr/bin/php-cgi; install php-cgi");
        return None;
    }
    Some(run(&[&["run", "--lang", "php"], arguments].concat()))
}

fn code(code: &str) -> Option<Finished> {
    php(&["-c", &format!("<?php {code}")])
}

#[test]
fn an_answer_is_the_result_and_is_printed() {
    let Some(finished) = php(&["examples/php/hello.php", "--input", r#"{"name":"Alice"}"#]) else { return };
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "{\"message\":\"Hello, Alice!\"}\n"));
    let finished = run(&["run", "--json", "--contract", "cgi", "examples/php/info.php"]);
    let record: serde_json::Value = serde_json::from_str(&finished.stdout).expect("a record");
    assert_eq!(
        (&record["contract"], &record["language"], &record["status"]),
        (&"cgi".into(), &"php".into(), &"succeeded".into())
    );
    assert_eq!(record["result"]["runtime"], "php");
}

#[test]
fn every_language_answers_with_an_empty_environment() {
    for (language, code) in [
        ("bash", "printf 'A: b\\n\\n'; cat"),
        ("python", "import sys; print('A: b\\n'); sys.stdout.write(sys.stdin.read())"),
        ("javascript", "console.log('A: b\\n'); process.stdin.pipe(process.stdout)"),
    ] {
        let finished = run(&["run", "--lang", language, "--contract", "cgi", "--input", "[1]", "-c", code]);
        assert_eq!((finished.code, finished.stdout.trim()), (Some(0), "[1]"), "{language}: {}", finished.stderr);
    }
}

#[test]
fn what_is_no_answer_is_said_to_the_person() {
    let finished = run(&["run", "--contract", "cgi", "--lang", "bash", "-c", "echo hello"]);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""));
    assert!(finished.stderr.contains("line 1 of the answer's header is \"hello\""), "{}", finished.stderr);
}

#[test]
fn php_has_no_other_contract() {
    for contract in ["script", "handler", "argv-json"] {
        let Some(finished) = php(&["--contract", contract, "examples/php/hello.php"]) else { return };
        assert_eq!(finished.code, Some(125), "{contract}");
        assert!(finished.stderr.contains("php has no") && finished.stderr.contains("cgi"), "{}", finished.stderr);
    }
}

#[test]
fn files_are_required_from_beside_the_program() {
    let library = root().join("target/tmp").join(format!("cgi-lib-{}.php", std::process::id()));
    std::fs::create_dir_all(library.parent().expect("a directory")).expect("a directory");
    std::fs::write(&library, "<?php function lib() { return 'found'; }").expect("a file");
    let file = format!("{}:inc/lib.php", library.display());
    let finished = php(&[
        "--file",
        &file,
        "-c",
        "<?php require __DIR__ . '/inc/lib.php'; require_once 'inc/lib.php'; echo lib();",
    ]);
    std::fs::remove_file(&library).expect("ours");
    assert!(finished.is_none_or(|finished| finished.stdout == "found"));
}

#[test]
fn php_that_recurses_without_end_meets_the_memory_limit() {
    let Some(finished) = php(&["--memory", "64Mi", "-c", "<?php function f($n) { return f($n + 1) + 1; } f(0);"])
    else {
        return;
    };
    assert_eq!(finished.code, Some(128), "{}", finished.stderr);
    assert!(finished.stderr.contains("error[oom]"), "{}", finished.stderr);
}

#[test]
fn php_that_never_ends_meets_its_deadline() {
    for program in ["while (true);", "sleep(1000);", "while (true) { echo str_repeat('x', 10); }"] {
        let Some(finished) = php(&["--timeout", "1", "-c", &format!("<?php {program}")]) else { return };
        assert_eq!(finished.code, Some(128), "{program}: {}", finished.stderr);
        let limit = ["error[timeout]", "error[limit]"].iter().any(|kind| finished.stderr.contains(kind));
        assert!(limit, "{program}: {}", finished.stderr);
    }
}

#[test]
fn php_that_forks_and_starts_programs_leaves_nothing() {
    // A bomb meets the limit of processes; what the descendants still do ends with the sandbox.
    let Some(finished) = php(&[
        "--pids",
        "20",
        "-c",
        "<?php for ($i = 0; $i < 100; $i++) if (@pcntl_fork() === 0) { sleep(1000); } echo 'parent';",
    ]) else {
        return;
    };
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "parent"), "{}", finished.stderr);
    // The child comes back as a second worker on the same socket, and its end is taken for the answer's.
    let Some(finished) = code("if (pcntl_fork() === 0) exit; pcntl_wait($status); echo 'parent';") else { return };
    assert!(matches!(finished.code, Some(0 | 255)), "{finished:?}");
}

#[test]
fn php_that_ends_its_runner_ends_the_call() {
    let Some(finished) = code("posix_kill(posix_getppid(), 9);") else { return };
    assert!(finished.code.is_some_and(|code| code != 0), "{finished:?}");
}

#[test]
fn php_sees_nothing_of_the_host() {
    let probe = "echo json_encode([@file_get_contents('/etc/shadow'), @fsockopen('127.0.0.1', 22), getmyuid() !== 0 && posix_getuid() !== 0, glob('/home/*'), ini_get('open_basedir')]);";
    let Some(finished) = code(probe) else { return };
    assert_eq!(finished.stdout, "[false,false,true,[],\"\"]", "{}", finished.stderr);
}

/// The whole answer as it came.
fn ask(server: &Server, method: &str, path: &str, body: &str) -> String {
    let mut text = String::new();
    server.send(method, path, body).read_to_string(&mut text).expect("an answer");
    text
}

#[test]
fn functions_in_php_answer_http() {
    if php(&["-c", "<?php"]).is_none() {
        return;
    }
    let place = Place::new();
    let server = place.serve(&[]);
    let example = |name: &str| std::fs::read_to_string(root().join("examples/php").join(name)).expect("an example");
    for (name, code) in [
        ("hello", example("hello.php")),
        ("info", example("info.php")),
        ("failing", "<?php throw new Exception('mine');".to_owned()),
        ("lost", "<?php http_response_code(404); header('X-Request-Id: forged'); echo 'none';".to_owned()),
    ] {
        let body = serde_json::json!({"name": name, "runtime": "php", "code": code}).to_string();
        assert_eq!(server.request("POST", "/api/v1/functions", &body).0, 201, "{name}");
    }
    // Again and again: a sandbox that was used answers as a new one.
    for _ in 0..3 {
        let text = ask(&server, "POST", "/api/v1/functions/hello/http/api/hello", r#"{"name":"Alice"}"#);
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains(r#"{"message":"Hello, Alice!"}"#), "{text}");
    }
    let text = ask(&server, "GET", "/api/v1/functions/info/http/api/info?a=b", "");
    assert!(text.contains("content-type: application/json") && text.contains(r#""a": "b""#), "{text}");
    let text = ask(&server, "GET", "/api/v1/functions/failing/http/x", "");
    assert!(text.starts_with("HTTP/1.1 500 ") && text.contains("x-faas-error-kind: user_error"), "{text}");
    assert!(text.contains("Uncaught Exception: mine"), "{text}");
    let text = ask(&server, "GET", "/api/v1/functions/lost/http/x", "");
    assert!(text.starts_with("HTTP/1.1 404 ") && text.contains("none") && !text.contains("forged"), "{text}");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.finish().code, Some(0));
}
