//! The programs of `ShellGuest` do what the suite takes them to do, without a sandbox around them.
//! Those that leave something running behind are only for sandboxes and not tried here.

use faas_executor_api::conformance::{Guest, ScriptTask, ShellGuest};
use faas_types::Language;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(directory: &Path, argv: &[String], stdin: &[u8]) -> io::Result<Output> {
    let mut child = Command::new(&argv[0])
        .args(&argv[1..])
        .env_clear()
        .env("ONLY", "this one")
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        match pipe.write_all(stdin) {
            // Most of them read nothing.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    child.wait_with_output()
}

#[test]
fn programs_do_what_the_suite_takes_them_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let guest = ShellGuest::default();
    let run = |argv: Vec<String>| run(directory.path(), &argv, b"in\0\xff").expect("the program runs");

    let printed = run(guest.print(b"a\0\xff\\x41%s", b"e\n", 42));
    assert_eq!(
        (printed.stdout.as_slice(), printed.stderr.as_slice()),
        (b"a\0\xff\\x41%s".as_slice(), b"e\n".as_slice())
    );
    assert_eq!(printed.status.code(), Some(42));

    let steps = run(guest.print_in_steps(3));
    assert_eq!((steps.stdout.as_slice(), steps.stderr.as_slice()), (b"0\n1\n2\n".as_slice(), b"0\n1\n2\n".as_slice()));

    let flood = run(guest.flood(600_000, 7));
    assert_eq!(flood.stdout, (0..=250_u8).cycle().take(600_000).collect::<Vec<_>>());
    assert_eq!(flood.status.code(), Some(7));

    assert_eq!(run(guest.print_environment()).stdout, b"ONLY=this one\n");
    assert_eq!(run(guest.echo_stdin()).stdout, b"in\0\xff");
    assert_eq!(run(guest.allocate(1 << 20)).stdout, b"allocated\n");
    assert_eq!(run(guest.fork_many(3)).stdout, b"3\n");
    assert_eq!(run(guest.kill_self(9)).status.signal(), Some(9));
    assert_eq!(run(guest.kill_self(15)).status.signal(), Some(15));
    assert_eq!(run(guest.bare_program()).status.code(), Some(0));

    assert_eq!(run(guest.write_file("note", b"\0\xff")).status.code(), Some(0));
    assert_eq!(run(guest.read_file("note")).stdout, b"\0\xff");
    assert_eq!(run(guest.read_file("absent")).status.code(), Some(1));
    assert_eq!(run(guest.fill_file("filled", 100_000)).stdout, b"wrote 100000\n");
    assert_eq!(run(guest.create_files(3)).stdout, b"wrote 3\n");
}

#[test]
fn scripts_do_what_the_suite_takes_them_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let guest = ShellGuest::default();
    // JavaScript needs an interpreter the machine may not have; the other two are always there.
    for (language, interpreter) in [(Language::Python, "/usr/bin/python3"), (Language::Bash, "/usr/bin/bash")] {
        let run = |task, args: &[&str]| {
            let program = guest.script(language, task).expect("every language is known");
            let path = directory.path().join(&program.name);
            std::fs::write(&path, &program.code).expect("the program is written");
            let argv: Vec<String> =
                [interpreter, &path.to_string_lossy()].iter().chain(args).map(|word| (*word).to_owned()).collect();
            self::run(directory.path(), &argv, b"in\0\xff").expect("the script runs")
        };
        let printed = run(ScriptTask::PrintArguments { exit: 7 }, &["two words", "", "π", "-x"]);
        assert_eq!(String::from_utf8_lossy(&printed.stdout), "two words\n\nπ\n-x\n", "{language}");
        assert_eq!(printed.status.code(), Some(7), "{language}");
        assert_eq!(run(ScriptTask::EchoStdin, &[]).stdout, b"in\0\xff", "{language}");
    }
}
