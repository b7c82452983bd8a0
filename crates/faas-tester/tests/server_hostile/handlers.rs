//! Row 55: what a handler may do to its own call, and never to the next one, in Python and in JavaScript.

use crate::site::{FUNCTIONS, Site, on_server};
use anyhow::{Context, Result, bail, ensure};
use faas_tester::server::{CallError, peak_memory_of};
use serde_json::{Value, json};

/// What is done is in the request. Whoever is calm says which program it is in its result, all others before
/// they do it.
const PYTHON: &str = "
import os, time
program = os.urandom(8).hex()
def handle(request):
    deed = request.get_text()
    if deed in ('calm', 'listen'):
        time.sleep(0.1 if deed == 'listen' else 0)
        return {'calm': program}
    print(program, flush=True)
    scope = {'request': request}
    exec(deed, scope)
    return scope['result']
";
const JAVASCRIPT: &str = "
const Deed = (async () => {}).constructor;
const program = require('crypto').randomUUID();
exports.handle = async (request) => {
  const deed = request.getText();
  if (deed === 'listen') await new Promise((then) => setTimeout(then, 100));
  if (deed === 'calm' || deed === 'listen') return { calm: program };
  console.log(program);
  return new Deed('request', 'require', deed)(request, require);
};
";

/// The answer of the runner that a deed in Python finds on its stack.
const OWN_ANSWER: &str = "
import os, sys
stack = sys._getframe()
while 'answer' not in stack.f_locals: stack = stack.f_back
answer = stack.f_locals['answer']
def frame(kind, body, call, sequence=0):
    return b''.join(number.to_bytes(4, 'little') for number in (len(body), kind, call, sequence)) + body
def forged(call, said=b'forged'):
    head = (200).to_bytes(2, 'little') + bytes(4)
    return frame(0x41, head, call) + frame(0x42, said, call) + frame(0x43, b'', call)
";

/// A function that does what it is told.
pub(crate) struct Told<'a> {
    site: &'a Site,
    name: &'static str,
}

/// What becomes of the program that did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// It may answer the next call.
    Goes,
    /// It answers no other call.
    Ends,
}

impl<'a> Told<'a> {
    pub(crate) async fn python(site: &'a Site) -> Result<Self> {
        Self::of(site, "python", PYTHON).await
    }

    pub(crate) async fn javascript(site: &'a Site) -> Result<Self> {
        Self::of(site, "javascript", JAVASCRIPT).await
    }

    async fn of(site: &'a Site, name: &'static str, code: &str) -> Result<Self> {
        site.deploy(&json!({"name": name, "runtime": name, "code": code, "timeout": 20})).await?;
        Ok(Self { site, name })
    }

    pub(crate) async fn does(&self, deed: &str) -> Result<Value> {
        self.site.invoke(self.name, deed).await
    }

    /// The next calls, which take long enough for whatever goes on to be heard, hear nothing.
    pub(crate) async fn hears_nothing_after(&self, deed: &str) -> Result<()> {
        self.is_undisturbed("listen", deed).await.map(drop)
    }

    async fn is_calm_after(&self, deed: &str) -> Result<[String; 2]> {
        self.is_undisturbed("calm", deed).await
    }

    /// The next calls are answered as if nothing had been: by which programs.
    async fn is_undisturbed(&self, by: &str, deed: &str) -> Result<[String; 2]> {
        let mut programs = [String::new(), String::new()];
        for program in &mut programs {
            let next = self.does(by).await?;
            let calm = next["result"]["calm"].as_str().filter(|_| next["status"] == "succeeded");
            calm.with_context(|| format!("after {deed}: {next}"))?.clone_into(program);
            let said = (&next["stdout"], &next["stderr"]);
            ensure!(said == (&json!(""), &json!("")), "after {deed}: {said:?} of another call");
        }
        Ok(programs)
    }

    /// Something fails its own call with one of these kinds and this cause, and no other.
    async fn fails(&self, deed: &str, kinds: &[&str], cause: &str, program: Program) -> Result<Value> {
        let failed = self.does(deed).await?;
        let kind = failed["error_kind"].as_str().unwrap_or_default();
        ensure!(failed["status"] == "failed" && kinds.contains(&kind), "{deed}: {failed}");
        ensure!(failed["error"].as_str().is_some_and(|it| it.contains(cause)), "{deed}: not {cause:?}: {failed}");
        let calm = self.is_calm_after(deed).await?;
        if program == Program::Ends {
            let did = failed["stdout"].as_str().and_then(|said| said.lines().next()).context("it says which it is")?;
            ensure!(calm.iter().all(|program| program != did), "{deed}: its program answers others");
        }
        Ok(failed)
    }
}

