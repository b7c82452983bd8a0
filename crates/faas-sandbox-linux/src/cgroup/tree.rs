//! What one launcher may use of the host's cgroups.

use super::leaf::{Leaf, Limits};
use rustix::fd::OwnedFd;
use rustix::fs::AtFlags;
use rustix::io::Errno;

/// Which interface a hierarchy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller.
    One,
    /// One hierarchy for all.
    Two,
}

/// A controller a sandbox needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Limits and counts memory.
    Memory,
    /// Limits processes.
    Pids,
    /// Limits processor time.
    Cpu,
    /// Counts processor time (v1 only; v2 does it without a controller).
    CpuAccounting,
}

impl Controller {
    /// Every controller.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Pids, Self::Cpu, Self::CpuAccounting];

    /// The kernel's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
            Self::CpuAccounting => "cpuacct",
        }
    }
}

/// One hierarchy's directory in which a launcher makes its sandboxes' directories.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) version: Version,
    pub(super) controllers: Vec<Controller>,
    /// The directory that holds every launcher's.
    pub(super) base: OwnedFd,
    /// Its path on the host.
    pub(super) base_path: String,
    /// What that one was made in, if it is ours to remove.
    pub(super) parent: Option<OwnedFd>,
    /// This launcher's own directory in it.
    pub(super) own: OwnedFd,
}

/// A launcher's directories in every hierarchy it uses.
#[derive(Debug)]
pub struct Tree {
    pub(super) name: String,
    pub(super) branches: Vec<Branch>,
}

impl Tree {
    /// Takes possession of the directory `name` in each base directory.
    ///
    /// # Errors
    /// `EWOULDBLOCK` while a launcher of another runtime directory holds that name; else the
    /// kernel's answer. What was made is removed.
    pub fn open(name: &str, found: super::Found) -> Result<Self, Errno> {
        let mut tree = Self { name: name.to_owned(), branches: Vec::new() };
        for base in found.bases {
            match super::find::open_own(&base, name).and_then(hold) {
                Ok(own) => tree.branches.push(Branch {
                    version: base.version,
                    controllers: base.controllers,
                    base: base.dir,
                    base_path: base.path,
                    parent: base.parent,
                    own,
                }),
                Err(errno) => {
                    tree.remove();
                    return Err(errno);
                }
            }
        }
        Ok(tree)
    }

    /// Which interface offers a controller, if any does.
    #[must_use]
    pub fn offers(&self, controller: Controller) -> Option<Version> {
        self.branches.iter().find(|branch| branch.controllers.contains(&controller)).map(|branch| branch.version)
    }

    /// How many descriptors a sandbox's directories hold at most: each itself, and where its highest memory is read.
    #[must_use]
    pub fn descriptors_per_leaf(&self) -> u64 {
        let reads = |branch: &&Branch| branch.version == Version::Two;
        let (directories, read) = (self.branches.len(), self.branches.iter().filter(reads).count());
        u64::try_from(directories + read).unwrap_or(u64::MAX)
    }

    /// Makes a sandbox's directory in each hierarchy and writes its limits.
    ///
    /// # Errors
    /// The kernel's answer; what was made is removed.
    pub fn create(&self, name: &str, limits: &Limits) -> Result<Leaf, Errno> {
        Leaf::create(self, name, limits)
    }

    /// Removes a sandbox's directories. `false` when one is still busy; call again then.
    #[must_use]
    pub fn remove_leaf(&self, leaf: &Leaf) -> bool {
        let mut gone = true;
        for branch in &self.branches {
            match rustix::fs::unlinkat(&branch.own, leaf.name(), AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(_) => gone = false,
            }
        }
        gone
    }

    /// Removes this launcher's own directories, and the common ones when they are empty.
    pub fn remove(&self) {
        for branch in &self.branches {
            // A directory that is still busy stays for the next launcher's reconciliation.
            let _ = rustix::fs::unlinkat(&branch.base, self.name.as_str(), AtFlags::REMOVEDIR);
            if let Some(parent) = &branch.parent {
                // Other launchers' directories in it keep it.
                let _ = rustix::fs::unlinkat(parent, super::find::BASE, AtFlags::REMOVEDIR);
            }
        }
    }

    /// Paths on the host of this launcher's own directories, for the next owner of its slot.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.branches.iter().map(|branch| format!("{}/{}", branch.base_path, self.name)).collect()
    }

    /// Kills what dead launchers of this slot left in its directories and removes what is in them.
    pub fn reconcile(&self) {
        for branch in &self.branches {
            super::reconcile::empty(&branch.own);
        }
    }
}

/// Locks a launcher's own directory for as long as the descriptor lives.
fn hold(own: OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::fs::flock(&own, rustix::fs::FlockOperation::NonBlockingLockExclusive).map(|()| own)
}
