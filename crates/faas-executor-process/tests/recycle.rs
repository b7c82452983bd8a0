//! What a call tries to leave for the next one: removed, or the sandbox is given up.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

use faas_executor_api::{CallError, Command, DestroyReason, Event, Executor, Health, Sandbox, SandboxSpec};
use faas_executor_process::{Launcher, ProcessExecutor, Settings};
use faas_types::{IsolationLevel, Outcome, OutputLimits, Resources, TenantId};
use std::time::{Duration, Instant};

fn executor() -> ProcessExecutor {
    Launcher::start(&Settings::default()).expect("a launcher").into_executor().expect("an executor")
}

async fn sandbox(executor: &ProcessExecutor) -> Box<dyn Sandbox> {
    let strict = rustix::process::geteuid().is_root();
    let spec = SandboxSpec {
        tenant: TenantId::LOCAL,
        language: None,
        resources: Resources::default(),
        isolation: if strict { IsolationLevel::Strict } else { IsolationLevel::Standard },
        packages: None,
    };
    executor.create(spec).await.expect("a sandbox")
}

/// Runs a Python program that must exit with 0; what it printed.
async fn python(sandbox: &mut dyn Sandbox, code: &str) -> String {
    let command = Command {
        argv: ["/usr/bin/python3", "-I", "-c", code].map(str::to_owned).into(),
        env: Vec::new(),
        files: Vec::new(),
        deadline: Instant::now() + Duration::from_secs(60),
        output: OutputLimits::default(),
    };
    let mut session = sandbox.exec(command).await.expect("a call");
    let (mut said, mut ended) = (Vec::new(), None);
    while let Some(event) = session.events.next().await {
        match event {
            Event::Stdout(bytes) | Event::Stderr(bytes) => said.extend_from_slice(&bytes),
            Event::Done(done) => ended = Some(done.outcome),
            Event::Loaded | Event::ResponseHead(_) | Event::Body(_) | Event::ResponseEnd | Event::Failed(_) => {}
        }
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(ended, Some(Outcome::Exited { code: 0 }), "{said}");
    said
}

/// What `code` says it has "set" is found. Where this kernel's file systems in memory know nothing of the kind,
/// it says that it was refused, and there is nothing to find.
async fn is_found_where_it_can_be(code: &str) {
    let executor = executor();
    let mut sandbox = sandbox(&executor).await;
    let set = python(sandbox.as_mut(), code).await == "set\n";
    assert_eq!(sandbox.recycle().await.is_err(), set);
    sandbox.destroy(DestroyReason::Finished).await;
    executor.shutdown().await;
}

/// Everything a program can see that an earlier one could have changed.
const LOOK: &str = r"
import ctypes, fcntl, os, socket
for area in '/workspace', '/tmp', '/code', '/dev/shm':
    found = os.stat(area)
    space = os.statvfs(area)
    print(area, oct(found.st_mode), found.st_uid, sorted(os.listdir(area)), os.listxattr(area), space.f_bfree, space.f_ffree)
    try:
        print(fcntl.ioctl(os.open(area, os.O_RDONLY), 0x80086601, bytes(8)))
    except OSError:
        pass
for table in 'tcp', 'tcp6', 'udp', 'udp6', 'unix', 'ip6_flowlabel':
    print(table, len(open('/proc/net/' + table).readlines()))
for line in open('/proc/1/status'):
    if line.startswith(('SigQ', 'SigPnd', 'ShdPnd')):
        print(line)
server = socket.socket()
server.bind(('127.0.0.1', 8000))
print(sorted(name for name in os.listdir('/proc') if name.isdigit())[:1], len([name for name in os.listdir('/proc') if name.isdigit()]))
print(os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0))
";

/// What `code` leaves is gone afterwards.
async fn is_removed(code: &str) {
    let executor = executor();
    let mut sandbox = sandbox(&executor).await;
    let fresh = python(sandbox.as_mut(), LOOK).await;
    sandbox.recycle().await.expect("it can be recycled");
    for _ in 0..3 {
        python(sandbox.as_mut(), code).await;
        sandbox.recycle().await.expect("it can be recycled");
        assert_eq!(sandbox.health(), Health::Ready);
        assert_eq!(python(sandbox.as_mut(), LOOK).await, fresh);
    }
    sandbox.destroy(DestroyReason::Finished).await;
    executor.shutdown().await;
}

