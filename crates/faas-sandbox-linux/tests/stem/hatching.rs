//! Zygotes that come to be, and those that do not.

use crate::Test;
use crate::world::{PATIENCE, World, ZYGOTE, patiently, relatives};
use faas_sandbox_linux::cgroup;
use faas_sandbox_linux::stem::{HatchError, HatchStep};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

pub(crate) const TESTS: &[Test] = &[
    ("a_zygote_is_parked_without_privilege", parked),
    ("a_program_that_does_not_park_is_no_zygote", does_not_park),
    ("a_zygote_on_its_way_can_be_given_up", given_up),
    ("what_cannot_be_copied_is_no_zygote", unfit),
    ("a_start_does_not_hide_what_another_zygote_does", heard),
    ("a_zygote_dies_with_its_launcher", dies_with_launcher),
];

const PYTHON: [&str; 4] = ["/usr/bin/python3", "-I", "-S", "-c"];

fn python(source: &str) -> Vec<&str> {
    PYTHON.into_iter().chain([source]).collect()
}

fn parked() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let [(pid, false)] = relatives(std::process::id())[..] else { panic!("one zygote") };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map_or("", str::trim).to_owned();
    assert!(field("State:").starts_with('t'), "{status}");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000");
    }
    assert_eq!(
        (field("NoNewPrivs:"), field("Seccomp:"), field("Groups:")),
        ("1".to_owned(), "2".to_owned(), String::new())
    );
    let users: Vec<String> = field("Uid:").split_whitespace().map(str::to_owned).collect();
    assert!(users.iter().all(|user| *user == users[0] && user != "0"), "{users:?}");
    assert_eq!(std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).expect("its score").trim(), "500");
    assert!(zygote.is_alive());
    drop(zygote);
    assert_eq!(relatives(std::process::id()), []);
}

fn does_not_park() {
    let world = World::enter();
    let error = |program: &[&str]| world.park(world.hatch(program)).expect_err("no zygote");
    assert_eq!(error(&["/usr/bin/no-such"]), HatchError::Setup { step: HatchStep::Exec, errno: Errno::NOENT });
    assert_eq!(error(&["/etc/passwd"]), HatchError::Setup { step: HatchStep::Exec, errno: Errno::ACCESS });
    assert_eq!(error(&python("import os; os._exit(4)")), HatchError::Exited { code: 4 });
    assert_eq!(error(&python("import os; os.kill(os.getpid(), 9)")), HatchError::Killed { signal: 9 });
    // A signal that it handles reaches it.
    let handled = "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: os._exit(5))\n\
                   os.kill(os.getpid(), signal.SIGUSR1)\nos._exit(6)";
    assert_eq!(error(&python(handled)), HatchError::Exited { code: 5 });
    assert_eq!(relatives(std::process::id()), []);
}

fn given_up() {
    let world = World::enter();
    // Before its program begins, and while it does something else.
    drop(world.hatch(&python("")));
    assert_eq!(relatives(std::process::id()), []);
    let mut hatching = world.hatch(&python("import signal; signal.pause()"));
    patiently(world.waiter.descriptor());
    world.waiter.quiet();
    assert!(matches!(hatching.look(&world.waiter), Ok(None)));
    drop(hatching);
    assert_eq!(relatives(std::process::id()), []);
}

fn unfit() {
    let world = World::enter();
    let threads = "import os, signal, threading\n\
                   threading.Thread(target=threading.Event().wait, daemon=True).start()\n\
                   os.kill(os.getpid(), signal.SIGSTOP)";
    assert!(matches!(world.park(world.hatch(&python(threads))), Err(HatchError::Unfit(_))));
    // Stopped by somebody else, while it waits for something.
    let mut hatching = world.hatch(&["/usr/bin/sleep", "1000"]);
    let [(pid, _)] = relatives(std::process::id())[..] else { panic!("one zygote") };
    patiently(world.waiter.descriptor());
    world.waiter.quiet();
    assert!(matches!(hatching.look(&world.waiter), Ok(None)));
    let sleeping = || {
        let call = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("its state");
        call.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    while !sleeping() && std::time::Instant::now() < deadline {
        assert!(matches!(hatching.look(&world.waiter), Ok(None)));
        std::thread::yield_now();
    }
    kill_process(Pid::from_raw(pid).expect("a pid"), Signal::STOP).expect("a process");
    assert!(matches!(world.park(hatching), Err(HatchError::Unfit(_))));
    assert_eq!(relatives(std::process::id()), []);
}

fn heard() {
    let world = World::enter();
    let mut first = world.python(ZYGOTE);
    let shell = world.shell();
    let mut second = world.hatch(&python(ZYGOTE));
    let parked = loop {
        // Each start takes signals of children from the descriptor.
        assert_eq!(shell.run(&mut first, "print('works')"), "works");
        patiently(world.waiter.descriptor());
        world.waiter.quiet();
        if let Some(parked) = second.look(&world.waiter).expect("a zygote") {
            break parked;
        }
    };
    let mut second = parked;
    assert_eq!(shell.run(&mut second, "print('works')"), "works");
}

/// The launcher that [`dies_with_launcher`] kills: says what it has, and waits.
pub(crate) fn be_killed() {
    let world = World::enter();
    let zygote = world.python(ZYGOTE);
    let [(pid, _)] = relatives(std::process::id())[..] else { panic!("one zygote") };
    println!("{pid}");
    world.tree.paths().iter().for_each(|path| println!("{path}"));
    println!("waiting");
    let (end, _kept) = rustix::pipe::pipe().expect("a pipe");
    crate::world::poll(&[std::os::fd::AsFd::as_fd(&end)]);
    drop(zygote);
}

fn dies_with_launcher() {
    let this = std::env::current_exe().expect("this program's path");
    let mut launcher = Command::new(this).arg("--be-killed").stdout(Stdio::piped()).spawn().expect("a launcher");
    let lines = BufReader::new(launcher.stdout.take().expect("its output")).lines();
    let said: Vec<String> = lines.map_while(Result::ok).take_while(|line| line != "waiting").collect();
    let (zygote, paths) = said.split_first().expect("a zygote");
    let zygote = zygote.parse().ok().and_then(Pid::from_raw).expect("a pid");
    let zygote =
        rustix::process::pidfd_open(zygote, rustix::process::PidfdFlags::empty()).expect("a zygote that lives");
    launcher.kill().expect("a launcher that lives");
    launcher.wait().expect("its end");
    patiently(std::os::fd::AsFd::as_fd(&zygote));
    // What a slot's next owner does.
    paths.iter().for_each(|path| cgroup::remove_path(path));
    std::fs::remove_dir(std::env::temp_dir().join(format!("faas-stem-{}", launcher.id()))).expect("its directory");
}
