//! What a program finds, and what it shares with others of the same zygote.

use super::running::ran;
use super::{end, executor, forked, script, spec};
use faas_executor_api::{Executor, FileIn, Invocation, Origin, SandboxSpec};
use faas_types::{ByteSize, Outcome, Resources};
use std::time::{Duration, Instant};

const LOOK: &str = "\
import os, resource, stat, subprocess, sys, threading
print(sorted(os.environ.items()), sys.argv, sys.orig_argv, os.getcwd(), os.getppid(), __name__, __file__, sys.path)
print(sorted(os.listdir('/workspace')), sorted(os.listdir('/code')), sorted(os.listdir('/tmp')), os.listdir('/'))
print(open('/workspace/data/a.txt').read(), subprocess.run(['/usr/bin/env'], capture_output=True).stdout)
print(sys.flags, sys.stdin, sys.stdout, sys.stderr, sys.stdout.line_buffering, threading.active_count())
print([(n, stat.S_IFMT(os.fstat(n).st_mode), os.get_inheritable(n)) for n in range(3)], os.listdir('/proc/self/fd'))
print(os.getresuid(), os.getresgid(), os.getgroups(), os.nice(0), os.umask(0o22), os.sched_getaffinity(0))
print([resource.getrlimit(n) for n in range(16)], os.uname().nodename, os.cpu_count(), sys.stdin.read())
print(os.getsid(0) == os.getpid() == os.getpgrp(), os.path.realpath('/proc/self/exe'), os.stat('/dev/stdout').st_uid)
for name in ('status', 'cgroup', 'mountinfo', 'oom_score_adj', 'comm', 'wchan', 'limits'):
    shown = ('Cap', 'NoNewPrivs', 'Seccomp', 'Sig', 'Shd', 'Uid', 'Gid', 'Groups', 'Umask', 'Tracer', 'Threads', 'Cpus')
    lines = open('/proc/self/' + name).read().splitlines()
    lines = [line.split()[4:6] for line in lines] if name == 'mountinfo' else lines
    print(name, [line for line in lines if name != 'status' or line.startswith(shown)])
print(sorted(open('/proc/%s/comm' % pid).read() for pid in os.listdir('/proc') if pid.isdigit()))
";

#[tokio::test]
async fn a_program_finds_what_it_would_find_in_an_interpreter_of_its_own() {
    let executor = executor();
    let call = || Invocation {
        env: vec![("A".to_owned(), "b".to_owned())],
        files: vec![FileIn { path: "data/a.txt".to_owned(), content: "content".into(), executable: false }],
        ..script(LOOK)
    };
    // Before there is a zygote, and after.
    let mut cold = executor.create(spec()).await.expect("a sandbox");
    assert_eq!(cold.origin(), Origin::Cold);
    let mut copy = forked(&executor, &spec()).await;
    let (seen_cold, done) = ran(cold.as_mut(), call()).await;
    assert_eq!(done.outcome, Outcome::Exited { code: 0 }, "{seen_cold}");
    let (seen, done) = ran(copy.as_mut(), call()).await;
    assert_eq!(done.outcome, Outcome::Exited { code: 0 }, "{seen}");
    for (cold, copy) in seen_cold.lines().zip(seen.lines()) {
        assert_eq!(cold, copy);
    }
    assert_eq!(seen_cold.lines().count(), seen.lines().count());
    end(cold).await;
    end(copy).await;
    executor.shutdown().await;
}

const NUMBERS: &str = "\
import os, random, secrets, ssl, tempfile, uuid
print(random.random()); print(random.Random().random()); print(random.SystemRandom().random()); print(os.urandom(8))
print(secrets.token_hex()); print(ssl.RAND_bytes(8)); print(uuid.uuid4()); print(tempfile.mktemp()); print(uuid.uuid1())
print(id(object()) and os.listdir('/workspace')); open('/workspace/left', 'w').write('of another')
";

