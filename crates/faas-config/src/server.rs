//! The server's part of the configuration.

use crate::pick::{duration, pick, pick_built, size, whole_number};
use crate::read::Layers;
use crate::source::Setting;
use crate::value::{ExecutorChoice, LogFormat};
use crate::{ConfigError, Key, database, listen, log_filter, otlp, path};
use faas_types::ByteSize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_QUEUE_WAITING: u32 = 1000;
const DEFAULT_WARM: u32 = 8;
/// As many as come while one is made, on a host of a few cores that does nothing else.
const DEFAULT_SPARES: u32 = 8;
/// Eight of Python, or two or three of Node.
const DEFAULT_SPARES_MEMORY: ByteSize = ByteSize::mib(128);
const MOST_SPARES: u32 = 64;
const DEFAULT_PACKAGE_ZYGOTES: u32 = 4;
const MOST_PACKAGE_ZYGOTES: u32 = 16;
const DEFAULT_COLD_START_TIMEOUT: Duration = Duration::from_secs(30);
/// Some dozens of Python. What is used of it is a question of `warm.sandboxes`, too.
const DEFAULT_WARM_MEMORY: ByteSize = ByteSize::mib(512);
const DEFAULT_WARM_TTL: Duration = Duration::from_secs(5 * 60);
/// As many sandboxes as there may be at all.
const MOST_WARM: u32 = 8191;
const DEFAULT_HISTORY_ROWS: u32 = 100_000;
const DEFAULT_SPACE: ByteSize = ByteSize::mib(1024);
const MOST_ROWS: u32 = 1_000_000_000;
const MOST_WAITING: u32 = 1_000_000;
const MOST_CONNECTIONS: u32 = 1_000_000;
const LEAST_BODY_LIMIT: ByteSize = ByteSize::from_bytes(1024);
const MOST_BODY_LIMIT: ByteSize = ByteSize::mib(1024);

/// What a server needs beyond what an embedded platform does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// See [`Key::Listen`]; never empty.
    pub listen: Setting<Vec<SocketAddr>>,
    /// See [`Key::CompatPorts`].
    pub compat_ports: Setting<bool>,
    /// See [`Key::DataDir`]; `None` leaves the choice to [`default_data_dir`](crate::default_data_dir).
    pub data_dir: Setting<Option<PathBuf>>,
    /// See [`Key::Database`]: the directory of the database; `None` is the data directory.
    pub database: Setting<Option<PathBuf>>,
    /// See [`Key::RoutesDb`]; `None` leaves the choice to the server.
    pub routes_db: Setting<Option<PathBuf>>,
    /// See [`Key::FunctionRoots`]; `None` leaves the choice to the server.
    pub function_roots: Setting<Option<Vec<PathBuf>>>,
    /// See [`Key::Executor`].
    pub executor: Setting<ExecutorChoice>,
    /// See [`Key::DrainTimeout`].
    pub drain_timeout: Setting<Duration>,
    /// See [`Key::QueueWaiting`].
    pub queue_waiting: Setting<u32>,
    /// See [`Key::WarmSandboxes`].
    pub warm_sandboxes: Setting<u32>,
    /// See [`Key::Spares`].
    pub spares: Setting<u32>,
    /// See [`Key::SparesMemory`].
    pub spares_memory: Setting<ByteSize>,
    /// See [`Key::Zygotes`].
    pub zygotes: Setting<bool>,
    /// See [`Key::PackageZygotes`].
    pub package_zygotes: Setting<u32>,
    /// See [`Key::WarmMemory`].
    pub warm_memory: Setting<ByteSize>,
    /// See [`Key::WarmTtl`].
    pub warm_ttl: Setting<Duration>,
    /// See [`Key::ColdStartTimeout`].
    pub cold_start_timeout: Setting<Duration>,
    /// See [`Key::HistoryRows`].
    pub history_rows: Setting<u32>,
    /// See [`Key::HistoryBytes`].
    pub history_bytes: Setting<ByteSize>,
    /// See [`Key::LogsBytes`].
    pub logs_bytes: Setting<ByteSize>,
    /// The limits of connections and requests.
    pub http: HttpConfig,
    /// See [`Key::LogLevel`]: a filter as `RUST_LOG` has them.
    pub log_level: Setting<String>,
    /// See [`Key::LogFormat`].
    pub log_format: Setting<LogFormat>,
    /// See [`Key::OtlpEndpoint`]; `None` exports nothing.
    pub otlp_endpoint: Setting<Option<String>>,
}

