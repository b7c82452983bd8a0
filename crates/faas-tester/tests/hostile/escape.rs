//! Rows 1 to 22: ways out of the sandbox, and what can be seen of the host from inside.

use crate::launch::Scene;
use crate::suite;
use crate::trial::{Outcome, Row, Verdict};
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// In numerical order.
pub(crate) const ROWS: &[Row] = &[
    Row::new("row_01_overwrite_runtime_through_proc_self_exe", "overwrite the runtime through /proc/PID/exe", row_01),
    Row::new("row_02_leave_through_inherited_descriptors", "leave through a descriptor open at start", row_02),
    Row::new("row_03_swap_workspace_for_a_symlink", "have the host follow a symlink out of the workspace", row_03),
    Row::new("row_04_replace_mask_targets_by_symlinks", "replace /dev/null by a symlink to a masked file", row_04),
    Row::new("row_05_redirect_procfs_writes", "redirect label and limit writes to kernel switches", row_05),
    Row::new("row_06_mount_cgroup_v1_and_write_release_agent", "mount cgroup v1, write release_agent", row_06),
    Row::new(
        "row_07_write_core_pattern_and_sysrq",
        "write core_pattern, sysrq-trigger, uevent_helper, binfmt_misc",
        row_07,
    ),
    Row::new("row_08_nest_user_namespaces", "make namespaces with unshare, clone, clone3, 32 deep", row_08),
    Row::new("row_09_join_namespaces_with_setns", "join namespaces of init and of process descriptors", row_09),
    Row::new("row_10_chroot_twice_and_pivot_root", "chroot twice, pivot_root, mount the new way", row_10),
    Row::new("row_11_mount_overlay_and_fuse", "mount overlay, FUSE and others in a user namespace", row_11),
    Row::new("row_12_open_files_by_handle", "open the host's files by inode number", row_12),
    Row::new("row_13_make_and_open_devices", "make block devices, open /dev/mem, kvm, disks, tun", row_13),
    Row::new("row_14_trace_init", "trace, read and rob the sandbox's first process", row_14),
    Row::new("row_15_connect_to_host_sockets", "connect to the host's abstract, path and loopback sockets", row_15),
    Row::new("row_16_flood_with_descriptors", "push 253 descriptors per message at the platform", row_16),
    Row::new("row_17_push_input_into_the_terminal", "push input into the terminal with TIOCSTI, TIOCLINUX", row_17),
    Row::new("row_18_gain_from_setuid_and_file_capabilities", "gain from setuid files and file capabilities", row_18),
    Row::new(
        "row_19_hook_loaders_through_the_environment",
        "have LD_PRELOAD, PYTHONPATH, BASH_ENV hook the platform",
        row_19,
    ),
    Row::new("row_20_read_kernel_facts", "read kallsyms, kcore, keys, timer_list, firmware, dmesg", row_20),
    Row::new("row_21_read_secrets_of_others", "read other processes' environment, shadow, keys, databases", row_21),
    Row::new("row_22_learn_host_facts", "learn host name, host paths and cgroup names", row_22),
];

/// The kernel or a filter said no before looking at anything.
const REFUSED: &[&str] = &["EPERM", "EACCES", "ENOSYS"];
/// Or there is nothing there, or it cannot be written at all.
const REFUSED_OR_ABSENT: &[&str] = &["EPERM", "EACCES", "ENOSYS", "ENOENT", "EROFS", "ENXIO", "ENODEV", "ENOTDIR"];

fn refused(scene: &Scene<'_>, program: &str, at_least: usize, errors: &[&str]) -> Outcome {
    scene.program(program).run()?.report()?.refused(at_least, errors)?;
    Ok(Verdict::Pass)
}

