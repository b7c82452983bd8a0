//! Watches one run from the host: which processes and cgroups are its own, how large the platform's
//! processes grow, and whether all of it is gone afterwards.

use crate::host::{cgroup_mounts, contains, is_zombie, pid_namespace, processes, status_field, wait_for};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// What was seen of one run.
#[derive(Default)]
pub(crate) struct Observed {
    mark: String,
    own_namespace: Option<String>,
    /// Held open: the number of a namespace that is gone is given to the next one.
    namespaces: BTreeMap<String, Option<File>>,
    /// Directories with their inodes: a name may be used again by the next sandbox.
    cgroups: BTreeSet<(PathBuf, u64)>,
    /// Most processes seen at once in the sandbox.
    pub(crate) most_processes: usize,
    /// Most descriptors seen open in one platform process of this run.
    pub(crate) most_descriptors: usize,
    /// Largest resident size of one platform process of this run, in KiB.
    pub(crate) largest_resident_kib: u64,
    /// Processes outside any sandbox, or a sandbox's init, that carried the program's variables.
    pub(crate) strangers_with_the_environment: BTreeSet<String>,
}

/// Fills [`Observed`] while a command runs.
pub(crate) struct Watcher {
    seen: Observed,
    platform: Vec<u32>,
}

impl Watcher {
    /// Watches for processes that carry the mark or have a program of that name, and for descendants of the
    /// command and of the server it talks to.
    pub(crate) fn new(mark: String, platform: Vec<u32>) -> Self {
        Self { seen: Observed { mark, own_namespace: pid_namespace("self"), ..Observed::default() }, platform }
    }

    /// Looks once.
    pub(crate) fn look(&mut self) {
        let mut inside = 0;
        let mut parents = BTreeMap::new();
        for pid in processes() {
            let namespace = pid_namespace(&pid.to_string());
            let marked =
                fs::read(format!("/proc/{pid}/environ")).is_ok_and(|data| contains(&data, self.seen.mark.as_bytes()));
            let outside = namespace == self.seen.own_namespace;
            if marked && (outside || namespace.is_none()) {
                let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                self.seen.strangers_with_the_environment.insert(format!("{} in the host's namespace", name.trim()));
            } else if let Some(namespace) = namespace.filter(|_| marked || (!outside && self.seen.has_program(pid))) {
                self.seen.met(namespace, pid);
                if marked && status_field(pid, "NSpid").is_some_and(|ids| ids.split_whitespace().last() == Some("1")) {
                    self.seen.strangers_with_the_environment.insert("the sandbox's init".into());
                }
            } else if outside {
                parents.insert(pid, status_field(pid, "PPid").and_then(|id| id.parse::<u32>().ok()).unwrap_or(0));
            }
            if let Some(namespace) = pid_namespace(&pid.to_string())
                && self.seen.namespaces.contains_key(&namespace)
            {
                inside += 1;
            }
        }
        self.seen.most_processes = self.seen.most_processes.max(inside);
        self.measure(&parents);
    }

    fn measure(&mut self, parents: &BTreeMap<u32, u32>) {
        for pid in parents.keys() {
            let mut above = *pid;
            while !self.platform.contains(&above) && above > 1 {
                above = parents.get(&above).copied().unwrap_or(0);
            }
            if self.platform.contains(&above) {
                let open = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
                self.seen.most_descriptors = self.seen.most_descriptors.max(open);
                let resident =
                    status_field(*pid, "VmHWM").and_then(|text| text.split_whitespace().next()?.parse().ok());
                self.seen.largest_resident_kib = self.seen.largest_resident_kib.max(resident.unwrap_or(0));
            }
        }
    }

    /// What was seen.
    pub(crate) fn finish(self) -> Observed {
        self.seen
    }
}

impl Observed {
    /// Notes the sandbox of a process that carries the mark.
    fn met(&mut self, namespace: String, pid: u32) {
        if self.namespaces.contains_key(&namespace) {
            return;
        }
        let held = File::open(format!("/proc/{pid}/ns/pid")).ok();
        // It may have ended, and its number be another's, before it was held.
        if pid_namespace(&pid.to_string()).as_ref() == Some(&namespace) {
            self.cgroups.extend(cgroup_directories(pid));
            self.namespaces.insert(namespace, held);
        }
    }

    /// Whether the program of the mark's name lies where this process finds its own.
    fn has_program(&self, pid: u32) -> bool {
        fs::symlink_metadata(format!("/proc/{pid}/root/code/{}", self.mark)).is_ok()
    }

    /// How many sandboxes were seen; 0 when it was too quick to look at.
    pub(crate) fn sandboxes(&self) -> usize {
        self.namespaces.len()
    }

    /// How many of its cgroups were seen, in all mounted hierarchies.
    pub(crate) fn cgroups(&self) -> usize {
        self.cgroups.len()
    }

    /// Waits until no process of the sandbox and none of its cgroups is left.
    pub(crate) fn settle(&self, bound: Duration) -> Result<(), String> {
        let mut left = Vec::new();
        wait_for(bound, || {
            left = self.leftovers();
            left.is_empty().then_some(())
        })
        .ok_or_else(|| format!("left {bound:?} after the reply: {}", left.join(", ")))
    }

    fn leftovers(&self) -> Vec<String> {
        let alive = processes().into_iter().filter(|pid| {
            let inside =
                pid_namespace(&pid.to_string()).is_some_and(|namespace| self.namespaces.contains_key(&namespace));
            let marked =
                || fs::read(format!("/proc/{pid}/environ")).is_ok_and(|data| contains(&data, self.mark.as_bytes()));
            (inside || marked() || self.has_program(*pid)) && !is_zombie(*pid)
        });
        let processes = alive.map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            format!("process {pid} ({})", String::from_utf8_lossy(&line).replace('\0', " ").trim())
        });
        let cgroups =
            self.cgroups.iter().filter(|(path, inode)| fs::metadata(path).is_ok_and(|data| data.ino() == *inode));
        let cgroups = cgroups.map(|(path, _)| format!("cgroup {}", path.display()));
        processes.chain(cgroups).collect()
    }
}

/// The directories of a process's cgroups that differ from this process's and are mounted here.
fn cgroup_directories(pid: u32) -> Vec<(PathBuf, u64)> {
    let lines = |pid: &str| -> Vec<(String, String)> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.split_once(':')?.1.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())))
            .collect()
    };
    let own = lines("self");
    let mut found = Vec::new();
    for (controllers, path) in lines(&pid.to_string()) {
        if path == "/" || own.contains(&(controllers.clone(), path.clone())) {
            continue;
        }
        for (mount, options) in cgroup_mounts() {
            let fits = if controllers.is_empty() {
                options.is_none()
            } else {
                options.is_some_and(|o| controllers.split(',').all(|c| o.split(',').any(|w| w == c)))
            };
            if fits {
                found.push(mount.join(path.trim_start_matches('/')));
            }
        }
    }
    found.into_iter().filter_map(|path: PathBuf| fs::metadata(&path).ok().map(|data| (path, data.ino()))).collect()
}
