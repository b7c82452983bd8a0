//! What a call leaves in or beside a program that stays: kept, removed, or the sandbox is given up.

use crate::staying::Staying;
use faas_executor_api::{CallError, Health};
use faas_types::{Language, LimitHit, Outcome};

#[tokio::test]
async fn files_of_the_loaded_program_stay_and_those_of_calls_go() {
    let code = r"
import os
os.makedirs('/tmp/model/deep')
open('/tmp/model/deep/weights', 'w').write('loaded')
os.symlink('/tmp/model', 'link')
def handle(request):
    found = sorted(name for area in ('/workspace', '/tmp', '/code', '/dev/shm') for _, folders, names in os.walk(area) for name in folders + names)
    for place in '/tmp/model/deep/later', '/code/later', '/workspace/later', '/dev/shm/later':
        open(place, 'w').write('of a call')
    os.makedirs('/tmp/model/other/deep')
    os.chmod('/tmp', 0)
    return ' '.join([*found, open('/workspace/link/deep/weights').read() if request.path == '/read' else ''])
";
    let mut staying = Staying::python(code).await;
    for _ in 0..3 {
        assert_eq!(staying.answer("/").await, "deep link main.py model weights ");
        staying.recycle().await;
    }
    staying.end().await;
}

#[tokio::test]
async fn changed_replaced_or_removed_files_are_found() {
    for way in [
        "open('/code/main.py', 'a').write('#')",
        "os.utime('data', ns=(1, 1))",
        "os.chmod('folder', 0o700)",
        "os.rename('data', 'other')",
        "os.remove('data')",
        "os.rename('other', 'data')",
        "os.link('data', 'again')",
    ] {
        let code = format!(
            "import os\nfor name in 'data', 'other': open(name, 'w').write('x')\nos.mkdir('folder')\ndef handle(request):\n    if request.path == '/do': {way}\n"
        );
        let mut staying = Staying::python(code.leak()).await;
        staying.answer("/").await;
        staying.recycle().await;
        staying.answer("/do").await;
        staying.given_up("files").await;
    }
}

#[tokio::test]
async fn space_that_only_the_program_holds_is_found() {
    let code = r"
import os
def handle(request):
    global held
    held = open('/tmp/held', 'w')
    held.write('x' * 100000)
    os.unlink('/tmp/held')
";
    let mut staying = Staying::python(code).await;
    staying.answer("/").await;
    staying.given_up("space").await;
}

#[tokio::test]
async fn threads_of_a_call_are_found_and_those_of_the_program_are_its_own() {
    let code = r"
import ctypes, threading
from concurrent.futures import ThreadPoolExecutor
held, ended = threading.Event(), threading.Event()
threading.Thread(target=held.wait, daemon=True).start()
ending = threading.Thread(target=ended.wait, daemon=True)
ending.start()
def handle(request):
    if request.path == '/leave':
        ended.set()
        ending.join()
        threading.Thread(target=held.wait, daemon=True).start()
    with ThreadPoolExecutor(4) as pool:
        return str(sum(pool.map(int, '123')))
";
    let mut staying = Staying::python(code).await;
    for _ in 0..10 {
        assert_eq!(staying.answer("/").await, "6");
        staying.recycle().await;
    }
    assert_eq!(staying.answer("/leave").await, "6");
    staying.given_up("threads").await;
}

#[tokio::test]
async fn threads_that_node_starts_are_its_own_and_workers_are_not() {
    let code = r"
const { Worker } = require('worker_threads');
const fs = require('fs');
const work = (code) => new Promise((done) => new Worker(code, { eval: true }).on('exit', () => done()));
exports.handle = async ({ path }) => {
  await Promise.all([fs.promises.readFile('/proc/version'), fs.promises.stat('/')]);
  require('crypto').pbkdf2Sync('a', 'b', 1, 8, 'sha1');
  await new Promise((done) => require('zlib').gzip('x', () => done()));
  await work('');
  if (path === '/leave') new Worker('setInterval(() => {}, 1e6)', { eval: true }).unref();
  return 'done';
};
";
    let mut staying = Staying::of(Language::JavaScript, code).await;
    for _ in 0..5 {
        assert_eq!(staying.answer("/").await, "done");
        staying.recycle().await;
    }
    assert_eq!(staying.answer("/leave").await, "done");
    staying.given_up("threads").await;
}