fn row_01(scene: &Scene<'_>) -> Outcome {
    let identity_of = |path: &std::path::Path| {
        fs::metadata(path).map(|data| (data.ino(), data.size(), data.mtime_nsec())).map_err(|e| e.to_string())
    };
    let before = identity_of(scene.suite.faas())?;
    let errors: Vec<_> = REFUSED_OR_ABSENT.iter().copied().chain(["ETXTBSY"]).collect();
    scene.program("row_01_overwrite_proc_self_exe.py").run()?.report()?.refused(7, &errors)?;
    // The platform's own helper as the command: whatever it does, it does inside and ends.
    let exec = scene.exec(&["/proc/self/exe", "--help"]).seconds(5).run()?;
    if before != identity_of(scene.suite.faas())? {
        return Err(format!("the platform's binary changed; last run: {}", exec.describe()));
    }
    Ok(Verdict::Pass)
}

fn row_02(scene: &Scene<'_>) -> Outcome {
    let report = scene.program("row_02_descriptors_at_start.py").run()?.report()?;
    report.demand("descriptors", &["0,1,2"])?;
    report.refused(189, REFUSED_OR_ABSENT)?;
    let listed = scene.exec(&["/bin/sh", "-c", "ls /proc/self/fd"]).run()?.record()?.stdout();
    // ls holds the directory it lists.
    if listed.split_whitespace().collect::<Vec<_>>() != ["0", "1", "2", "3"] {
        return Err(format!("a command was born with descriptors {listed:?}"));
    }
    if let Some(reason) = scene.why_not_javascript() {
        return Ok(Verdict::PassExcept(reason.into()));
    }
    let report = scene.program("row_02_descriptors_at_start.js").run()?.report()?;
    report.demand("foreign", &["none"])?;
    if report.count("held")? < 3 {
        return Err(format!("a JavaScript program saw only {} of its descriptors", report.fact("held")?));
    }
    Ok(Verdict::Pass)
}

fn row_03(scene: &Scene<'_>) -> Outcome {
    let precious = scene.directory().join("precious");
    suite::make_directory(&precious, 0o777)?;
    suite::write(&precious.join("kept"), b"kept", 0o666)?;
    let path = precious.display().to_string();
    let report = scene.program("row_03_symlinks_where_the_workspace_was.py").env("PRECIOUS", &path).run()?.report()?;
    report.demand("precious_visible", &["False"])?;
    if fs::read(precious.join("kept")).unwrap_or_default() != b"kept" {
        return Err("the cleanup followed a symlink: the host's file is gone".into());
    }
    // Files for the program, aimed at the host.
    let payload = scene.directory().join("payload");
    suite::write(&payload, b"payload", 0o644)?;
    let outside = scene.mark().display().to_string();
    let climbing = format!("../../../../../../../../..{outside}");
    for destination in
        [outside.as_str(), climbing.as_str(), "a/../../../../../../../../../../etc/faas-hostile", "../faas-hostile"]
    {
        scene.code("three.py", b"print('ran')", "python")?.file(&payload, destination).run()?;
        scene.nothing_escaped()?;
    }
    for host in ["/etc/faas-hostile", "/faas-hostile"] {
        if fs::symlink_metadata(host).is_ok() {
            return Err(format!("a file for the program was written to the host's {host}"));
        }
    }
    Ok(Verdict::PassExcept("swap between two execs: instances are a later issue".into()))
}

fn row_04(scene: &Scene<'_>) -> Outcome {
    let errors: Vec<_> = REFUSED_OR_ABSENT.iter().copied().chain(["EBUSY", "EEXIST", "EXDEV"]).collect();
    scene.program("row_04_replace_mask_targets.py").run()?.report()?.refused(20, &errors)?;
    let payload = scene.directory().join("payload");
    suite::write(&payload, b"|/bin/false", 0o644)?;
    for destination in ["/dev/null", "/dev/console", "/proc/sys/kernel/core_pattern", "/proc/self/attr/exec"] {
        // Refused or kept inside: the host is compared after every trial.
        scene.code("four.py", b"print('ran')", "python")?.file(&payload, destination).run()?;
    }
    Ok(Verdict::Pass)
}

