//! PHP: what its programs rely on under a web server, and what hostile ones try.

mod support;

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use support::{Answered, PHP, Runner, has_php, php};

fn answer(code: &str) -> Option<Answered> {
    has_php().then(|| php(&format!("<?php\n{code}")).get("/"))
}

#[test]
fn a_program_finds_its_request_where_web_servers_put_it() {
    if !has_php() {
        return;
    }
    let mut runner = php(r#"<?php
header('Content-Type: application/json');
http_response_code(201);
echo json_encode([$_SERVER['REQUEST_METHOD'], $_SERVER['REQUEST_URI'], $_SERVER['PATH_INFO'], $_SERVER['PHP_SELF'],
    $_GET, $_POST, $_COOKIE, getallheaders()['X-Name'], $_SERVER['SCRIPT_FILENAME'] === __FILE__, getcwd() === __DIR__,
    getenv('OWN'), php_sapi_name(), $_SERVER['DOCUMENT_ROOT'] === __DIR__], JSON_UNESCAPED_SLASHES);
"#);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("x-name", "somebody"), ("cookie", "k=v")];
    let answered = runner.ask("POST", "/a/b", "c=d", &headers, b"form=field");
    assert_eq!(answered.status, Some(201), "{answered:?}");
    assert_eq!(answered.header("content-type").unwrap(), "application/json");
    assert_eq!(answered.header("x-powered-by"), None);
    assert_eq!(
        answered.text(),
        r#"["POST","/a/b?c=d","/a/b","/a/b",{"c":"d"},{"form":"field"},{"k":"v"},"somebody",true,true,"variable","cgi-fcgi",true]"#
    );
    let ended = runner.end();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn the_examples_answer() {
    if !has_php() {
        return;
    }
    let example = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/php").join(name);
        php(&fs::read_to_string(path).unwrap())
    };
    let json = [("content-type", "application/json")];
    let answered = example("hello.php").ask("POST", "/api/hello", "", &json, br#"{"name":"Alice"}"#);
    assert_eq!(answered.text(), "{\"message\":\"Hello, Alice!\"}\n");
    let answered = example("info.php").get("/api/info");
    assert!(answered.whole && answered.text().contains("\"runtime\": \"php\""), "{answered:?}");
}

#[test]
fn files_beside_the_program_are_found_either_way() {
    if !has_php() {
        return;
    }
    let code = "<?php require 'lib.php'; require_once __DIR__ . '/lib2.php'; echo lib(), lib2();";
    let files =
        [("lib.php", "<?php function lib() { return 'a'; }"), ("lib2.php", "<?php function lib2() { return 'b'; }")];
    let mut runner = Runner::start("fastcgi", PHP, "main.php", code, &files);
    assert_eq!(runner.get("/").text(), "ab");
}

#[test]
fn one_process_answers_requests_and_nothing_of_a_program_is_kept() {
    if !has_php() {
        return;
    }
    let mut runner = php(
        "<?php static $n = 0; $GLOBALS['x'] = ($GLOBALS['x'] ?? 0) + 1; echo getmypid(), ' ', ++$n, ' ', $GLOBALS['x'];",
    );
    let first = runner.get("/").text();
    assert!(first.ends_with(" 1 1"), "{first}");
    assert_eq!(runner.get("/").text(), first);
    assert_eq!(runner.get("/").text(), first);
}

#[test]
fn what_php_prints_beside_its_answer_is_the_calls() {
    if !has_php() {
        return;
    }
    let mut runner = php(
        "<?php error_log('logged'); file_put_contents('php://stdout', 'printed'); file_put_contents('php://stderr', \"wrote\\n\"); echo $undefined, 'answer';",
    );
    let answered = runner.get("/");
    assert_eq!((answered.text().as_str(), answered.whole), ("answer", true));
    let ended = runner.end();
    assert_eq!(ended.stdout, "printed");
    assert!(ended.stderr.contains("logged") && ended.stderr.contains("wrote"), "{}", ended.stderr);
    assert!(ended.stderr.contains("PHP Warning:  Undefined variable $undefined"), "{}", ended.stderr);
}

#[test]
fn what_ends_a_program_fails_the_call_and_is_not_shown_to_the_client() {
    if !has_php() {
        return;
    }
    for (code, said) in [
        ("throw new Exception('mine');", "Uncaught Exception: mine"),
        ("nothing_of_that_name();", "Call to undefined function"),
        ("echo 'a' +;", "syntax error"),
        ("trigger_error('own', E_USER_ERROR);", "own"),
        ("require 'missing.php';", "Failed opening required 'missing.php'"),
    ] {
        let mut runner = php(&format!("<?php {code}"));
        let answered = runner.get("/");
        assert!(answered.failure().contains(said), "{code}: {answered:?}");
        assert_eq!((answered.status, answered.body.len()), (None, 0), "{code}");
        let ended = runner.end();
        assert_eq!(ended.code, Some(255), "{code}");
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    let mut runner = php("<?php echo str_repeat('x', 100000); throw new Exception('mine');");
    let answered = runner.get("/");
    assert_eq!(answered.status, Some(200));
    assert!(answered.failure().contains("mine"), "{:?}", answered.failed);
}

#[test]
fn an_error_that_the_program_answers_itself_is_an_answer() {
    let Some(answered) = answer(
        "set_exception_handler(function () { http_response_code(503); echo 'mine'; }); throw new Exception('x');",
    ) else {
        return;
    };
    assert_eq!((answered.status, answered.text().as_str(), answered.whole), (Some(503), "mine", true));
}

#[test]
fn an_answer_is_sent_while_the_program_runs() {
    if !has_php() {
        return;
    }
    let mut runner = php(
        "<?php echo 'first'; ob_flush(); flush(); while (!file_exists('go')) { usleep(1000); clearstatcache(); } echo 'second';",
    );
    runner.begin("GET", "/", "", &[], b"");
    let mut answered = Answered::default();
    while answered.text() != "first" {
        runner.hear(&mut answered);
    }
    fs::write(runner.directory.0.join("go"), "").unwrap();
    while !answered.whole {
        runner.hear(&mut answered);
    }
    assert_eq!(answered.text(), "firstsecond");
}

#[test]
fn a_huge_body_in_both_directions() {
    if !has_php() {
        return;
    }
    let body: Vec<u8> = (0..=250_u8).cycle().take(5 << 20).collect();
    let mut runner = php("<?php $in = fopen('php://input', 'r'); fpassthru($in);");
    let answered = runner.ask("POST", "/", "", &[("content-type", "application/octet-stream")], &body);
    assert!(answered.whole, "{:?}", answered.failed);
    assert!(answered.body == body, "{} of {} bytes came", answered.body.len(), body.len());
    // A body nobody asks for.
    let mut runner = php("<?php echo 'unread';");
    assert_eq!(runner.ask("POST", "/", "", &[], &body).text(), "unread");
    assert_eq!(runner.get("/").text(), "unread");
}

#[test]
fn files_are_uploaded() {
    if !has_php() {
        return;
    }
    let mut runner = php("<?php echo $_FILES['f']['name'], ' ', $_FILES['f']['size'], ' ', $_POST['a'];");
    let content = vec![b'x'; 3 << 20];
    let mut body = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.txt\"\r\n\r\n".to_vec();
    body.extend_from_slice(&content);
    body.extend_from_slice(b"\r\n--B--\r\n");
    let answered = runner.ask("POST", "/", "", &[("content-type", "multipart/form-data; boundary=B")], &body);
    assert_eq!(answered.text(), format!("n.txt {} b", content.len()));
}

#[test]
fn header_injection() {
    if !has_php() {
        return;
    }
    let mut runner = php("<?php header(\"X-A: b\\r\\nSet-Cookie: c=d\"); header(\"X-B: b\\0c\"); echo 'body';");
    let answered = runner.get("/");
    assert!(answered.whole, "{answered:?}");
    assert_eq!(answered.header("set-cookie"), None);
    assert!(runner.end().stderr.contains("Header may not contain"));
}

#[test]
fn a_header_of_ten_megabytes() {
    if !has_php() {
        return;
    }
    let mut runner =
        php("<?php if ($_SERVER['PATH_INFO'] === '/long') header('X-A: ' . str_repeat('x', 10000000)); echo 'body';");
    assert!(runner.get("/long").failure().contains("above 98304 bytes"));
    assert_eq!(runner.get("/").text(), "body", "the next request");
}

#[test]
fn a_redirect_is_the_clients() {
    let Some(answered) = answer("header('Location: /elsewhere');") else { return };
    assert_eq!((answered.status, answered.header("location").as_deref()), (Some(302), Some("/elsewhere")));
}

#[test]
fn a_program_that_ends_its_process() {
    if !has_php() {
        return;
    }
    let mut runner = php("<?php if ($_SERVER['PATH_INFO'] === '/kill') posix_kill(getmypid(), 9); echo getmypid();");
    let before = runner.get("/").text();
    let killed = runner.get("/kill");
    assert!(killed.failure().contains("was ended by signal 9"), "{killed:?}");
    let after = runner.get("/");
    assert!(after.whole, "{after:?}");
    assert_ne!(after.text(), before);
    runner.get("/kill");
    assert_eq!(runner.end().code, Some(137));
}

#[test]
fn exit_inside_is_the_end_of_the_answer() {
    for code in
        ["echo 'all'; exit(3);", "echo 'all'; exit();", "register_shutdown_function(fn() => print('all')); exit;"]
    {
        let Some(answered) = answer(code) else { return };
        assert_eq!((answered.whole, answered.text().as_str()), (true, "all"), "{code}: {answered:?}");
    }
}

#[test]
fn output_after_close() {
    let code = "while (ob_get_level()) ob_end_clean(); header('Content-Length: 3'); echo 'abc'; flush(); echo str_repeat('x', 100000);";
    let Some(answered) = answer(code) else { return };
    // What the header says is not believed anywhere; the body is what came.
    assert_eq!((answered.whole, answered.body.len()), (true, 100_003));
}

#[test]
fn forks_and_programs_it_starts() {
    if !has_php() {
        return;
    }
    let mut runner = php(
        "<?php if (pcntl_fork() === 0) { echo 'never'; posix_kill(getmypid(), 9); } pcntl_wait($status); echo 'parent ', trim(shell_exec('echo ran'));",
    );
    let answered = runner.get("/");
    assert_eq!((answered.whole, answered.text().as_str()), (true, "parent ran"), "{answered:?}");
    // What goes on in the background is not waited for.
    let mut runner = php("<?php exec('sleep 1000 >/dev/null 2>&1 & echo $!', $out); echo $out[0];");
    let answered = runner.get("/");
    assert!(answered.whole, "{answered:?}");
    let pid = Pid::from_raw(answered.text().parse().unwrap()).unwrap();
    assert_eq!(runner.end().code, Some(0));
    // In a sandbox it ends with everything else; here it is ours to end.
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_header_too_long_for_fastcgi_is_refused_as_such() {
    if !has_php() {
        return;
    }
    let long = "x".repeat(70_000);
    let mut runner = php("<?php echo strlen($_SERVER['HTTP_X_LONG'] ?? '');");
    assert_eq!(runner.ask("GET", "/", "", &[("x-long", &long)], b"").status, Some(431));
    assert_eq!(runner.ask("GET", "/", "", &[("x-long", &long[..60_000])], b"").text(), "60000");
}

#[test]
fn the_proxy_header() {
    if !has_php() {
        return;
    }
    let mut runner = php("<?php echo json_encode([getenv('HTTP_PROXY'), $_SERVER['HTTP_PROXY'] ?? null]);");
    let answered = runner.ask("GET", "/", "", &[("Proxy", "http://evil.example")], b"");
    assert_eq!(answered.text(), "[false,null]");
}

#[test]
fn a_display_of_errors_the_program_asks_for() {
    if !has_php() {
        return;
    }
    let answered = php("<?php ini_set('display_errors', '1'); echo $undefined, 'rest';").get("/");
    assert!(answered.text().contains("Undefined variable"), "{answered:?}");
}
