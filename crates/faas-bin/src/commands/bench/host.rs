//! What the header of a report says about the machine the client runs on.

use serde::Serialize;
use std::fs;

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Host {
    /// Processors this process may use.
    pub(super) cores: usize,
    pub(super) kernel: String,
    /// `v1`, `v2`, `hybrid` or `none`.
    pub(super) cgroups: &'static str,
}

impl Host {
    pub(super) fn look() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cgroups: cgroups(&read("/proc/self/mounts")),
        }
    }
}

/// Which hierarchies of cgroups are mounted; the third field of each line is a file system.
fn cgroups(mounts: &str) -> &'static str {
    let mounted = |kind| mounts.lines().any(|line| line.split(' ').nth(2) == Some(kind));
    match (mounted("cgroup"), mounted("cgroup2")) {
        (true, true) => "hybrid",
        (true, false) => "v1",
        (false, true) => "v2",
        (false, false) => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::cgroups;

    #[test]
    fn the_layout_is_what_is_mounted() {
        let first = "tmpfs /sys/fs/cgroup tmpfs ro 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n";
        let second = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
        assert_eq!(cgroups(first), "v1");
        assert_eq!(cgroups(second), "v2");
        assert_eq!(cgroups(&format!("{first}{second}")), "hybrid");
        assert_eq!(cgroups("cgroup2 /mnt ext4 rw 0 0"), "none");
    }
}