fn row_05(scene: &Scene<'_>) -> Outcome {
    // EINVAL is a kernel without security labels; it keeps the maps of a namespace after the first write.
    let errors: Vec<_> = REFUSED_OR_ABSENT.iter().copied().chain(["EINVAL"]).collect();
    refused(scene, "row_05_procfs_write_redirects.py", 25, &errors)
}

fn row_06(scene: &Scene<'_>) -> Outcome {
    refused(scene, "row_06_mount_cgroup_v1_and_write_release_agent.py", 30, REFUSED_OR_ABSENT)
}

fn row_07(scene: &Scene<'_>) -> Outcome {
    refused(scene, "row_07_write_kernel_switches.py", 16, REFUSED_OR_ABSENT)
}

fn row_08(scene: &Scene<'_>) -> Outcome {
    let report = scene.program("row_08_new_user_namespaces.py").run()?.report()?;
    report.refused(24, REFUSED)?;
    report.demand("clone3_plain", &["ENOSYS"])?;
    report.demand("nested", &["0"])?;
    report.demand("threads_still_start", &["yes"])?;
    Ok(Verdict::Pass)
}

fn row_09(scene: &Scene<'_>) -> Outcome {
    let errors: Vec<_> = REFUSED_OR_ABSENT.iter().copied().chain(["ESRCH"]).collect();
    refused(scene, "row_09_setns.py", 80, &errors)
}

fn row_10(scene: &Scene<'_>) -> Outcome {
    refused(scene, "row_10_chroot_and_pivot_root.py", 22, REFUSED_OR_ABSENT)
}

fn row_11(scene: &Scene<'_>) -> Outcome {
    refused(scene, "row_11_overlay_and_fuse_mounts.py", 17, REFUSED_OR_ABSENT)
}

fn row_12(scene: &Scene<'_>) -> Outcome {
    let report = scene.program("row_12_open_by_handle.py").run()?.report()?;
    report.demand("opened", &["0"])?;
    report.refused(1, REFUSED)?;
    Ok(Verdict::Pass)
}

fn row_13(scene: &Scene<'_>) -> Outcome {
    let errors: Vec<_> = REFUSED_OR_ABSENT.iter().copied().chain(["EINVAL"]).collect();
    refused(scene, "row_13_devices.py", 35, &errors)
}

fn row_14(scene: &Scene<'_>) -> Outcome {
    let errors: Vec<_> = REFUSED_OR_ABSENT.iter().copied().chain(["ESRCH", "ENODATA"]).collect();
    let report = scene.program("row_14_ptrace_init.py").run()?.report()?;
    report.refused(17, &errors)?;
    report.demand("alive_after_killing_init", &["yes"])?;
    Ok(Verdict::Pass)
}

fn row_15(scene: &Scene<'_>) -> Outcome {
    let name = format!("faas-hostile-{}", suite::random_word()?);
    let listening = |what: &'static str| move |e: std::io::Error| format!("cannot listen on {what}: {e}");
    let address = SocketAddr::from_abstract_name(&name).map_err(listening("an abstract name"))?;
    let _abstract = UnixListener::bind_addr(&address).map_err(listening("an abstract name"))?;
    let path = scene.directory().join("socket");
    let _path = UnixListener::bind(&path).map_err(listening("a path"))?;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).map_err(listening("a path"))?;
    let tcp = TcpListener::bind("127.0.0.1:0").map_err(listening("loopback"))?;
    let port = tcp.local_addr().map_err(listening("loopback"))?.port();
    let launch = scene.program("row_15_host_sockets.py").env("HOST_ABSTRACT", &name);
    let launch = launch.env("HOST_SOCKET", &path.display().to_string()).env("HOST_PORT", &port.to_string());
    let report = launch.seconds(40).run()?.report()?;
    let errors: Vec<_> =
        REFUSED_OR_ABSENT.iter().copied().chain(["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"]).collect();
    report.refused(24, &errors)?;
    report.demand("host_name_in_table", &["False"])?;
    tcp.set_nonblocking(true).map_err(listening("loopback"))?;
    if tcp.accept().is_ok() {
        return Err("a connection from inside reached the host's loopback".into());
    }
    Ok(Verdict::Pass)
}