const USER: &[&str] = &["user_error"];

#[test]
fn row_55_a_handler_that_raises() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        for (deed, cause, after) in [
            ("raise ValueError('mine')", "ValueError: mine", Program::Goes),
            ("raise BaseException('mine')", "BaseException: mine", Program::Goes),
            ("class Bad(Exception):\n    def __str__(self): raise self\nraise Bad", "Bad", Program::Goes),
            ("def broken(:", "SyntaxError", Program::Goes),
            ("def pieces():\n    yield 'one'\n    raise ValueError('mine')\nresult = pieces()", "mine", Program::Goes),
            ("raise KeyboardInterrupt", "", Program::Ends),
        ] {
            python.fails(deed, USER, cause, after).await?;
        }
        let javascript = Told::javascript(&site).await?;
        for (deed, cause, after) in [
            ("throw new RangeError('mine')", "RangeError: mine", Program::Goes),
            ("return Promise.reject(new Error('mine'))", "Error: mine", Program::Goes),
            ("throw null", "threw null", Program::Goes),
            ("throw new Proxy({}, {get() { throw 1; }, getPrototypeOf() { throw 2; }})", "Error", Program::Goes),
            ("throw Object.assign(new Error(), {toString() { throw 1; }})", "Error", Program::Goes),
            ("broken(", "SyntaxError", Program::Goes),
            ("return (function* () { yield 'one'; throw new Error('mine'); })()", "mine", Program::Goes),
            ("process.nextTick(() => { throw new Error('mine'); }); await new Promise(() => {})", "", Program::Ends),
            ("Promise.reject(new Error('mine')); await new Promise(() => {})", "", Program::Ends),
        ] {
            javascript.fails(deed, USER, cause, after).await?;
        }
        // Over HTTP it has begun, and is broken off for whoever reads it.
        for _ in 0..20 {
            let (status, whole) =
                read(&site, "javascript", "return (function* () { yield 'one'; throw 1; })()").await?;
            ensure!((status, whole) == (200, false), "half an answer was given for a whole one: {status}");
        }
        Ok(())
    })
}

#[test]
fn row_55_a_handler_that_returns_what_is_not_json() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        for (deed, cause) in [
            ("result = object()", "returned object"),
            ("result = {1, 2}", "returned set"),
            ("result = {'a': object()}", "not JSON"),
            ("result = []; result.append(result)", "not JSON"),
            ("result = []\nfor _ in range(100000): result = [result]", "not JSON"),
            ("result = []\nfor _ in range(100): result = [result]", "64 levels"),
            ("result = '\\ud800'", "UnicodeEncodeError"),
            ("result = (1, 2, 3, 4)", "tuple"),
            ("result = ('x', 99)", "99"),
            ("result = ('x', 200, {'a': 'b\\r\\nset-cookie: c'})", "header"),
            ("result = ('x', 200, {'a\\r\\nb': 'c'})", "header"),
            (
                "result = ({}, 200, {'content-type': 'application/json', 'x': 'y'}); result = (b'{', *result[1:])",
                "JSON",
            ),
        ] {
            python.fails(deed, USER, cause, Program::Goes).await?;
        }
        let javascript = Told::javascript(&site).await?;
        for (deed, cause) in [
            ("return () => 1", "returned function"),
            ("return Symbol('a')", "returned symbol"),
            ("return 1n", "returned bigint"),
            ("return {a: 1n}", "not JSON"),
            ("const a = {}; a.a = a; return a", "not JSON"),
            ("let a = []; for (let n = 0; n < 100000; n += 1) a = [a]; return a", "not JSON"),
            ("return new Map()", "returned Map"),
            ("return {toJSON() { throw new Error('mine'); }}", "mine"),
            ("return {[Symbol.iterator]() { return this; }, next() { return 1; }}", ""),
            ("return new Response('{', {headers: {'content-type': 'application/json'}})", "JSON"),
        ] {
            javascript.fails(deed, USER, cause, Program::Goes).await?;
        }
        Ok(())
    })
}

#[test]
fn row_55_a_handler_that_returns_nan() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        for nan in ["float('nan')", "{'n': float('inf')}", "[-float('inf')]"] {
            python.fails(&format!("result = {nan}"), USER, "not JSON", Program::Goes).await?;
        }
        // Its language has null for it.
        let javascript = Told::javascript(&site).await?;
        for (nan, result) in [("NaN", json!(null)), ("{n: Infinity}", json!({"n": null}))] {
            let answered = javascript.does(&format!("return {nan}")).await?;
            ensure!(answered["status"] == "succeeded" && answered["result"] == result, "{nan}: {answered}");
            javascript.is_calm_after(nan).await?;
        }
        Ok(())
    })
}