#[tokio::test]
async fn timers_of_a_call_are_found_and_those_of_the_program_are_its_own() {
    let code = r"
setInterval(() => {}, 1e6);
exports.handle = async ({ path }) => {
  await new Promise((done) => setTimeout(done, 1));
  if (path === '/leave') setInterval(() => console.log('late'), 1e6);
  return 'done';
};
";
    let mut staying = Staying::of(Language::JavaScript, code).await;
    for _ in 0..3 {
        assert_eq!(staying.answer("/").await, "done");
        staying.recycle().await;
    }
    staying.answer("/leave").await;
    assert_eq!(staying.sandbox.health(), Health::Poisoned);
    staying.given_up("goes on").await;
}

#[tokio::test]
async fn processes_of_a_call_are_ended() {
    let code = r"
import os, signal, subprocess
def handle(request):
    subprocess.run(['/usr/bin/true'], check=True)
    before = [name for name in os.listdir('/proc') if name.isdigit()]
    for stubborn in False, True:
        if os.fork() == 0:
            if os.fork() == 0:
                os.setsid()
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
                if stubborn:
                    os.kill(os.getpid(), signal.SIGSTOP)
                while True:
                    try:
                        if os.fork() == 0:
                            os.setsid()
                    except OSError:
                        pass
            os._exit(0)
        os.wait()
    return str(len(before))
";
    let mut staying = Staying::python(code).await;
    for _ in 0..3 {
        assert_eq!(staying.answer("/").await, "2");
        match staying.sandbox.recycle().await {
            Ok(()) => {}
            // Init may be slower than what forks for ever, and some of them print their end; then the whole
            // sandbox goes.
            Err(CallError::Lost { .. }) => break,
            Err(other) => panic!("recycling gave {other:?}"),
        }
    }
    staying.end().await;
}

#[tokio::test]
async fn a_child_that_the_program_does_not_collect_is_found() {
    let code = "import subprocess\ndef handle(request): subprocess.Popen(['/usr/bin/sleep', '1000'])";
    let mut staying = Staying::python(code).await;
    staying.answer("/").await;
    staying.given_up("processes").await;
}

#[tokio::test]
async fn objects_of_the_kernel_and_the_priority_of_init_are_watched() {
    for (left, named) in [
        ("ctypes.CDLL(None).shmget(7, 4096, 0o1600)", "System V"),
        ("os.setpriority(os.PRIO_PROCESS, 1, 19)", "priority"),
        ("os.setxattr('/workspace', 'user.left', b'x')", "files"),
    ] {
        let code = format!(
            "import ctypes, os\ndef handle(request):\n    try:\n        {left}\n    except OSError:\n        return 'refused'\n    return 'set'\n"
        );
        let mut staying = Staying::python(code.leak()).await;
        match staying.answer("/").await.as_str() {
            "set" => staying.given_up(named).await,
            // This kernel's file systems in memory know nothing of the kind.
            _ => staying.end().await,
        }
    }
}

#[tokio::test]
async fn sockets_and_memory_are_the_programs_own() {
    let code = r"
import socket
server, held = socket.socket(), 'x' * (64 << 20)
server.bind(('127.0.0.1', 8000))
server.listen()
def handle(request):
    client = socket.create_connection(('127.0.0.1', 8000))
    return str(len(held))
";
    let mut staying = Staying::python(code).await;
    for _ in 0..3 {
        assert_eq!(staying.answer("/").await, (64 << 20).to_string());
        staying.recycle().await;
    }
    staying.end().await;
}

