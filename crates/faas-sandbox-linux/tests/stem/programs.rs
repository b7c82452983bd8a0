//! What a started program is, and has.

use crate::Test;
use crate::init::KILL;
use crate::world::{PATIENCE, World, ZYGOTE, patiently};
use faas_sandbox_linux::netns::NetNsPool;
use faas_sandbox_linux::packet;
use faas_sandbox_linux::stem::StartStep;
use faas_sandbox_linux::sys;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::thread::UnshareFlags;

pub(crate) const TESTS: &[Test] = &[
    ("a_program_goes_on_where_its_zygote_parked", goes_on),
    ("a_program_has_no_privilege", no_privilege),
    ("a_program_is_in_its_shell", in_its_shell),
    ("a_program_has_its_four_descriptors_and_no_others", descriptors),
    ("a_program_cannot_leave_its_shell", cannot_leave),
    ("landlock_is_in_force_where_it_is_asked_for", landlock_in_force),
    ("a_program_may_do_what_programs_do", ordinary_things),
    ("programs_of_one_zygote_see_nothing_of_each_other", apart),
    ("init_hears_how_a_program_ends_and_can_end_it", ends),
    ("a_hundred_programs_of_one_zygote", a_hundred),
    ("an_ordinary_users_launcher_starts_programs_too", rootless),
    ("a_network_for_zygotes_can_be_joined_and_no_other", networks),
    ("an_ordinary_users_network_for_zygotes_can_be_joined", networks_rootless),
];

fn goes_on() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    let program = shell.start(&mut zygote);
    assert_eq!(program.number, 3);
    let said = program.run("print(os.getpid(), os.getppid(), threading.get_native_id(), os.getsid(0), os.getpgid(0))");
    assert_eq!(said, "3 1 3 3 3");
    assert_eq!(shell.said(), "3 exited 0");
}

fn no_privilege() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    let said = shell.run(
        &mut zygote,
        "print(os.getresuid(), os.getresgid(), os.getgroups())\n\
         fields = dict(line.split(':', 1) for line in open('/proc/self/status'))\n\
         print(*(fields[name].strip() for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', \
         'Seccomp', 'TracerPid', 'Threads')))",
    );
    let none = "0000000000000000";
    assert_eq!(said, format!("(1000, 1000, 1000) (1000, 1000, 1000) []\n{none} {none} {none} {none} {none} 1 2 0 1"));
}

fn in_its_shell() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    let said = shell.run(
        &mut zygote,
        "print(*sorted(os.listdir('/')))\n\
         print(os.getcwd(), os.uname().nodename, [line.split(':')[0].strip() for line in open('/proc/net/dev')][2:])\n\
         print(sorted(int(pid) for pid in os.listdir('/proc') if pid.isdigit()))\n\
         print({line.split(':', 2)[2].strip() for line in open('/proc/self/cgroup') if 'memory' in line or '0::' == line[:3]})\n\
         open('/workspace/file', 'w').write('written'); print(open('/workspace/file').read(), os.stat('/workspace/file').st_uid)\n\
         print(open('/proc/self/oom_score_adj').read().strip(), oct(os.umask(0)))\n\
         print(any('rwx' in line or 'r-x' in line and 'python' not in line and '/' not in line and '[v' not in line \
         for line in open('/proc/self/maps')))\n\
         print(*(os.stat(f'/proc/self/ns/{name}').st_ino for name in ('user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup')))",
    );
    let lines: Vec<&str> = said.lines().collect();
    let [files, place, processes, cgroups, file, score, leftovers, namespaces] = lines.as_slice() else {
        panic!("{said}")
    };
    assert!(files.contains("workspace") && !files.contains("root") && !files.contains("home"), "{files}");
    assert_eq!(*place, "/ sandbox ['lo']");
    assert_eq!(*processes, "[1, 3]");
    assert_eq!(*cgroups, "{'/'}", "the shell's cgroup is the root of its cgroup namespace");
    assert_eq!(*file, "written 1000");
    assert_eq!(*score, "500 0o22");
    assert_eq!(*leftovers, "False", "instructions of the start are left in its memory");
    let ours = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"].map(|name| {
        let file = rustix::fs::stat(format!("/proc/self/ns/{name}")).expect("a namespace of ours");
        file.st_ino.to_string()
    });
    let theirs: Vec<&str> = namespaces.split(' ').collect();
    assert!(ours.iter().zip(&theirs).all(|(ours, theirs)| ours != theirs), "{ours:?} {theirs:?}");
    // A second program is in the same ones.
    let program = shell.start(&mut zygote);
    let again = program.run("print(*(os.stat(f'/proc/self/ns/{name}').st_ino for name in ('user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup')))");
    assert_eq!(again, *namespaces);
}