#[test]
fn row_55_a_handler_that_returns_a_gigabyte() -> Result<()> {
    on_server(|site| async move {
        let before = peak_memory_of(site.process)?;
        let python = Told::python(&site).await?;
        let javascript = Told::javascript(&site).await?;
        let (streamed, whole) = ("result = (b'x' * 65536 for _ in range(16384))", "result = b'x' * (1 << 30)");
        python.fails("result = 'x' * (2 << 20)", USER, "above 1048576 bytes", Program::Goes).await?;
        python.fails(streamed, &["limit"], "", Program::Ends).await?;
        // Where the memory of a sandbox is no cgroup's, the program is told that there is none.
        python.fails(whole, &["oom", "user_error"], "", Program::Ends).await?;
        let piece = "const piece = Buffer.alloc(65536, 1);";
        let flood = format!("{piece} return (function* () {{ for (let n = 0; n < 16384; n += 1) yield piece; }})()");
        javascript.fails("return 'x'.repeat(2 << 20)", USER, "above 1048576 bytes", Program::Goes).await?;
        javascript.fails(&flood, &["limit"], "", Program::Ends).await?;
        javascript.fails("return 'x'.repeat(2 ** 30)", USER, "RangeError", Program::Goes).await?;
        javascript.fails("return Buffer.alloc(2 ** 30, 1)", &["oom", "user_error"], "", Program::Ends).await?;
        // Over HTTP it is cut off, and is not taken for whole.
        let (status, whole) = read(&site, "python", streamed).await?;
        ensure!(status == 200 && !whole, "{status}");
        python.is_calm_after(streamed).await?;
        let grown = peak_memory_of(site.process)?.saturating_sub(before) >> 10;
        println!("the server grew by {grown} MiB");
        ensure!(grown < 128, "the server grew by {grown} MiB");
        Ok(())
    })
}

#[test]
fn row_55_a_handler_that_recurses() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        python.fails("def deeper(): deeper()\ndeeper()", USER, "RecursionError", Program::Goes).await?;
        // Without the interpreter's limit it is the stack that ends, and the program with it.
        let deed =
            "import sys\nsys.setrecursionlimit(10**9)\ndef deeper(): list(map(lambda _: deeper(), [1]))\ndeeper()";
        python.fails(deed, &["user_error", "oom"], "", Program::Ends).await?;
        let javascript = Told::javascript(&site).await?;
        let deed = "const deeper = () => deeper(); deeper()";
        javascript.fails(deed, USER, "RangeError", Program::Goes).await?;
        let deed = "const deeper = async () => { await deeper(); }; await deeper()";
        javascript.fails(deed, USER, "RangeError", Program::Goes).await?;
        Ok(())
    })
}

#[test]
fn row_55_a_handler_that_exits() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        for (deed, exit, signal) in [
            ("import sys; sys.exit(3)", Some(3), None),
            ("import sys; sys.exit(0)", Some(0), None),
            ("import sys; sys.exit('reason')", Some(1), None),
            ("raise SystemExit", Some(0), None),
            ("import os; os._exit(4)", Some(4), None),
            ("import os; os._exit(0)", Some(0), None),
            ("import os; os.kill(os.getpid(), 9)", None, Some(9)),
            ("import os; os.abort()", None, Some(6)),
            ("import os; os.execv('/bin/sh', ['sh', '-c', 'exit 6'])", Some(6), None),
            (
                "import threading, os\ngone = threading.Thread(target=os._exit, args=[5]); gone.start(); gone.join()",
                Some(5),
                None,
            ),
        ] {
            exits(&python, deed, exit, signal).await?;
        }
        let javascript = Told::javascript(&site).await?;
        for (deed, exit, signal) in [
            ("process.exit(3)", Some(3), None),
            ("process.exit(0)", Some(0), None),
            ("process.reallyExit(4)", Some(4), None),
            ("setImmediate(() => process.exit(5)); await new Promise(() => {})", Some(5), None),
            ("process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})", None, Some(9)),
            ("process.abort()", None, Some(6)),
        ] {
            exits(&javascript, deed, exit, signal).await?;
        }
        Ok(())
    })
}

async fn exits(told: &Told<'_>, deed: &str, exit: Option<u8>, signal: Option<u8>) -> Result<()> {
    let failed = told.fails(deed, USER, "", Program::Ends).await?;
    let ended = (&failed["exit_code"], &failed["signal"]) == (&json!(exit), &json!(signal));
    ensure!(ended && failed["result"].is_null(), "{deed}: {failed}");
    Ok(())
}

