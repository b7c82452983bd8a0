//! Finding the directories a launcher may make its cgroups in.
//!
//! Real root works beneath the cgroup the launcher was started in, so that whatever limits that one
//! limits all sandboxes together. An ordinary user works in what was delegated to it: on v1 a
//! directory `faas-user-UID` in each hierarchy (`faas doctor --fix --user NAME` makes it), on v2 the
//! topmost directory above its own that belongs to it.

use super::files::{self, open};
use super::tree::{Controller, Version};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;

/// The directory that holds every launcher's of one owner.
pub(super) const BASE: &str = "faas";

/// A base directory in one hierarchy.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) version: Version,
    pub(super) controllers: Vec<Controller>,
    pub(super) dir: OwnedFd,
    /// Its path on the host.
    pub(super) path: String,
    /// What [`BASE`] was made in, to remove it again; `None` for a delegated directory.
    pub(super) parent: Option<OwnedFd>,
}

/// Where a launcher may work.
#[derive(Debug, Default)]
pub struct Found {
    pub(super) bases: Vec<Base>,
}

/// One line of `/proc/self/cgroup`.
struct Membership<'a> {
    controllers: Vec<&'a str>,
    path: &'a str,
}

/// The name of an ordinary user's delegated directory.
#[must_use]
pub(crate) fn user_directory(uid: u32) -> String {
    format!("faas-user-{uid}")
}

/// Looks for usable directories. `mountinfo` and `memberships` are the texts of
/// `/proc/self/mountinfo` and `/proc/self/cgroup`; `owner` is `None` for real root.
#[must_use]
pub fn find(mountinfo: &str, memberships: &str, owner: Option<u32>) -> Found {
    let mut found = Found::default();
    for membership in memberships.lines().filter_map(parse_membership) {
        let wanted: Vec<Controller> =
            Controller::ALL.into_iter().filter(|one| membership.controllers.contains(&one.as_str())).collect();
        let base = if membership.controllers.is_empty() {
            mount_point(mountinfo, None).and_then(|mount| version_two(&mount, membership.path, owner))
        } else if wanted.is_empty() {
            None
        } else {
            mount_point(mountinfo, Some(&membership.controllers))
                .and_then(|mount| version_one(&mount, membership.path, owner, wanted))
        };
        found.bases.extend(base);
    }
    found
}

fn parse_membership(line: &str) -> Option<Membership<'_>> {
    let mut parts = line.splitn(3, ':').skip(1);
    let controllers = parts.next()?;
    let path = parts.next()?;
    Some(Membership { controllers: controllers.split(',').filter(|name| !name.is_empty()).collect(), path })
}

/// Where a hierarchy is mounted: the v2 one, or the v1 one with these controllers. Only whole
/// hierarchies (mounted from their root) count.
fn mount_point(mountinfo: &str, controllers: Option<&[&str]>) -> Option<String> {
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, point) = (mount.next()?, mount.next()?);
        let mut file_system = file_system.split(' ');
        let kind = file_system.next()?;
        let options = file_system.nth(1)?;
        let matches = match controllers {
            None => kind == "cgroup2",
            Some(names) => {
                kind == "cgroup" && names.iter().all(|name| options.split(',').any(|option| option == *name))
            }
        };
        (matches && root == "/").then(|| point.to_owned())
    })
}

/// Whether a directory belongs to the caller. Ids are those of the caller's user namespace, in which
/// an ordinary user's launcher is root and everybody else is nobody.
fn is_ours(dir: impl AsFd) -> bool {
    rustix::fs::fstat(dir).is_ok_and(|stat| stat.st_uid == rustix::process::geteuid().as_raw())
}

fn version_one(mount: &str, path: &str, owner: Option<u32>, controllers: Vec<Controller>) -> Option<Base> {
    let version = Version::One;
    match owner {
        None => {
            let (parent, path) = open_either(&[&format!("{mount}{path}"), mount])?;
            let dir = files::make_dir(&parent, BASE).ok()?;
            Some(Base { version, controllers, dir, path: format!("{path}/{BASE}"), parent: Some(parent) })
        }
        Some(uid) => {
            let path = format!("{mount}/{}", user_directory(uid));
            let dir = open(&path).ok()?;
            is_ours(&dir).then_some(Base { version, controllers, dir, path, parent: None })
        }
    }
}

/// The first of these directories that can be opened, and its path without a slash at the end.
fn open_either(paths: &[&str]) -> Option<(OwnedFd, String)> {
    paths.iter().find_map(|path| Some((open(path).ok()?, path.trim_end_matches('/').to_owned())))
}

