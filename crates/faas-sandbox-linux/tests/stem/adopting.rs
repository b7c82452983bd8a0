//! Programs that become zygotes.

use crate::Test;
use crate::world::{LIMITS, PATIENCE, Program, TestShell, World, ZYGOTE, patiently, relatives};
use faas_sandbox_linux::cgroup::{self, Controller, Leaf, Limits};
use faas_sandbox_linux::stem::{AdoptStep, HatchError, Nest, Parked, Stem};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

pub(crate) const TESTS: &[Test] = &[
    ("copies_of_an_adopted_program_have_its_state", state),
    ("an_ordinary_users_launcher_adopts_programs_too", state_rootless),
    ("copies_of_an_adopted_program_share_nothing", apart),
    ("a_copy_of_an_adopted_program_has_no_privilege", no_privilege),
    ("a_copy_of_an_adopted_program_can_be_adopted", again),
    ("what_a_program_left_in_its_memory_does_not_reach_its_copies_start", hostile_memory),
    ("a_copys_number_is_the_kernels_whatever_its_memory_says", number),
    ("a_program_with_a_stem_is_as_without", as_without),
    ("memory_is_charged_to_the_sandbox_while_a_stem_is_there", memory),
    ("every_step_of_an_adoption_can_fail_and_nothing_is_left", fails),
    ("a_stem_dies_with_its_launcher", dies_with_launcher),
];

/// Waits to be copied, and then runs what the copy is sent.
pub(crate) const PARK: &str = "
os.kill(os.getpid(), signal.SIGSTOP)
code = b''
while part := os.read(3, 65536):
    code += part
exec(code.decode())
";

/// A cgroup for a zygote, which is removed when nobody is in it any more.
pub(crate) struct TestNest<'a> {
    world: &'a World,
    pub(crate) leaf: Leaf,
}

impl<'a> TestNest<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self { world, leaf: world.tree.create(&format!("nest-{number}"), &LIMITS).expect("a cgroup") }
    }

    pub(crate) fn adopt(&self, stem: Stem, fault: Option<AdoptStep>) -> Result<Parked, HatchError> {
        let nest = Nest { leaf: &self.leaf, uid: self.world.zygotes(), bound: PATIENCE, fault };
        stem.adopt(&self.world.waiter, &nest)
    }
}

impl Drop for TestNest<'_> {
    fn drop(&mut self) {
        while !self.world.tree.remove_leaf(&self.leaf) {
            std::thread::yield_now();
        }
    }
}

/// A program with a stem that runs this code.
pub(crate) fn begin(shell: &mut TestShell<'_>, zygote: &mut Parked, code: &str) -> (Program, Stem) {
    shell.stem = true;
    let mut program = shell.start(zygote);
    let stem = program.stem.take().expect("a stem");
    program.send(code);
    // Its end is the end of the code.
    program.code = rustix::pipe::pipe().expect("a pipe").1;
    (program, stem)
}

/// Waits until its program stands still.
pub(crate) fn stopped(stem: &mut Stem) -> Result<(), HatchError> {
    let deadline = Instant::now() + PATIENCE;
    while !stem.is_program_stopped()? {
        assert!(Instant::now() < deadline, "it runs {PATIENCE:?} after it began");
        std::thread::yield_now();
    }
    Ok(())
}

/// A zygote of a program that runs this code and parks.
fn adopted(world: &World, nest: &TestNest<'_>, zygote: &mut Parked, code: &str) -> Parked {
    let mut shell = world.shell();
    let (_program, mut stem) = begin(&mut shell, zygote, &format!("{code}{PARK}"));
    stopped(&mut stem).expect("a program");
    nest.adopt(stem, None).expect("a zygote")
}

fn state() {
    keep(&World::enter());
}

fn state_rootless() {
    keep(&World::enter_rootless());
}

