//! Giving an ordinary user cgroups to limit sandboxes with, once, as real root.

use crate::cgroup::user_directory;
use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

const VERSION_ONE: [&str; 4] = ["memory", "pids", "cpu", "cpuacct"];

/// Makes the directories for `uid` and returns their paths. On v2 the user's programs must be
/// started in the `shell` directory below: a process cannot be moved there by the user itself.
///
/// # Errors
/// Whatever the file system answers; needs real root.
pub fn delegate(uid: u32) -> io::Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    for controller in VERSION_ONE {
        let hierarchy = Path::new("/sys/fs/cgroup").join(controller);
        if hierarchy.join("cgroup.procs").exists() {
            let dir = hierarchy.join(user_directory(uid));
            make(&dir)?;
            chown(&dir, Some(uid), Some(uid))?;
            made.push(dir);
        }
    }
    let unified = Path::new("/sys/fs/cgroup");
    if unified.join("cgroup.controllers").exists() {
        fs::write(unified.join("cgroup.subtree_control"), "+memory +pids +cpu")?;
        let dir = unified.join(user_directory(uid));
        let shell = dir.join("shell");
        for path in [&dir, &shell] {
            make(path)?;
            chown(path, Some(uid), Some(uid))?;
            for file in ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
                chown(path.join(file), Some(uid), Some(uid))?;
            }
        }
        made.push(shell);
    }
    if made.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no cgroup hierarchy is mounted under /sys/fs/cgroup"));
    }
    Ok(made)
}

/// Removes what [`delegate`] made, and everything a dead launcher of that user left in it.
///
/// # Errors
/// Whatever the file system answers; needs real root.
pub fn undelegate(uid: u32) -> io::Result<()> {
    let name = user_directory(uid);
    let hierarchies = VERSION_ONE.iter().map(|controller| Path::new("/sys/fs/cgroup").join(controller));
    for hierarchy in hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]) {
        if hierarchy.join(&name).is_dir() {
            crate::cgroup::remove_tree(fs::File::open(&hierarchy)?, &name);
        }
    }
    Ok(())
}

fn make(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
