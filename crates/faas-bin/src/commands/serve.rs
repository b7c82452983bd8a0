//! `faas serve`: the server, from its configuration to its last breath.
//!
//! The order is that of privileges: everything that needs root (the launcher, the data directory, low
//! ports) comes first, then they are given up, then threads begin.

mod banner;
mod data;
mod descriptors;
mod familiar;
mod listeners;
mod routes_file;

use super::doctor::{self, DoctorOptions};
use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use crate::server_options::{self, ServerOptions};
use crate::signals::Signals;
use crate::{console, exit, served, settings};
use faas_config::{Config, Unused};
use faas_gateway::{DRAIN_GRACE, HttpLimits};
use faas_lib::{Bootstrap, DeclaredSources, Platform, RoutesWatch, SharedSources};
use faas_telemetry::{Exporter, Log, LogSettings, Metrics};
use faas_types::ErrorCode;
use familiar::FamiliarOptions;
use routes_file::RoutesPlace;
use rustix::fs::Mode;
use rustix::process::umask;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// How much longer than executions their answers have.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Options of `faas serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The server's state is in its data directory; `faas config` shows what would hold.\n\
Rows of the routes file are functions with their routes, live: docs/routes.md. Without --routes-db it is ./faas_meta.db \
where that is there or where ./examples/init.sql is (then it is made), else faas_meta.db in the data directory.\n\
SIGTERM and Ctrl-C let running executions come to their end within --drain-timeout; a second one ends it at once.\n\
Exit codes: 0 stopped as asked; 2 an address that other machines can reach, without credentials; 125 not started.")]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    server: ServerOptions,

    #[command(flatten)]
    familiar: FamiliarOptions,
}

pub(super) fn serve(options: &ServeOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    let familiar = &options.familiar;
    let file = familiar.config_file(global.config.as_deref());
    if familiar.check_system {
        return doctor::doctor(&DoctorOptions::of_the_system(), global);
    }
    if familiar.create_config {
        return console::print(familiar::create_sample(file)?.as_bytes());
    }
    let config = settings::load_file(file, &familiar.flags(options.server.flags(global.flags())))?;
    let addresses = config.server.addresses();
    listeners::check(&addresses)?;
    for Unused { name, why } in &config.unused {
        console::complain("warning", None, &format!("{name} is set and has no effect: {why}"));
    }
    let data = server_options::data_dir(&config)?;
    SharedSources::check(&config)?;
    let sources = DeclaredSources::read(&config);

    let found = data::find(&data, "--data-dir")?;
    let bootstrap = Bootstrap::start_with_packages(&config, &found.packages()?)?;
    let user = bootstrap.host().server_uid;
    let database = config.server.database.value.as_deref().filter(|database| *database != data);
    // Held until the end.
    let mut taken = vec![found.give(user)?];
    if let Some(database) = database {
        taken.push(data::take(database, "--database", user)?);
    }
    let listeners = listeners::bind(&addresses)?;
    // Before the umask: whoever starts the server writes it, and the user that the server becomes reads it.
    let routes = routes_file::find(&config, &data)?;
    // Whatever else is made is in them, and nobody else's.
    umask(Mode::RWXG | Mode::RWXO);
    // After the launcher's start: sandboxes keep the limits they had.
    let connections = descriptors::connections(&config)?;
    bootstrap.become_unprivileged()?;
    for directory in &taken {
        directory.check_reachable()?;
    }

    let (_log, exporter) = start_telemetry(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::io("the runtime cannot be started", &error))?;
    let limits = limits(&config, connections);
    let result = runtime.block_on(run(bootstrap, sources, &config, &data, &routes, listeners, limits));
    // A disk that hangs must not keep a server that was told to end.
    runtime.shutdown_background();
    if let Some(exporter) = exporter {
        exporter.shutdown();
    }
    result
}

fn start_telemetry(config: &Config) -> Result<(Log, Option<Exporter>), CliError> {
    let format = match config.server.log_format.value {
        faas_config::LogFormat::Text => faas_telemetry::LogFormat::Text,
        faas_config::LogFormat::Json => faas_telemetry::LogFormat::Json,
    };
    let settings = LogSettings { filter: config.server.log_level.value.clone(), format };
    let started = match &config.server.otlp_endpoint.value {
        None => faas_telemetry::init(&settings).map(|log| (log, None)),
        Some(endpoint) => {
            faas_telemetry::init_with_export(&settings, endpoint).map(|(log, exporter)| (log, Some(exporter)))
        }
    };
    started.map_err(|error| CliError::new(ErrorCode::ConfigInvalid, error.to_string()))
}

