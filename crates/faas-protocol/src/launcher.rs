//! Server and launcher. Both ends are ours, yet the launcher checks every field: it is the only
//! privileged process.

mod codec;
mod unfit;

pub use unfit::Unfit;

use crate::leftover::Leftover;

/// What the server says to the launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToLauncher {
    /// Assembles a sandbox. Carries one descriptor: init's end of the control socket. Answered by
    /// `CreateFailed`, or by `Ready` on the control socket.
    Create(Create),
    /// Asks for a sandbox's usage so far. Answered by `Usage`.
    Stat {
        /// Which sandbox.
        sandbox: [u8; 16],
    },
    /// Lets the counters of a sandbox begin anew, which init has made as new. Answered by `Renewed`.
    Renew {
        /// Which sandbox.
        sandbox: [u8; 16],
        /// Whether a program stays in it, whose memory and sockets are its own.
        stays: bool,
    },
    /// Kills everything in a sandbox. Answered by `Ended`, also when it is already gone.
    Kill {
        /// Which sandbox.
        sandbox: [u8; 16],
    },
    /// Starts a zygote: an interpreter that loads what its language's programs need and then waits to be forked.
    /// Answered by `Hatched`, or by `ZygoteEnded`, which can follow at any time.
    Hatch {
        /// Its number; never reused.
        zygote: u32,
        /// The language, as [`Host::runtimes`] names it.
        language: String,
        /// The sandbox whose program becomes the zygote as soon as it stops itself; it was made with
        /// [`Create::stem`], and is to be killed afterwards. `None` for an interpreter of the launcher's own.
        sandbox: Option<[u8; 16]>,
    },
    /// Ends a zygote. Answered by `ZygoteEnded`, also when it is already gone. What was forked from it goes on.
    Retire {
        /// Which zygote.
        zygote: u32,
    },
    /// Asks for the files in which the kernel counts what a sandbox uses, once its peak began anew: who has them
    /// needs not ask for each reading. Answered by `Metered`.
    Meter {
        /// Which sandbox.
        sandbox: [u8; 16],
    },
}

/// What kind of sandbox. Every number is enforced or the creation fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Its id; never reused.
    pub sandbox: [u8; 16],
    /// Whose it is; nothing is recycled from one tenant to another.
    pub tenant: [u8; 16],
    /// Whether a missing layer or limit is a failure.
    pub strict: bool,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of the writable areas.
    pub disk_bytes: u64,
    /// Inodes of the writable areas.
    pub inodes: u64,
    /// Thousandths of a core.
    pub cpu_milli: u32,
    /// Processes and threads.
    pub pids: u32,
    /// Packages of the tenant's, for `/packages`.
    pub packages: Option<[u8; 32]>,
    /// The zygote from which a runner is forked into it. Answered by `Started` or `NotStarted` once init runs.
    pub zygote: Option<u32>,
    /// Whether what is forked, which there must be, may become a zygote itself. Costs a process that waits beside the sandbox.
    pub stem: bool,
    /// Makes one step fail: how the tests walk through every failure. `None` otherwise.
    pub fail_at: Option<Step>,
}

/// What the launcher says to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromLauncher {
    /// Opens the conversation: what this host gives.
    Hello(Host),
    /// The launcher cannot work here at all; it exits after this.
    Refused {
        /// Why, in a sentence.
        reason: String,
        /// What to do about it, in a sentence.
        fix: String,
    },
    /// A sandbox was not made; nothing is left of it.
    CreateFailed {
        /// Which sandbox.
        sandbox: [u8; 16],
        /// The step that failed.
        step: Step,
        /// The kernel's answer.
        errno: i32,
    },
    /// A sandbox's usage so far.
    Usage {
        /// Which sandbox.
        sandbox: [u8; 16],
        /// From the kernel's accounting.
        counters: Counters,
    },
    /// A sandbox can be used again, or what outside of it speaks against that.
    Renewed {
        /// Which sandbox.
        sandbox: [u8; 16],
        /// From the kernel's accounting: where the next call begins.
        counters: Counters,
        /// What the kernel still holds of earlier calls.
        left: Option<Leftover>,
    },
    /// Every process of a sandbox is dead.
    Ended {
        /// Which sandbox.
        sandbox: [u8; 16],
        /// From the kernel's accounting, final.
        counters: Counters,
    },
    /// A zygote waits to be forked.
    Hatched {
        /// Which zygote.
        zygote: u32,
    },
    /// A zygote is gone, or never was.
    ZygoteEnded {
        /// Which zygote.
        zygote: u32,
        /// Why.
        cause: ZygoteEnd,
    },
    /// A runner was forked from a zygote into a sandbox. Carries descriptors as `Spawned` of init does. Init is to be
    /// told that it is the sandbox's program.
    Started {
        /// Which sandbox.
        sandbox: [u8; 16],
        /// The runner's pid inside the sandbox.
        pid: u32,
    },
    /// No runner was forked into a sandbox, which is as it was made.
    NotStarted {
        /// Which sandbox.
        sandbox: [u8; 16],
        /// The kernel's answer.
        errno: i32,
    },
    /// Carries two descriptors: of the file that counts processor time, and of the one that shows the highest
    /// memory and begins anew when it is written; none where the kernel has no such files.
    Metered {
        /// Which sandbox.
        sandbox: [u8; 16],
    },
}

