//! Rows 37 to 47: taking more than the share, and refusing to end.

use crate::launch::{Launch, Scene, replied_within};
use crate::record::{Record, Report};
use crate::trial::{Outcome, Row, Verdict};
use std::fs;
use std::time::Duration;

/// In numerical order.
pub(crate) const ROWS: &[Row] = &[
    Row::new("row_37_fork_bomb", "a fork bomb and a crowd that renews itself", row_37),
    Row::new("row_38_threads_and_vforks", "100,000 threads and a storm of vforks", row_38),
    Row::new("row_39_memory_ten_times_the_limit", "touch 10 x the memory, in nine ways", row_39),
    Row::new("row_40_kernel_memory", "10,000 pipes, epolls, watches, timers, sockets, queues", row_40),
    Row::new("row_41_open_files", "open files until refused, in 41 processes", row_41),
    Row::new("row_42_fill_the_disk", "5M files, 8 EB sparse, 10 GB written and allocated", row_42),
    Row::new("row_43_trees_hard_to_delete", "100,000 deep, odd names, no permissions, immutable", row_43),
    Row::new("row_44_busy_loops", "64 busy loops beside a neighbour", row_44),
    Row::new("row_45_storms_of_writes", "fsync and O_DIRECT storms beside a neighbour", row_45),
    Row::new("row_46_refuse_to_die", "ignore signals, stop itself, daemonise", row_46),
    Row::new("row_47_grandchild_keeps_stdout_open", "end while a grandchild keeps stdout open", row_47),
];

/// Processes of the platform itself inside a sandbox.
const OWN_PROCESSES: usize = 2;

fn timed_out(scene: &Scene<'_>, launch: Launch<'_>, seconds: u32) -> Result<crate::record::Run, String> {
    let run = launch.seconds(seconds).run()?;
    run.record()?.expect("failed", "timeout", None, None)?;
    replied_within(scene, &run, seconds + 3).map_err(|problem| format!("a limit of {seconds} s: {problem}"))?;
    Ok(run)
}

fn row_37(scene: &Scene<'_>) -> Outcome {
    for (program, pids) in [("row_37_fork_bomb.py", 64), ("row_37_fork_bomb_bash.sh", 48)] {
        let run = timed_out(scene, scene.program(program).flag("--pids", pids.to_string()), 3)?;
        if run.observed.most_processes > pids + OWN_PROCESSES {
            return Err(format!("{program}: {} processes with a limit of {pids}", run.observed.most_processes));
        }
        if scene.suite.why_not(crate::suite::Identity::Root).is_none()
            && (run.observed.sandboxes() == 0 || run.observed.cgroups() == 0)
        {
            return Err(format!(
                "{program}: the sandbox or its cgroups were never seen from the host: {}",
                run.describe()
            ));
        }
        if program.ends_with(".py") {
            let report = run.report()?;
            report.demand("refusal", &["EAGAIN"])?;
            if report.count("started")? > 64 {
                return Err(format!("{} processes started with a limit of 64", report.fact("started")?));
            }
        }
    }
    Ok(Verdict::Pass)
}

fn row_38(scene: &Scene<'_>) -> Outcome {
    let run = timed_out(scene, scene.program("row_38_threads_and_vforks.py").flag("--pids", "64"), 5)?;
    let report = run.report()?;
    report.demand("refusal", &["RuntimeError", "MemoryError"])?;
    if report.count("threads")? > 64 {
        return Err(format!("{} threads with a limit of 64 tasks", report.fact("threads")?));
    }
    Ok(Verdict::Pass)
}

