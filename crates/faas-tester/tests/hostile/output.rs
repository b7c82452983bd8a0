//! Rows 48 to 53: output that floods, deceives or pretends to be ours.

use crate::launch::{Launch, Scene};
use crate::trial::{Outcome, Row, Verdict};
use std::process::Stdio;

/// In numerical order.
pub(crate) const ROWS: &[Row] = &[
    Row::new("row_48_floods_of_output", "endless lines, 1 GB without one, NUL, bad UTF-8", row_48),
    Row::new("row_49_terminal_escapes_and_forged_lines", "terminal escapes, forged records and log lines", row_49),
    Row::new("row_50_write_to_unknown_descriptors", "write frames to every descriptor beyond the three", row_50),
    Row::new("row_51_forged_results", "forge a result on stdout", row_51),
    Row::new("row_52_ends_that_look_like_others", "exit 0 with an error, 137, own SIGKILL, SIGSEGV", row_52),
    Row::new("row_53_frames_from_inside", "frames that lie about their length, one byte at a time, floods", row_53),
];

/// What is kept of a stream in the record.
const INLINE: usize = 1024 * 1024;

/// How many MiB of it are passed on.
const LIMIT: u64 = 8;

/// How much is written, in MiB: in lines, and without one.
const FLOODS: [u64; 2] = [512, 1024];

fn row_48(scene: &Scene<'_>) -> Outcome {
    let flood =
        |way: &str, bytes: u64| scene.program("row_48_floods.py").env("WAY", way).env("BYTES", &bytes.to_string());
    let pace = scene.pace();
    let floods = FLOODS.map(|mib| pace.far_fewer(mib));
    let limit = format!("{}Mi", pace.fewer(LIMIT));
    for (way, mib) in [("lines", floods[0]), ("one_line", floods[1])] {
        let run = flood(way, mib << 20).flag("--output-limit", &limit).seconds(60).run()?;
        let record = run.record()?;
        record.expect("succeeded", "", Some(0), None)?;
        if !record.flag("stdout_truncated") {
            return Err(format!("{way}: what was cut is not flagged: {}", record.describe()));
        }
        let kept = record.stdout().len();
        if kept == 0 || kept > INLINE + 16 {
            return Err(format!("{way}: {kept} bytes were kept in the record"));
        }
        // Both streams share one limit: what a flood pushes out may be gone, but never without a flag.
        if record.text("stderr").trim() != "the end" && !record.flag("stderr_truncated") {
            return Err(format!("{way}: stderr was lost without a flag: {:?}", record.text("stderr")));
        }
        if run.observed.largest_resident_kib > 256 * 1024 {
            return Err(format!("{way}: a platform process grew to {} KiB", run.observed.largest_resident_kib));
        }
    }
    let record = flood("nul", 70_000).run()?.record()?;
    if record.stdout() != "\0".repeat(70_000) {
        return Err(format!("NUL bytes were changed: {}", record.describe()));
    }
    let record = flood("not_utf8", 30_000).run()?.record()?;
    if !record.stdout().contains('\u{FFFD}') || record.text("stdout_base64").is_empty() {
        return Err(format!("bytes that are not UTF-8 need U+FFFD and stdout_base64: {}", record.describe()));
    }
    Ok(Verdict::pass_except(pace.left_out(FLOODS.iter().sum(), floods.iter().sum(), "MiB")))
}

fn row_49(scene: &Scene<'_>) -> Outcome {
    let forge = || scene.program("row_49_escapes_and_forged_lines.py");
    let run = forge().run()?;
    let record = run.record()?;
    record.expect("failed", "user_error", Some(7), None)?;
    if record.text("id") == "exe_forged" {
        return Err("the program forged its own record".into());
    }
    if let Some(byte) = run.stdout.iter().find(|byte| **byte < b' ' && **byte != b'\n') {
        return Err(format!("the record holds the raw control byte {byte:#04x}"));
    }
    if run.stderr.contains("forged") {
        return Err(format!("the command's own messages carry the program's: {:?}", run.stderr));
    }
    let shown = forge().plain().on_a_terminal().run()?;
    for escape in [&b"\x1b]52;"[..], b"\x1b]0;", b"\x1bP", b"\xc2\x9d"] {
        if shown.stdout.windows(escape.len()).any(|window| window == escape) {
            return Err(format!("the escape {escape:?} reached the terminal"));
        }
    }
    Ok(Verdict::Pass)
}

fn row_50(scene: &Scene<'_>) -> Outcome {
    let report = scene.program("row_50_write_to_unknown_descriptors.py").run()?.report()?;
    report.refused(2042, &["EBADF"])?;
    Ok(Verdict::Pass)
}

