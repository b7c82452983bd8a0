//! Rows 54 to 59: hostile requests, programs that break their own runtime, and what is left of them for others.

use crate::launch::{Launch, Scene, replied_within};
use crate::start::Start;
use crate::trial::{Outcome, Row, Verdict};
use std::collections::BTreeSet;

/// In numerical order.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "row_54_malformed_requests",
        "no code, 50 MB of it, NUL, unknown and climbing languages, bad quantities",
        row_54,
    )
    .not_for(&[(Start::Zygote, NO_PROGRAM), (Start::Spare, NO_PROGRAM)]),
    Row::new("row_55_break_the_runner", "sys.exit, recursion, raising, replacing the runner", row_55),
    Row::new("row_56_leave_a_thread_running", "leave a thread running after the end", row_56),
    Row::new("row_57_sleep_while_importing", "sleep past the limit while importing", row_57),
    Row::new("row_58_two_hundred_at_once", "200 cold starts, 20 at a time", row_58)
        .not_for(&[(Start::Spare, "twenty at once are more than are ready; the copies are tried in the other way")]),
    Row::new("row_59_find_what_another_left", "find another's secrets, files and random numbers", row_59),
];

const NO_PROGRAM: &str = "requests: refused before anything is started";

/// Demands that the command refused to run this, and said which field and why.
fn refused(what: &str, launch: Launch<'_>, words: &[&str]) -> Result<(), String> {
    let run = launch.run().map_err(|problem| format!("{what}: {problem}"))?;
    let said = format!("{} {}", run.stderr, String::from_utf8_lossy(&run.stdout)).to_lowercase();
    if run.exit == Some(0) {
        return Err(format!("{what} was accepted: {}", run.describe()));
    }
    match words.iter().find(|word| !said.contains(**word)) {
        Some(word) => Err(format!("{what}: the message does not say {word:?}: {}", run.describe())),
        None => Ok(()),
    }
}

fn row_54(scene: &Scene<'_>) -> Outcome {
    let mut wrong = Vec::new();
    let mut check = |what: &str, launch: Launch<'_>, words: &[&str]| wrong.extend(refused(what, launch, words).err());
    check("empty code", scene.code("empty.py", b"", "python")?, &["code"]);
    check("50 MB of code", scene.code("large.py", &b"#234567\n".repeat(6_553_600), "python")?, &["code"]);
    check("code with NUL", scene.code("nul.py", b"print(1)\0print(2)\n", "python")?, &["code"]);
    check("code that is not UTF-8", scene.code("utf8.py", b"print('\xff\xfe')\n", "python")?, &["code"]);
    for language in ["cobol", "../../bin/sh", "/bin/sh", "python3; id", "pyth\non", ""] {
        check(&format!("language {language:?}"), scene.code("fine.py", b"print(1)", language)?, &["lang"]);
    }
    for (flag, values) in
        [("--memory", ["0", "-1", "1e18", "1e3m", "NaN"]), ("--pids", ["0", "-1", "1e18", "1.5", "4294967296"])]
    {
        for value in values {
            let launch = scene.code("fine.py", b"print(1)", "python")?.equals(flag, value);
            check(&format!("{flag}={value}"), launch, &[flag.trim_start_matches('-')]);
        }
    }
    for value in ["0", "-1", "NaN", "forever"] {
        let launch = scene.code("fine.py", b"print(1)", "python")?.equals("--cpus", value);
        check(&format!("--cpus={value:?}"), launch, &["cpu"]);
    }
    check("a variable without a name", scene.code("fine.py", b"print(1)", "python")?.flag("--env", "=value"), &["env"]);
    check("no such file", scene.script(&scene.directory().join("absent.py"), "python"), &["absent.py"]);
    check("a directory", scene.script(scene.directory(), "python"), &["director"]);
    check("no such command", scene.exec(&["/no/such/command"]), &["/no/such/command"]);
    if wrong.is_empty() { Ok(Verdict::Pass) } else { Err(wrong.join("\n")) }
}

const HANDLERS: &str = "handlers: tried on the server, by server_hostile";

fn row_55(scene: &Scene<'_>) -> Outcome {
    let run = |name: &str, code: &str| scene.code(name, code.as_bytes(), "python")?.run()?.record();
    run("exit.py", "import sys; sys.exit(3)")?.expect("failed", "user_error", Some(3), None)?;
    run("exit_text.py", "import sys; sys.exit('reason')")?.expect("failed", "user_error", Some(1), None)?;
    run("hard_exit.py", "import os; os._exit(4)")?.expect("failed", "user_error", Some(4), None)?;
    run("raise.py", "raise ValueError('mine')")?.expect("failed", "user_error", Some(1), None)?;
    run("syntax.py", "def broken(:\n")?.expect("failed", "user_error", Some(1), None)?;
    run("recursion.py", "def f(): f()\nf()")?.expect("failed", "user_error", Some(1), None)?;
    run("stack.py", "import sys\nsys.setrecursionlimit(10**9)\nsys.exit(5)")?.expect(
        "failed",
        "user_error",
        Some(5),
        None,
    )?;
    let broken = scene.program("row_55_break_the_runner.py").run()?.record()?;
    broken.expect("failed", "user_error", None, None)?;
    if !broken.stdout().starts_with("before") {
        return Err(format!("output before the break was lost: {}", broken.describe()));
    }
    Ok(Verdict::PassExcept(HANDLERS.into()))
}

