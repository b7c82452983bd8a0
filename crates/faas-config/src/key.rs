//! Every key that exists: its place in the file, its variable, its flag, what it means.
//!
//! The documentation, the error messages and the lookup of unknown names all read this one table.

/// One configuration key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Where sockets, the journal and other state of this host live.
    RuntimeDir,
    /// The language of code that names none.
    DefaultLanguage,
    /// The isolation insisted on.
    Isolation,
    /// How many sandboxes may live at once.
    MaxSandboxes,
    /// Memory of one sandbox.
    Memory,
    /// Processor share of one sandbox.
    Cpus,
    /// Writable areas of one sandbox.
    Disk,
    /// Processes and threads of one sandbox.
    Pids,
    /// How long one execution may take.
    Timeout,
    /// How much one execution may write.
    Output,
    /// What happens past the output limit.
    OnOutputLimit,
}

/// What is to be known about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its dotted name in the file.
    pub name: &'static str,
    /// Its environment variable.
    pub env: &'static str,
    /// Its command line flag.
    pub flag: &'static str,
    /// What is accepted.
    pub accepted: &'static str,
    /// The value when no layer gives one.
    pub default: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
}

impl Key {
    /// Every key, in the order the documentation lists them.
    pub const ALL: [Self; 11] = [
        Self::RuntimeDir,
        Self::DefaultLanguage,
        Self::Isolation,
        Self::MaxSandboxes,
        Self::Memory,
        Self::Cpus,
        Self::Disk,
        Self::Pids,
        Self::Timeout,
        Self::Output,
        Self::OnOutputLimit,
    ];

    /// What is to be known about it.
    #[must_use]
    pub const fn info(self) -> KeyInfo {
        match self {
            Self::RuntimeDir => KeyInfo {
                name: "runtime_dir",
                env: "FAAS_RUNTIME_DIR",
                flag: "--runtime-dir",
                accepted: "an absolute path",
                default: "$XDG_RUNTIME_DIR/faas, else /tmp/faas-UID; always /run/faas as root",
                about: "Directory for the locks and journals of an ordinary user's launchers.",
            },
            Self::DefaultLanguage => KeyInfo {
                name: "default_language",
                env: "FAAS_DEFAULT_LANGUAGE",
                flag: "--default-language",
                accepted: "python, javascript or bash",
                default: "python",
                about: "Language of code given without a file name or a language.",
            },
            Self::Isolation => KeyInfo {
                name: "isolation",
                env: "FAAS_ISOLATION",
                flag: "--isolation",
                accepted: "strict or standard",
                default: "strict",
                about: "strict refuses when a layer or a limit is missing; standard runs and lists what is missing.",
            },
            Self::MaxSandboxes => KeyInfo {
                name: "max_sandboxes",
                env: "FAAS_MAX_SANDBOXES",
                flag: "--max-sandboxes",
                accepted: "a whole number from 1 to 1023",
                default: "64",
                about: "How many sandboxes one platform may have at once.",
            },
            Self::Memory => KeyInfo {
                name: "limits.memory",
                env: "FAAS_LIMITS_MEMORY",
                flag: "--memory",
                accepted: "bytes with a suffix such as 256Mi, 512M or 1Gi; a bare number is MiB; at least 8Mi",
                default: "256Mi",
                about: "Memory of one sandbox, page cache and writable areas included.",
            },
            Self::Cpus => KeyInfo {
                name: "limits.cpus",
                env: "FAAS_LIMITS_CPUS",
                flag: "--cpus",
                accepted: "cores such as 1, 0.5 or 500m, from 1m to 1024",
                default: "1",
                about: "Processor share of one sandbox.",
            },
            Self::Disk => KeyInfo {
                name: "limits.disk",
                env: "FAAS_LIMITS_DISK",
                flag: "--disk",
                accepted: "bytes with a suffix such as 64Mi; a bare number is MiB; from 64Ki to half of the memory",
                default: "128Mi, or half of a smaller memory limit",
                about: "All writable areas of one sandbox together; they live in its memory.",
            },
            Self::Pids => KeyInfo {
                name: "limits.pids",
                env: "FAAS_LIMITS_PIDS",
                flag: "--pids",
                accepted: "a whole number from 4 to 4194304",
                default: "64",
                about: "Processes and threads of one sandbox, its first process included.",
            },
            Self::Timeout => KeyInfo {
                name: "limits.timeout",
                env: "FAAS_LIMITS_TIMEOUT",
                flag: "--timeout",
                accepted: "a duration such as 30s, 500ms, 5m or 1h, from 1ms to 24h; a bare number is seconds",
                default: "30s, or 300s under the argv-json contract",
                about: "How long one execution may take before its whole tree is killed.",
            },
            Self::Output => KeyInfo {
                name: "limits.output",
                env: "FAAS_LIMITS_OUTPUT",
                flag: "--output-limit",
                accepted: "bytes with a suffix such as 64Mi; a bare number is MiB; above zero",
                default: "64Mi",
                about: "Bytes of stdout and stderr together that one execution may write.",
            },
            Self::OnOutputLimit => KeyInfo {
                name: "limits.on_output_limit",
                env: "FAAS_LIMITS_ON_OUTPUT_LIMIT",
                flag: "--on-output-limit",
                accepted: "discard or kill",
                default: "discard",
                about: "Past the output limit: discard the rest and go on, or kill the program.",
            },
        }
    }

    /// The key of this dotted name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.info().name == name)
    }

    /// The key of this environment variable.
    #[must_use]
    pub fn from_env(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.info().env == name)
    }
}