fn keep(world: &World) {
    let nest = TestNest::new(world);
    let mut zygote = world.python(ZYGOTE);
    let mut adopted = adopted(
        world,
        &nest,
        &mut zygote,
        "import json, decimal\n\
         shared[0] = 7; kept = bytes(range(256)) * 40960\n\
         signal.signal(signal.SIGUSR2, lambda *_: seen.append('USR2'))\n\
         signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])\n\
         libm = ctypes.CDLL('libm.so.6'); libm.fesetround(0x800)\n\
         libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p\n\
         open('/tmp/file', 'wb').write(b'read'); file = os.open('/tmp/file', os.O_RDONLY)\n\
         at = libc.mmap(None, 4096, 1, 1, file, 0); os.close(file)\n",
    );
    // Its shell is gone by now, with its files. The zygote that it came from is as it was.
    let expected = "3 1 3 [7] 10485760 True True True True 2048 b'read' [] ['USR2']";
    let code = "import random\n\
         blocked = signal.SIGWINCH in signal.pthread_sigmask(signal.SIG_BLOCK, [])\n\
         signal.raise_signal(signal.SIGUSR2)\n\
         print(os.getpid(), os.getppid(), threading.get_native_id(), shared, len(kept), kept == bytes(range(256)) * 40960,\n\
         'json' in sys.modules, json.loads('[1]') == [1], blocked, libm.fegetround(), ctypes.string_at(at, 4),\n\
         os.listdir('/tmp'), seen)";
    for _ in 0..2 {
        let shell = world.shell();
        assert_eq!(shell.run(&mut adopted, code), expected);
        assert_eq!(shell.said(), "3 exited 0");
    }
    let said = world.shell().run(&mut zygote, "print(shared, 'json' in sys.modules, 'kept' in globals())");
    assert_eq!(said, "[0] False False");
    drop(zygote);
    assert_eq!(world.shell().run(&mut adopted, "print(shared)"), "[7]");
}

fn apart() {
    let world = World::enter();
    let nest = TestNest::new(&world);
    let mut zygote = world.python(ZYGOTE);
    let mut adopted = adopted(&world, &nest, &mut zygote, "shared[0] = 1\n");
    let (first, second, third) = (world.shell(), world.shell(), world.shell());
    let one = first.start(&mut adopted);
    one.send("shared[0] += 1; open('/tmp/one', 'w'); print('ready', flush=True)\n");
    let look = "print(shared, os.listdir('/tmp'), sorted(int(pid) for pid in os.listdir('/proc') if pid.isdigit()))";
    let two = second.run(&mut adopted, &format!("shared[0] += 10\n{look}"));
    assert_eq!(two, "[11] [] [1, 3]");
    assert_eq!(one.run(look), "ready\n[2] ['one'] [1, 3]");
    assert_eq!(third.run(&mut adopted, look), "[1] [] [1, 3]");
    assert_eq!(third.run(&mut zygote, "print(shared)"), "[0]");
}

fn no_privilege() {
    let world = World::enter();
    let nest = TestNest::new(&world);
    let mut zygote = world.python(ZYGOTE);
    let mut adopted = adopted(&world, &nest, &mut zygote, "");
    let said = world.shell().run(
        &mut adopted,
        "fields = dict(line.split(':', 1) for line in open('/proc/self/status'))\n\
         print(os.getresuid(), os.getgroups(), *(fields[name].strip() for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', \
         'CapAmb', 'NoNewPrivs', 'Seccomp', 'TracerPid', 'Threads')))\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         def call(*arguments):\n\
         \x20ctypes.set_errno(0)\n\
         \x20answer = libc.syscall(*(ctypes.c_long(argument) for argument in arguments))\n\
         \x20return errno.errorcode.get(ctypes.get_errno(), answer)\n\
         print(call(308, 0, 0), call(56, 0x10000000 | 17, 0, 0, 0, 0), call(56, 0x100, 0, 0, 0, 0), call(101, 0, 0, 0, 0))\n\
         print({fd for fd in range(1024) if os.path.exists(f'/proc/self/fd/{fd}')})",
    );
    let none = "0000000000000000";
    assert_eq!(
        said,
        format!(
            "(1000, 1000, 1000) [] {none} {none} {none} {none} {none} 1 2 0 1\nENOSYS ENOSYS ENOSYS EPERM\n{{0, 1, 2, 3}}"
        )
    );
}