#[tokio::test]
async fn copies_of_one_zygote_share_no_random_numbers_and_no_files() {
    let executor = executor();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut sandbox = forked(&executor, &spec()).await;
        let (numbers, done) = ran(sandbox.as_mut(), script(NUMBERS)).await;
        assert_eq!(done.outcome, Outcome::Exited { code: 0 }, "{numbers}");
        end(sandbox).await;
        seen.push(numbers.lines().map(str::to_owned).collect::<Vec<_>>());
    }
    executor.shutdown().await;
    for (at, first) in seen.iter().enumerate() {
        assert_eq!(first.last().map(String::as_str), Some("[]"), "another's file");
        for other in seen.iter().skip(at + 1) {
            let same = first.iter().zip(other).filter(|(one, other)| one == other).count();
            assert_eq!(same, 1, "{first:?} {other:?}");
        }
    }
}

#[tokio::test]
async fn a_program_ends_as_any_program_does() {
    let executor = executor();
    let small = Resources { memory: ByteSize::mib(64), disk: ByteSize::mib(16), ..Resources::default() };
    let soon = Duration::from_millis(300);
    let cases = [
        ("import sys; sys.exit(7)", super::PATIENCE, Outcome::Exited { code: 7 }),
        ("import os; os.kill(os.getpid(), 15)", super::PATIENCE, Outcome::Signaled { signal: 15 }),
        ("raise ValueError('no')", super::PATIENCE, Outcome::Exited { code: 1 }),
        ("while True: pass", soon, Outcome::TimedOut),
        ("kept = [bytearray(1 << 20) for _ in range(200)]", super::PATIENCE, Outcome::OutOfMemory),
    ];
    for (code, within, outcome) in cases {
        let mut sandbox = forked(&executor, &SandboxSpec { resources: small, ..spec() }).await;
        let call = Invocation { deadline: Instant::now() + within, ..script(code) };
        let (seen, done) = ran(sandbox.as_mut(), call).await;
        assert_eq!(done.outcome, outcome, "{code}: {seen}");
        end(sandbox).await;
    }
    executor.shutdown().await;
}

#[tokio::test]
async fn what_it_uses_is_counted_as_its_own() {
    let executor = executor();
    let mut sandbox = forked(&executor, &spec()).await;
    let code = "import time\nkept = b'x' * (48 << 20)\nuntil = time.process_time() + 0.2\nwhile time.process_time() < until: pass";
    let (_, done) = ran(sandbox.as_mut(), script(code)).await;
    end(sandbox).await;
    executor.shutdown().await;
    let usage = done.usage;
    assert!(usage.memory_peak_bytes.is_none_or(|bytes| bytes > 48 << 20), "{usage:?}");
    assert!(usage.cpu_us.is_none_or(|cpu| cpu >= 200_000), "{usage:?}");
}

#[tokio::test]
async fn what_would_come_too_late_for_a_copy_has_an_interpreter_of_its_own() {
    let executor = executor();
    let mut sandbox = forked(&executor, &spec()).await;
    let code = "import time; print(time.tzname[0])";
    let call = Invocation { env: vec![("TZ".to_owned(), "XYZ-1".to_owned())], ..script(code) };
    assert_eq!(ran(sandbox.as_mut(), call).await.0, "XYZ\n");
    end(sandbox).await;
    executor.shutdown().await;
}

#[tokio::test]
async fn one_is_as_new_again_after_its_program() {
    let executor = executor();
    let mut sandbox = forked(&executor, &spec()).await;
    let (_, done) = ran(sandbox.as_mut(), script("import subprocess; subprocess.Popen(['/bin/sleep', '100'])")).await;
    assert_eq!(done.outcome, Outcome::Exited { code: 0 });
    sandbox.recycle().await.expect("as new");
    let (seen, _) = ran(sandbox.as_mut(), script("import os; print(os.listdir('/workspace'))")).await;
    assert_eq!(seen, "[]\n");
    sandbox.recycle().await.expect("as new");
    end(sandbox).await;

    let mut unasked = forked(&executor, &spec()).await;
    unasked.recycle().await.expect("as new");
    assert_eq!(ran(unasked.as_mut(), script("print('runs')")).await.0, "runs\n");
    end(unasked).await;
    executor.shutdown().await;
}
