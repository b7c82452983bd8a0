//! `/proc` of a sandbox: its own processes, and of the rest only what ordinary programs read.

use rustix::io::Errno;
use rustix::mount::MountFlags;
use std::ffi::CString;

/// What stays visible beside the sandbox's own processes. Everything else the kernel offers is
/// covered, so that a file added by a new kernel is hidden until somebody decides otherwise.
const VISIBLE: [&str; 16] = [
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
];

/// Something to cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    path: CString,
    directory: bool,
}

/// Lists what has to be covered, from the names in `/proc` and whether each is a directory.
pub fn masks<'a>(entries: impl IntoIterator<Item = (&'a str, bool)>) -> Vec<Mask> {
    entries
        .into_iter()
        .filter(|(name, _)| !VISIBLE.contains(name) && !name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|(name, directory)| Some(Mask { path: CString::new(format!("/proc/{name}")).ok()?, directory }))
        .collect()
}

/// Mounts the `/proc` of the caller's pid namespace over the one it inherited.
///
/// # Errors
/// The kernel's answer; `EPERM` where the host's own `/proc` is partly covered.
pub fn mount() -> Result<(), Errno> {
    rustix::mount::mount(
        "proc",
        "/proc",
        "proc",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        None::<&std::ffi::CStr>,
    )
}

/// Covers what must not be seen, and makes `/proc/sys` read-only.
///
/// # Errors
/// The kernel's answer.
pub fn cover(masks: &[Mask]) -> Result<(), Errno> {
    for mask in masks {
        let source = if mask.directory { c"/opt/empty" } else { c"/dev/null" };
        match rustix::mount::mount_bind(source, mask.path.as_c_str()) {
            // Some entries come and go with kernel modules.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    rustix::mount::mount_bind(c"/proc/sys", c"/proc/sys")?;
    crate::sys::mount_read_only(c"/proc/sys", false)
}

#[cfg(test)]
mod tests {
    use super::masks;

    #[test]
    fn what_is_not_known_is_covered() {
        let covered: Vec<String> =
            masks([("self", true), ("1", true), ("kcore", false), ("sys", true), ("future", true), ("keys", false)])
                .into_iter()
                .map(|mask| mask.path.into_string().expect("ascii"))
                .collect();
        assert_eq!(covered, ["/proc/kcore", "/proc/future", "/proc/keys"]);
    }
}
