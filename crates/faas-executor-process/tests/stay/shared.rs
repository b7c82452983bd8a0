//! A program that answers several calls at once.

use crate::staying::{Called, Staying, called};
use faas_executor_api::{CallError, Health, Interrupt, Invocation, SharedProgram};
use faas_types::{ByteSize, Language, LimitHit, OnOutputLimit, Outcome, OutputLimits};
use std::sync::Arc;
use tokio::join;

/// `/a` waits until `/b` came.
const PYTHON: &str = r"
import os, sys, threading, time
woken = threading.Event()
def handle(request):
    print('before', request.path)
    if request.path == '/die':
        os.write(2, b'last words')
        os._exit(3)
    if request.path == '/thread':
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    if request.path == '/work':
        until = time.thread_time() + 0.2
        while time.thread_time() < until: pass
    if request.path == '/raw':
        os.write(1, b'of nobody')
    if request.path == '/a':
        woken.wait()
    if request.path == '/b':
        woken.set()
    print('after', request.path)
    return request.path
";

const JAVASCRIPT: &str = r"
const fs = require('fs');
const { Worker } = require('worker_threads');
let wake;
const woken = new Promise((resolve) => { wake = resolve; });
exports.handle = async ({ path }) => {
  console.log('before', path);
  if (path === '/die') { fs.writeSync(2, 'last words'); process.exit(3); }
  if (path === '/thread') new Worker('setInterval(() => {}, 1000)', { eval: true });
  if (path === '/raw') fs.writeSync(1, 'of nobody');
  if (path === '/a') await woken;
  if (path === '/b') wake();
  console.log('after', path);
  return path;
};
";

/// Each language's program, to be asked two calls at once.
async fn programs() -> [(Staying, Arc<dyn SharedProgram>); 2] {
    [Staying::shared(Language::Python, PYTHON, 2).await, Staying::shared(Language::JavaScript, JAVASCRIPT, 2).await]
}

/// Asks two at once; the second is asked when the first has been.
async fn both(staying: &Staying, program: &dyn SharedProgram, paths: [&str; 2]) -> [Called; 2] {
    let [one, other] = paths;
    let (one, other) = (staying.ask(program, one).await, staying.ask(program, other).await);
    let (one, other) = join!(called(one.session.events), called(other.session.events));
    [one, other]
}

const WELL: Outcome = Outcome::Exited { code: 0 };

#[tokio::test]
async fn two_run_at_once_and_each_prints_its_own() {
    for (staying, program) in programs().await {
        for (called, path) in both(&staying, program.as_ref(), ["/a", "/b"]).await.into_iter().zip(["/a", "/b"]) {
            assert_eq!((called.outcome, called.answer.as_str()), (WELL, path), "{}", called.printed);
            assert_eq!(called.printed, format!("before {path}\nafter {path}\n"));
        }
        staying.end().await;
    }
}

#[tokio::test]
async fn what_is_nobodys_is_shown_where_the_program_ends() {
    for (staying, program) in programs().await {
        let raw = called(staying.ask(program.as_ref(), "/raw").await.session.events).await;
        assert_eq!((raw.outcome, raw.printed.as_str()), (WELL, "before /raw\nafter /raw\n"));
        for (called, path) in both(&staying, program.as_ref(), ["/a", "/die"]).await.into_iter().zip(["/a", "/die"]) {
            assert_eq!(called.outcome, Outcome::Exited { code: 3 });
            for said in [format!("before {path}\n"), "of nobody".to_owned(), "last words".to_owned()] {
                assert!(called.printed.contains(&said), "{said:?} is not in {:?}", called.printed);
            }
        }
        assert_eq!(program.health(), Health::Unrecoverable);
        let again = program.ask(staying.invocation("/b")).await;
        assert!(matches!(again, Err(CallError::Unreached { .. })), "{again:?}");
        staying.end().await;
    }
}

#[tokio::test]
async fn one_that_is_recycled_is_shared_again_and_its_threads_are_its_own() {
    for (mut staying, program) in programs().await {
        for _ in 0..3 {
            let answered = called(staying.ask(program.as_ref(), "/b").await.session.events).await;
            assert_eq!((answered.outcome, answered.answer.as_str()), (WELL, "/b"), "{}", answered.printed);
        }
        for _ in 0..3 {
            staying.recycle().await;
            let program = staying.sandbox.share().expect("a program that is shared");
            let [a, b] = both(&staying, program.as_ref(), ["/a", "/b"]).await;
            assert_eq!((a.outcome, b.outcome), (WELL, WELL));
        }
        let old = program.ask(staying.invocation("/b")).await;
        assert!(matches!(old, Err(CallError::Unreached { .. })), "what was shared before asks nothing: {old:?}");
        staying.end().await;
    }
}

#[tokio::test]
async fn threads_that_a_call_leaves_are_found() {
    for (staying, program) in programs().await {
        let left = called(staying.ask(program.as_ref(), "/thread").await.session.events).await;
        assert_eq!(left.outcome, WELL);
        if program.health() == Health::Ready {
            staying.given_up("thread").await;
        } else {
            // The runner has seen it for itself.
            staying.end().await;
        }
    }
}

