//! Executables: what they are told, what they may answer, and what hostile ones try.

mod support;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs;
use support::{Answered, Runner, bash};

const PLAIN: &str = "printf 'Content-Type: text/plain\\n\\n'\n";

fn answer(code: &str) -> Answered {
    bash(&format!("{PLAIN}{code}")).get("/")
}

#[test]
fn a_program_is_told_its_request_and_answers() {
    let mut runner = bash(
        r#"printf 'Status: 201 Made\r\nX-Asked: %s\r\n\r\n' "$REQUEST_METHOD $PATH_INFO?$QUERY_STRING $HTTP_X_NAME $CONTENT_LENGTH $CONTENT_TYPE $OWN $1"
exec cat"#,
    );
    let headers = [("x-name", "somebody"), ("content-type", "text/plain")];
    let answered = runner.ask("PUT", "/a/b", "c=d", &headers, b"\0\xff body");
    assert_eq!(answered.status, Some(201));
    assert_eq!(answered.header("x-asked").unwrap(), "PUT /a/b?c=d somebody 7 text/plain variable first");
    assert_eq!(answered.body, b"\0\xff body");
    let ended = runner.end();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn one_runner_answers_one_request_after_the_other_and_nothing_is_kept() {
    let mut runner = bash(&format!("{PLAIN}echo \"$PATH_INFO ${{kept:-nothing}}\"; kept=something"));
    for path in ["/a", "/b", "/c"] {
        let answered = runner.get(path);
        assert!(answered.whole, "{answered:?}");
        assert_eq!(answered.text(), format!("{path} nothing\n"));
    }
    assert_eq!(runner.end().code, Some(0));
}

#[test]
fn files_beside_the_program_are_found() {
    let code = format!("{PLAIN}. ./lib.sh; echo \"$lib\"");
    let mut runner = Runner::start("program", "/usr/bin/bash", "main.sh", &code, &[("lib.sh", "lib=found\n")]);
    assert_eq!(runner.get("/").text(), "found\n");
    let mut runner = Runner::start(
        "program",
        "/usr/bin/python3",
        "main.py",
        "import lib\nprint('A: b\\n\\n' + lib.NAME)",
        &[("lib.py", "NAME = 'found'\n")],
    );
    assert_eq!(runner.get("/").text(), "found\n");
}

#[test]
fn a_file_of_the_programs_name_is_refused_unless_it_is_the_program() {
    let code = format!("{PLAIN}echo same");
    let mut runner = Runner::start("program", "/usr/bin/bash", "main.sh", &code, &[("main.sh", &code)]);
    assert_eq!(runner.get("/").text(), "same\n");
    let ended = Runner::start("program", "/usr/bin/bash", "main.sh", &code, &[("main.sh", "other")]).end();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("main.sh"), "{}", ended.stderr);
}

#[test]
fn a_first_line_names_the_interpreter() {
    let code = "#!/usr/bin/env python3\nprint('A: b\\n\\npython')";
    let mut runner = Runner::start("program", "/usr/bin/bash", "tool", code, &[]);
    assert_eq!(runner.get("/").text(), "python\n");
    let mut runner = Runner::start("program", "/usr/bin/bash", "tool", "#!/no/such/interpreter\n", &[]);
    assert!(runner.get("/").failure().contains("cannot be started"));
    assert_eq!(runner.end().code, Some(126));
}