fn row_16(scene: &Scene<'_>) -> Outcome {
    let run = scene.program("row_16_descriptors_over_scm_rights.py").run()?;
    let report = run.report()?;
    if run.observed.most_descriptors > 200 {
        return Err(format!("a platform process held {} descriptors", run.observed.most_descriptors));
    }
    match report.count("sockets")? {
        0 => Ok(Verdict::Pass),
        // Where a stream is a socket, the platform must survive what was pushed at it; it did.
        _ => run.record()?.expect("succeeded", "", Some(0), None).map(|()| Verdict::Pass),
    }
}

fn row_17(scene: &Scene<'_>) -> Outcome {
    let run = scene.program("row_17_push_input_into_the_terminal.py").plain().on_a_terminal().run()?;
    if run.exit == Some(99) {
        return Err(format!("input was pushed into the terminal: {}", run.describe()));
    }
    let text = String::from_utf8_lossy(&run.stdout).replace('\r', "");
    let report = crate::record::Report::read(&text);
    let errors: Vec<_> =
        REFUSED_OR_ABSENT.iter().copied().chain(["EIO", "ENOTTY", "EINVAL", "EBADF", "ESPIPE"]).collect();
    report.refused(40, &errors).map_err(|problem| format!("{problem}: {}", run.describe()))?;
    report.demand("session_leader_outside", &["False"])?;
    let piped = scene.program("row_17_push_input_into_the_terminal.py").run()?.report()?;
    piped.refused(40, &errors)?;
    Ok(Verdict::Pass)
}

fn row_18(scene: &Scene<'_>) -> Outcome {
    let upload = scene.directory().join("uploaded-suid");
    suite::copy(std::path::Path::new("/usr/bin/python3"), &upload, 0o6755)?;
    let report =
        scene.program("row_18_setuid_and_file_capabilities.py").file(&upload, "uploaded-suid").run()?.report()?;
    report.demand("NoNewPrivs", &["1"])?;
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        report.demand(set, &["0000000000000000"])?;
    }
    report.demand("uids", &["True"])?;
    let gained: Vec<_> = report.facts_starting("").filter(|(_, value)| value.starts_with("CHANGED")).collect();
    if !gained.is_empty() {
        return Err(format!("privilege was gained: {gained:?}"));
    }
    report.demand("writable_mounts_without_nosuid_nodev", &["none"])?;
    let errors: Vec<_> = REFUSED_OR_ABSENT.iter().copied().chain(["EINVAL"]).collect();
    report.refused(5, &errors)?;
    Ok(Verdict::Pass)
}

fn row_19(scene: &Scene<'_>) -> Outcome {
    let hook = scene.suite.program("sitecustomize.py");
    let launch = scene.program("row_19_environment_hooks.py").file(&hook, "sitecustomize.py");
    let launch = launch.env("LD_PRELOAD", "/faas-hostile-preload.so").env("LD_AUDIT", "/faas-hostile-audit.so");
    let launch = launch
        .env("PYTHONPATH", ".")
        .env("PYTHONSTARTUP", "sitecustomize.py")
        .env("NODE_OPTIONS", "--require=./evil.js");
    let run = launch.env("BASH_ENV", "/faas-hostile-profile").run()?;
    let report = run.report()?;
    let pid = report.fact("pid")?;
    report.demand("hooked_pids", &["none", pid])?;
    let seen = &run.observed.strangers_with_the_environment;
    if !seen.is_empty() {
        return Err(format!("the program's variables were seen in: {seen:?}"));
    }
    // The loader complains once per process it is asked to hook: one for the user's, none for ours.
    let complaints = run.record()?.text("stderr").matches("faas-hostile-preload.so").count()
        + run.stderr.matches("faas-hostile-preload.so").count();
    if complaints > 1 {
        return Err(format!("LD_PRELOAD reached {complaints} processes: {}", run.describe()));
    }
    let script = b"echo ran\nsleep 1\n";
    let bash = scene
        .code("nineteen.sh", script, "bash")?
        .env("BASH_ENV", "/proc/self/environ")
        .env("ENV", "/proc/self/environ")
        .run()?;
    if !bash.observed.strangers_with_the_environment.is_empty() {
        return Err(format!("bash's variables were seen in: {:?}", bash.observed.strangers_with_the_environment));
    }
    bash.record()?.expect("succeeded", "", Some(0), None)?;
    Ok(Verdict::Pass)
}

