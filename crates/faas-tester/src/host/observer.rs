//! Observations and what was added between two of them.

use super::processes::{Process, processes};
use super::{cgroups, directories, mounts, namespaces};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often a state that is waited for is looked at: nothing announces the end of a namespace.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What sort of thing an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A process of ours: called `faas-…`, with the marker in its arguments, or in another pid namespace.
    Process,
    /// A mount in this mount namespace.
    Mount,
    /// A cgroup directory.
    Cgroup,
    /// A namespace held by a process or a descriptor.
    Namespace,
    /// A loop device in use.
    LoopDevice,
    /// A file or directory in a runtime directory or a shared one.
    File,
}

/// One thing that exists on this host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// What sort of thing.
    pub kind: Kind,
    /// Which one.
    pub name: String,
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.kind, self.name)
    }
}

/// What exists at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// All of it but the next, each with what helps a person to recognise it.
    pub items: BTreeMap<Item, String>,
    /// Memory cgroups that were removed and that the kernel still holds; `None` where it does not say.
    pub dying_memory_cgroups: Option<u64>,
}

impl State {
    /// What is here and was not there before.
    #[must_use]
    pub fn added_since(&self, before: &Self) -> BTreeMap<Item, String> {
        let is_new = |item: &Item| !before.items.contains_key(item);
        self.items.iter().filter(|(item, _)| is_new(item)).map(|(item, note)| (item.clone(), note.clone())).collect()
    }

    /// How many more dead memory cgroups the kernel holds; 0 where it does not say.
    #[must_use]
    pub fn dying_added_since(&self, before: &Self) -> u64 {
        self.dying_memory_cgroups.unwrap_or(0).saturating_sub(before.dying_memory_cgroups.unwrap_or(0))
    }
}

/// Looks at the host.
#[derive(Debug, Clone)]
pub struct Observer {
    runtime_directories: Vec<PathBuf>,
    shared_directories: Vec<PathBuf>,
    marker: String,
}

impl Observer {
    /// Looks for processes with `marker` in their arguments, and into these runtime directories besides
    /// the usual places.
    #[must_use]
    pub fn new(marker: impl Into<String>, runtime_directories: Vec<PathBuf>) -> Self {
        Self {
            runtime_directories,
            shared_directories: ["/run", "/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from).to_vec(),
            marker: marker.into(),
        }
    }

    /// What exists now.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn observe(&self) -> io::Result<State> {
        let mut items = BTreeMap::new();
        let mut add = |kind, name: String, note: &str| items.insert(Item { kind, name }, note.to_owned());

        let own_namespace = namespaces::of_process(std::process::id());
        for process in processes()? {
            if process.pid != std::process::id() && self.is_ours(&process, own_namespace.as_deref()) {
                let Process { pid, started, name, command_line, zombie, .. } = process;
                let zombie = if zombie { "zombie " } else { "" };
                // Name and arguments do not tell processes apart: an exec changes them.
                add(Kind::Process, format!("{pid} started at {started}"), &format!("{zombie}{name}: {command_line}"));
            }
        }
        let mounts = mounts::mounts()?;
        for mount in &mounts {
            add(Kind::Mount, format!("{} on {}", mount.id, mount.point), &format!("{} {}", mount.kind, mount.source));
        }
        for cgroups::Directory { path, inode, processes } in cgroups::ours(&mounts) {
            add(Kind::Cgroup, format!("{} inode {inode}", path.display()), &format!("with {processes} processes"));
        }
        for namespace in namespaces::held()? {
            add(Kind::Namespace, namespace, "");
        }
        for device in directories::loop_devices() {
            add(Kind::LoopDevice, device, "");
        }
        let runtime = self.runtime_directories.iter().flat_map(|path| directories::in_runtime_directory(path));
        let shared = self.shared_directories.iter().flat_map(|path| directories::ours_in(path));
        for path in runtime.chain(shared) {
            add(Kind::File, path.display().to_string(), "");
        }
        Ok(State { items, dying_memory_cgroups: cgroups::dying(&mounts)? })
    }