fn descriptors() {
    let world = World::enter();
    let mut zygote = world.python(
        "import os, signal\n\
         kept = [os.open('/dev/zero', os.O_RDONLY) for _ in range(20)]\n\
         os.kill(os.getpid(), signal.SIGSTOP)\n\
         exec(os.read(3, 65536).decode())",
    );
    let shell = world.shell();
    let said = shell.run(
        &mut zygote,
        "import fcntl\n\
         def opened(fd):\n\
         \x20try: return fcntl.fcntl(fd, fcntl.F_GETFD)\n\
         \x20except OSError: return None\n\
         print({fd: opened(fd) for fd in range(1024) if opened(fd) is not None})\n\
         print(*(os.readlink(f'/proc/self/fd/{fd}').split(':')[0] for fd in range(4)), os.stat(1).st_ino == os.stat(2).st_ino)\n\
         print(os.open('/dev/null', os.O_RDONLY), len(kept))",
    );
    assert_eq!(said, "{0: 0, 1: 0, 2: 0, 3: 0}\npipe pipe pipe pipe True\n4 20");
}

fn cannot_leave() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    let said = shell.run(
        &mut zygote,
        "libc = ctypes.CDLL(None, use_errno=True)\n\
         def call(*arguments):\n\
         \x20ctypes.set_errno(0)\n\
         \x20answer = libc.syscall(*(ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments))\n\
         \x20if answer >= 0 and arguments[0] == 56 and answer == 0: os._exit(9)\n\
         \x20return errno.errorcode.get(ctypes.get_errno(), answer)\n\
         namespaces = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]\n\
         print({call(272, flag) for flag in namespaces})\n\
         print({call(56, flag | 17, 0, 0, 0, 0) for flag in namespaces + [0x8000, 0x100]})\n\
         print(call(308, os.open('/proc/self/ns/user', os.O_RDONLY), 0), call(435, 0, 0))\n\
         print(call(165, b'none', b'/tmp', b'tmpfs', 0, 0), call(166, b'/proc', 2), call(155, b'/', b'/'), call(161, b'/'))\n\
         print(call(101, 0, 0, 0, 0), call(101, 16, 1, 0, 0), call(310, 1, 0, 0, 0, 0, 0), call(317, 1, 0, 0))\n\
         try: open('/proc/1/mem', 'rb')\n\
         except OSError as error: print(errno.errorcode[error.errno])\n\
         try: os.setuid(0)\n\
         except OSError as error: print(errno.errorcode[error.errno])\n\
         print(call(126, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(2, 2, 0, 0, 0, 0)))",
    );
    assert_eq!(
        said,
        "{'EPERM'}\n{'ENOSYS'}\nENOSYS ENOSYS\nEPERM EPERM EPERM EPERM\nEPERM EPERM EPERM EPERM\nEACCES\nEINVAL\nEPERM"
    );
}

fn landlock_in_force() {
    let world = World::enter();
    if world.landlock.is_none() {
        crate::skip("the kernel has no landlock");
        return;
    }
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell();
    // Nothing but landlock denies these to the user they belong to.
    let code = "\
def attempt(action):
 try: action(); return 'done'
 except OSError as error: return errno.errorcode[error.errno]
print(attempt(lambda: open('/proc/self/oom_score_adj', 'w').write('600')),
 attempt(lambda: open('/workspace/file', 'w')), attempt(lambda: open('/usr/bin/env').close),
 attempt(lambda: os.listdir('/packages')), attempt(lambda: open('/dev/null', 'w')))";
    assert_eq!(shell.run(&mut zygote, code), "EACCES done done done done");
    shell.landlock = false;
    assert_eq!(shell.run(&mut zygote, code), "done done done done done");
}

fn ordinary_things() {
    let world = World::enter();
    let processors = rustix::thread::sched_getaffinity(None).expect("processors").count();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    let said = shell.run(
        &mut zygote,
        "import subprocess, queue, math\n\
         child = os.fork() or os._exit(7)\n\
         print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n\
         print(subprocess.run(['/usr/bin/python3', '-I', '-S', '-c', 'print(6 * 7)'], capture_output=True).stdout)\n\
         answers = queue.Queue()\n\
         threads = [threading.Thread(target=lambda number=number: answers.put(number)) for number in range(3)]\n\
         [thread.start() for thread in threads]; [thread.join() for thread in threads]\n\
         print(sorted(answers.queue))\n\
         thread = threading.Thread(target=lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1))\n\
         thread.start(); thread.join()\n\
         signal.raise_signal(signal.SIGUSR1)\n\
         print(seen, len(os.sched_getaffinity(0)), math.sqrt(2), open('/proc/self/comm').read().strip())\n\
         here, there = socket.socketpair(); here.send(b'x'); print(there.recv(1))",
    );
    let expected = format!("7\nb'42\\n'\n[0, 1, 2]\n['USR1', 'USR1'] {processors} 1.4142135623730951 python3\nb'x'");
    assert_eq!(said, expected);
}