fn row_39(scene: &Scene<'_>) -> Outcome {
    const LIMIT_MIB: u64 = 64;
    let limit = (LIMIT_MIB * 1024 * 1024).to_string();
    let mut wrong = Vec::new();
    for way in ["touch", "mlockall", "memfd", "shared", "sysv", "children", "/dev/shm", "/tmp", "."] {
        let launch = scene.program("row_39_memory.py").env("WAY", way).env("LIMIT", &limit);
        let run = launch.flag("--memory", format!("{LIMIT_MIB}Mi")).flag("--disk", "16Mi").seconds(30).run()?;
        let record = run.record()?;
        record.peak_within(LIMIT_MIB)?;
        let report = Report::read(&record.stdout());
        let refused = report.fact("refused").unwrap_or_default();
        let on_disk = way.starts_with(['/', '.']);
        let fits = if on_disk {
            // Full before out of memory; an area that does not exist cannot be filled.
            ["ENOSPC", "EDQUOT", "ENOENT", "EACCES", "EROFS"].contains(&refused)
        } else {
            record.text("error_kind") == "oom"
                || ["ENOMEM", "MemoryError", "ENOSPC", "ENOSYS", "EPERM", "EINVAL", "EFBIG"].contains(&refused)
        };
        if !fits {
            wrong.push(format!("{way}: {}", record.describe()));
        }
    }
    if wrong.is_empty() { Ok(Verdict::Pass) } else { Err(wrong.join("\n")) }
}

fn row_40(scene: &Scene<'_>) -> Outcome {
    const LIMIT_MIB: u64 = 96;
    const USUAL: u64 = 10_000;
    let pace = scene.pace();
    let count = pace.fewer(USUAL);
    let mut wrong = Vec::new();
    for way in ["pipe", "epoll", "watch", "timer", "sockets", "queue", "semaphores", "eventfd", "mapping", "lock"] {
        let launch =
            scene.program("row_40_kernel_memory.py").env("WAY", way).flag("--memory", format!("{LIMIT_MIB}Mi"));
        let launch = launch.env("COUNT", &count.to_string());
        let record = launch.flag("--disk", "16Mi").seconds(30).run()?.record()?;
        // All of them, a refusal, or the end by the memory limit: never more memory than the limit.
        let ended = record.text("error_kind").is_empty() || record.text("error_kind") == "oom";
        if let Err(problem) = record.peak_within(LIMIT_MIB) {
            wrong.push(format!("{way}: {problem}"));
        } else if !ended {
            wrong.push(format!("{way}: {}", record.describe()));
        }
    }
    if wrong.is_empty() {
        Ok(Verdict::pass_except(pace.left_out(USUAL, count, "objects of each kind")))
    } else {
        Err(wrong.join("\n"))
    }
}

fn row_41(scene: &Scene<'_>) -> Outcome {
    let report = scene
        .program("row_41_open_files.py")
        .flag("--pids", "64")
        .flag("--memory", "256Mi")
        .seconds(60)
        .run()?
        .report()?;
    report.demand("refusal", &["EMFILE"])?;
    report.demand("children_refusals", &["EMFILE"])?;
    let all = (report.count("opened")? + 3) * 41;
    let limit: u64 = fs::read_to_string("/proc/sys/fs/file-max").unwrap_or_default().trim().parse().unwrap_or(u64::MAX);
    if all > limit / 2 {
        return Err(format!("41 processes may hold {all} of the host's {limit} files"));
    }
    Ok(Verdict::Pass)
}

fn row_42(scene: &Scene<'_>) -> Outcome {
    let run = scene.program("row_42_disk.py").flag("--disk", "32Mi").flag("--memory", "128Mi").seconds(60).run()?;
    run.record()?.peak_within(128)?;
    let report = run.report()?;
    for (number, area) in report.fact("areas")?.split(',').enumerate() {
        for what in ["fallocate", "dd", "files"] {
            report
                .demand(&format!("{what}_{number}"), &["ENOSPC", "EDQUOT", "EFBIG", "EOPNOTSUPP"])
                .map_err(|problem| format!("{area}: {problem}"))?;
        }
        report.demand(&format!("sparse_{number}"), &["none", "EFBIG", "EINVAL", "ENOSPC"])?;
        if report.count(&format!("dd_{number}_count"))? > 33 {
            return Err(format!("{area}: {} MiB fit into a quota of 32", report.fact(&format!("dd_{number}_count"))?));
        }
        if report.count(&format!("files_{number}_count"))? > 200_000 {
            return Err(format!("{area}: {} empty files fit", report.fact(&format!("files_{number}_count"))?));
        }
    }
    Ok(Verdict::Pass)
}