/// Why there is no zygote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZygoteEnd {
    /// The server asked for it.
    Retired,
    /// It could not be started.
    Refused {
        /// The kernel's answer.
        errno: i32,
    },
    /// It did not wait to be forked in time.
    Late,
    /// It ended by itself.
    Exited {
        /// Its exit code.
        code: u8,
    },
    /// A signal ended it.
    Killed {
        /// The signal.
        signal: u8,
    },
    /// The kernel killed it because it used more memory than a zygote may.
    OutOfMemory,
    /// It waits, or does not, in a way from which nothing can be forked.
    Unfit {
        /// What about it.
        reason: Unfit,
    },
}

/// What the kernel counted for one sandbox. `None` where the host cannot measure it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Processor time in microseconds.
    pub cpu_us: Option<u64>,
    /// Highest memory in bytes.
    pub memory_peak_bytes: Option<u64>,
    /// Processes the kernel killed because the memory limit was reached.
    pub oom_kills: Option<u64>,
    /// Forks refused because the process limit was reached.
    pub pids_refused: Option<u64>,
}

/// What this host gives to sandboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// [`crate::VERSION`] of the launcher.
    pub version: u16,
    /// Whether the launcher is real root (else root of its own user namespace only).
    pub root: bool,
    /// The uid the server must become; 0 where it stays who it is.
    pub server_uid: u32,
    /// Names of the layers that hold, as `faas_types::Layer::as_str`.
    pub layers: Vec<String>,
    /// Limits and what enforces them: (`memory`, `cgroup1`).
    pub limits: Vec<(String, String)>,
    /// What is missing: (name, why, the command that gives it).
    pub missing: Vec<(String, String, String)>,
    /// Interpreters found: (language, path inside the sandbox).
    pub runtimes: Vec<(String, String)>,
    /// Bytes of memory the host can give to one sandbox.
    pub memory_bytes: u64,
    /// Thousandths of a core the host has.
    pub cpu_milli: u32,
    /// Processes the host can give to one sandbox.
    pub pids: u32,
    /// How many sandboxes may live at once.
    pub max_sandboxes: u32,
    /// How many sandboxes of dead launchers were removed before this one began.
    pub reconciled: u32,
    /// Whether it has packages to give.
    pub packages: bool,
}

/// The steps of an assembly, in order. Numbers are stable within one build only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Step {
    /// The request itself is checked.
    Check = 0,
    /// A host uid is taken.
    TakeUid,
    /// The cgroup is made and its limits are written.
    Cgroup,
    /// A network namespace is taken from the pool or made.
    NetNs,
    /// The child is cloned into its namespaces.
    Clone,
    /// The id maps are written.
    IdMaps,
    /// The child is placed in its cgroup.
    Place,
    /// The journal records it.
    Journal,
    /// The child is told to go on.
    Go,
    /// The child ties its life to the launcher's.
    DeathSignal,
    /// Every descriptor but init's is closed.
    Fds,
    /// The child switches to the sandbox's uid.
    Uid,
    /// The cgroup namespace is unshared.
    CgroupNs,
    /// A session of its own.
    Session,
    /// The host name is set.
    HostName,
    /// The sandbox's root is put in place.
    Root,
    /// `/proc` of the new pid namespace.
    Proc,
    /// What `/proc` must not show is covered.
    ProcMasks,
    /// The writable areas.
    Areas,
    /// The packages, opened by the launcher and mounted by the child.
    Packages,
    /// The child changes into its root; the launcher's is gone.
    Pivot,
    /// Resource limits.
    Rlimits,
    /// All capabilities and the bounding set are dropped.
    Caps,
    /// `no_new_privs`.
    NoNewPrivs,
    /// The landlock rules.
    Landlock,
    /// The seccomp seal.
    Seal,
    /// Init is executed.
    Exec,
}

impl Step {
    /// Every step in order.
    pub const ALL: [Self; 27] = [
        Self::Check,
        Self::TakeUid,
        Self::Cgroup,
        Self::NetNs,
        Self::Clone,
        Self::IdMaps,
        Self::Place,
        Self::Journal,
        Self::Go,
        Self::DeathSignal,
        Self::Fds,
        Self::Uid,
        Self::CgroupNs,
        Self::Session,
        Self::HostName,
        Self::Root,
        Self::Proc,
        Self::ProcMasks,
        Self::Areas,
        Self::Packages,
        Self::Pivot,
        Self::Rlimits,
        Self::Caps,
        Self::NoNewPrivs,
        Self::Landlock,
        Self::Seal,
        Self::Exec,
    ];

    /// Its number on the wire.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The step behind a number.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The name used in errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::TakeUid => "take_uid",
            Self::Cgroup => "cgroup",
            Self::NetNs => "net_ns",
            Self::Clone => "clone",
            Self::IdMaps => "id_maps",
            Self::Place => "place",
            Self::Journal => "journal",
            Self::Go => "go",
            Self::DeathSignal => "death_signal",
            Self::Uid => "uid",
            Self::CgroupNs => "cgroup_ns",
            Self::Session => "session",
            Self::HostName => "host_name",
            Self::Root => "root",
            Self::Proc => "proc",
            Self::ProcMasks => "proc_masks",
            Self::Areas => "areas",
            Self::Packages => "packages",
            Self::Pivot => "pivot",
            Self::Rlimits => "rlimits",
            Self::Fds => "fds",
            Self::Caps => "caps",
            Self::NoNewPrivs => "no_new_privs",
            Self::Landlock => "landlock",
            Self::Seal => "seal",
            Self::Exec => "exec",
        }
    }
}