fn apart() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let (first, second, third) = (world.shell(), world.shell(), world.shell());
    let (one, two) = (first.start(&mut zygote), second.start(&mut zygote));
    one.send("shared[0] = 1; open('/tmp/one', 'w'); print('ready', flush=True)\nimport time\n");
    drop(one.code);
    patiently(one.output.as_fd());
    let look = "print(shared, os.listdir('/tmp'), sorted(int(pid) for pid in os.listdir('/proc') if pid.isdigit()))\n\
                print(os.stat('/proc/self/ns/pid').st_ino)";
    let two = two.run(&format!("shared[0] += 10\n{look}"));
    let three = third.run(&mut zygote, look);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&two)[0], "[10] [] [1, 3]");
    assert_eq!(lines(&three)[0], "[0] [] [1, 3]", "the zygote is as it was");
    assert_ne!(lines(&two)[1], lines(&three)[1]);
}

fn ends() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    shell.run(&mut zygote, "os._exit(3)");
    assert_eq!(shell.said(), "3 exited 3");
    let second = shell.start(&mut zygote);
    let number = second.number;
    second.run("os.kill(os.getpid(), signal.SIGTERM)");
    assert_eq!(shell.said(), format!("{number} killed 15"));
    // Init can end it, as it does before a sandbox is used again.
    let third = shell.start(&mut zygote);
    third.send("print('waiting', flush=True)\n");
    packet::send(shell.control.as_fd(), KILL.as_bytes(), &[]).expect("an init");
    let said = [shell.said(), shell.said()];
    assert!(
        said.contains(&"killing Ok(())".to_owned()) && said.contains(&format!("{} killed 9", third.number)),
        "{said:?}"
    );
}

fn a_hundred() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    for number in 0..100 {
        let shell = world.shell();
        assert_eq!(shell.run(&mut zygote, "shared[0] += 1; print(shared)"), "[1]", "start {number}");
        assert_eq!(shell.said(), "3 exited 0");
    }
    // Many of them at once.
    let shells: Vec<_> = (0..20).map(|_| world.shell()).collect();
    let programs: Vec<_> = shells.iter().map(|shell| shell.start(&mut zygote)).collect();
    for (number, program) in programs.into_iter().enumerate() {
        assert_eq!(program.run(&format!("shared[0] += {number}; print(shared)")), format!("[{number}]"));
    }
    assert!(zygote.is_alive());
}

fn rootless() {
    let world = World::enter_rootless();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    let said = shell.run(
        &mut zygote,
        "print(os.getpid(), os.getppid(), os.getuid(), os.getgid(), len(os.listdir('/proc/self/fd')))\n\
         fields = dict(line.split(':', 1) for line in open('/proc/self/status'))\n\
         print(*(fields[name].strip() for name in ('CapEff', 'CapPrm', 'CapBnd', 'NoNewPrivs', 'Seccomp')))\n\
         print(sorted(int(pid) for pid in os.listdir('/proc') if pid.isdigit()))",
    );
    let none = "0000000000000000";
    assert_eq!(said, format!("3 1 1000 1000 5\n{none} {none} {none} 1 2\n[1, 3]"));
    assert_eq!(shell.said(), "3 exited 0");
}

fn networks() {
    join(World::enter);
}

fn networks_rootless() {
    join(World::enter_rootless);
}

fn join(enter: fn() -> World) {
    let world = enter();
    let mut zygote = world.python(ZYGOTE);
    let tenant = [1; 16];
    // One of the launcher's own, in which no copy of a zygote has a right.
    sys::unshare(UnshareFlags::NEWNET).expect("a network");
    let shell = world.shell_in_our_network();
    let error = shell.try_start(&mut zygote, None, PATIENCE).err().expect("a failure");
    assert_eq!((error.step, error.errno, error.zygote_lost), (StartStep::Join, Errno::PERM, false));

    let mut pool = NetNsPool::new(world.zygotes());
    assert_eq!(pool.prepare(1), Ok(true));
    let talk = "print([line.split(':')[0].strip() for line in open('/proc/net/dev')][2:])\n\
                        server = socket.create_server(('127.0.0.1', 0)); client = socket.create_connection(server.getsockname())\n\
                        client.send(b'x'); print(server.accept()[0].recv(1))\n\
                        try: open('/proc/sys/net/ipv4/ip_forward', 'w')\n\
                        except OSError as error: print(errno.errorcode[error.errno] in ('EACCES', 'EROFS'))\n\
                        try: client.setsockopt(socket.SOL_SOCKET, 36, 1)\n\
                        except OSError as error: print(errno.errorcode[error.errno])";
    for again in [false, true] {
        // The tenant's own is used again.
        let network = pool.enter(&tenant).expect("a network");
        let shell = world.shell_in_our_network();
        assert_eq!(shell.run(&mut zygote, talk), "['lo']\nb'x'\nTrue\nEPERM", "again: {again}");
        drop(shell);
        pool.give_back(tenant, network);
    }
}
