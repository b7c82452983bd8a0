//! Rows 25 to 36: the kernel's surface as code inside can reach it.

use crate::host::KernelLog;
use crate::launch::Scene;
use crate::start::Start;
use crate::trial::{Outcome, Row, Verdict};

/// In numerical order.
pub(crate) const ROWS: &[Row] = &[
    Row::new("row_23_wasm_path_escapes", "WASM: leave preopened directories", |_| Ok(Verdict::Skip(WASM.into())))
        .not_for(NOT_WASM),
    Row::new("row_24_wasm_compile_bombs", "WASM: compile for minutes", |_| Ok(Verdict::Skip(WASM.into())))
        .not_for(NOT_WASM),
    Row::new("row_25_io_uring", "set up an io_uring", row_25),
    Row::new("row_26_keyrings", "keyctl, add_key, request_key", row_26),
    Row::new("row_27_privileged_system_calls", "bpf, perf, userfaultfd, kexec, modules, swap, reboot", row_27),
    Row::new("row_28_socket_families", "open sockets of every other family, and raw ones", row_28),
    Row::new("row_29_vsock", "reach the hypervisor and other guests by vsock", row_29),
    Row::new("row_30_int_80_and_x32", "enter through int 0x80 and x32 numbers", row_30),
    Row::new("row_31_personality_and_segments", "personality, modify_ldt, iopl, page zero", row_31),
    Row::new("row_32_scheduling", "real-time scheduling, nice -20, foreign processors", row_32),
    Row::new("row_33_clock_and_names", "set the clock and the host name", row_33),
    Row::new("row_34_weaken_the_filter", "put filters and listeners over ours", row_34),
    Row::new("row_35_memfd_and_fexecve", "run an unknown binary from memory", row_35),
    Row { last: true, ..Row::new("row_36_random_system_calls", "60 s of random system calls", row_36) },
];

const WASM: &str = "WASM executor: later issue";
const NOT_WASM: &[(Start, &str)] = &[(Start::Zygote, WASM), (Start::Spare, WASM)];

const REFUSED: &[&str] = &["EPERM", "EACCES", "ENOSYS"];

fn refused(scene: &Scene<'_>, program: &str, at_least: usize, more: &[&str]) -> Outcome {
    scene.program(program).run()?.report()?.refused(at_least, &[REFUSED, more].concat())?;
    Ok(Verdict::Pass)
}

fn row_25(scene: &Scene<'_>) -> Outcome {
    refused(scene, "row_25_io_uring.py", 3, &[])
}

fn row_26(scene: &Scene<'_>) -> Outcome {
    refused(scene, "row_26_keyrings.py", 16, &[])
}

fn row_27(scene: &Scene<'_>) -> Outcome {
    refused(scene, "row_27_privileged_calls.py", 22, &[])
}

/// The kernel's ways to say that a family or protocol does not exist here.
const NO_FAMILY: &[&str] = &["EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EOPNOTSUPP", "ENOTSUP", "EINVAL"];

fn row_28(scene: &Scene<'_>) -> Outcome {
    let report = scene.program("row_28_socket_families.py").run()?.report()?;
    report.refused(70, &[REFUSED, NO_FAMILY].concat())?;
    // For these the filter itself must say no, whatever this kernel was built with.
    for family in [16, 17, 38, 40, 44] {
        let answer = report.tries.get(&format!("family_{family}")).map(String::as_str).unwrap_or_default();
        if !answer.split('/').all(|word| word == "EAFNOSUPPORT" || REFUSED.contains(&word)) {
            return Err(format!("family {family} reached the kernel: {answer}"));
        }
    }
    Ok(Verdict::Pass)
}

fn row_29(scene: &Scene<'_>) -> Outcome {
    refused(scene, "row_29_vsock.py", 39, &["EAFNOSUPPORT", "ENOENT"])?;
    Ok(Verdict::PassExcept("host-side listener: microVM executor, later issue".into()))
}

fn row_30(scene: &Scene<'_>) -> Outcome {
    let report = scene.program("row_30_other_system_call_tables.py").run()?.report()?;
    // The machine code itself works: only the table differs.
    report.demand("native_getpid", &["200"])?;
    for (name, _) in report.facts_starting("int80_") {
        // SIGSEGV: a kernel built without 32-bit emulation.
        report.demand(name, &["SIGSYS", "SIGSEGV"])?;
    }
    for (name, _) in report.facts_starting("x32_") {
        report.demand(name, &["SIGSYS"])?;
    }
    Ok(Verdict::Pass)
}

fn row_31(scene: &Scene<'_>) -> Outcome {
    refused(scene, "row_31_personality_and_segments.py", 10, &[])
}

fn row_32(scene: &Scene<'_>) -> Outcome {
    let report = scene.program("row_32_scheduling.py").run()?.report()?;
    report.refused(11, &[REFUSED, &["EINVAL", "ESRCH"]].concat())?;
    report.demand("affinity", &["within"])?;
    report.demand("policy", &["0"])?;
    if report.fact("niceness")?.starts_with('-') {
        return Err(format!("niceness became {}", report.fact("niceness")?));
    }
    Ok(Verdict::Pass)
}

fn row_33(scene: &Scene<'_>) -> Outcome {
    // ENOTSUP: a machine without a clock that wakes it.
    refused(scene, "row_33_clock_and_names.py", 9, &["ENOENT", "ENOTSUP", "EOPNOTSUPP"])
}

