//! Init starts programs, passes their pipes on, and says how they ended.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(dead_code, unused_imports, reason = "each test file uses a part of the support module")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use faas_protocol::control::{FromInit, Spawn, ToInit};
use libc::{E2BIG, EACCES, EAGAIN, EBUSY, EINVAL, EMFILE, ENOENT, ENOEXEC, SIGKILL, SIGTERM};
use support::{Directory, Init, children, read_all, spawn, wait_for};

#[test]
fn output_and_exit_code_come_back() {
    let mut init = Init::start();
    let program = init.run(spawn(1, &["/bin/echo", "one", "two words"]));
    assert!(program.pid > 1);
    assert_eq!(read_all(program.stdout), "one two words\n");
    assert_eq!(read_all(program.stderr), "");
    assert_eq!(init.hear(), FromInit::Exited { call: 1, code: 0, signal: 0 });

    init.run(spawn(2, &["/bin/sh", "-c", "exit 255"]));
    assert_eq!(init.hear(), FromInit::Exited { call: 2, code: 255, signal: 0 });
    assert!(init.hang_up().success());
}

#[test]
fn stdin_reaches_the_program() {
    let mut init = Init::start();
    let mut program = init.run(spawn(1, &["cat"]));
    program.stdin.take().unwrap().write_all(b"through the pipe").unwrap();
    assert_eq!(read_all(program.stdout), "through the pipe");
    assert_eq!(init.hear(), FromInit::Exited { call: 1, code: 0, signal: 0 });
}

#[test]
fn signals_reach_the_running_program_only() {
    let mut init = Init::start();
    init.say(&ToInit::Signal { signal: 9 });
    let _held = init.run(spawn(1, &["sleep", "100"]));
    init.say(&ToInit::Signal { signal: 200 });
    init.say(&ToInit::Signal { signal: 0 });
    init.say(&ToInit::Signal { signal: 15 });
    let signal = u8::try_from(SIGTERM).unwrap();
    assert_eq!(init.hear(), FromInit::Exited { call: 1, code: 0, signal });
    init.say(&ToInit::Signal { signal: 15 });

    init.run(spawn(2, &["/bin/sh", "-c", "kill -9 $$"]));
    let signal = u8::try_from(SIGKILL).unwrap();
    assert_eq!(init.hear(), FromInit::Exited { call: 2, code: 0, signal });
}

#[test]
fn what_cannot_start_is_refused_with_the_kernels_reason() {
    let directory = Directory::new();
    let file = |name: &str, content: &[u8], mode: u32| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let garbage = file("garbage", b"\x01\x02 no program", 0o755);
    let plain = file("plain", b"#!/bin/sh\n", 0o644);

    let mut init = Init::start();
    assert_eq!(init.refused(spawn(1, &["/nowhere/at/all"])), ENOENT);
    assert_eq!(init.refused(spawn(2, &["certainly-not-in-the-path"])), ENOENT);
    assert_eq!(init.refused(spawn(3, &[""])), ENOENT);
    assert_eq!(init.refused(spawn(4, &[&garbage])), ENOEXEC);
    assert_eq!(init.refused(spawn(5, &[&plain])), EACCES);
    assert_eq!(init.refused(spawn(6, &[])), EINVAL);
    assert_eq!(init.refused(spawn(7, &["/bin/echo", "a\0b"])), EINVAL);
    assert_eq!(init.refused(Spawn { cwd: b"tmp".to_vec(), ..spawn(8, &["true"]) }), EINVAL);
    assert_eq!(init.refused(Spawn { cwd: b"/nowhere".to_vec(), ..spawn(9, &["true"]) }), ENOENT);

    // A directory without permission does not end the search, and is the answer only if nothing else is found.
    let path = |rest: &str| vec![format!("PATH={}:{rest}", directory.path().display()).into_bytes()];
    assert_eq!(init.refused(Spawn { env: path("/nowhere"), ..spawn(10, &["plain"]) }), EACCES);
    file("echo", b"#!/bin/sh\n", 0o644);
    let program = init.run(Spawn { env: path("/usr/bin:/bin"), ..spawn(11, &["echo", "found"]) });
    assert_eq!(read_all(program.stdout), "found\n");
    assert_eq!(init.hear(), FromInit::Exited { call: 11, code: 0, signal: 0 });

    wait_for("what did not start is reaped", || children(init.pid()).is_empty());
}

#[test]
fn more_arguments_than_the_kernel_takes_are_refused() {
    // With a small stack the kernel takes 128 KiB of strings and pointers.
    let mut init = Init::start_with("", "prlimit --stack=131072").greeted();
    let argument = "x".repeat(20);
    let many = Spawn { env: vec![b"A=1".to_vec(); 3500], ..spawn(1, &[argument.as_str(); 3500]) };
    let named = |count: usize| {
        let mut spawn = Spawn { env: vec![b"A=1".to_vec(); count], ..many.clone() };
        spawn.argv[0] = b"/bin/true".to_vec();
        spawn
    };
    assert_eq!(init.refused(named(3500)), E2BIG);
    init.run(named(10));
    assert_eq!(init.hear(), FromInit::Exited { call: 1, code: 0, signal: 0 });
}