fn row_20(scene: &Scene<'_>) -> Outcome {
    let errors: Vec<_> =
        REFUSED_OR_ABSENT.iter().copied().chain(["EMPTY", "EINVAL", "EAGAIN", "EIO", "EISDIR"]).collect();
    refused(scene, "row_20_kernel_facts.py", 40, &errors)
}

fn row_21(scene: &Scene<'_>) -> Outcome {
    let secret = scene.directory().join("planted-secret");
    suite::write(&secret, b"secret", 0o644)?;
    let launch = scene.program("row_21_secrets_of_others.py").env("PLANTED_SECRET", &secret.display().to_string());
    let launch = launch.env("PLATFORM_BINARY", &scene.suite.faas().display().to_string());
    let report = launch.env("HOST_RUN", &scene.suite.home(scene.identity).display().to_string()).run()?.report()?;
    let errors: Vec<_> = REFUSED_OR_ABSENT.iter().copied().chain(["ENODATA"]).collect();
    report.refused(14, &errors)?;
    report.demand("foreign_processes", &["none"])?;
    report.demand("homes", &["none"])?;
    report.demand("secret_looking_files", &["none"])?;
    if report.count("visible_processes")? > 4 {
        return Err(format!("{} processes are visible", report.count("visible_processes")?));
    }
    Ok(Verdict::Pass)
}

fn row_22(scene: &Scene<'_>) -> Outcome {
    let run = scene.program("row_22_host_facts.py").run()?;
    let report = run.report()?;
    let of_the_host = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    for (fact, host) in
        [("hostname", "/proc/sys/kernel/hostname"), ("hostname", "/etc/hostname"), ("machine-id", "/etc/machine-id")]
    {
        let value = of_the_host(host);
        if !value.is_empty() && report.fact(fact)? == value {
            return Err(format!("{fact} is the host's own {value:?}"));
        }
    }
    let leaking: Vec<_> = report.facts_starting("cgroup_").filter(|(_, path)| *path != "/").collect();
    if !leaking.is_empty() {
        return Err(format!("cgroup paths of the host are visible: {leaking:?}"));
    }
    // A mount beneath another is out of reach only until something takes the upper one away.
    let whole_proc =
        report.lines.iter().filter(|line| line.split(' ').nth(4) == Some("/") && line.contains(" - proc "));
    let whole_proc: Vec<_> = whole_proc.collect();
    if whole_proc.len() > 1 {
        return Err(format!("more than the sandbox's own /proc is mounted: {whole_proc:?}"));
    }
    let own = run.record()?.text("id").to_owned();
    for line in report.lines.iter().filter(|line| line.starts_with("mount ")) {
        let root = line.split(' ').nth(4).unwrap_or_default();
        let told = ["exe_", "ins_", "snap_", "faas-user", "XDG", "/root/", "/home/", "upperdir=", "lowerdir="]
            .into_iter()
            .find(|word| line.contains(word));
        let stage = scene.suite.stage().display().to_string();
        if (told.is_some() && (own.is_empty() || !line.contains(&own))) || line.contains(&stage) {
            return Err(format!("a mount tells about the host: {line}"));
        }
        // What is bound from the host is named by a path of the system, nothing else.
        if !(root == "/"
            || ["/usr", "/bin", "/lib", "/sbin", "/etc", "/null", "/zero", "/full", "/random", "/urandom", "/tty"]
                .iter()
                .any(|p| root.starts_with(p)))
            && root.len() > 40
        {
            return Err(format!("a mount shows a host path: {line}"));
        }
    }
    Ok(Verdict::Pass)
}