fn again() {
    let world = World::enter();
    let nests: Vec<_> = (0..4).map(|_| TestNest::new(&world)).collect();
    let mut zygote = world.python(ZYGOTE);
    for nest in &nests {
        zygote = adopted(&world, nest, &mut zygote, "shared[0] += 1\n");
    }
    assert_eq!(world.shell().run(&mut zygote, "print(shared, os.getpid())"), "[4] 3");
}

/// Fills every hole in its memory with instructions of its own, among them where its own start was walked, and has
/// handlers for the signals by which a copy's walk stops.
fn hostile_memory() {
    let world = World::enter();
    let nest = TestNest::new(&world);
    let mut zygote = world.python(ZYGOTE);
    let mut adopted = adopted(
        &world,
        &nest,
        &mut zygote,
        "libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p\n\
         held = [libc.mmap(None, 24576, 7, 0x22, -1, 0) for _ in range(2000)]\n\
         for at in held: ctypes.memset(at, 0xcc, 24576)\n\
         for number in (signal.SIGTRAP, signal.SIGSEGV, signal.SIGCHLD): signal.signal(number, lambda *_: os._exit(9))\n",
    );
    let said = world.shell().run(&mut adopted, "print(ctypes.string_at(held[0], 2), os.getpid())");
    assert_eq!(said, "b'\\xcc\\xcc' 3");
}

fn number() {
    let world = World::enter();
    let nest = TestNest::new(&world);
    let mut zygote = world.python(ZYGOTE);
    // Where the kernel writes a thread's number, which cannot be written to by the time that it does.
    let mut adopted = adopted(
        &world,
        &nest,
        &mut zygote,
        "libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p\n\
         at = libc.mmap(None, 4096, 3, 0x22, -1, 0); ctypes.memmove(at, (3).to_bytes(4, 'little'), 4)\n\
         libc.syscall(218, ctypes.c_void_p(at)); libc.mprotect(ctypes.c_void_p(at), 4096, 1)\n",
    );
    let shell = world.shell();
    let first = shell.start(&mut adopted);
    let second = shell.start(&mut adopted);
    let numbers = [first.number, second.number];
    let real = [first, second].map(|program| program.run("print(os.getpid(), ctypes.string_at(at, 1))"));
    assert_eq!(real, numbers.map(|number| format!("{number} b'\\x03'")));
    assert_ne!(numbers[0], numbers[1]);
}

fn as_without() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell();
    // That there is an area for restartable sequences is seen by its refusing to be another one.
    let code = "import subprocess\n\
         libc = ctypes.CDLL(None, use_errno=True); area = (ctypes.c_char * 256)()\n\
         at = (ctypes.addressof(area) + 63) // 64 * 64\n\
         print(os.getpid(), os.getppid(), libc.syscall(334, ctypes.c_void_p(at), 32, 0, 0x53053053), ctypes.get_errno())\n\
         print({fd for fd in range(1024) if os.path.exists(f'/proc/self/fd/{fd}')})\n\
         print(subprocess.run(['/usr/bin/python3', '-I', '-S', '-c', 'print(6 * 7)'], capture_output=True).stdout)\n\
         print(sorted(int(pid) for pid in os.listdir('/proc') if pid.isdigit()), len(os.sched_getaffinity(0)) > 0)\n\
         thread = threading.Thread(target=lambda: shared.append(1)); thread.start(); thread.join()\n\
         print(shared, open('/proc/self/status').read().count('TracerPid:\\t0'))";
    let without = shell.run(&mut zygote, code);
    assert!(without.starts_with("3 1 -1 22\n{0, 1, 2, 3}\nb'42\\n'\n[1, 3]"), "{without}");
    drop(shell);
    shell = world.shell();
    shell.stem = true;
    assert_eq!(shell.run(&mut zygote, code), without);
    // Its program goes on when the stem is given up.
    drop(shell);
    shell = world.shell();
    shell.stem = true;
    let mut program = shell.start(&mut zygote);
    program.stem = None;
    assert_eq!(program.run("shared[0] = 3; print(shared)"), "[3]");
}