fn row_34(scene: &Scene<'_>) -> Outcome {
    let report = scene.program("row_34_weaken_the_filter.py").run()?.report()?;
    // EINVAL and EFAULT: the kernel's own answers to switches that cannot be undone.
    report.refused(23, &[REFUSED, &["EINVAL", "EFAULT"]].concat())?;
    let before = report.fact("before")?;
    if before.contains("ALLOWED") {
        return Err(format!("unshare, mount, io_uring_setup are {before} from the start"));
    }
    for name in [
        "allow_all_by_prctl",
        "allow_all_by_seccomp",
        "allow_all_on_all_threads",
        "listener",
        "tracer",
        "spec_allow",
        "after",
    ] {
        report.demand(name, &[before])?;
    }
    Ok(Verdict::Pass)
}

fn row_35(scene: &Scene<'_>) -> Outcome {
    let report = scene.program("row_35_memfd_and_fexecve.py").run()?.report()?;
    if report.demand("memfd", &["yes"]).is_err() {
        return report.demand("memfd", REFUSED).map(|()| Verdict::Pass);
    }
    let said = report.fact("fexecve_said")?;
    if said.contains("ALLOWED") {
        return Err("a binary from memory escaped the filter".into());
    }
    // Either it ran and was refused with EPERM (1), or it could not be run at all.
    if said == "unshare 1" || report.fact("fexecve_ended")? != "0" {
        Ok(Verdict::Pass)
    } else {
        Err(format!("unexpected: {said}"))
    }
}

fn row_36(scene: &Scene<'_>) -> Outcome {
    let mut log = KernelLog::from_now();
    let seconds = scene.pace().row_36_seconds();
    let shortened = scene.pace().row_36_left_out();
    let seed = u32::from_str_radix(&crate::suite::random_word()?, 16).unwrap_or(1).to_string();
    let launch =
        scene.program("row_36_random_system_calls.py").env("SECONDS_TO_RUN", &seconds.to_string()).env("SEED", &seed);
    let run = launch.flag("--memory", "1Gi").flag("--pids", "64").seconds(seconds + 20).run()?;
    let record = run.record()?;
    let kept = crate::record::Report::read(&record.stdout());
    if record.text("error_kind") == "platform" || record.text("error_kind") == "sandbox_lost" {
        return Err(format!("seed {seed}: {}", record.describe()));
    }
    if kept.count("children").is_ok_and(|children| children < 10) {
        return Err(format!("seed {seed}: only {} children ran", kept.count("children")?));
    }
    let Some(log) = &mut log else {
        let unread = "kernel log: this process may not read /dev/kmsg".to_owned();
        return Ok(Verdict::pass_except(shortened.into_iter().chain([unread])));
    };
    let mut unknown = without_memory_limits(log.warnings());
    for (text, why) in KNOWN_NOTES {
        let before = unknown.len();
        unknown.retain(|line| !line.contains(text));
        if unknown.len() < before {
            crate::report::line(&format!(
                "note: seed {seed}: {} x {text:?} in the kernel's log: {why}",
                before - unknown.len()
            ));
        }
    }
    let (trouble, remarks): (Vec<String>, Vec<String>) = unknown.into_iter().partition(|line| is_trouble(line));
    if !trouble.is_empty() {
        return Err(format!("seed {seed}: the kernel complained:\n{}", trouble.join("\n")));
    }
    for remark in &remarks {
        crate::report::line(&format!("note: seed {seed}: the kernel remarked: {remark}"));
    }
    let printed =
        (!remarks.is_empty()).then(|| format!("{} remarks of the kernel at warning level, printed", remarks.len()));
    Ok(Verdict::pass_except(shortened.into_iter().chain(printed)))
}

/// Whether a line of the kernel's log tells of a fault: an error or worse, or a warning with the marks
/// of one. The kernel also remarks, once a boot and at warning level, on dozens of odd arguments that
/// any program may give, such as a program started without arguments; random calls find ever new ones.
fn is_trouble(line: &str) -> bool {
    const ERROR: u32 = 3;
    const MARKS: [&str; 14] = [
        "BUG",
        "WARNING:",
        "Oops",
        "panic",
        "RIP:",
        "Call Trace",
        "general protection",
        "refcount",
        "UBSAN",
        "KASAN",
        "lockup",
        "hung",
        "stall",
        "corrupt",
    ];
    let level = line.split(',').next().and_then(|number| number.parse::<u32>().ok()).map_or(0, |number| number & 7);
    level <= ERROR || MARKS.iter().any(|mark| line.contains(mark))
}

/// Leaves out the kernel's reports of a cgroup at its memory limit: that is a limit being enforced, in
/// this sandbox or in somebody else's. A machine out of memory stays in.
fn without_memory_limits(lines: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut report = Vec::new();
    for line in lines {
        if line.contains("Memory cgroup out of memory: Killed process") {
            report.clear();
        } else if !report.is_empty() || line.contains("invoked oom-killer") {
            report.push(line);
        } else {
            kept.push(line);
        }
    }
    // A report that does not end with a cgroup's limit is not one of those.
    kept.append(&mut report);
    kept
}

/// Lines at warning level about an argument the kernel refused or ignored, or about messages it held
/// back. They tell nothing of a fault; how often each came is printed as a note.
const KNOWN_NOTES: &[(&str, &str)] = &[
    ("__vm_enough_memory: pid", "shared memory larger than the machine; refused with ENOMEM"),
    ("show_signal", "how many of its own lines about segmentation faults, below warning, it left out"),
    ("oom_kill_process:", "how many reports of cgroups at their memory limit, this or another's, it left out"),
];
