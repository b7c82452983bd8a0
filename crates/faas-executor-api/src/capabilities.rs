//! What a backend offers on this host, as plain data.

use faas_types::{IsolationReport, Language};
use std::fmt;

/// Which backend it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExecutorKind {
    /// The in-memory fake of the tests.
    Fake,
    /// Linux namespaces, cgroups, seccomp and landlock.
    Process,
}

impl ExecutorKind {
    /// The name used in records and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fake => "fake",
            Self::Process => "process",
        }
    }
}

/// How strong the wall is, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IsolationClass {
    /// None: tests only.
    None,
    /// A shared kernel behind namespaces and filters.
    Kernel,
}

/// Something a sandbox can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Call user code through the runner.
    Invoke,
    /// Run a command.
    Exec,
    /// Make it as new for the next call.
    Recycle,
    /// Keep a program that has answered for the next call.
    Stay,
    /// Ask a program that stays several calls at once.
    Share,
    /// Stop it in place.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Save its state.
    Checkpoint,
    /// Start from a saved state.
    Restore,
    /// Start several from one saved state.
    Branch,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 10] = [
        Self::Invoke,
        Self::Exec,
        Self::Recycle,
        Self::Stay,
        Self::Share,
        Self::Pause,
        Self::Resume,
        Self::Checkpoint,
        Self::Restore,
        Self::Branch,
    ];

    /// The name used in errors and documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Exec => "exec",
            Self::Recycle => "recycle",
            Self::Stay => "stay",
            Self::Share => "share",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Checkpoint => "checkpoint",
            Self::Restore => "restore",
            Self::Branch => "branch",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An interpreter found on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeInfo {
    /// The language it runs.
    pub language: Language,
    /// Its absolute path inside the sandbox.
    pub path: String,
}

/// Probed once when the executor starts, constant afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Which backend it is.
    pub kind: ExecutorKind,
    /// How strong its wall is.
    pub isolation: IsolationClass,
    /// What its sandboxes can do; everything else answers `Unsupported`.
    pub verbs: Vec<Verb>,
    /// What a sandbox gets on this host, at best.
    pub report: IsolationReport,
    /// The interpreters found.
    pub runtimes: Vec<RuntimeInfo>,
}

impl Capabilities {
    /// Whether a verb is offered.
    #[must_use]
    pub fn offers(&self, verb: Verb) -> bool {
        self.verbs.contains(&verb)
    }
}