fn memory() {
    let world = World::enter();
    if world.tree.offers(Controller::Memory).is_none() {
        crate::skip("no cgroup with the memory controller");
        return;
    }
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell_with(&Limits { memory_bytes: 128 << 20, ..LIMITS });
    let before = shell.leaf.charged_bytes().expect("a count");
    let (_program, mut stem) = begin(&mut shell, &mut zygote, &format!("kept = bytearray(64 << 20)\n{PARK}"));
    stopped(&mut stem).expect("a program");
    let charged = shell.leaf.charged_bytes().expect("a count");
    assert!(charged >= before + (64 << 20), "{charged} after {before}");
    drop(stem);
    drop(shell);
    let mut shell = world.shell_with(&Limits { memory_bytes: 128 << 20, ..LIMITS });
    let (_program, mut stem) = begin(&mut shell, &mut zygote, &format!("kept = bytearray(200 << 20)\n{PARK}"));
    let error = stopped(&mut stem).expect_err("no program");
    assert!(matches!(error, HatchError::Unfit(_) | HatchError::Killed { signal: 9 }), "{error}");
    assert!(shell.leaf.counters().oom_kills.is_some_and(|kills| kills > 0), "{:?}", shell.leaf.counters());
}

fn fails() {
    let world = World::enter();
    let ours = std::process::id();
    let nest = TestNest::new(&world);
    let mut zygote = world.python(ZYGOTE);
    for step in AdoptStep::ALL {
        let mut shell = world.shell();
        let before = relatives(ours);
        let (_program, mut stem) = begin(&mut shell, &mut zygote, PARK);
        stopped(&mut stem).expect("a program");
        let error = nest.adopt(stem, Some(step)).expect_err("a failure");
        assert_eq!(error, HatchError::Adoption { step, errno: Errno::IO });
        assert_eq!(relatives(ours), before, "after {step:?}");
        if step == AdoptStep::Hold {
            // It was not ours yet.
            let [(pid, _)] = relatives(shell.pid.unsigned_abs())[..] else { panic!("one program") };
            let pid = Pid::from_raw(pid).expect("a pid");
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a program that lives");
        }
        assert_eq!(shell.said(), "3 killed 9", "after {step:?}");
        assert_eq!(shell.run(&mut zygote, "print('works')"), "works", "after {step:?}");
    }
}

/// The launcher that [`dies_with_launcher`] kills: says what it has, and waits.
pub(crate) fn be_killed() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell();
    let (_program, _stem) = begin(&mut shell, &mut zygote, "signal.pause()");
    let inside = relatives(shell.pid.unsigned_abs());
    relatives(std::process::id()).into_iter().chain(inside).for_each(|(pid, _)| println!("{pid}"));
    println!("directories");
    world.tree.paths().iter().for_each(|path| println!("{path}"));
    println!("waiting");
    let (end, _kept) = rustix::pipe::pipe().expect("a pipe");
    crate::world::poll(&[end.as_fd()]);
}

fn dies_with_launcher() {
    let this = std::env::current_exe().expect("this program's path");
    let mut launcher =
        Command::new(this).arg("--be-killed-with-stem").stdout(Stdio::piped()).spawn().expect("a launcher");
    let lines = BufReader::new(launcher.stdout.take().expect("its output")).lines();
    let said: Vec<String> = lines.map_while(Result::ok).take_while(|line| line != "waiting").collect();
    let at = said.iter().position(|line| line == "directories").expect("its directories");
    let alive = said[..at].iter().map(|line| {
        let pid = line.parse().ok().and_then(Pid::from_raw).expect("a pid");
        pidfd_open(pid, PidfdFlags::empty()).expect("a process that lives")
    });
    let alive: Vec<_> = alive.collect();
    assert_eq!(alive.len(), 4, "the zygote, init, the stem and the program");
    launcher.kill().expect("a launcher that lives");
    launcher.wait().expect("its end");
    alive.iter().for_each(|process| patiently(process.as_fd()));
    // What a slot's next owner does.
    said[at + 1..].iter().for_each(|path| cgroup::remove_path(path));
    std::fs::remove_dir(std::env::temp_dir().join(format!("faas-stem-{}", launcher.id()))).expect("its directory");
}
