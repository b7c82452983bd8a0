//! Control groups: directories of ours, and dead memory groups that the kernel still holds.

use super::mounts::Mount;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A cgroup's directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    /// Tells it from a later one at the same path.
    pub(super) inode: u64,
    /// How many processes are in it.
    pub(super) processes: usize,
}

/// Directories whose name begins with `faas`, and all below them, in each mounted hierarchy.
pub(super) fn ours(mounts: &[Mount]) -> Vec<Directory> {
    let mut found = Vec::new();
    for mount in mounts.iter().filter(|mount| mount.kind == "cgroup" || mount.kind == "cgroup2") {
        walk(Path::new(&mount.point), false, &mut found);
    }
    found
}

fn walk(directory: &Path, inside_ours: bool, found: &mut Vec<Directory>) {
    // A group that is removed meanwhile is not there.
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let ours = inside_ours || entry.file_name().to_string_lossy().starts_with("faas");
        if ours && let Ok(metadata) = entry.metadata() {
            let processes = fs::read_to_string(entry.path().join("cgroup.procs")).unwrap_or_default();
            found.push(Directory { path: entry.path(), inode: metadata.ino(), processes: processes.lines().count() });
        }
        walk(&entry.path(), ours, found);
    }
}

/// Memory groups that were removed and that the kernel still holds, because pages or kernel objects are
/// charged to them. `None` where it does not say.
///
/// cgroup v2 counts them itself. On v1 they are what the kernel counts beyond the directories.
pub(super) fn dying(mounts: &[Mount]) -> io::Result<Option<u64>> {
    let version_one = |mount: &&Mount| {
        mount.kind == "cgroup" && mount.root == "/" && mount.options.split(',').any(|option| option == "memory")
    };
    if let Some(mount) = mounts.iter().find(version_one) {
        let counted = counted_memory_groups(&fs::read_to_string("/proc/cgroups")?);
        return Ok(counted.map(|counted| counted.saturating_sub(directories(Path::new(&mount.point)))));
    }
    let Some(mount) = mounts.iter().find(|mount| mount.kind == "cgroup2") else { return Ok(None) };
    let statistics = fs::read_to_string(Path::new(&mount.point).join("cgroup.stat"))?;
    Ok(value(&statistics, "nr_dying_descendants"))
}

/// The third column of the line of `memory` in `/proc/cgroups`.
fn counted_memory_groups(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some("memory"))?;
    line.split_whitespace().nth(2)?.parse().ok()
}

fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
}

/// A directory and all below it.
fn directories(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let below = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    1 + below.map(|entry| directories(&entry.path())).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_counts_are_read() {
        let table = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t3\t1\nmemory\t4\t25\t1\n";
        assert_eq!(counted_memory_groups(table), Some(25));
        assert_eq!(counted_memory_groups("memory_other 1 2 3"), None);
        assert_eq!(value("nr_descendants 4\nnr_dying_descendants 9\n", "nr_dying_descendants"), Some(9));
    }

    #[test]
    fn directories_of_ours_are_found_with_what_is_below() {
        let base = std::env::temp_dir().join(format!("faas-tester-cgroups-{}", std::process::id()));
        fs::create_dir_all(base.join("system/faas-1/leaf")).unwrap();
        fs::create_dir_all(base.join("other")).unwrap();
        fs::write(base.join("system/faas-1/cgroup.procs"), "1\n2\n").unwrap();
        let mut found = Vec::new();
        walk(&base, false, &mut found);
        found.sort();
        let counted = directories(&base);
        fs::remove_dir_all(&base).unwrap();
        let found: Vec<(PathBuf, usize)> = found.into_iter().map(|one| (one.path, one.processes)).collect();
        assert_eq!(found, [(base.join("system/faas-1"), 2), (base.join("system/faas-1/leaf"), 0)]);
        assert_eq!(counted, 5);
    }
}
