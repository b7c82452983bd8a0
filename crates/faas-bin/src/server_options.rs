//! The options of a server: one for every configuration key that is not an option of every command.
//!
//! `faas serve` takes them to start with, `faas config` to show what would hold.

use crate::diagnostic::CliError;
use faas_config::{Config, Flags, Key, default_data_dir};
use faas_types::ErrorCode;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The options of a server.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerOptions {
    /// Address to listen on, such as :8080 or [::1]:8080; repeatable, or with commas [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<String>,

    /// Listen on 127.0.0.1:8000 and 127.0.0.1:9080, too, where clients of other platforms look [default: false]
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    compat_ports: Option<String>,

    /// Directory for database, journal and logs [default: /var/lib/faas as root, else ~/.local/share/faas]
    #[arg(long, value_name = "PATH")]
    data_dir: Option<String>,

    /// The database when not in the data directory, such as sqlite:/srv/faas
    #[arg(long, value_name = "sqlite:PATH")]
    database: Option<String>,

    /// Routes file [default: ./faas_meta.db where it or ./examples/init.sql is there, else in the data directory]
    #[arg(long, value_name = "PATH")]
    routes_db: Option<String>,

    /// Directories of the modules that functions and rows of the routes file name [default: functions in the data directory,/opt/functions,./examples]
    #[arg(long, value_name = "PATH,...")]
    function_roots: Option<String>,

    /// What makes sandboxes [default: platform, the strongest one here]
    #[arg(long, value_name = "platform|process")]
    executor: Option<String>,

    /// How long running executions may go on when the server stops [default: 30s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    drain_timeout: Option<String>,

    /// Executions that may wait in memory for a sandbox [default: 1000]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    queue_waiting: Option<String>,

    /// Used sandboxes kept for executions in mode cached [default: 8]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    warm_sandboxes: Option<String>,

    /// The most sandboxes that are made before anybody asks [default: 8]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    spares_sandboxes: Option<String>,

    /// The memory that these may take together [default: 128Mi]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    spares_memory: Option<String>,

    /// Whether Python programs begin in a copy of a warm interpreter [default: true]
    #[arg(long, value_name = "TRUTH", allow_hyphen_values = true)]
    zygotes_enabled: Option<String>,

    /// The most such interpreters that have loaded a function's packages [default: 4]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    zygotes_packages: Option<String>,

    /// The memory that kept sandboxes of functions may take together [default: 512Mi]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    warm_memory: Option<String>,

    /// How long a kept sandbox that serves no function waits for its next execution [default: 300s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    warm_ttl: Option<String>,

    /// How long a handler's program may take to be loaded [default: 30s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    cold_start_timeout: Option<String>,

    /// Ended executions that are remembered [default: 100000]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    history_rows: Option<String>,

    /// Space for records of ended executions [default: 1Gi]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    history_bytes: Option<String>,

    /// Space for output of ended executions [default: 1Gi]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    logs_bytes: Option<String>,

    /// Filter of log lines, such as info or warn,faas_gateway=debug [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,

    /// Form of log lines on stderr [default: text]
    #[arg(long, value_name = "text|json")]
    log_format: Option<String>,

    /// Collector of OpenTelemetry spans, such as http://localhost:4318 [default: none]
    #[arg(long, value_name = "http://HOST:PORT")]
    otlp_endpoint: Option<String>,

    #[command(flatten)]
    http: HttpOptions,

    #[command(flatten)]
    executions: ExecutionDefaults,
}

/// The limits of connections and requests.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits of connections and requests")]
struct HttpOptions {
    /// The largest body of a request [default: 32Mi]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    http_body_limit: Option<String>,

    /// How long a request's head may take to arrive [default: 10s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    http_header_timeout: Option<String>,

    /// How long a request's body may take to arrive [default: 30s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    http_body_timeout: Option<String>,

    /// How long a client may take no byte of its answer [default: 30s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    http_write_timeout: Option<String>,

    /// How long a connection without a request stays open [default: 75s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    http_idle_timeout: Option<String>,

    /// Connections that may be open at once [default: 4096]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    http_connections: Option<String>,
}

/// What an execution gets that does not ask for something else.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Defaults of executions")]
struct ExecutionDefaults {
    /// How long an execution may run [default: 30s; argv-json: 300s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    timeout: Option<String>,

    /// Memory of a sandbox [default: 256Mi]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory: Option<String>,

    /// Processor share, such as 1, 0.5 or 500m [default: 1]
    #[arg(long, value_name = "CORES", allow_hyphen_values = true)]
    cpus: Option<String>,

    /// All writable areas together, at most half of the memory [default: 128Mi, or half of a smaller memory]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    disk: Option<String>,

    /// Processes and threads of a sandbox, from 4 [default: 64]
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids: Option<String>,

    /// Bytes of stdout and stderr together [default: 64Mi]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    output_limit: Option<String>,

    /// Past the output limit: discard the rest, or kill the program [default: discard]
    #[arg(long, value_name = "discard|kill")]
    on_output_limit: Option<String>,

    /// strict refuses when a layer or limit is missing; standard runs and lists it [default: strict]
    #[arg(long, value_name = "strict|standard")]
    isolation: Option<String>,
}