#[tokio::test]
async fn each_call_is_charged_for_what_it_used() {
    let code = r"
import time
def handle(request):
    if request.path == '/large':
        held, end = bytearray(b'x') * (96 << 20), time.process_time() + 0.3
        while time.process_time() < end:
            pass
";
    let mut staying = Staying::python(code).await;
    // The launcher tells of the first call, the kernel's files of the others.
    for _ in 0..2 {
        let large = staying.call("/large").await.usage;
        staying.recycle().await;
        let small = staying.call("/small").await.usage;
        staying.recycle().await;
        assert!(large.cpu_us.is_none_or(|used| used >= 300_000), "{large:?}");
        assert!(small.cpu_us.is_none_or(|used| used < 150_000), "{small:?}");
        assert!(large.memory_peak_bytes.is_none_or(|peak| peak >= 96 << 20), "{large:?}");
        assert!(small.memory_peak_bytes.is_none_or(|peak| peak < 64 << 20), "{small:?}");
    }
    staying.end().await;
}

#[tokio::test]
async fn what_the_kernel_killed_in_one_call_does_not_explain_the_end_of_another() {
    let code = r"
import os, signal, subprocess
def handle(request):
    if request.path == '/child':
        return str(subprocess.run(['/usr/bin/python3', '-c', 'held = b\'x\' * (1 << 29)']).returncode)
    if request.path == '/killed':
        os.kill(os.getpid(), signal.SIGKILL)
    return ''
";
    let mut staying = Staying::python(code).await;
    // From the second call on the kernel's files are read.
    for path in ["/", "/"] {
        staying.answer(path).await;
        staying.recycle().await;
    }
    if staying.answer("/child").await == "0" {
        eprintln!("SKIP: memory is not limited here");
        return staying.end().await;
    }
    staying.recycle().await;
    staying.answer("/").await;
    staying.recycle().await;
    assert_eq!(staying.call("/killed").await.outcome, Outcome::Signaled { signal: 9 });
    staying.end().await;
}

#[tokio::test]
async fn standard_input_is_empty_in_every_call() {
    let mut staying = Staying::python("import sys\ndef handle(request): return repr(sys.stdin.read())").await;
    assert_eq!(staying.answer("/").await, "''");
    assert_eq!(staying.answer("/").await, "''");
    staying.end().await;
}

/// Hostile row 55 in the second call.
#[tokio::test]
async fn a_second_call_may_exit_recurse_and_answer_without_end() {
    let code = r"
import sys
calls = 0
def handle(request):
    global calls
    calls += 1
    if request.path == '/exit':
        sys.exit(4)
    if request.path == '/recurse':
        return handle(request)
    if request.path == '/crash':
        import ctypes
        ctypes.string_at(0)
    if request.path == '/flood':
        return (b'x' * 65536 for _ in range(16384))
    return str(calls)
";
    for (path, expected) in [
        ("/exit", Outcome::Exited { code: 4 }),
        ("/crash", Outcome::Signaled { signal: 11 }),
        ("/flood", Outcome::LimitExceeded { limit: LimitHit::Output }),
    ] {
        let mut staying = Staying::python(code).await;
        assert_eq!(staying.answer("/").await, "1");
        staying.recycle().await;
        let failed = staying.call("/recurse").await;
        assert!(failed.failed.is_some_and(|why| why.starts_with("RecursionError")), "{}", failed.printed);
        assert_eq!(failed.outcome, Outcome::Exited { code: 0 });
        staying.recycle().await;
        assert_eq!(staying.call(path).await.outcome, expected, "{path}");
        if staying.sandbox.health() == Health::Ready {
            staying.recycle().await;
            assert_eq!(staying.answer("/").await, "1", "the program is loaded anew after {path}");
        }
        staying.end().await;
    }
}

/// What user code says with the runner's voice ends the sandbox, or the program's stay.
#[tokio::test]
async fn a_program_that_speaks_for_its_runner_does_not_stay() {
    let code = r"
import os
class Late:
    def __del__(self):
        os.write(3, bytes.fromhex('00000000430000000200000000000000'))
def handle(request):
    request.late = Late()
";
    let mut staying = Staying::python(code).await;
    let called = staying.call("/").await;
    if called.outcome == (Outcome::Exited { code: 0 }) {
        match staying.sandbox.recycle().await {
            Err(CallError::Lost { .. }) => {}
            Ok(()) => {
                let second = staying.call("/").await;
                assert_ne!(second.outcome, Outcome::Exited { code: 0 }, "a second answer came from the first call");
            }
            Err(other) => panic!("recycling gave {other:?}"),
        }
    }
    staying.end().await;
}