/// The limits of connections and requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// See [`Key::HttpBodyLimit`].
    pub body_limit: Setting<ByteSize>,
    /// See [`Key::HttpHeaderTimeout`].
    pub header_timeout: Setting<Duration>,
    /// See [`Key::HttpBodyTimeout`].
    pub body_timeout: Setting<Duration>,
    /// See [`Key::HttpWriteTimeout`].
    pub write_timeout: Setting<Duration>,
    /// See [`Key::HttpIdleTimeout`].
    pub idle_timeout: Setting<Duration>,
    /// See [`Key::HttpConnections`].
    pub connections: Setting<u32>,
}

impl ServerConfig {
    /// Every address to listen on, each once.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses = self.listen.value.clone();
        if self.compat_ports.value {
            let missing = listen::compatible().into_iter().filter(|address| !self.listen.value.contains(address));
            addresses.extend(missing);
        }
        addresses
    }

    pub(crate) fn resolve(layers: &Layers) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: pick(layers, Key::Listen, listen::default(), listen::parse)?,
            compat_ports: pick(layers, Key::CompatPorts, false, |text| text.parse().ok())?,
            data_dir: pick(layers, Key::DataDir, None, |text| path::absolute(text).map(Some))?,
            database: pick_built(layers, Key::Database, None, |text| database::directory(text).map(Some))?,
            routes_db: pick(layers, Key::RoutesDb, None, |text| path::file(text).map(Some))?,
            function_roots: pick(layers, Key::FunctionRoots, None, |text| path::several(text).map(Some))?,
            executor: pick_built(layers, Key::Executor, ExecutorChoice::Process, ExecutorChoice::parse)?,
            drain_timeout: pick(layers, Key::DrainTimeout, DEFAULT_DRAIN_TIMEOUT, duration)?,
            queue_waiting: pick(layers, Key::QueueWaiting, DEFAULT_QUEUE_WAITING, |text| {
                whole_number(text, 1, MOST_WAITING)
            })?,
            warm_sandboxes: pick(layers, Key::WarmSandboxes, DEFAULT_WARM, |text| none_or(text, MOST_WARM))?,
            spares: pick(layers, Key::Spares, DEFAULT_SPARES, |text| none_or(text, MOST_SPARES))?,
            spares_memory: pick(layers, Key::SparesMemory, DEFAULT_SPARES_MEMORY, size)?,
            zygotes: pick(layers, Key::Zygotes, true, |text| text.parse().ok())?,
            package_zygotes: pick(layers, Key::PackageZygotes, DEFAULT_PACKAGE_ZYGOTES, |text| {
                none_or(text, MOST_PACKAGE_ZYGOTES)
            })?,
            warm_memory: pick(layers, Key::WarmMemory, DEFAULT_WARM_MEMORY, size)?,
            warm_ttl: pick(layers, Key::WarmTtl, DEFAULT_WARM_TTL, duration)?,
            cold_start_timeout: pick(layers, Key::ColdStartTimeout, DEFAULT_COLD_START_TIMEOUT, duration)?,
            history_rows: pick(layers, Key::HistoryRows, DEFAULT_HISTORY_ROWS, |text| {
                whole_number(text, 1, MOST_ROWS)
            })?,
            history_bytes: pick(layers, Key::HistoryBytes, DEFAULT_SPACE, size)?,
            logs_bytes: pick(layers, Key::LogsBytes, DEFAULT_SPACE, size)?,
            http: HttpConfig::resolve(layers)?,
            log_level: pick(layers, Key::LogLevel, "info".to_owned(), log_filter::parse)?,
            log_format: pick(layers, Key::LogFormat, LogFormat::Text, LogFormat::parse)?,
            otlp_endpoint: pick(layers, Key::OtlpEndpoint, None, |text| otlp::endpoint(text).map(Some))?,
        })
    }
}

impl HttpConfig {
    fn resolve(layers: &Layers) -> Result<Self, ConfigError> {
        let seconds = |key, default| pick(layers, key, Duration::from_secs(default), duration);
        Ok(Self {
            body_limit: pick(layers, Key::HttpBodyLimit, ByteSize::mib(32), |text| {
                size(text).filter(|size| (LEAST_BODY_LIMIT..=MOST_BODY_LIMIT).contains(size))
            })?,
            header_timeout: seconds(Key::HttpHeaderTimeout, 10)?,
            body_timeout: seconds(Key::HttpBodyTimeout, 30)?,
            write_timeout: seconds(Key::HttpWriteTimeout, 30)?,
            idle_timeout: seconds(Key::HttpIdleTimeout, 75)?,
            connections: pick(layers, Key::HttpConnections, 4096, |text| whole_number(text, 1, MOST_CONNECTIONS))?,
        })
    }
}

/// A whole number that may be zero, which is nothing of it.
fn none_or(text: &str, most: u32) -> Option<u32> {
    if text == "0" { Some(0) } else { whole_number(text, 1, most) }
}