#[test]
fn one_program_at_a_time_and_many_one_after_another() {
    let mut init = Init::start();
    let mut first = init.run(spawn(1, &["cat"]));
    assert_eq!(init.refused(spawn(2, &["true"])), EBUSY);
    drop(first.stdin.take());
    assert_eq!(init.hear(), FromInit::Exited { call: 1, code: 0, signal: 0 });
    for call in 3..50 {
        assert_eq!(init.shell(call, "echo $((6 * 7))"), "42\n");
    }
}

#[test]
fn the_program_finds_a_clean_world() {
    let mut init = Init::start_with("trap '' INT PIPE USR1; umask 0;", "").greeted();

    // Descriptor 3 is the directory `ls` itself reads.
    let program = init.run(spawn(1, &["ls", "/proc/self/fd"]));
    assert_eq!(read_all(program.stdout), "0\n1\n2\n3\n");
    assert!(matches!(init.hear(), FromInit::Exited { .. }));

    let program = init.run(spawn(2, &["cat", "/proc/self/status"]));
    let status = read_all(program.stdout);
    for expected in ["Umask:\t0022", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"] {
        assert!(status.lines().any(|line| line == expected), "{expected} in {status}");
    }
    assert!(matches!(init.hear(), FromInit::Exited { .. }));

    let env = vec![b"A=1".to_vec(), b"B=\xff".to_vec()];
    let program =
        init.run(Spawn { env, cwd: b"/usr".to_vec(), ..spawn(3, &["/bin/sh", "-c", "pwd; env -u PWD | wc -l"]) });
    assert_eq!(read_all(program.stdout), "/usr\n2\n");
    assert!(matches!(init.hear(), FromInit::Exited { .. }));

    let program = init.run(spawn(4, &["cat", "/proc/self/stat"]));
    let stat = read_all(program.stdout);
    let session = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap().to_owned();
    assert_eq!(session, program.pid.to_string(), "the program leads its own session");
}

#[test]
fn a_runner_gets_the_call_socket_as_descriptor_3() {
    let mut init = Init::start();
    let mut program =
        init.run(Spawn { runner: true, ..spawn(1, &["/bin/sh", "-c", "read line <&3; echo \"got $line\" >&3"]) });
    program.socket.as_ref().unwrap().write_all(b"hello\n").unwrap();
    assert_eq!(read_all(program.socket.take().unwrap()), "got hello\n");
    assert_eq!(init.hear(), FromInit::Exited { call: 1, code: 0, signal: 0 });
}

#[test]
fn orphans_are_reaped_and_leftovers_are_left_alone() {
    let mut init = Init::start();
    // Each `( ... & )` leaves a process whose parent is gone at once.
    let script = "i=0; while [ $i -lt 1000 ]; do ( : & ); i=$((i + 1)); done; sleep 100 >&- 2>&- & echo $!";
    let leftover: u32 = init.shell(1, script).trim().parse().unwrap();
    wait_for("only the leftover remains", || children(init.pid()) == [leftover]);
    assert_eq!(init.shell(2, &format!("kill {leftover} && echo killed")), "killed\n");
    wait_for("the leftover is reaped", || children(init.pid()).is_empty());
}

#[test]
fn a_child_that_it_did_not_start_can_be_made_the_program() {
    let mut init = Init::start();
    let orphan: u32 = init.shell(1, "sleep 100 >&- 2>&- & echo $!").trim().parse().unwrap();
    init.say(&ToInit::Adopt { call: 2, pid: orphan });
    assert_eq!(init.refused(spawn(3, &["true"])), EBUSY);
    init.say(&ToInit::Signal { signal: 9 });
    assert_eq!(init.hear(), FromInit::Exited { call: 2, code: 0, signal: 9 });

    let orphan: u32 = init.shell(4, "(sleep 0.01; exit 7) >&- 2>&- & echo $!").trim().parse().unwrap();
    wait_for("it ends", || children(init.pid()).is_empty());
    init.say(&ToInit::Adopt { call: 5, pid: orphan });
    assert_eq!(init.hear(), FromInit::Exited { call: 5, code: 7, signal: 0 }, "it ended before init was told");
    assert_eq!(init.shell(6, "echo goes on"), "goes on\n");
}

#[test]
fn tiny_limits_are_answers_and_not_the_end() {
    let mut init = Init::start_with("", "prlimit --nofile=9").greeted();
    assert_eq!(init.refused(spawn(1, &["true"])), EMFILE);
    assert_eq!(init.refused(spawn(2, &["true"])), EMFILE);
    assert!(init.hang_up().success());
}

#[test]
fn a_full_process_table_is_an_answer_and_not_the_end() {
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(std::io::stderr(), "SKIP a_full_process_table_is_an_answer_and_not_the_end: needs root");
        return;
    }
    let directory = Directory::new();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join("init");
    fs::copy(env!("CARGO_BIN_EXE_faas-guest-agent"), &copy).unwrap();
    // An uid nobody uses, so that its only process is init.
    let wrapper = "setpriv --reuid=61987 --regid=61987 --clear-groups prlimit --nproc=1";
    let mut init = Init::start_binary(&copy, "", wrapper).greeted();
    assert_eq!(init.refused(spawn(1, &["true"])), EAGAIN);
    assert_eq!(init.refused(spawn(2, &["true"])), EAGAIN);
    assert!(init.hang_up().success());
}
