//! Programs that do not become zygotes, each by what it tries.

use crate::Test;
use crate::adopting::{PARK, TestNest, begin, stopped};
use crate::init::KILL;
use crate::world::{PATIENCE, World, ZYGOTE, patiently, relatives};
use faas_protocol::launcher::Unfit;
use faas_sandbox_linux::packet;
use faas_sandbox_linux::stem::{AdoptStep, HatchError};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, pidfd_send_signal};
use std::time::Instant;

pub(crate) const TESTS: &[Test] = &[
    ("a_program_with_two_threads_is_refused", || refused(THREADS, Unfit::Threads)),
    ("a_program_that_leaves_a_child_is_refused", || refused(CHILD, Unfit::Processes)),
    ("a_program_that_leaves_an_orphan_is_refused", || refused(ORPHAN, Unfit::Processes)),
    ("a_program_that_shares_memory_is_refused", || refused(SHARED, Unfit::SharedMapping)),
    ("a_program_that_could_write_to_shared_memory_is_refused", || refused(COULD_WRITE, Unfit::SharedMapping)),
    ("a_program_with_an_open_descriptor_is_refused", || refused(DESCRIPTOR, Unfit::Descriptors)),
    ("a_program_that_has_executed_another_one_is_refused", || refused(EXECUTED, Unfit::Memory)),
    ("a_program_whose_number_is_elsewhere_is_refused", || refused(NUMBER, Unfit::Library)),
    ("a_program_that_stops_at_each_instruction_is_refused", || refused(STEPPING, Unfit::Elsewhere)),
    ("an_ordinary_users_launcher_refuses_the_same_programs", refused_rootless),
    ("a_program_that_was_stopped_by_somebody_else_is_refused", stopped_by_another),
    ("a_program_that_was_killed_is_refused", killed),
    ("a_program_that_never_parks_is_refused", never_parks),
    ("a_program_that_nobody_may_look_at_is_refused", unreadable),
];

const THREADS: &str = "threading.Thread(target=threading.Event().wait, daemon=True).start()\n";
const CHILD: &str = "os.fork() or signal.pause()\n";
const ORPHAN: &str = "\
child = os.fork()
if child == 0:
    os.fork() or signal.pause()
    os._exit(0)
os.waitpid(child, 0)
";
const SHARED: &str = "kept = mmap.mmap(-1, 4096)\n";
const COULD_WRITE: &str = "\
libc = ctypes.CDLL(None)
file = os.open('/tmp/file', os.O_RDWR | os.O_CREAT)
os.truncate(file, 4096)
libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, file, 0)
os.close(file)
";
const DESCRIPTOR: &str = "kept = os.open('/dev/null', os.O_RDONLY)\n";
const EXECUTED: &str = "\
os.execv('/usr/bin/python3', ['python3', '-I', '-S', '-c', 'import os, signal; os.kill(os.getpid(), signal.SIGSTOP)'])
";
const NUMBER: &str = "area = ctypes.c_int(0); ctypes.CDLL(None).syscall(218, ctypes.byref(area))\n";
/// `pushf; or qword [rsp], 0x100; popf; mov eax, 62; mov esi, 19; syscall; ret`, with its number in edi.
const STEPPING: &str = "\
signal.signal(signal.SIGTRAP, signal.SIG_IGN)
libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p
code = bytes.fromhex('b83e000000be130000009c48810c2400010000' '9d0f05' 'c3')
at = libc.mmap(None, 4096, 7, 0x22, -1, 0); ctypes.memmove(at, code, len(code))
ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(at)(os.getpid())
";

fn refused(code: &str, reason: Unfit) {
    refused_by(&World::enter(), code, reason);
}

fn refused_rootless() {
    let world = World::enter_rootless();
    for (code, reason) in [
        (THREADS, Unfit::Threads),
        (CHILD, Unfit::Processes),
        (SHARED, Unfit::SharedMapping),
        (COULD_WRITE, Unfit::SharedMapping),
        (DESCRIPTOR, Unfit::Descriptors),
        (EXECUTED, Unfit::Memory),
    ] {
        refused_by(&world, code, reason);
    }
}

/// Nothing of a refused program is left, and the zygote that it came from is as before.
fn refused_by(world: &World, code: &str, reason: Unfit) {
    let nest = TestNest::new(world);
    let mut zygote = world.python(ZYGOTE);
    let ours = std::process::id();
    let zygote_alone = relatives(ours);
    {
        let mut shell = world.shell();
        let (_program, mut stem) = begin(&mut shell, &mut zygote, &format!("{code}{PARK}"));
        stopped(&mut stem).expect("a program");
        assert_eq!(nest.adopt(stem, None).expect_err("no zygote"), HatchError::Unfit(reason));
        let left: Vec<i32> = relatives(ours).into_iter().map(|(pid, _)| pid).filter(|pid| *pid != shell.pid).collect();
        assert_eq!(left, zygote_alone.iter().map(|(pid, _)| *pid).collect::<Vec<_>>());
    }
    assert_eq!(world.shell().run(&mut zygote, "print(shared)"), "[0]");
}