/// What `code` leaves cannot be removed: the sandbox is given up, and the reason names it.
async fn is_given_up(code: &str, named: &str) {
    let executor = executor();
    let mut sandbox = sandbox(&executor).await;
    python(sandbox.as_mut(), code).await;
    match sandbox.recycle().await {
        Err(CallError::Lost { reason }) => assert!(reason.contains(named), "{reason}"),
        other => panic!("recycling gave {other:?}"),
    }
    assert_eq!(sandbox.health(), Health::Unrecoverable);
    sandbox.destroy(DestroyReason::Unhealthy).await;
    executor.shutdown().await;
}

#[tokio::test]
async fn files_links_sockets_and_pipes_of_every_area_are_removed() {
    is_removed(
        r"
import os, socket
for area in '/workspace', '/tmp', '/code', '/dev/shm':
    os.chdir(area)
    open('file', 'w').write('secret')
    open('-rf', 'w').close()
    os.symlink('/etc/passwd', 'link')
    os.symlink(area, 'itself')
    os.mkfifo('pipe')
    os.link('file', 'other')
    socket.socket(socket.AF_UNIX).bind('socket')
    os.makedirs('a/b/c/d')
    open('a/b/c/d/deep', 'w').close()
    os.chmod('a/b', 0)
",
    )
    .await;
}

#[tokio::test]
async fn modes_of_the_areas_are_put_back() {
    is_removed("import os\nfor area in '/workspace', '/tmp', '/code', '/dev/shm': os.chmod(area, 0)").await;
}

#[tokio::test]
async fn daemons_and_stopped_and_forking_processes_are_ended() {
    is_removed(
        r"
import os, signal, sys
if os.fork() == 0:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True:
        signal.pause()
stopped = os.fork()
if stopped == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
if os.fork() == 0:
    os.setsid()
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
        except OSError:
            pass
",
    )
    .await;
}

#[tokio::test]
async fn files_that_only_a_daemon_or_a_message_in_flight_holds_are_freed() {
    is_removed(
        r"
import os, signal, socket
file = os.open('/tmp/held', os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 4 << 20)
os.write(file, b'x' * (4 << 20))
os.unlink('/tmp/held')
left, right = socket.socketpair()
socket.send_fds(left, [b'x'], [file])
if os.fork() == 0:
    os.setsid()
    while True:
        signal.pause()
",
    )
    .await;
}

#[tokio::test]
async fn a_server_on_the_loopback_leaves_its_port() {
    let serve = r"
import socket
server = socket.socket()
server.bind(('127.0.0.1', 8000))
server.listen()
client = socket.create_connection(('127.0.0.1', 8000))
accepted, _ = server.accept()
accepted.close()
client.close()
";
    is_removed(serve).await;
}

#[tokio::test]
async fn signals_that_wait_for_init_are_thrown_away() {
    let code = r"
import os, signal
from ctypes import CDLL
for signal in 1, 10, 12, 15, 33, 64:
    os.kill(1, signal)
for _ in range(3000):
    CDLL(None).kill(1, 40)
";
    is_removed(code).await;
}

#[tokio::test]
async fn times_of_the_areas_tell_nothing() {
    let executor = executor();
    let mut sandbox = sandbox(&executor).await;
    let areas = "'/workspace', '/tmp', '/code', '/dev/shm'";
    python(sandbox.as_mut(), &format!("import os\nfor area in {areas}: os.utime(area, ns=(12345, 67890))")).await;
    sandbox.recycle().await.expect("it can be recycled");
    let times = format!(
        "import os\nprint({{time for area in ({areas}) for time in (os.stat(area).st_atime_ns, os.stat(area).st_mtime_ns)}})"
    );
    assert_eq!(python(sandbox.as_mut(), &times).await, "{0}\n");
    sandbox.destroy(DestroyReason::Finished).await;
    executor.shutdown().await;
}

#[tokio::test]
async fn flags_of_the_areas_are_found() {
    let tried = r"
import array, fcntl, os
try:
    fcntl.ioctl(os.open('/tmp', os.O_RDONLY), 0x40086602, array.array('l', [0xC0]).tobytes())
    print('set')
except OSError:
    print('refused')
";
    is_found_where_it_can_be(tried).await;
}

#[tokio::test]
async fn options_that_outlive_their_socket_are_refused() {
    let code = r"
import socket
for level, option in (0, 21), (41, 73), (6, 18), (1, 26), (1, 50), (41, 32):
    made = socket.socket(socket.AF_INET6 if level == 41 else socket.AF_INET)
    for value in 255, bytes(32):
        try:
            made.setsockopt(level, option, value)
            raise SystemExit(f'{level} {option} {value}')
        except OSError as error:
            assert error.errno == 92, error
made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
";
    is_removed(code).await;
}