fn row_43(scene: &Scene<'_>) -> Outcome {
    const USUAL: u64 = 100_000;
    let pace = scene.pace();
    // Each step down costs the kernel more than the one before: the time grows with the square.
    let depth = pace.far_fewer(USUAL);
    let launch = scene.program("row_43_hard_to_delete.py").env("DEPTH", &depth.to_string());
    let report = launch.flag("--disk", "64Mi").flag("--memory", "256Mi").seconds(240).run()?.report()?;
    if report.count("depth")? < 500 {
        return Err(format!("only {} directories deep", report.fact("depth")?));
    }
    let mut pending = scene.places();
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if entry.file_name() == "closed" || entry.file_name() == "d" {
                return Err(format!("the tree was left at {}", entry.path().display()));
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(entry.path());
            }
        }
    }
    Ok(Verdict::pass_except(pace.left_out(USUAL, depth, "levels")))
}

/// Demands that the sandbox used no more processor time than its share of the wall time, with room for noise.
fn share_held(record: &Record, elapsed: Duration, processors: f64) -> Result<(), String> {
    let used = record.number("usage.cpu_us").ok_or_else(|| format!("no usage.cpu_us: {}", record.describe()))?;
    if record.0.pointer("/isolation/limits/cpu").is_none_or(serde_json::Value::is_null) {
        return Err(format!("isolation.limits.cpu says that nothing enforces the share: {}", record.describe()));
    }
    let allowed = elapsed.as_secs_f64() * 1e6 * processors * 1.3;
    // Microseconds of seconds fit a float exactly.
    let used = Duration::from_micros(used).as_secs_f64() * 1e6;
    if used > allowed {
        Err(format!("{used} us of processor time in {elapsed:?} with {processors} processors"))
    } else {
        Ok(())
    }
}

fn hog_beside_a_neighbour(scene: &Scene<'_>, program: &str) -> Outcome {
    let neighbour = || -> Result<Duration, String> {
        let run = scene.code("neighbour.py", b"print(sum(range(1000)))", "python")?.run()?;
        run.record()?.expect("succeeded", "", Some(0), None)?;
        Ok(run.elapsed)
    };
    let alone = neighbour()?;
    let (hog, beside) = std::thread::scope(|scope| {
        let hog =
            scope.spawn(|| timed_out(scene, scene.program(program).flag("--cpus", "0.5").flag("--pids", "80"), 5));
        let beside = neighbour();
        (hog.join(), beside)
    });
    let run = hog.map_err(|_| "the hog's thread ended")??;
    let beside = beside.map_err(|problem| format!("the neighbour failed: {problem}"))?;
    crate::report::line(&format!("note: {program}: a neighbour took {beside:?}, alone {alone:?}"));
    share_held(&run.record()?, run.elapsed, 0.5)?;
    // How much slower a neighbour gets is a measurement, not a test: `cargo bench --package faas-lib`.
    Ok(Verdict::PassExcept("the neighbour's time is judged by the bench, and printed here".into()))
}

fn row_44(scene: &Scene<'_>) -> Outcome {
    hog_beside_a_neighbour(scene, "row_44_busy_loops.py")
}

fn row_45(scene: &Scene<'_>) -> Outcome {
    hog_beside_a_neighbour(scene, "row_45_storms_of_writes.py")
}

fn row_46(scene: &Scene<'_>) -> Outcome {
    for way in ["ignore", "stop", "vfork"] {
        let run = timed_out(scene, scene.program("row_46_refuse_to_die.py").env("WAY", way), 2)
            .map_err(|problem| format!("{way}: {problem}"))?;
        run.report().map_err(|problem| format!("{way}: {problem}"))?;
    }
    // The program ends by itself; what it leaves running ends with it. The host looks after every run.
    for way in ["daemons", "stopped_daemons"] {
        let run = scene
            .program("row_46_refuse_to_die.py")
            .env("WAY", way)
            .seconds(10)
            .run()
            .map_err(|problem| format!("{way}: {problem}"))?;
        run.report().map_err(|problem| format!("{way}: {problem}"))?;
        run.record()?.expect("succeeded", "", Some(0), None)?;
        replied_within(scene, &run, 6).map_err(|problem| format!("{way}: {problem}"))?;
    }
    Ok(Verdict::Pass)
}

fn row_47(scene: &Scene<'_>) -> Outcome {
    let run = scene.program("row_47_grandchild_keeps_stdout.py").seconds(30).run()?;
    run.report()?;
    run.record()?.expect("succeeded", "", Some(0), None)?;
    replied_within(scene, &run, 6)?;
    Ok(Verdict::Pass)
}
