//! Namespaces that something holds: a process that is in it, or a descriptor of one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

const KINDS: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

/// All namespaces held by a process or a descriptor, as the kernel writes them: `net:[4026531840]`.
pub(super) fn held() -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc")? {
        let process = entry?.path();
        let is_process = process.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit));
        if !is_process {
            continue;
        }
        for kind in KINDS {
            found.extend(link(&process.join("ns").join(kind)));
        }
        // A process of another user shows neither; one that ends meanwhile neither.
        let Ok(descriptors) = fs::read_dir(process.join("fd")) else { continue };
        for descriptor in descriptors.filter_map(Result::ok) {
            found.extend(link(&descriptor.path()).filter(|target| is_namespace(target)));
        }
    }
    Ok(found)
}

/// The pid namespace of a process; `None` when it may not be looked at.
pub(super) fn of_process(pid: u32) -> Option<String> {
    link(Path::new(&format!("/proc/{pid}/ns/pid")))
}

fn link(path: &Path) -> Option<String> {
    fs::read_link(path).ok()?.into_os_string().into_string().ok()
}

/// Whether a descriptor's target is a namespace rather than a file, `pipe:[1]` or `socket:[1]`.
fn is_namespace(target: &str) -> bool {
    target.split_once(":[").is_some_and(|(kind, _)| KINDS.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_namespaces_are_told_apart() {
        assert!(is_namespace("net:[4026531840]"));
        for other in ["pipe:[1]", "socket:[2]", "anon_inode:[eventfd]", "/tmp/net:[3]x", "/dev/null"] {
            assert!(!is_namespace(other), "{other}");
        }
    }

    #[test]
    fn our_own_are_held() {
        let found = held().unwrap();
        assert!(found.contains(&link(Path::new("/proc/self/ns/net")).unwrap()));
        assert!(found.contains(&of_process(std::process::id()).unwrap()));
    }
}