impl ServerOptions {
    /// The values that belong to the configuration.
    pub(crate) fn flags(&self, flags: Flags) -> Flags {
        let listen = (!self.listen.is_empty()).then(|| self.listen.join(","));
        let flags = flags
            .with(Key::Listen, listen.as_deref())
            .with(Key::CompatPorts, self.compat_ports.as_deref())
            .with(Key::DataDir, self.data_dir.as_deref())
            .with(Key::Database, self.database.as_deref())
            .with(Key::RoutesDb, self.routes_db.as_deref())
            .with(Key::FunctionRoots, self.function_roots.as_deref())
            .with(Key::Executor, self.executor.as_deref())
            .with(Key::DrainTimeout, self.drain_timeout.as_deref())
            .with(Key::QueueWaiting, self.queue_waiting.as_deref())
            .with(Key::WarmSandboxes, self.warm_sandboxes.as_deref())
            .with(Key::Spares, self.spares_sandboxes.as_deref())
            .with(Key::SparesMemory, self.spares_memory.as_deref())
            .with(Key::Zygotes, self.zygotes_enabled.as_deref())
            .with(Key::PackageZygotes, self.zygotes_packages.as_deref())
            .with(Key::WarmMemory, self.warm_memory.as_deref())
            .with(Key::WarmTtl, self.warm_ttl.as_deref())
            .with(Key::ColdStartTimeout, self.cold_start_timeout.as_deref())
            .with(Key::HistoryRows, self.history_rows.as_deref())
            .with(Key::HistoryBytes, self.history_bytes.as_deref())
            .with(Key::LogsBytes, self.logs_bytes.as_deref())
            .with(Key::LogLevel, self.log_level.as_deref())
            .with(Key::LogFormat, self.log_format.as_deref())
            .with(Key::OtlpEndpoint, self.otlp_endpoint.as_deref());
        self.executions.flags(self.http.flags(flags))
    }
}

impl HttpOptions {
    fn flags(&self, flags: Flags) -> Flags {
        flags
            .with(Key::HttpBodyLimit, self.http_body_limit.as_deref())
            .with(Key::HttpHeaderTimeout, self.http_header_timeout.as_deref())
            .with(Key::HttpBodyTimeout, self.http_body_timeout.as_deref())
            .with(Key::HttpWriteTimeout, self.http_write_timeout.as_deref())
            .with(Key::HttpIdleTimeout, self.http_idle_timeout.as_deref())
            .with(Key::HttpConnections, self.http_connections.as_deref())
    }
}

impl ExecutionDefaults {
    fn flags(&self, flags: Flags) -> Flags {
        flags
            .with(Key::Timeout, self.timeout.as_deref())
            .with(Key::Memory, self.memory.as_deref())
            .with(Key::Cpus, self.cpus.as_deref())
            .with(Key::Disk, self.disk.as_deref())
            .with(Key::Pids, self.pids.as_deref())
            .with(Key::Output, self.output_limit.as_deref())
            .with(Key::OnOutputLimit, self.on_output_limit.as_deref())
            .with(Key::Isolation, self.isolation.as_deref())
    }
}

/// The data directory of the configuration, or of this user.
pub(crate) fn data_dir(config: &Config) -> Result<PathBuf, CliError> {
    let user = || {
        let env: BTreeMap<String, String> = ["XDG_DATA_HOME", "HOME"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
            .collect();
        default_data_dir(rustix::process::geteuid().is_root(), &env)
    };
    config.server.data_dir.value.clone().or_else(user).ok_or_else(|| {
        let message = "data_dir is not set and HOME names no absolute path; set FAAS_DATA_DIR or give --data-dir";
        CliError::new(ErrorCode::ConfigInvalid, message.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::ServerOptions;
    use crate::cli::GlobalOptions;
    use clap::Parser;
    use faas_config::{Config, ConfigError, Key, Origin};
    use std::collections::BTreeMap;

    #[derive(Debug, Parser)]
    struct Server {
        #[command(flatten)]
        global: GlobalOptions,
        #[command(flatten)]
        server: ServerOptions,
    }

    #[test]
    fn every_key_has_its_option_and_its_value_arrives() {
        for key in Key::ALL.iter().copied() {
            let flag = key.info().flag;
            let parsed = Server::try_parse_from(["server", flag, "no such value"]).expect(flag);
            let flags = parsed.server.flags(parsed.global.flags());
            let error = Config::resolve(None, &BTreeMap::new(), &flags).expect_err(flag);
            let ConfigError::Value { key: name, origin, .. } = error else { panic!("{flag}: {error}") };
            assert_eq!((name, origin), (key.info().name, Origin::Flag { name: flag }));
        }
    }

    #[test]
    fn several_addresses_are_one_list() {
        let parsed = Server::try_parse_from(["server", "--listen", ":1", "--listen", ":2,:3"]).unwrap();
        let flags = parsed.server.flags(parsed.global.flags());
        let config = Config::resolve(None, &BTreeMap::new(), &flags).unwrap();
        assert_eq!(config.server.listen.value.iter().map(|address| address.port()).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn an_option_that_is_true_or_false_needs_no_value() {
        for (arguments, expected) in [
            (["--compat-ports", "--listen=:1"].as_slice(), true),
            (&["--listen=:1", "--compat-ports"], true),
            (&["--compat-ports=false"], false),
            (&["--compat-ports", "true"], true),
        ] {
            let parsed = Server::try_parse_from([&["server"], arguments].concat()).unwrap();
            let flags = parsed.server.flags(parsed.global.flags());
            let config = Config::resolve(None, &BTreeMap::new(), &flags).unwrap();
            assert_eq!(config.server.compat_ports.value, expected, "{arguments:?}");
        }
    }
}