fn row_56(scene: &Scene<'_>) -> Outcome {
    // A daemon thread and a child go on writing; the reply has what was written before the end and nothing follows it.
    let code = b"import os, threading, time\nthreading.Thread(target=lambda: [time.sleep(0.01) for _ in iter(int, 1)], daemon=True).start()\nif os.fork() == 0:\n    os.setsid()\n    while True:\n        os.write(1, b'late\\n'); time.sleep(0.01)\nprint('end', flush=True)\n";
    let run = scene.code("thread.py", code, "python")?.seconds(20).run()?;
    run.record()?.expect("succeeded", "", Some(0), None)?;
    replied_within(scene, &run, 6).map_err(|problem| format!("with something left running: {problem}"))?;
    let next = scene.code("next.py", b"print('clean')", "python")?.run()?.record()?;
    if next.stdout() != "clean\n" {
        return Err(format!("output was mixed: {}", next.describe()));
    }
    // What a script leaves in a warm sandbox is looked for in the tests of the server, `server_warm`.
    Ok(Verdict::PassExcept(HANDLERS.into()))
}

fn row_57(scene: &Scene<'_>) -> Outcome {
    let module = scene.directory().join("slow.py");
    crate::suite::write(&module, b"import time\ntime.sleep(600)\n", 0o644)?;
    let code = b"import os, sys\nsys.path.insert(0, os.getcwd())\nimport slow\n";
    let run = scene.code("import.py", code, "python")?.file(&module, "slow.py").seconds(1).run()?;
    run.record()?.expect("failed", "timeout", None, None)?;
    replied_within(scene, &run, 4).map_err(|problem| format!("a limit of 1 s: {problem}"))?;
    Ok(Verdict::PassExcept(HANDLERS.into()))
}

/// Of twenty starts at a time.
const BATCHES: u64 = 10;

fn row_58(scene: &Scene<'_>) -> Outcome {
    let mut wrong = Vec::new();
    let pace = scene.pace();
    let batches = pace.far_fewer(BATCHES);
    for batch in 0..batches {
        let results: Vec<_> = std::thread::scope(|scope| {
            let start = |number: u32| {
                scope.spawn(move || -> Result<(), String> {
                    let text = format!("{batch}-{number}");
                    let code = format!("print('{text}')");
                    let record = scene
                        .code(&format!("{text}.py"), code.as_bytes(), "python")?
                        .seconds(60)
                        .one_of_many()
                        .run()?
                        .record()?;
                    record.expect("succeeded", "", Some(0), None)?;
                    if record.stdout().trim() == text {
                        Ok(())
                    } else {
                        Err(format!("another's output: {}", record.describe()))
                    }
                })
            };
            let running: Vec<_> = (0..20).map(start).collect();
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a thread ended".into()))).collect()
        });
        wrong.extend(results.into_iter().filter_map(Result::err));
    }
    match wrong.first() {
        None => {
            let fewer = pace.left_out(BATCHES, batches, "batches of 20");
            Ok(Verdict::pass_except(
                fewer.into_iter().chain(["queueing and 429: tried on the server, by server_functions".into()]),
            ))
        }
        Some(first) => Err(format!("{} failed, the first: {first}", wrong.len())),
    }
}

fn row_59(scene: &Scene<'_>) -> Outcome {
    nothing_shared(scene, "row_59_find_what_another_left.py", 11)?;
    if let Some(reason) = scene.why_not_javascript() {
        return Ok(Verdict::PassExcept(reason.into()));
    }
    nothing_shared(scene, "row_59_find_what_another_left.js", 8)?;
    Ok(Verdict::Pass)
}

/// Demands that a program finds nothing of others of its kind, and none of its so many numbers in theirs.
fn nothing_shared(scene: &Scene<'_>, program: &str, numbers: usize) -> Result<(), String> {
    let look = || -> Result<Vec<(String, String)>, String> {
        let report = scene.program(program).run()?.report()?;
        report.demand("left", &["none"])?;
        report.demand("found_own", &["memory,files"])?;
        if report.count("searched")? < 4 << 20 {
            return Err(format!("only {} bytes of memory were searched", report.fact("searched")?));
        }
        let found = report.facts_starting("number_").map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(found.collect())
    };
    // One after another, and two at once.
    let first = look();
    let (second, third) = std::thread::scope(|scope| {
        let beside = scope.spawn(look);
        (look(), beside.join().unwrap_or_else(|_| Err("a thread ended".into())))
    });
    let mut seen = BTreeSet::new();
    for one in [first, second, third] {
        let taken = one.map_err(|problem| format!("{program}: {problem}"))?;
        if taken.len() != numbers {
            return Err(format!("{program}: {} numbers, not {numbers}", taken.len()));
        }
        // Two numbers of one program may come from one source, but never two programs' from one state.
        let values: BTreeSet<_> = taken.into_iter().map(|(_, value)| value).collect();
        let shared: Vec<_> = values.intersection(&seen).cloned().collect();
        if !shared.is_empty() {
            return Err(format!("{program}: two programs drew {shared:?}"));
        }
        seen.extend(values);
    }
    Ok(())
}
