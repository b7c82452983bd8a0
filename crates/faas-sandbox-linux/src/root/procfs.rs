//! `/proc` of a sandbox: its own processes, and of the rest only what ordinary programs read.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use std::ffi::CString;

/// What stays visible beside the sandbox's own processes: what ordinary programs read, and lists of
/// what the kernel was built with. Everything else that an ordinary user could read is covered, so
/// that a file added by a new kernel is hidden until somebody decides otherwise.
const VISIBLE: [&str; 23] = [
    "self",
    "thread-self",
    "cpuinfo",
    "meminfo",
    "stat",
    "uptime",
    "loadavg",
    "version",
    "filesystems",
    "mounts",
    "net",
    "sys",
    "sysvipc",
    "vmstat",
    "zoneinfo",
    "swaps",
    "crypto",
    "devices",
    "dma",
    "execdomains",
    "fb",
    "misc",
    "consoles",
];

/// Something to cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    path: CString,
    directory: bool,
}

/// An entry of the host's `/proc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is a directory.
    pub directory: bool,
    /// Whether everybody may read, write or search it. What only root may touch needs no cover: no
    /// process of a sandbox is root of the namespace `/proc` files belong to.
    pub open: bool,
}

/// Lists what has to be covered.
pub fn masks(entries: impl IntoIterator<Item = Entry>) -> Vec<Mask> {
    entries
        .into_iter()
        .filter(|entry| entry.open && !VISIBLE.contains(&entry.name.as_str()))
        .filter(|entry| !entry.name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|Entry { name, directory, .. }| {
            Some(Mask { path: CString::new(format!("proc/{name}")).ok()?, directory })
        })
        .collect()
}

/// Mounts the `/proc` of the caller's pid namespace into the root in the working directory.
///
/// # Errors
/// The kernel's answer; `EPERM` where the host's own `/proc` is partly covered.
pub fn mount() -> Result<(), Errno> {
    rustix::mount::mount(
        "proc",
        "proc",
        "proc",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        None::<&std::ffi::CStr>,
    )
}

/// Inotify instances and watches of one sandbox. The kernel counts them for the launcher's user over
/// all sandboxes, and its own ceiling is 128 instances.
const INOTIFY: [(&std::ffi::CStr, &[u8]); 2] =
    [(c"proc/sys/user/max_inotify_instances", b"2"), (c"proc/sys/user/max_inotify_watches", b"1024")];

/// Covers what must not be seen, limits what the kernel counts for the user namespace, and makes
/// `/proc/sys` read-only.
///
/// # Errors
/// The kernel's answer.
pub fn cover(masks: &[Mask]) -> Result<(), Errno> {
    for (file, limit) in INOTIFY {
        write_if_there(file, limit)?;
    }
    for mask in masks {
        let source = if mask.directory { c"opt/empty" } else { c"dev/null" };
        match rustix::mount::mount_bind(source, mask.path.as_c_str()) {
            // Some entries come and go with kernel modules.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    rustix::mount::mount_bind(c"proc/sys", c"proc/sys")?;
    crate::sys::mount_read_only(c"proc/sys", false)
}

/// Makes a process, and what descends from it, the first to go when the host runs out of memory, whatever the server's
/// own standing is, which it inherits. Called by whoever may: a sandbox's own process may not.
///
/// # Errors
/// The kernel's answer.
pub fn make_first_to_go(pid: i32) -> Result<(), Errno> {
    let path = CString::new(format!("/proc/{pid}/oom_score_adj")).map_err(|_| Errno::INVAL)?;
    match write_if_there(&path, b"500") {
        // It is above that already, and lowering it takes a privilege.
        Err(Errno::ACCESS | Errno::PERM) => Ok(()),
        other => other,
    }
}

fn write_if_there(path: &std::ffi::CStr, value: &[u8]) -> Result<(), Errno> {
    match rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => rustix::io::write(file, value).map(drop),
        Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, masks};

    #[test]
    fn what_is_not_known_is_covered() {
        let entry = |name: &str, directory, open| Entry { name: name.to_owned(), directory, open };
        let covered: Vec<String> = masks([
            entry("self", true, true),
            entry("1", true, true),
            entry("kcore", false, false),
            entry("sys", true, true),
            entry("future", true, true),
            entry("keys", false, true),
        ])
        .into_iter()
        .map(|mask| mask.path.into_string().expect("ascii"))
        .collect();
        assert_eq!(covered, ["proc/future", "proc/keys"]);
    }
}