/// Connections whose ends went away with data unread and unsent, which is where the kernel has most to do.
#[tokio::test]
async fn connections_that_ended_in_the_middle_are_gone_or_found() {
    let executor = executor();
    let code = r"
import socket
server = socket.socket()
server.bind(('127.0.0.1', 9000))
server.listen(100)
held = []
for number in range(50):
    client = socket.create_connection(('127.0.0.1', 9000))
    accepted, _ = server.accept()
    for end in client, accepted:
        end.setblocking(False)
        try:
            while number % 2:
                end.send(bytes(65536))
        except BlockingIOError:
            pass
    held += [client, accepted]
";
    for _ in 0..3 {
        let mut sandbox = sandbox(&executor).await;
        python(sandbox.as_mut(), code).await;
        if sandbox.recycle().await.is_ok() {
            python(sandbox.as_mut(), LOOK).await;
            let tables = "print(len(open('/proc/net/tcp').readlines()), len(open('/proc/net/tcp6').readlines()))";
            assert_eq!(python(sandbox.as_mut(), tables).await, "1 1\n");
        }
        sandbox.destroy(DestroyReason::Finished).await;
    }
    executor.shutdown().await;
}

#[tokio::test]
async fn memory_of_the_kernel_that_a_call_was_charged_for_is_found() {
    let executor = executor();
    let mut sandbox = sandbox(&executor).await;
    // Names that do not exist are remembered, and belong to whoever asked.
    let code = "import os\nfor number in range(400000):\n    try: os.stat(f'/usr/lib/{number}-left')\n    except OSError: pass";
    python(sandbox.as_mut(), code).await;
    match sandbox.recycle().await {
        // Where the kernel is not counted, or forgot them, nothing is left.
        Ok(()) => println!("SKIP: nothing is charged for them here"),
        Err(CallError::Lost { reason }) => assert!(reason.contains("memory"), "{reason}"),
        other => panic!("recycling gave {other:?}"),
    }
    sandbox.destroy(DestroyReason::Finished).await;
    executor.shutdown().await;
}

#[tokio::test]
async fn shared_memory_is_found() {
    let code = "import ctypes; assert ctypes.CDLL(None).shmget(7, 4096, 0o1600) >= 0";
    is_given_up(code, "System V").await;
}

#[tokio::test]
async fn message_queues_and_semaphores_are_found() {
    is_given_up("import ctypes; assert ctypes.CDLL(None).msgget(7, 0o1600) >= 0", "System V").await;
    is_given_up("import ctypes; assert ctypes.CDLL(None).semget(7, 1, 0o1600) >= 0", "System V").await;
}

#[tokio::test]
async fn posix_message_queues_cannot_be_made() {
    let code = r"
import ctypes
queue = ctypes.CDLL(None, use_errno=True).mq_open(b'/left', 0o102, 0o600, None)
assert queue == -1 and ctypes.get_errno() == 24, (queue, ctypes.get_errno())
";
    is_removed(code).await;
}

#[tokio::test]
async fn the_priority_of_init_is_watched() {
    is_given_up("import os; os.setpriority(os.PRIO_PROCESS, 1, 19)", "priority").await;
    is_given_up("import os; os.setpriority(os.PRIO_USER, os.getuid(), 5)", "priority").await;
    is_given_up("import os; os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))", "priority").await;
}

#[tokio::test]
async fn the_processors_of_init_are_watched() {
    if std::thread::available_parallelism().expect("a number").get() < 2 {
        println!("SKIP the_processors_of_init_are_watched: one processor");
        return;
    }
    is_given_up("import os; os.sched_setaffinity(1, {min(os.sched_getaffinity(0))})", "priority").await;
}

#[tokio::test]
async fn attributes_of_the_areas_are_found() {
    let tried = r"
import os
try:
    os.setxattr('/workspace', 'user.left', b'x')
    print('set')
except OSError:
    print('refused')
";
    is_found_where_it_can_be(tried).await;
}

#[tokio::test]
async fn more_than_is_worth_removing_is_given_up() {
    is_given_up("for number in range(5000): open(f'/tmp/{number}', 'w').close()", "files").await;
    is_given_up("import os; [(os.mkdir('d'), os.chdir('d')) for _ in range(40)]", "files").await;
}