/// What breaks the runner in the middle of its call.
#[test]
fn row_55_a_handler_that_monkeypatches_its_runner() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        for (deed, kinds) in [
            ("import builtins; builtins.len = None", &["user_error"][..]),
            ("import posix\ndef write(*given): raise MemoryError\nposix.write = write", USER),
            ("type(answer).add = None", USER),
            ("type(answer).send = lambda answer: os._exit(7)", USER),
            ("answer.host.socket = 99", USER),
            ("os.close(3)", USER),
            ("os.dup2(os.open('/dev/null', os.O_RDWR), 3)", USER),
            ("answer.call += 1", &["sandbox_lost"]),
        ] {
            python.fails(&format!("{OWN_ANSWER}{deed}\nresult = 'mine'"), kinds, "", Program::Ends).await?;
        }
        let javascript = Told::javascript(&site).await?;
        for (deed, kinds) in [
            ("Buffer.prototype.writeUInt32LE = () => { process.exit(7); }; return 'mine'", &["user_error"][..]),
            ("Buffer.concat = () => Buffer.alloc(64, 255); return 'mine'", &["sandbox_lost"]),
            ("require('net').Socket.prototype.write = () => process.exit(7); return 'mine'", USER),
            ("require('fs').closeSync(3); return 'mine'", USER),
        ] {
            javascript.fails(deed, kinds, "", Program::Ends).await?;
        }
        // What is its own to break, and breaks nothing.
        for deed in [
            "import sys; sys.stdout = sys.stderr = None",
            "import sys; sys.excepthook = None",
            "import gc; gc.disable()",
        ] {
            let fine = python.does(&format!("{deed}\nresult = 1")).await?;
            ensure!(fine["result"] == 1, "{deed}: {fine}");
            python.is_calm_after(deed).await?;
        }
        // One that never answers meets the time of its function.
        let name = "silent";
        site.deploy(&json!({"name": name, "runtime": "python", "code": PYTHON, "timeout_ms": 500})).await?;
        let deed = format!("{OWN_ANSWER}type(answer).send = lambda answer: None\nresult = 'mine'");
        let silent = site.invoke(name, &deed).await?;
        ensure!(silent["error_kind"] == "timeout", "{silent}");
        let next = site.invoke(name, "calm").await?;
        ensure!(next["status"] == "succeeded" && next["stdout"] == "", "{next}");
        Ok(())
    })
}

/// What is said with the runner's voice is never another call's answer.
#[test]
fn row_55_a_handler_that_answers_for_the_next_call() -> Result<()> {
    on_server(|site| async move {
        let python = Told::python(&site).await?;
        for deed in [
            // Before its own answer, and right behind it.
            "os.write(3, forged(answer.call + 1))",
            "os.write(3, forged(answer.call, b'own') + forged(answer.call + 1))",
            "os.write(3, bytes(range(256)) * 16)",
            "os.write(3, frame(0x42, b'', answer.call)[:-5] + b'\\xff' * 5)",
            "os.write(3, b'\\xff\\xff\\xff\\xff')",
        ] {
            let own = python.does(&format!("{OWN_ANSWER}{deed}\nresult = 'mine'")).await?;
            ensure!(own["result"] != "forged", "{deed}: {own}");
            python.is_calm_after(deed).await?;
        }
        // A child that goes on saying it has the runner's end of the line.
        let child = "
line = os.dup(3)
if os.fork() == 0:
    os.setsid()
    while True:
        for call in range(answer.call + 1, answer.call + 4): os.write(line, forged(call))
result = 'mine'";
        for _ in 0..3 {
            let own = python.does(&format!("{OWN_ANSWER}{child}")).await?;
            ensure!(own["result"] != "forged", "{own}");
            python.hears_nothing_after("a child that answers").await?;
        }
        let javascript = Told::javascript(&site).await?;
        for deed in [
            "require('fs').writeSync(3, Buffer.alloc(64, 255)); return 'mine'",
            "require('fs').writeSync(3, Buffer.from('00000000430000000200000000000000', 'hex')); return 'mine'",
        ] {
            let own = javascript.does(deed).await?;
            ensure!(own["error_kind"] == "sandbox_lost", "{deed}: {own}");
            javascript.is_calm_after(deed).await?;
        }
        Ok(())
    })
}

/// The status of an answer over HTTP, and whether it came to its end.
async fn read(site: &Site, function: &str, deed: &str) -> Result<(u16, bool)> {
    let mut connection = site.post(&format!("{FUNCTIONS}/{function}/http"), deed).await?;
    let head = connection.head().await?;
    loop {
        match connection.piece().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok((head.status, true)),
            Err(CallError::Cut(_)) => return Ok((head.status, false)),
            Err(other) => bail!("{other}"),
        }
    }
}
