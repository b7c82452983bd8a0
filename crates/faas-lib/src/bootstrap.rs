//! The start of a process that embeds the platform, in the order privileges demand.
//!
//! Invariant: the launcher starts before any thread exists, and what parses requests has given up
//! every privilege before the first request.

use crate::data::DataDirectory;
use crate::{Platform, PlatformError, disk};
use faas_build::{Builder, Indexes, Limits, MAX_BUILDS};
use faas_config::Config;
use faas_executor_api::Executor;
use faas_executor_process::{Launcher, MOST_SANDBOXES, ProcessExecutor, Settings, SpareLimits, WithoutSpares};
use faas_orchestrator::{Logs, WarmSettings};
use faas_store_api::{MemoryStore, Retention};
use faas_types::{ByteSize, NodeId};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use faas_executor_process::{
    DelegateError, SLOT_UIDS, StartError, UIDS_PER_SLOT, delegate, is_server_uid, undelegate,
};
pub use faas_protocol::launcher::Host;

/// How much an embedded platform remembers.
pub(crate) const EMBEDDED_HISTORY: Retention = Retention { rows: 1000, bytes: ByteSize::mib(16).as_bytes() };
/// How much output of ended executions an embedded platform remembers.
pub(crate) const EMBEDDED_LOGS: ByteSize = ByteSize::mib(64);

/// A started launcher that serves nobody yet.
pub struct Bootstrap {
    launcher: Launcher,
    max_sandboxes: u32,
    queue: u32,
    warm: WarmSettings,
    spares: SpareLimits,
    zygotes: bool,
    packages: Option<PathBuf>,
    package_zygotes: u32,
    cold_start_timeout: Duration,
}

impl Bootstrap {
    /// Starts the launcher. The process must not have started a thread.
    ///
    /// # Errors
    /// The launcher cannot work on this host; the error says what to do.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        Self::start_on(config, None)
    }

    /// The same with a directory of installed packages, absolute and there, which sandboxes may be given
    /// of. It may change hands afterwards.
    ///
    /// # Errors
    /// As [`Bootstrap::start`].
    pub fn start_with_packages(config: &Config, packages: &Path) -> Result<Self, StartError> {
        Self::start_on(config, Some(packages))
    }

    fn start_on(config: &Config, packages: Option<&Path>) -> Result<Self, StartError> {
        let server = &config.server;
        let (max_sandboxes, spares) = (config.max_sandboxes.value, server.spares.value);
        // Executions have all of theirs while dependencies are fetched.
        let builds = if packages.is_some() { MAX_BUILDS } else { 0 };
        let package_zygotes = if packages.is_some() && server.zygotes.value { server.package_zygotes.value } else { 0 };
        // Their packages are loaded in a sandbox, in one at a time.
        let builds = builds + package_zygotes.min(1);
        // None goes for one that nobody asked for yet, nor while one that is of no use ends.
        let spares = spares.min(MOST_SANDBOXES.saturating_sub(max_sandboxes + builds) / 2);
        let settings = Settings {
            runtime_dir: config.runtime_dir.value.clone(),
            max_sandboxes: (max_sandboxes + builds + 2 * spares).min(MOST_SANDBOXES),
            packages: packages.map(Path::to_owned),
        };
        let warm = WarmSettings {
            sandboxes: server.warm_sandboxes.value,
            ttl: server.warm_ttl.value,
            memory: server.warm_memory.value,
            ..WarmSettings::default()
        };
        Ok(Self {
            launcher: Launcher::start(&settings)?,
            max_sandboxes,
            queue: server.queue_waiting.value,
            warm,
            spares: SpareLimits { most: spares, memory: server.spares_memory.value },
            zygotes: server.zygotes.value,
            packages: packages.map(Path::to_owned),
            package_zygotes,
            cold_start_timeout: server.cold_start_timeout.value,
        })
    }

    /// Makes nothing before it is asked for: no sandbox and no zygote.
    #[must_use]
    pub fn without_spares(self) -> Self {
        Self { spares: SpareLimits { most: 0, ..self.spares }, zygotes: false, package_zygotes: 0, ..self }
    }

    /// Has a zygote, or none.
    #[must_use]
    pub fn with_zygotes(self, zygotes: bool) -> Self {
        Self { zygotes, ..self }
    }

    /// What this host gives to sandboxes.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.launcher.host()
    }

    /// Gives up every privilege of this process; nothing happens when it has none. The process
    /// must still be single-threaded.
    ///
    /// # Errors
    /// The kernel refuses; the process must end.
    pub fn become_unprivileged(&self) -> Result<(), StartError> {
        self.launcher.become_unprivileged()
    }

    /// The platform on this launcher, which forgets everything with the process. Called inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// The launcher went away.
    pub async fn into_platform(self) -> Result<Platform, PlatformError> {
        let settings = faas_orchestrator::Settings {
            node: NodeId::generate(),
            concurrency: self.max_sandboxes,
            queue: self.queue,
            warm: self.warm,
            cold_start_timeout: self.cold_start_timeout,
            retention: EMBEDDED_HISTORY,
            log_retention_bytes: EMBEDDED_LOGS.as_bytes(),
        };
        let executor = Arc::new(executor(
            self.launcher,
            self.spares,
            self.zygotes,
            self.packages.map(|root| (self.package_zygotes, root)),
        )?);
        let store = Arc::new(MemoryStore::new(EMBEDDED_HISTORY));
        Platform::on_process_executor(executor, store, None, Logs::memory(), settings).await
    }

    /// The platform on this launcher, which keeps everything in `data`: made where it is missing, and
    /// closed to other users. Called inside a tokio runtime.
    ///
    /// # Errors
    /// The launcher went away, or the directory belongs to another server or cannot be used.
    pub async fn into_server(self, config: &Config, data: &Path) -> Result<Platform, PlatformError> {
        let server = &config.server;
        let database = server.database.value.as_deref().unwrap_or(data);
        let opened = DataDirectory::open(data, database).map_err(|error| disk::explained(error.into(), database));
        let DataDirectory { node, store, logs } = opened?;
        let settings = faas_orchestrator::Settings {
            node,
            concurrency: self.max_sandboxes,
            queue: self.queue,
            warm: self.warm,
            cold_start_timeout: self.cold_start_timeout,
            retention: Retention {
                rows: u64::from(server.history_rows.value),
                bytes: server.history_bytes.value.as_bytes(),
            },
            log_retention_bytes: server.logs_bytes.value.as_bytes(),
        };
        let executor = Arc::new(executor(
            self.launcher,
            self.spares,
            self.zygotes,
            self.packages.map(|root| (self.package_zygotes, root)),
        )?);
        let builds: Arc<dyn Executor> = Arc::new(WithoutSpares(Arc::clone(&executor)));
        let packages = data.join("packages");
        let builder = Builder::open(builds, Indexes::of_host()?, &packages, Limits::default())?;
        let started =
            Platform::on_process_executor(executor, Arc::new(store), Some(Arc::new(builder)), logs, settings).await;
        started.map_err(|error| disk::explained(error, database))
    }
}

fn executor(
    launcher: Launcher,
    spares: SpareLimits,
    zygotes: bool,
    packages: Option<(u32, PathBuf)>,
) -> Result<ProcessExecutor, StartError> {
    let executor = launcher.into_executor()?.with_spares(spares);
    Ok(match packages {
        _ if !zygotes => executor,
        None => executor.with_zygotes(),
        Some((most, root)) => executor.with_zygotes().with_package_zygotes(most, root),
    })
}
