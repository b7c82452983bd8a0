//! What the machine itself adds or takes away: read from `/proc` and `/sys`, judged by pure functions.

use super::report::{Finding, State};
use faas_config::Config;
use faas_lib::SharedSources;
use std::fs;
use std::path::Path;

/// Free space below this is a hint.
const LITTLE_SPACE: u64 = 1024 * 1024 * 1024;
/// Free memory below this is a hint: one default sandbox.
const LITTLE_MEMORY: u64 = 256 * 1024 * 1024;

/// One finding for each check.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let directory = config.runtime_dir.value.as_deref().unwrap_or(Path::new("/run"));
    let mut findings = vec![
        kernel(&read("/proc/sys/kernel/osrelease")),
        smt(&read("/sys/devices/system/cpu/smt/active")),
        ksm(&read("/sys/kernel/mm/ksm/run")),
        swap(&read("/proc/swaps")),
        memory(&read("/proc/meminfo")),
        disk(directory),
        mitigations(),
    ];
    for (name, wanted) in [("kptr_restrict", 1), ("dmesg_restrict", 1)] {
        findings.push(setting(name, &read(&format!("/proc/sys/kernel/{name}")), wanted));
    }
    if config.functions.storage.is_some() || config.server.function_roots.value.is_some() {
        findings.push(match SharedSources::check(config) {
            Ok(()) => system("sources", State::Holds, "no other user can write the directories of functions"),
            Err(shared) => system("sources", State::Missing, shared.to_string()),
        });
    }
    findings
}

/// Absent files read as empty, which each check knows.
fn read(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn system(name: &str, state: State, detail: impl Into<String>) -> Finding {
    Finding::new("system", name, state, detail)
}

fn kernel(release: &str) -> Finding {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (5, 13) => system("kernel", State::Holds, release),
        (Some(Ok(_)), Some(Ok(_))) => {
            system("kernel", State::Missing, format!("{release} has no landlock")).with_fix("boot Linux 5.13 or newer")
        }
        _ => system("kernel", State::Hint, "its version cannot be read"),
    }
}

fn smt(active: &str) -> Finding {
    match active {
        "1" => system("smt", State::Hint, "on: programs on sibling threads can observe each other")
            .with_fix("echo off > /sys/devices/system/cpu/smt/control"),
        _ => system("smt", State::Holds, "off"),
    }
}

fn ksm(run: &str) -> Finding {
    match run {
        "1" => system("ksm", State::Hint, "on: merged pages tell sandboxes about each other")
            .with_fix("echo 2 > /sys/kernel/mm/ksm/run"),
        _ => system("ksm", State::Holds, "off"),
    }
}

fn swap(swaps: &str) -> Finding {
    match swaps.lines().count() {
        0 | 1 => system("swap", State::Holds, "off"),
        _ => system("swap", State::Hint, "on: memory of sandboxes can reach the disk").with_fix("swapoff --all"),
    }
}

fn memory(meminfo: &str) -> Finding {
    let kibibytes = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok());
    match kibibytes.map(|kibibytes| kibibytes.saturating_mul(1024)) {
        Some(bytes) if bytes >= LITTLE_MEMORY => {
            system("memory", State::Holds, format!("{} available", mebibytes(bytes)))
        }
        Some(bytes) => system("memory", State::Hint, format!("only {} available", mebibytes(bytes))),
        None => system("memory", State::Hint, "its amount cannot be read"),
    }
}

fn disk(directory: &Path) -> Finding {
    // The directory may not exist yet; the file system it will be on does.
    let existing = directory.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(existing) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let detail = format!("{} free at {}", mebibytes(free), existing.display());
            system("disk", if free >= LITTLE_SPACE { State::Holds } else { State::Hint }, detail)
        }
        Err(error) => system("disk", State::Hint, format!("{} cannot be looked at: {error}", existing.display())),
    }
}

fn mitigations() -> Finding {
    let mut vulnerable: Vec<String> = fs::read_dir("/sys/devices/system/cpu/vulnerabilities")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| fs::read_to_string(entry.path()).is_ok_and(|text| text.starts_with("Vulnerable")))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    vulnerable.sort();
    if vulnerable.is_empty() {
        system("side channels", State::Holds, "the kernel reports no open one")
    } else {
        system("side channels", State::Hint, format!("open: {}", vulnerable.join(", ")))
            .with_fix("update kernel and microcode, and boot without mitigations=off")
    }
}

fn setting(name: &str, value: &str, wanted: u32) -> Finding {
    match value.parse::<u32>() {
        Ok(number) if number >= wanted => system(name, State::Holds, value),
        Ok(_) => system(name, State::Hint, format!("{value}: tells programs about the kernel"))
            .with_fix(format!("sysctl kernel.{name}={wanted}")),
        Err(_) => system(name, State::Hint, "not in this kernel"),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::{State, kernel, ksm, memory, setting, smt, swap};

    #[test]
    fn each_check_judges_what_it_reads() {
        for (finding, state) in [
            (kernel("6.18.0-amd64"), State::Holds),
            (kernel("5.13.0"), State::Holds),
            (kernel("5.4.0-150-generic"), State::Missing),
            (kernel(""), State::Hint),
            (smt("1"), State::Hint),
            (smt("0"), State::Holds),
            (smt(""), State::Holds),
            (ksm("1"), State::Hint),
            (ksm("0"), State::Holds),
            (swap("Filename\tType\tSize"), State::Holds),
            (swap("Filename\tType\tSize\n/dev/sda2 partition 1"), State::Hint),
            (memory("MemTotal: 9 kB\nMemAvailable:   1048576 kB"), State::Holds),
            (memory("MemAvailable:   1024 kB"), State::Hint),
            (memory(""), State::Hint),
            (setting("dmesg_restrict", "1", 1), State::Holds),
            (setting("dmesg_restrict", "0", 1), State::Hint),
        ] {
            assert_eq!(finding.state, state, "{finding:?}");
        }
    }
}