fn stopped_by_another() {
    let world = World::enter();
    let nest = TestNest::new(&world);
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell();
    let (_program, mut stem) = begin(&mut shell, &mut zygote, "signal.pause()");
    let [(pid, _)] = relatives(shell.pid.unsigned_abs())[..] else { panic!("one program") };
    kill_process(Pid::from_raw(pid).expect("a pid"), Signal::STOP).expect("a program");
    stopped(&mut stem).expect("a program");
    assert_eq!(nest.adopt(stem, None).expect_err("no zygote"), HatchError::Unfit(Unfit::Elsewhere));
    assert_eq!(shell.said(), "3 killed 9");
}

fn killed() {
    let world = World::enter();
    let nest = TestNest::new(&world);
    let mut zygote = world.python(ZYGOTE);
    // Before it is looked at, and after.
    for looked in [false, true] {
        let mut shell = world.shell();
        let (_program, mut stem) = begin(&mut shell, &mut zygote, PARK);
        stopped(&mut stem).expect("a program");
        packet::send(shell.control.as_fd(), KILL.as_bytes(), &[]).expect("an init that listens");
        let mut said = [shell.said(), shell.said()];
        said.sort_unstable();
        assert_eq!(said, ["3 killed 9", "killing Ok(())"]);
        if looked {
            assert_eq!(stopped(&mut stem).expect_err("no program"), HatchError::Unfit(Unfit::Gone));
        }
        assert_eq!(nest.adopt(stem, None).expect_err("no zygote"), HatchError::Unfit(Unfit::Gone));
    }
    // With its whole sandbox, and by its own end.
    let mut shell = world.shell();
    let (_program, mut stem) = begin(&mut shell, &mut zygote, PARK);
    stopped(&mut stem).expect("a program");
    pidfd_send_signal(&shell.init, Signal::KILL).expect("an init");
    patiently(shell.init.as_fd());
    assert_eq!(nest.adopt(stem, None).expect_err("no zygote"), HatchError::Unfit(Unfit::Gone));
    let mut shell = world.shell();
    let (_program, mut stem) = begin(&mut shell, &mut zygote, "os._exit(3)");
    assert_eq!(stopped(&mut stem).expect_err("no program"), HatchError::Unfit(Unfit::Gone));
    assert_eq!(world.shell().run(&mut zygote, "print(shared)"), "[0]");
}

fn never_parks() {
    let world = World::enter();
    let nest = TestNest::new(&world);
    let mut zygote = world.python(ZYGOTE);
    for code in ["signal.pause()", "while True: shared[0] += 1"] {
        let mut shell = world.shell();
        let (_program, mut stem) = begin(&mut shell, &mut zygote, code);
        assert_eq!(stem.is_program_stopped(), Ok(false));
        assert_eq!(nest.adopt(stem, None).expect_err("no zygote"), HatchError::Unfit(Unfit::Elsewhere));
        assert_eq!(shell.said(), "3 killed 9");
    }
    // One that goes on after it stopped.
    let mut shell = world.shell();
    let (_program, mut stem) = begin(&mut shell, &mut zygote, "os.kill(os.getpid(), signal.SIGSTOP); signal.pause()");
    stopped(&mut stem).expect("a program");
    let [(pid, _)] = relatives(shell.pid.unsigned_abs())[..] else { panic!("one program") };
    kill_process(Pid::from_raw(pid).expect("a pid"), Signal::CONT).expect("a program");
    let deadline = Instant::now() + PATIENCE;
    while stem.is_program_stopped().expect("a program") {
        assert!(Instant::now() < deadline, "it is stopped {PATIENCE:?} after it was to go on");
        std::thread::yield_now();
    }
    assert_eq!(nest.adopt(stem, None).expect_err("no zygote"), HatchError::Unfit(Unfit::Elsewhere));
}

fn unreadable() {
    let world = World::enter();
    let nest = TestNest::new(&world);
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell();
    let (_program, mut stem) =
        begin(&mut shell, &mut zygote, &format!("ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n{PARK}"));
    stopped(&mut stem).expect("a program");
    let error = nest.adopt(stem, None).expect_err("no zygote");
    assert_eq!(error, HatchError::Adoption { step: AdoptStep::Hold, errno: Errno::PERM });
    assert_eq!(world.shell().run(&mut zygote, "print(shared)"), "[0]");
}
