//! Those of languages with a runner, which waits in them: what a call finds is what it would find in one made for it.

use super::blank::printed;
use super::running::{children, ran};
use super::{end, executor, inits, killed, pids, settled, spare, spec};
use bytes::Bytes;
use faas_executor_api::{CallError, Executor, FileIn, Health, Invocation, Origin, Program, Sandbox, SandboxSpec, Stay};
use faas_types::{Contract, CpuAmount, Language, Outcome, OutputLimits, Resources};
use std::time::{Duration, Instant};

fn spec_of(language: Language) -> SandboxSpec {
    SandboxSpec { language: Some(language), ..spec() }
}

fn script(language: Language, code: &'static str) -> Invocation {
    let name = if language == Language::Python { "main.py" } else { "main.js" };
    Invocation {
        contract: Contract::Script,
        program: Program { code: Bytes::from_static(code.as_bytes()), name: name.to_owned() },
        args: vec!["argument".to_owned()],
        env: Vec::new(),
        files: Vec::new(),
        request: None,
        stay: Stay::No,
        at_once: 1,
        deadline: Instant::now() + Duration::from_secs(60),
        output: OutputLimits::default(),
    }
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const LOOK_PYTHON: &str = "\
import os, sys, subprocess, threading
print(sorted(os.environ.items()), sys.argv, os.getcwd(), os.getpid(), __name__, __file__)
print(sorted(os.listdir('/workspace')), sorted(os.listdir('/code')), sorted(os.listdir('/tmp')))
print(open('/workspace/data/a.txt').read(), subprocess.run(['/usr/bin/env'], capture_output=True).stdout)
print(sys.flags, sys.stdout.encoding, threading.active_count(), sorted(os.listdir('/proc/self/fd')))
print(os.times().children_user, os.getuid(), os.nice(0), sys.stdin.read())
";

const LOOK_NODE: &str = "\
const fs = require('fs');
console.log(Object.entries(process.env).sort(), process.argv, process.cwd(), process.pid, __filename);
console.log(fs.readdirSync('/workspace'), fs.readdirSync('/code'), fs.readdirSync('/tmp'));
console.log(fs.readFileSync('/workspace/data/a.txt', 'utf8'));
console.log(require('child_process').execFileSync('/usr/bin/env').toString());
console.log(process.uptime() > 0, process.execArgv, fs.readFileSync(0, 'utf8'));
";

#[tokio::test]
async fn a_call_finds_in_it_what_it_would_find_in_one_made_for_it() {
    let executor = executor();
    for (language, code) in [(Language::Python, LOOK_PYTHON), (Language::JavaScript, LOOK_NODE)] {
        let call = || Invocation {
            env: env(&[("A", "b"), ("PATH", "/usr/bin"), ("WITH", "a=b\nc"), ("\u{e4}", "\u{f6}"), ("EMPTY", "")]),
            files: vec![FileIn { path: "data/a.txt".to_owned(), content: "content".into(), executable: false }],
            ..script(language, code)
        };
        let mut cold = executor.create(spec_of(language)).await.expect("a sandbox");
        assert_eq!(cold.origin(), Origin::Cold);
        let (mut ready, _) = spare(&executor, &spec_of(language)).await;
        let (seen_cold, done) = ran(cold.as_mut(), call()).await;
        assert_eq!(done.outcome, Outcome::Exited { code: 0 }, "{seen_cold}");
        let (seen_ready, done) = ran(ready.as_mut(), call()).await;
        assert_eq!(done.outcome, Outcome::Exited { code: 0 }, "{seen_ready}");
        assert_eq!(seen_cold, seen_ready);
        assert!(seen_ready.contains("argument") && seen_ready.contains("content"), "{seen_ready}");
        end(cold).await;
        end(ready).await;
    }
    executor.shutdown().await;
}

/// What acts when a process starts is there when it does.
#[tokio::test]
async fn one_for_whom_a_variable_would_come_too_late_is_started_anew() {
    let executor = executor();
    let cases = [
        (Language::Python, "import time; print(time.tzname[0])", ("TZ", "XYZ-1"), "XYZ\n"),
        (Language::Python, "import sys, os; print(os.environ['LD_BIND_NOW'])", ("LD_BIND_NOW", "1"), "1\n"),
        (
            Language::JavaScript,
            "console.log(process.allowedNodeEnvironmentFlags.size > 0, v8())\nfunction v8() { return typeof gc }",
            ("NODE_OPTIONS", "--expose-gc"),
            "true function\n",
        ),
    ];
    for (language, code, variable, expected) in cases {
        let (mut sandbox, _) = spare(&executor, &spec_of(language)).await;
        let call = Invocation { env: env(&[variable]), ..script(language, code) };
        let (seen, done) = ran(sandbox.as_mut(), call).await;
        assert_eq!((seen.as_str(), done.outcome), (expected, Outcome::Exited { code: 0 }), "{variable:?}");
        end(sandbox).await;
    }
    executor.shutdown().await;
}

#[tokio::test]
async fn a_command_finds_no_runner_in_it() {
    let executor = executor();
    let (mut sandbox, _) = spare(&executor, &spec_of(Language::Python)).await;
    let processes = "for each in /proc/[0-9]*; do tr '\\0' ' ' < $each/cmdline; done | grep -c start.p[y]; true";
    assert_eq!(printed(sandbox.as_mut(), processes).await, "0\n");
    assert_eq!(printed(sandbox.as_mut(), "echo again").await, "again\n");
    end(sandbox).await;
    executor.shutdown().await;
}

/// Whoever keeps one that was asked nothing makes it as new first.
#[tokio::test]
async fn one_that_was_asked_nothing_is_recycled_like_any_other() {
    let executor = executor();
    let (mut sandbox, _) = spare(&executor, &spec_of(Language::Python)).await;
    sandbox.recycle().await.expect("as new");
    assert_eq!(sandbox.health(), Health::Ready);
    let (seen, _) = ran(sandbox.as_mut(), script(Language::Python, "print('runs')")).await;
    assert_eq!(seen, "runs\n");
    end(sandbox).await;
    executor.shutdown().await;
}

/// Whose runner cannot start within its limits is served as if there were no spares.
#[tokio::test]
async fn none_are_made_in_vain_again_and_again() {
    let executor = executor();
    // Its runner needs a minute for what takes some milliseconds.
    let resources = Resources { cpu: CpuAmount::from_milli(1), ..Resources::default() };
    for _ in 0..20 {
        let spec = SandboxSpec { resources, ..spec_of(Language::JavaScript) };
        let sandbox = executor.create(spec).await.expect("a sandbox");
        assert_eq!(sandbox.origin(), Origin::Cold);
        end(sandbox).await;
    }
    // And others have theirs.
    end(spare(&executor, &spec()).await.0).await;
    executor.shutdown().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_placed_refuses_the_call_and_not_the_next() {
    let executor = executor();
    let (mut sandbox, _) = spare(&executor, &spec_of(Language::Python)).await;
    let file = |path: &str| FileIn { path: path.to_owned(), content: "1".into(), executable: false };
    let impossible =
        Invocation { files: vec![file("a"), file("a/b")], ..script(Language::Python, "print('must not run')") };
    match sandbox.invoke(impossible).await {
        Err(CallError::File { path, .. }) => assert_eq!(path, "a/b"),
        other => panic!("{:?}", other.map(|_| "it ran")),
    }
    let (seen, _) = ran(sandbox.as_mut(), script(Language::Python, "print('runs')")).await;
    assert_eq!(seen, "runs\n");
    end(sandbox).await;
    executor.shutdown().await;
}

/// A caller gets one that works, whatever became of those that waited.
#[tokio::test]
async fn one_whose_runner_died_while_it_waited_is_not_handed_over() {
    let executor = executor();
    for _ in 0..5 {
        let (sandbox, _) = spare(&executor, &spec_of(Language::Python)).await;
        end(sandbox).await;
        // One whose runner dies while it is made has none of its spec made for a while.
        settled(&executor).await;
        let runners = inits().into_iter().flat_map(|init| children(init.as_raw_pid().unsigned_abs()));
        killed(pids(runners)).await;
        let mut sandbox = executor.create(spec_of(Language::Python)).await.expect("a sandbox");
        if sandbox.health() == Health::Ready {
            let (seen, done) = ran(sandbox.as_mut(), script(Language::Python, "print('lives')")).await;
            assert_eq!((seen.as_str(), done.outcome), ("lives\n", Outcome::Exited { code: 0 }));
        }
        end(sandbox).await;
    }
    executor.shutdown().await;
}

/// What starting its runner took is not the call's.
#[tokio::test]
async fn a_call_is_not_charged_for_what_was_made_before_it() {
    let executor = executor();
    let used = async |sandbox: &mut dyn Sandbox| {
        let (_, done) = ran(sandbox, script(Language::JavaScript, "process.exit(0)")).await;
        done.usage.cpu_us
    };
    let mut cold = executor.create(spec_of(Language::JavaScript)).await.expect("a sandbox");
    let cold_us = used(cold.as_mut()).await;
    let (mut ready, _) = spare(&executor, &spec_of(Language::JavaScript)).await;
    let ready_us = used(ready.as_mut()).await;
    end(cold).await;
    end(ready).await;
    executor.shutdown().await;
    let (Some(cold_us), Some(ready_us)) = (cold_us, ready_us) else { return };
    assert!(ready_us < cold_us / 2, "{ready_us} of {cold_us} microseconds");
}