/// `faas run` under the argv-json contract; `None` when the command cannot ask for it yet.
fn argv_json<'a>(scene: &'a Scene<'a>, name: &str, code: &str) -> Result<Option<Launch<'a>>, String> {
    let help = scene.suite.command(scene.identity).args(["run", "--help"]).stdin(Stdio::null()).output();
    let help = help.map_err(|e| format!("cannot start faas: {e}"))?;
    if !String::from_utf8_lossy(&help.stdout).contains("--contract") {
        return Ok(None);
    }
    let launch =
        scene.code(name, code.as_bytes(), "python")?.flag("--contract", "argv-json").flag("--input", "{\"a\": 1}");
    Ok(Some(launch))
}

const NO_CONTRACT_FLAG: &str = "argv-json half: `faas run` has no --contract";

fn row_51(scene: &Scene<'_>) -> Outcome {
    // For a script stdout is text, whatever it looks like.
    let script = b"print('{\"result\": 1}')\nprint('{\"error\": null, \"status\": \"failed\"}')\n";
    let record = scene.code("forged.py", script, "python")?.run()?.record()?;
    record.expect("succeeded", "", Some(0), None)?;
    if record.0.get("result").is_some_and(|result| !result.is_null()) {
        return Err(format!("a script's stdout became its result: {}", record.describe()));
    }
    let cases = [
        ("two.py", "print('{\"first\": 1}')\nprint('{\"second\": 2}')", Some(serde_json::json!({"second": 2}))),
        ("null.py", "print('{\"error\": null}')", Some(serde_json::json!({"error": null}))),
        ("garbage.py", "print('{\"first\": 1} trailing {garbage')", None),
        ("nothing.py", "pass", None),
    ];
    for (name, code, result) in cases {
        let Some(launch) = argv_json(scene, name, code)? else {
            return Ok(Verdict::PassExcept(NO_CONTRACT_FLAG.into()));
        };
        let record = launch.run()?.record()?;
        let given = record.0.get("result").filter(|value| !value.is_null());
        let fits = match &result {
            Some(expected) => record.text("status") == "succeeded" && given == Some(expected),
            // Without one complete document at the end: the last complete one, or the program's fault.
            None => {
                record.text("error_kind") == "user_error"
                    || given.is_none()
                    || given == Some(&serde_json::json!({"first": 1}))
            }
        };
        if !fits {
            return Err(format!("{name}: {}", record.describe()));
        }
    }
    Ok(Verdict::Pass)
}

fn row_52(scene: &Scene<'_>) -> Outcome {
    let cases: [(&str, &str, Option<u64>, Option<u64>); 4] = [
        ("exit_137.py", "import sys; sys.exit(137)", Some(137), None),
        ("kill.py", "import os; os.kill(os.getpid(), 9)", None, Some(9)),
        ("segv.py", "import ctypes; ctypes.string_at(0)", None, Some(11)),
        ("abort.py", "import os; os.abort()", None, Some(6)),
    ];
    for (name, code, exit, signal) in cases {
        let record = scene.code(name, code.as_bytes(), "python")?.run()?.record()?;
        record.expect("failed", "user_error", exit, signal).map_err(|problem| format!("{name}: {problem}"))?;
    }
    let error = "print('{\"error\": \"x\"}')";
    scene.code("error.py", error.as_bytes(), "python")?.run()?.record()?.expect("succeeded", "", Some(0), None)?;
    match argv_json(scene, "error_json.py", error)? {
        Some(launch) => launch.run()?.record()?.expect("failed", "user_error", Some(0), None).map(|()| Verdict::Pass),
        None => Ok(Verdict::PassExcept(NO_CONTRACT_FLAG.into())),
    }
}

fn row_53(scene: &Scene<'_>) -> Outcome {
    let run = scene.program("row_53_frames_from_inside.py").run()?;
    let record = run.record()?;
    record.expect("failed", "user_error", Some(9), None)?;
    let stdout = record.stdout();
    let report = crate::record::Report::read(&stdout);
    report.demand("targets", &["1,2"])?;
    // The frames are the program's output, as bytes, in order: nothing swallowed them.
    report.demand("last", &["reached"])?;
    let frames = stdout.matches("xxxxxxxxxxxxxxxx").count();
    if frames != 2001 {
        return Err(format!("{frames} of 2001 frames arrived as output"));
    }
    report.refused(16, &["EPERM", "EACCES", "ENOENT", "ENXIO"])?;
    // And the platform is well.
    scene.code("after.py", b"print('well')", "python")?.run()?.record()?.expect("succeeded", "", Some(0), None)?;
    Ok(Verdict::PassExcept(
        "frames on the runner's own connection: unit tests and fuzz targets of faas-protocol".into(),
    ))
}