#[tokio::test]
async fn processor_time_is_divided_and_nothing_of_it_counted_twice() {
    let (staying, program) = Staying::shared(Language::Python, PYTHON, 2).await;
    let [one, other] = both(&staying, program.as_ref(), ["/work", "/work"]).await;
    if let (Some(one), Some(other)) = (one.usage.cpu_us, other.usage.cpu_us) {
        assert!((390_000..800_000).contains(&(one + other)), "{one} and {other}");
        assert!(one.min(other) > 100_000, "{one} and {other}");
    }
    staying.end().await;
}

/// Hostile row 53 among several: a forged frame of a call that is over costs the sandbox.
#[tokio::test]
async fn row_53_frames_of_a_call_that_is_over_end_all_of_them() {
    let code = r"
import os, threading
def handle(request):
    if request.path == '/wait': threading.Event().wait()
    frame = (2).to_bytes(4, 'little') + bytes((0x47, 0, 0, 0)) + (1).to_bytes(4, 'little') + bytes(4) + b'\x01x'
    os.write(3, frame)
";
    let (staying, program) = Staying::shared(Language::Python, code, 2).await;
    for called in both(&staying, program.as_ref(), ["/wait", "/forge"]).await {
        assert_eq!(called.outcome, Outcome::SandboxLost);
    }
    assert_eq!(program.health(), Health::Unrecoverable);
    staying.end().await;
}

/// Requests that are asked from several threads come in the order of their numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_that_are_asked_from_everywhere_are_answered() {
    const CALLERS: usize = 40;
    let wait = "exports.handle = ({ path }) => new Promise((resolve) => setTimeout(resolve, 1, path));";
    let sleep = "import time\ndef handle(request):\n    time.sleep(0.001)\n    return request.path\n";
    for (language, code) in [(Language::JavaScript, wait), (Language::Python, sleep)] {
        let (staying, program) = Staying::shared(language, code, 40).await;
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (program, path) = (Arc::clone(&program), format!("/{caller}"));
                let invocation = staying.invocation(&path);
                tokio::spawn(async move {
                    for _ in 0..10 {
                        let asked = program.ask(invocation.clone()).await.expect("a call");
                        let answered = called(asked.session.events).await;
                        assert_eq!((answered.outcome, &answered.answer), (WELL, &path), "{}", answered.printed);
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.expect("every call of it is answered");
        }
        staying.end().await;
    }
}

/// What a program prints by itself, all the time, is nobody's and hinders nobody.
#[tokio::test]
async fn a_program_that_prints_by_itself_is_shared_all_the_same() {
    let code = r"
import threading
def chatter():
    while True: print('by itself')
threading.Thread(target=chatter, daemon=True).start()
def handle(request): print('asked')
";
    let (staying, program) = Staying::shared(Language::Python, code, 2).await;
    for _ in 0..10 {
        let answered = called(staying.ask(program.as_ref(), "/").await.session.events).await;
        assert_eq!((answered.outcome, answered.printed.as_str()), (WELL, "asked\n"));
    }
    staying.end().await;
}

/// What is printed above the limit ends a call even in the moment in which it answers.
#[tokio::test]
async fn too_much_output_with_the_answer_is_too_much() {
    let (staying, program) = Staying::shared(Language::Python, "def handle(request): print('x' * 4096)", 2).await;
    let output = OutputLimits { bytes: ByteSize::from_bytes(1024), on_limit: OnOutputLimit::Kill };
    for _ in 0..2 {
        let asked = program.ask(Invocation { output, ..staying.invocation("/") }).await;
        match asked {
            Ok(asked) => {
                let outcome = called(asked.session.events).await.outcome;
                assert_eq!(outcome, Outcome::LimitExceeded { limit: LimitHit::Output });
            }
            Err(error) => assert!(matches!(error, CallError::Unreached { .. }), "{error:?}"),
        }
    }
    staying.end().await;
}

/// A reader that takes nothing holds up its own call and no other.
#[tokio::test]
async fn a_slow_reader_holds_nobody_else_up() {
    let code = r"
def handle(request):
    if request.path == '/much':
        print('x' * (1 << 20))
        return b'x' * (32 << 20)
    return 'little'
";
    let (staying, program) = Staying::shared(Language::Python, code, 2).await;
    let output = OutputLimits { bytes: ByteSize::mib(64), ..OutputLimits::default() };
    let much = Invocation { output, ..staying.invocation("/much") };
    let unread = program.ask(much).await.expect("a call");
    for _ in 0..20 {
        let other = called(staying.ask(program.as_ref(), "/little").await.session.events).await;
        assert_eq!((other.outcome, other.answer.as_str()), (WELL, "little"));
    }
    unread.interrupter.interrupt(Interrupt::Cancel);
    assert_eq!(called(unread.session.events).await.outcome, Outcome::Cancelled);
    assert_eq!(program.health(), Health::Poisoned);
    staying.end().await;
}
