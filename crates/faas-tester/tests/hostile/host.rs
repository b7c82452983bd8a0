//! The host: its processes, what must never change there, and what the platform may not leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Looks until there is an answer or the time is over. The only place where this suite waits.
pub(crate) fn wait_for<T>(bound: Duration, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = check() {
            return Some(answer);
        }
        if begun.elapsed() > bound {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The effective user of this process.
pub(crate) fn own_uid() -> u32 {
    fs::metadata("/proc/self").map_or(u32::MAX, |data| data.uid())
}

/// All process ids there are now.
pub(crate) fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

pub(crate) fn pid_namespace(pid: &str) -> Option<String> {
    Some(fs::read_link(format!("/proc/{pid}/ns/pid")).ok()?.to_string_lossy().into_owned())
}

/// A line of `/proc/PID/status`.
pub(crate) fn status_field(pid: u32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

pub(crate) fn is_zombie(pid: u32) -> bool {
    status_field(pid, "State").is_none_or(|state| state.starts_with('Z') || state.starts_with('X'))
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Mount points of cgroup file systems; the options only for version 1.
pub(crate) fn cgroup_mounts() -> Vec<(PathBuf, Option<String>)> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let parse = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (point, kind, options) = (words.next()?, words.next()?, words.next()?);
        match kind {
            "cgroup" => Some((PathBuf::from(point), Some(options.to_owned()))),
            "cgroup2" => Some((PathBuf::from(point), None)),
            _ => None,
        }
    };
    mounts.lines().filter_map(parse).collect()
}

/// Settings of the host no sandbox may touch.
pub(crate) struct HostState(BTreeMap<&'static str, String>);

const SETTINGS: [&str; 12] = [
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/domainname",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/sysrq",
    "/proc/sys/kernel/yama/ptrace_scope",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/fs/file-max",
    "/proc/sys/fs/suid_dumpable",
    "/proc/sys/net/ipv4/ip_forward",
    "/sys/kernel/uevent_helper",
    "/proc/swaps",
];

const FILES: [&str; 6] = [
    "/usr/bin/python3",
    "/usr/bin/bash",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/ld.so.preload",
    "/proc/sys/fs/binfmt_misc/faas-hostile",
];

impl HostState {
    /// Reads everything.
    pub(crate) fn take() -> Self {
        let settings = SETTINGS.iter().map(|path| (*path, fs::read_to_string(path).unwrap_or_default()));
        let files = FILES.iter().map(|path| {
            let data = fs::metadata(path).map(|data| {
                format!("inode {} size {} changed {}.{}", data.ino(), data.size(), data.ctime(), data.ctime_nsec())
            });
            (*path, data.unwrap_or_default())
        });
        Self(settings.chain(files).collect())
    }

    /// Fails on any difference, and puts settings back so that later trials start clean.
    pub(crate) fn compare(&self) -> Result<(), String> {
        let now = Self::take();
        let mut changed = Vec::new();
        for (path, before) in &self.0 {
            if now.0.get(path) != Some(before) {
                changed.push(format!("{path}: {before:?} became {:?}", now.0.get(path)));
                if path.starts_with("/proc/sys/") && SETTINGS.contains(path) {
                    let _ = fs::write(path, before);
                }
            }
        }
        if changed.is_empty() { Ok(()) } else { Err(format!("the host was changed: {}", changed.join("; "))) }
    }
}

/// What existed before the trials.
pub(crate) struct Baseline {
    before: BTreeSet<String>,
    stage: PathBuf,
}

impl Baseline {
    /// Lists everything of ours on the host.
    pub(crate) fn take(stage: &Path) -> Self {
        Self { before: inventory(stage), stage: stage.to_owned() }
    }

    /// Waits until nothing is there that was not there before.
    pub(crate) fn nothing_new(&self, bound: Duration) -> Result<(), String> {
        let mut left = Vec::new();
        wait_for(bound, || {
            left = inventory(&self.stage).difference(&self.before).cloned().collect();
            left.is_empty().then_some(())
        })
        .ok_or_else(|| format!("left behind: {}", left.join(", ")))
    }
}

/// Processes, mounts, cgroups, namespaces, loop devices and files that belong to the platform.
fn inventory(stage: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let own = std::process::id();
    for pid in processes().into_iter().filter(|pid| *pid != own && !is_zombie(*pid)) {
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        if exe.starts_with(stage) || exe.to_string_lossy().starts_with("/memfd:faas") {
            found.insert(format!("process {pid} of {}", exe.display()));
        }
    }
    for line in fs::read_to_string("/proc/self/mounts").unwrap_or_default().lines() {
        found.insert(format!("mount {}", line.split(' ').nth(1).unwrap_or_default()));
    }
    for (mount, _) in cgroup_mounts() {
        collect_cgroups(&mount, false, &mut found);
    }
    for directory in ["/run/netns", "/tmp", "/run", "/var/run", "/var/tmp", "/dev/shm", "/var/lib"] {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let ours = directory == "/run/netns" || entry.file_name().to_string_lossy().starts_with("faas");
            if ours && entry.path() != stage && !entry.file_name().to_string_lossy().starts_with("faas-hostile-") {
                found.insert(format!("file {}", entry.path().display()));
            }
        }
    }
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        if entry.path().join("loop/backing_file").exists() {
            found.insert(format!("loop device {}", entry.path().display()));
        }
    }
    found
}

fn collect_cgroups(directory: &Path, ours: bool, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let ours = ours || entry.file_name().to_string_lossy().starts_with("faas");
            if ours {
                found.insert(format!("cgroup {}", entry.path().display()));
            }
            collect_cgroups(&entry.path(), ours, found);
        }
    }
}

/// The kernel's log from a moment on.
pub(crate) struct KernelLog(fs::File);

impl KernelLog {
    /// From now on; `None` where this process may not read it.
    pub(crate) fn from_now() -> Option<Self> {
        // O_NONBLOCK: reading past the end answers instead of waiting.
        let mut file = fs::OpenOptions::new().read(true).custom_flags(0o4000).open("/dev/kmsg").ok()?;
        file.seek(SeekFrom::End(0)).ok()?;
        Some(Self(file))
    }

    /// The kernel's own lines at warning level or above.
    pub(crate) fn warnings(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let mut record = [0; 8192];
        loop {
            match self.0.read(&mut record) {
                Ok(size) => {
                    let text = String::from_utf8_lossy(&record[..size]).into_owned();
                    let priority: u32 = text.split(',').next().and_then(|word| word.parse().ok()).unwrap_or(7);
                    // Facility 0 is the kernel; levels 0 to 4 are emergency to warning.
                    if priority >> 3 == 0 && priority & 7 <= 4 {
                        found.push(text.lines().next().unwrap_or_default().to_owned());
                    }
                }
                // Overwritten while reading: go on with what is there.
                Err(problem) if problem.kind() == std::io::ErrorKind::BrokenPipe => {}
                Err(_) => return found,
            }
        }
    }
}