fn version_two(mount: &str, path: &str, owner: Option<u32>) -> Option<Base> {
    let (parent, at) = match owner {
        None => open_either(&[&format!("{mount}{path}"), mount])?,
        Some(_) => topmost_of_ours(mount, path)?,
    };
    let (parent, at, controllers) = match (enable(&parent, true), owner) {
        (Some(controllers), _) => (parent, at, controllers),
        // A cgroup with other processes in it cannot hand controllers on. Real root may use the
        // root cgroup, which is exempt from that rule.
        (None, None) => {
            let root = open(mount).ok()?;
            let controllers = enable(&root, false)?;
            (root, mount.to_owned(), controllers)
        }
        (None, Some(_)) => return None,
    };
    let dir = files::make_dir(&parent, BASE).ok()?;
    enable(&dir, false)?;
    Some(Base { version: Version::Two, controllers, dir, path: format!("{at}/{BASE}"), parent: Some(parent) })
}

/// The highest directory on the way from the root to `path` that belongs to the caller.
fn topmost_of_ours(mount: &str, path: &str) -> Option<(OwnedFd, String)> {
    let mut at = mount.to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        at.push('/');
        at.push_str(part);
        let dir = open(&at).ok()?;
        if is_ours(&dir) {
            return Some((dir, at));
        }
    }
    None
}

/// Hands the wanted controllers of a v2 directory on to its children; `None` when it has none or
/// may not. With `make_room`, processes of the directory itself are moved to a child first.
fn enable(dir: &OwnedFd, make_room: bool) -> Option<Vec<Controller>> {
    let available = files::read(dir, "cgroup.controllers").ok()?;
    let wanted: Vec<Controller> = Controller::ALL
        .into_iter()
        .filter(|one| available.split_whitespace().any(|name| name == one.as_str()))
        .collect();
    if wanted.is_empty() {
        return None;
    }
    let line = wanted.iter().map(|one| format!("+{}", one.as_str())).collect::<Vec<_>>().join(" ");
    match files::write(dir, "cgroup.subtree_control", &line) {
        Ok(()) => Some(wanted),
        Err(Errno::BUSY) if make_room => {
            move_ourselves(dir).ok()?;
            files::write(dir, "cgroup.subtree_control", &line).ok()?;
            Some(wanted)
        }
        Err(_) => None,
    }
}

/// Moves this process and its parent, the server, to a child of their cgroup. Other processes stay;
/// with them in it, the cgroup cannot be used.
fn move_ourselves(dir: &OwnedFd) -> Result<(), Errno> {
    let room = files::make_dir(dir, "faas-host")?;
    files::write(&room, "cgroup.procs", &std::process::id().to_string())?;
    match rustix::process::getppid() {
        Some(parent) => files::write(&room, "cgroup.procs", &parent.as_raw_nonzero().to_string()),
        None => Ok(()),
    }
}

/// A launcher's own directory in a base directory.
pub(super) fn open_own(base: &Base, name: &str) -> Result<OwnedFd, Errno> {
    let own = files::make_dir(&base.dir, name)?;
    if base.version == Version::Two {
        enable(&own, false).ok_or(Errno::ACCESS)?;
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::{mount_point, parse_membership};

    const MOUNTS: &str = "\
30 29 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 29 0:27 / /sys/fs/cgroup/memory rw,relatime shared:4 - cgroup cgroup rw,memory
32 29 0:28 /part /elsewhere rw - cgroup cgroup rw,pids
33 29 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn mounts_are_found_by_controller() {
        assert_eq!(mount_point(MOUNTS, Some(&["memory"])).as_deref(), Some("/sys/fs/cgroup/memory"));
        assert_eq!(mount_point(MOUNTS, Some(&["cpu", "cpuacct"])).as_deref(), Some("/sys/fs/cgroup/cpu"));
        assert_eq!(mount_point(MOUNTS, None).as_deref(), Some("/sys/fs/cgroup/unified"));
        assert_eq!(mount_point(MOUNTS, Some(&["pids"])), None, "part of a hierarchy is not ours to use");
        assert_eq!(mount_point("garbage\n\n", None), None);
    }

    #[test]
    fn memberships_keep_colons_in_paths() {
        let line = parse_membership("4:memory:/a:b").expect("a line");
        assert_eq!((line.controllers, line.path), (vec!["memory"], "/a:b"));
        let unified = parse_membership("0::/").expect("a line");
        assert!(unified.controllers.is_empty());
        assert!(parse_membership("nonsense").is_none());
    }
}