async fn run(
    bootstrap: Bootstrap,
    mut sources: DeclaredSources,
    config: &Config,
    data: &Path,
    routes: &RoutesPlace,
    listeners: Vec<TcpListener>,
    limits: HttpLimits,
) -> Result<ExitCode, CliError> {
    let mut signals = Signals::take_over().map_err(|error| CliError::io("signals cannot be handled", &error))?;
    let platform = Arc::new(bootstrap.into_server(config, data).await?);
    let slow = sources.take_those_with_dependencies();
    deploy(&platform, sources, config).await;
    // Before the first request, so that what the file holds works at once.
    let watch = watch_routes(&platform, config, routes).await?;
    let listeners = listeners::in_runtime(listeners)?;
    let addresses: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let server = served::server(&platform, config, limits, &Metrics::new(), routes.modules()?);
    let (stop, stopping) = watch::channel(false);
    let (mut told, mut tired) = (stopping.clone(), stopping.clone());
    let serving = async {
        tokio::join!(
            server.run(listeners, async move { drop(told.wait_for(|stop| *stop).await) }),
            drain(&platform, stopping, config.server.drain_timeout.value),
            async {
                tokio::select! {
                    () = deploy(&platform, slow, config) => {}
                    _ = tired.wait_for(|stop| *stop) => {}
                }
            }
        );
        platform.shutdown().await;
    };
    tokio::pin!(serving);
    // A reader of the banner that went away is no reason to stop.
    console::print(banner::text(&addresses, data, &routes.file).as_bytes())?;
    let mut watch = Some(watch);
    loop {
        tokio::select! {
            () = &mut serving => return Ok(ExitCode::SUCCESS),
            signal = signals.next() => {
                if *stop.borrow() {
                    // Asked twice: the launcher clears up when we are gone.
                    return Ok(ExitCode::from(exit::of_signal(signal)));
                }
                tracing::info!(signal, "stopping: running executions may end within the drain timeout");
                stop.send_replace(true);
                // It ends with the reading that is under way, and a disk that hangs is not waited for.
                drop(spawn_blocking(move || drop(watch)));
                watch = None;
            }
        }
    }
}

/// Serves what the routes file holds. Reading it blocks, and it may be on a slow disk.
async fn watch_routes(
    platform: &Arc<Platform>,
    config: &Config,
    routes: &RoutesPlace,
) -> Result<RoutesWatch, CliError> {
    let (platform, config, settings) = (Arc::clone(platform), config.clone(), routes.settings());
    let started = spawn_blocking(move || platform.watch_routes(&config, settings)).await;
    let failed = |error: String| CliError::new(ErrorCode::Internal, error);
    started.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
}

/// Deploys what the configuration declares, and says what of it cannot be.
async fn deploy(platform: &Platform, sources: DeclaredSources, config: &Config) {
    for why in platform.deploy(sources, config).await {
        console::complain("warning", None, &why.to_string());
    }
}

/// Lets what runs come to its end, once the server is told to stop and took up what was on its way.
async fn drain(platform: &Platform, mut stopping: watch::Receiver<bool>, patience: Duration) {
    drop(stopping.wait_for(|stop| *stop).await);
    let until = Instant::now() + patience;
    tokio::time::sleep(DRAIN_GRACE.min(patience)).await;
    platform.orchestrator().drain(until.saturating_duration_since(Instant::now())).await;
}

fn limits(config: &Config, connections: u32) -> HttpLimits {
    let http = &config.server.http;
    HttpLimits {
        connections,
        header_timeout: http.header_timeout.value,
        body_bytes: http.body_limit.value,
        body_timeout: http.body_timeout.value,
        write_timeout: http.write_timeout.value,
        idle_timeout: http.idle_timeout.value,
        drain_timeout: config.server.drain_timeout.value.saturating_add(LAST_ANSWERS),
        ..HttpLimits::default()
    }
}