#[test]
fn the_program_is_executable_only_if_it_says_by_what() {
    use std::os::unix::fs::PermissionsExt as _;
    for (code, mode) in [("#!/usr/bin/bash\n", 0o755), ("true\n", 0o644)] {
        let mut runner = bash(code);
        runner.get("/");
        assert_eq!(fs::metadata(runner.directory.0.join("main.sh")).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn a_program_that_fails_is_said_to_have() {
    let mut runner = bash("echo trouble >&2; exit 3");
    assert_eq!(runner.get("/").failure(), "the program ended with exit code 3");
    let ended = runner.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(3), "trouble\n"));
    // The head and what was said of the body are out already.
    let mut runner = bash(&format!("{PLAIN}echo half; exit 4"));
    let answered = runner.get("/");
    assert_eq!((answered.status, answered.text().as_str()), (Some(200), "half\n"));
    assert_eq!(answered.failure(), "the program ended with exit code 4");
    assert_eq!(runner.end().code, Some(4));
    let mut runner = bash("kill -9 $$");
    assert_eq!(runner.get("/").failure(), "the program was ended by signal 9");
    assert_eq!(runner.end().code, Some(137));
}

#[test]
fn no_header_at_all() {
    for (code, said) in [
        ("true", "before the empty line"),
        ("echo hello world", "hello world"),
        ("echo; echo body", "empty line"),
        ("printf 'Content-Type: text/plain\\n'", "before the empty line"),
        ("printf '\\0\\0\\0\\n'", "line 1"),
    ] {
        let mut runner = bash(code);
        let answered = runner.get("/");
        assert!(answered.failure().contains(said), "{code}: {answered:?}");
        assert_eq!(answered.status, None, "{code}");
        let ended = runner.end();
        assert_eq!(ended.code, Some(1), "{code}");
        assert!(ended.stderr.starts_with("cgi: ") && ended.stderr.contains(said), "{code}: {}", ended.stderr);
    }
}

#[test]
fn a_header_of_ten_megabytes() {
    let mut runner = bash("printf 'X-Long: '; head -c 10000000 /dev/zero | tr '\\0' x; printf '\\n\\n'");
    assert!(runner.get("/").failure().contains("above 98304 bytes"));
}

#[test]
fn an_endless_header() {
    for code in ["yes 'X-Name: value'", "yes | tr -d '\\n'"] {
        let mut runner = bash(&format!("exec 2>/dev/null\n{code}"));
        let failed = runner.get("/").failure().to_owned();
        assert!(failed.contains("header"), "{code}: {failed}");
        // It was ended, and the runner goes on.
        assert!(runner.get("/").failed.is_some());
    }
}

#[test]
fn an_endless_line_that_is_no_header() {
    let mut runner = bash("exec yes");
    assert!(runner.get("/").failure().contains("line 1"));
    assert_eq!(runner.end().code, Some(1));
}

#[test]
fn header_injection() {
    let mut runner = bash("printf 'X-A: b\\rSet-Cookie: c=d\\n\\nbody'");
    assert!(runner.get("/").failure().contains("X-A"));
}

#[test]
fn a_huge_body_in_both_directions() {
    let body: Vec<u8> = (0..=250_u8).cycle().take(5 << 20).collect();
    let mut runner = bash(&format!("{PLAIN}exec cat"));
    let answered = runner.ask("POST", "/", "", &[], &body);
    assert!(answered.whole);
    assert!(answered.body == body, "{} of {} bytes came", answered.body.len(), body.len());
}

#[test]
fn an_answer_longer_than_its_credit_before_the_body_is_read() {
    let body = vec![b'x'; 3 << 20];
    let mut runner = bash(&format!("{PLAIN}head -c 3000000 /dev/zero; wc -c"));
    let answered = runner.ask("POST", "/", "", &[], &body);
    assert!(answered.whole, "{:?}", answered.failed);
    assert_eq!(answered.body.get(3_000_000..), Some(format!("{}\n", body.len()).as_bytes()));
}

#[test]
fn a_body_that_is_closed_early() {
    let body = vec![b'x'; 3 << 20];
    for code in ["exec 0<&-; echo closed", "head -c 1 >/dev/null; exec 0<&-; echo closed", "echo closed"] {
        let mut runner = bash(&format!("{PLAIN}{code}"));
        let answered = runner.ask("POST", "/", "", &[], &body);
        assert!(answered.whole, "{code}: {:?}", answered.failed);
        assert_eq!(answered.text(), "closed\n");
        assert!(runner.get("/").whole, "the next request");
    }
}

#[test]
fn the_proxy_header() {
    let mut runner = bash(&format!("{PLAIN}env"));
    let answered = runner.ask("GET", "/", "", &[("Proxy", "http://evil.example"), ("x-seen", "yes")], b"");
    assert!(answered.text().contains("HTTP_X_SEEN=yes"), "{}", answered.text());
    assert!(!answered.text().to_ascii_lowercase().contains("evil"), "{}", answered.text());
}

#[test]
fn a_nul_that_no_variable_can_hold() {
    let mut runner = bash(&format!("{PLAIN}echo never"));
    for (path, query) in [("/a%00b", ""), ("/", "a\0b")] {
        let answered = runner.ask("GET", path, query, &[], b"body");
        assert_eq!((answered.status, answered.whole, answered.text().as_str()), (Some(400), true, ""));
    }
    assert!(runner.get("/").whole);
}

#[test]
fn output_after_the_end_by_a_descendant() {
    let code = "(exec 3>&1; trap '' HUP; while :; do sleep 0.01; echo more >&3; done) 2>/dev/null & echo $!\n";
    let mut runner = bash(&format!("{PLAIN}{code}"));
    let answered = runner.get("/");
    assert!(answered.whole, "{:?}", answered.failed);
    let pid = answered.text().lines().next().unwrap().to_owned();
    // A descendant keeps the pipe, and nobody waits for it. Its next words end it: nobody reads them.
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    let descendant = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
    assert_eq!(runner.end().code, Some(0));
    if let Ok(descendant) = descendant {
        let mut ended = [PollFd::new(&descendant, PollFlags::IN)];
        assert_eq!(poll(&mut ended, Some(&Timespec { tv_sec: 60, tv_nsec: 0 })), Ok(1), "{pid:?} lives");
    }
}

#[test]
fn output_closed_before_the_end() {
    let answered = answer("echo all; exec 1>&-; cat >/dev/null");
    assert_eq!((answered.whole, answered.text().as_str()), (true, "all\n"));
    let answered = answer("exec 1>&-; exit 7");
    assert_eq!(answered.failure(), "the program ended with exit code 7");
}

#[test]
fn the_call_socket_is_not_in_a_programs_reach() {
    let answered = answer("ls -l /proc/self/fd | grep -c socket");
    assert_eq!(answered.text(), "0\n");
}

#[test]
fn a_host_that_goes_away_ends_the_program() {
    let mut runner = bash(&format!("{PLAIN}echo $$; exec sleep 1000"));
    runner.begin("GET", "/", "", &[], b"");
    let mut answered = Answered::default();
    while answered.body.is_empty() {
        runner.hear(&mut answered);
    }
    let pid = answered.text().trim().to_owned();
    assert_eq!(runner.end().code, Some(0));
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "{pid} lives");
}
