//! The resolved configuration.

use crate::pick::{duration, pick, size, whole_number};
use crate::read::Layers;
use crate::source::{ConfigFile, Flags, Origin, Setting};
use crate::{ConfigError, DeclaredFunctions, Key, ServerConfig, Unused, path};
use faas_types::{
    ByteSize, Contract, CpuAmount, IsolationLevel, Language, OnOutputLimit, OutputLimits, Resources, ResourcesError,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The timeout of an execution when no layer gives one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The same under the argv-json contract, whose programs are batch work.
const DEFAULT_ARGV_JSON_TIMEOUT: Duration = Duration::from_secs(300);
const DEFAULT_MAX_SANDBOXES: u32 = 64;
/// Each has a host uid of its own, of which there are so many.
const MOST_SANDBOXES: u32 = 8191;

/// Everything that can be configured, each value with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What a server needs beyond the rest.
    pub server: ServerConfig,
    /// See [`Key::RuntimeDir`]; `None` leaves the choice to the executor.
    pub runtime_dir: Setting<Option<PathBuf>>,
    /// See [`Key::DefaultLanguage`].
    pub default_language: Setting<Language>,
    /// See [`Key::Isolation`].
    pub isolation: Setting<IsolationLevel>,
    /// See [`Key::MaxSandboxes`].
    pub max_sandboxes: Setting<u32>,
    /// See [`Key::Memory`].
    pub memory: Setting<ByteSize>,
    /// See [`Key::Cpus`].
    pub cpus: Setting<CpuAmount>,
    /// See [`Key::Disk`].
    pub disk: Setting<ByteSize>,
    /// See [`Key::Pids`].
    pub pids: Setting<u32>,
    /// See [`Key::Timeout`].
    pub timeout: Setting<Duration>,
    /// See [`Key::Output`].
    pub output: Setting<ByteSize>,
    /// See [`Key::OnOutputLimit`].
    pub on_output_limit: Setting<OnOutputLimit>,
    /// The functions that the file declares, which a server deploys when it starts.
    pub functions: DeclaredFunctions,
    /// What is set and has no effect: to be told to whoever set it.
    pub unused: Vec<Unused>,
}

impl Config {
    /// Puts defaults, file, environment and flags on top of each other and checks every value.
    ///
    /// A server passes its whole environment. What is no server passes only variables that begin
    /// with `FAAS_` ([`is_own_variable`](crate::is_own_variable)): a `DATABASE_URL` in a user's shell
    /// is somebody else's.
    ///
    /// # Errors
    /// Names the key, where its value stands, and what is accepted.
    pub fn resolve(
        file: Option<&ConfigFile>,
        env: &BTreeMap<String, String>,
        flags: &Flags,
    ) -> Result<Self, ConfigError> {
        let layers = Layers::read(file, env, flags)?;
        let memory = pick(&layers, Key::Memory, Resources::DEFAULT_MEMORY, |text| {
            size(text).filter(|size| *size >= Resources::MIN_MEMORY)
        })?;
        let config = Self {
            server: ServerConfig::resolve(&layers)?,
            runtime_dir: pick(&layers, Key::RuntimeDir, None, |text| path::absolute(text).map(Some))?,
            default_language: pick(&layers, Key::DefaultLanguage, Language::Python, |text| text.parse().ok())?,
            isolation: pick(&layers, Key::Isolation, IsolationLevel::Strict, isolation)?,
            max_sandboxes: pick(&layers, Key::MaxSandboxes, DEFAULT_MAX_SANDBOXES, |text| {
                whole_number(text, 1, MOST_SANDBOXES)
            })?,
            cpus: pick(&layers, Key::Cpus, Resources::DEFAULT_CPU, |text| text.parse().ok())?,
            disk: pick(&layers, Key::Disk, Resources::default_disk_for(memory.value), size)?,
            pids: pick(&layers, Key::Pids, Resources::DEFAULT_PIDS, |text| {
                whole_number(text, Resources::MIN_PIDS, Resources::MAX_PIDS)
            })?,
            timeout: pick(&layers, Key::Timeout, DEFAULT_TIMEOUT, duration)?,
            output: pick(&layers, Key::Output, OutputLimits::default().bytes, size)?,
            on_output_limit: pick(&layers, Key::OnOutputLimit, OnOutputLimit::Discard, on_output_limit)?,
            functions: layers.functions,
            unused: layers.unused,
            memory,
        };
        config.resources().check().map_err(|cause| config.refused(cause))?;
        Ok(config)
    }

    /// The limits of one sandbox.
    #[must_use]
    pub const fn resources(&self) -> Resources {
        Resources { cpu: self.cpus.value, memory: self.memory.value, disk: self.disk.value, pids: self.pids.value }
    }

    /// The limits of one execution's output.
    #[must_use]
    pub const fn output_limits(&self) -> OutputLimits {
        OutputLimits { bytes: self.output.value, on_limit: self.on_output_limit.value }
    }

    /// How long an execution under this contract may take.
    #[must_use]
    pub fn timeout_for(&self, contract: Contract) -> Duration {
        match (contract, &self.timeout.origin) {
            (Contract::ArgvJson, Origin::Default) => DEFAULT_ARGV_JSON_TIMEOUT,
            _ => self.timeout.value,
        }
    }

    fn refused(&self, cause: ResourcesError) -> ConfigError {
        ConfigError::Resources { cause, memory: self.memory.origin.clone(), disk: self.disk.origin.clone() }
    }
}

fn isolation(text: &str) -> Option<IsolationLevel> {
    [IsolationLevel::Strict, IsolationLevel::Standard].into_iter().find(|level| level.as_str() == text)
}

fn on_output_limit(text: &str) -> Option<OnOutputLimit> {
    match text {
        "discard" => Some(OnOutputLimit::Discard),
        "kill" => Some(OnOutputLimit::Kill),
        _ => None,
    }
}
