//! What isolation was asked for, and what a sandbox really got.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How much isolation a caller insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IsolationLevel {
    /// Every namespace, the seccomp seal, landlock where the kernel has it, enforced memory and
    /// process limits; anything missing is a refusal.
    #[default]
    Strict,
    /// Runs with what the host can give and lists what is missing.
    Standard,
}

impl IsolationLevel {
    /// The name used in requests, records and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Standard => "standard",
        }
    }
}

impl fmt::Display for IsolationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One wall between a sandbox and everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Own user namespace: root inside is nobody outside.
    User,
    /// Own process ids; nothing outside is visible or can be signalled.
    Pid,
    /// Own mounts and a minimal root.
    Mount,
    /// Own network with only loopback.
    Net,
    /// Own System V IPC and POSIX queues.
    Ipc,
    /// Own host name.
    Uts,
    /// Own view of the cgroup tree.
    Cgroup,
    /// Base and seal filters.
    Seccomp,
    /// Path rules enforced by the kernel.
    Landlock,
    /// A host uid no other live sandbox has.
    DistinctUid,
}

impl Layer {
    /// Layers that `strict` takes where the host has them and does without elsewhere: a kernel may
    /// have no landlock, and an ordinary user has no other uid to give.
    pub const OPTIONAL: [Self; 2] = [Self::Landlock, Self::DistinctUid];

    /// Every layer, outermost wall first.
    pub const ALL: [Self; 10] = [
        Self::User,
        Self::Pid,
        Self::Mount,
        Self::Net,
        Self::Ipc,
        Self::Uts,
        Self::Cgroup,
        Self::Seccomp,
        Self::Landlock,
        Self::DistinctUid,
    ];

    /// The name used in records and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Pid => "pid",
            Self::Mount => "mount",
            Self::Net => "net",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
            Self::Seccomp => "seccomp",
            Self::Landlock => "landlock",
            Self::DistinctUid => "distinct_uid",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A resource that can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitKind {
    /// Bytes of memory of the whole sandbox.
    Memory,
    /// Processes and threads of the whole sandbox.
    Pids,
    /// Processor time per time.
    Cpu,
    /// Bytes and inodes of every writable area.
    Disk,
}

impl LimitKind {
    /// Every limit.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Pids, Self::Cpu, Self::Disk];

    /// The name used in records and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
            Self::Disk => "disk",
        }
    }
}

/// What enforces a limit for the sandbox as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Enforcement {
    /// A version 1 cgroup controller.
    Cgroup1,
    /// A version 2 cgroup controller.
    Cgroup2,
    /// A resource limit of the sandbox's own user namespace.
    Rlimit,
    /// A tmpfs with a size and an inode limit.
    Tmpfs,
}

/// What a sandbox really got. Part of every result; never shows more than what holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationReport {
    /// The level the caller asked for.
    pub level: IsolationLevel,
    /// The layers that hold, outermost first.
    pub layers: Vec<Layer>,
    /// The limits that are enforced, and by what.
    pub limits: BTreeMap<LimitKind, Enforcement>,
    /// What does not hold, by name of layer or limit. Empty under `strict`.
    pub missing: Vec<String>,
}
