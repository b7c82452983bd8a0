//! The mounts that this process sees.

use std::fs;
use std::io;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number for it.
    pub id: String,
    /// Which directory of its file system it shows.
    pub root: String,
    /// Where it is.
    pub point: String,
    /// The kind of file system.
    pub kind: String,
    /// What was mounted.
    pub source: String,
    /// The file system's own options, such as the controllers of a cgroup v1 hierarchy.
    pub options: String,
}

/// Every mount of this process's mount namespace.
///
/// # Errors
/// `/proc/self/mountinfo` cannot be read.
pub fn mounts() -> io::Result<Vec<Mount>> {
    Ok(fs::read_to_string("/proc/self/mountinfo")?.lines().filter_map(parse).collect())
}

/// Reads `ID PARENT DEVICE ROOT POINT OPTIONS [TAGS…] - KIND SOURCE OPTIONS` (proc(5)).
fn parse(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mount: Vec<&str> = mount.split(' ').collect();
    let mut file_system = file_system.split(' ');
    Some(Mount {
        id: (*mount.first()?).to_owned(),
        root: (*mount.get(3)?).to_owned(),
        point: (*mount.get(4)?).to_owned(),
        kind: file_system.next()?.to_owned(),
        source: file_system.next()?.to_owned(),
        options: file_system.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_tags_are_read() {
        let mount = parse("36 35 0:31 /part /mnt rw,relatime shared:1 master:2 - cgroup none rw,memory").unwrap();
        assert_eq!((mount.id.as_str(), mount.root.as_str(), mount.point.as_str()), ("36", "/part", "/mnt"));
        assert_eq!(
            (mount.kind.as_str(), mount.source.as_str(), mount.options.as_str()),
            ("cgroup", "none", "rw,memory")
        );
        assert!(parse("36 35 0:31 / /proc rw - proc proc rw").is_some());
        assert!(parse("36 35 0:31 / /proc rw proc proc rw").is_none());
    }

    #[test]
    fn this_machines_root_is_there() {
        assert!(mounts().unwrap().iter().any(|mount| mount.point == "/"));
    }
}