    /// Waits until nothing of what now exists beyond `before` is left, at most for `bound`; answers what
    /// is. What appears while waiting does not count: other programs come and go on a host.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn wait_until_gone(&self, before: &State, bound: Duration) -> io::Result<BTreeMap<Item, String>> {
        self.wait(before, bound, |_| true)
    }

    /// Like [`Observer::wait_until_gone`], for processes only.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn wait_until_processes_are_gone(&self, before: &State, bound: Duration) -> io::Result<BTreeMap<Item, String>> {
        self.wait(before, bound, |item| item.kind == Kind::Process)
    }

    fn wait(
        &self,
        before: &State,
        bound: Duration,
        concerns: impl Fn(&Item) -> bool,
    ) -> io::Result<BTreeMap<Item, String>> {
        let deadline = Instant::now() + bound;
        let mut left = self.observe()?.added_since(before);
        left.retain(|item, _| concerns(item));
        while !left.is_empty() && Instant::now() < deadline {
            std::thread::park_timeout(LOOK_EVERY);
            let now = self.observe()?;
            left.retain(|item, _| now.items.contains_key(item));
        }
        Ok(left)
    }

    fn is_ours(&self, process: &Process, own_namespace: Option<&str>) -> bool {
        let elsewhere = || {
            let namespace = namespaces::of_process(process.pid);
            namespace.is_some() && namespace.as_deref() != own_namespace
        };
        process.is_named("faas-") || process.command_line.contains(&self.marker) || elsewhere()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// A process that waits for its standard input to close, with `marker` in its arguments.
    fn waiting(marker: &str) -> std::process::Child {
        Command::new("/bin/sh")
            .args(["-c", "read line", marker])
            .stdin(Stdio::piped())
            .spawn()
            .expect("the shell starts")
    }

    #[test]
    fn a_process_and_a_directory_that_stay_are_found_and_what_goes_is_not() {
        let marker = format!("observer-test-{}", std::process::id());
        let base = std::env::temp_dir().join(&marker);
        std::fs::create_dir(&base).unwrap();
        let observer =
            Observer { shared_directories: vec![base.clone()], ..Observer::new(&marker, vec![base.join("runtime")]) };
        let before = observer.observe().unwrap();

        std::fs::create_dir_all(base.join("runtime/slots")).unwrap();
        std::fs::create_dir(base.join("faas-left")).unwrap();
        let mut child = waiting(&marker);
        let pid = child.id();
        let is_the_child = |item: &Item| item.kind == Kind::Process && item.name.starts_with(&format!("{pid} "));
        let left = observer.wait_until_gone(&before, Duration::from_millis(50)).unwrap();
        assert!(left.keys().any(is_the_child), "{left:?}");
        let files: Vec<&Item> = left.keys().filter(|item| item.name.contains(&marker)).collect();
        assert_eq!(files.len(), 2, "{files:?}");

        std::fs::remove_dir_all(&base).unwrap();
        let stdin = child.stdin.take();
        let waiter = std::thread::spawn(move || {
            drop(stdin);
            child.wait()
        });
        let left = observer.wait_until_gone(&before, Duration::from_secs(5)).unwrap();
        waiter.join().unwrap().unwrap();
        assert!(!left.keys().any(is_the_child), "{left:?}");
    }

    #[test]
    fn dead_memory_groups_are_counted_from_before() {
        let state = |dying| State { dying_memory_cgroups: dying, ..State::default() };
        assert_eq!(state(Some(9)).dying_added_since(&state(Some(4))), 5);
        assert_eq!(state(Some(4)).dying_added_since(&state(Some(9))), 0);
        assert_eq!(state(None).dying_added_since(&state(Some(9))), 0);
    }
}
