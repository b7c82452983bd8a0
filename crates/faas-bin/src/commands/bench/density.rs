//! What idle instances take of this host's memory.
//!
//! The server runs in a process of its own and keeps its privileges to itself; this one stays what it was
//! started as, so that it can look into the processes of every sandbox.

use super::ground::is_loopback;
use super::host::Host;
use super::options::DensityOptions;
use super::percentiles::rounded;
use super::processes::{listener, memory_available, proportional_set, tree};
use super::program::{PYTHON_HANDLER, handler};
use super::progress::Progress;
use super::temporary::with_function;
use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use crate::own_server::OwnServer;
use crate::printed::json_line;
use crate::runtime::on_runtime;
use crate::session::{Cancelled, received, until_the_second_signal};
use crate::{console, exit};
use faas_client::Client;
use faas_client::model::{ExecuteBody, FunctionBody, ScalingBody};
use faas_types::{ErrorCode, Language};
use serde::Serialize;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// How long all instances together may take until they wait: so long, and for each so much more.
const LOADING: Duration = Duration::from_secs(120);
const LOADING_EACH: Duration = Duration::from_millis(100);
/// What `max_sandboxes` takes.
const MOST_SANDBOXES: u32 = 8191;
/// How often is looked whether they do.
const LOOK: Duration = Duration::from_millis(100);
/// What is available is read so often, for other programs change it, too.
const READS: usize = 9;
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found. Its JSON form is documented in `docs/cli.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Density {
    bench: &'static str,
    place: String,
    host: Host,
    instances: u32,
    /// Bytes of available memory that one more instance takes, the kernel's part included.
    available_bytes_each: i64,
    /// Bytes that the processes of one instance hold, their share of shared pages included.
    pss_bytes_each: u64,
    processes_each: f64,
    /// The same of the server with everything beneath it, before there was an instance.
    pss_bytes_idle: u64,
    gate: Option<DensityGate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct DensityGate {
    available_mb_each: f64,
    held: bool,
}

/// The memory of a server's processes at one time.
struct Look {
    available: u64,
    pss: u64,
    processes: usize,
}

pub(super) fn density(options: &DensityOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    let named = options.remote.address()?;
    on_runtime(until_the_second_signal(async |cancelled| {
        let Some(address) = named else {
            let own = OwnServer::start("bench", &server_options(options.instances, global)).await?;
            let client = own.client()?;
            let place = format!("a server of its own, {}", own.address());
            let ended = measured(options, &client, place, own.pid(), cancelled).await;
            own.stop().await;
            return ended;
        };
        let pid = pid_of(address.as_str())?;
        measured(options, &options.remote.client()?, address.to_string(), pid, cancelled).await
    }))
}

/// Room for every instance, where nothing else was said.
fn server_options(instances: u32, global: &GlobalOptions) -> Vec<String> {
    let mut options = vec!["--warm-sandboxes".to_owned(), instances.to_string()];
    if !global.says_max_sandboxes() {
        options.extend(["--max-sandboxes".to_owned(), instances.saturating_add(16).min(MOST_SANDBOXES).to_string()]);
    }
    options.extend(global.arguments());
    options
}

/// The process of a server that must be on this host.
fn pid_of(authority: &str) -> Result<u32, CliError> {
    if !is_loopback(authority) {
        let detail =
            format!("{authority} is not this host, whose memory is measured; accepted: an address of loopback");
        return Err(CliError::invalid(detail).help("run it where the server runs, or without --server"));
    }
    let port = authority.rsplit_once(':').map_or("8080", |(_, port)| port);
    port.parse().ok().and_then(listener).ok_or_else(|| {
        let detail = format!("the process that listens on {authority} cannot be found");
        CliError::new(ErrorCode::ServerUnreachable, detail).help("run it as root or as the server's user")
    })
}

async fn measured(
    options: &DensityOptions,
    client: &Client,
    place: String,
    pid: u32,
    mut cancelled: Cancelled,
) -> Result<ExitCode, CliError> {
    let Some((before, after)) = compare(options.instances, client, pid, cancelled.clone()).await? else {
        return Ok(ExitCode::from(exit::of_signal(received(&mut cancelled).await)));
    };
    let density = Density::of(options, place, &before, &after)?;
    let text = if options.json { json_line(&density)? } else { density.describe() };
    let printed = console::print(text.as_bytes())?;
    Ok(if density.gate.is_some_and(|gate| !gate.held) { ExitCode::from(super::MISSED) } else { printed })
}

/// Looks before and after; nothing where a signal came in between.
async fn compare(
    instances: u32,
    client: &Client,
    pid: u32,
    mut cancelled: Cancelled,
) -> Result<Option<(Look, Look)>, CliError> {
    // The first one reads the interpreter from the disk, which then stays in memory for all.
    let first =
        ExecuteBody { code: Some("print(1)".to_owned()), language: Some(Language::Python), ..ExecuteBody::default() };
    client.execute(&first, None, PATIENCE).await?;
    let before = look(pid).await?;
    let scaling = ScalingBody { min: Some(instances), max: Some(instances), ..ScalingBody::default() };
    let body = FunctionBody { scaling, ..handler(Language::Python, PYTHON_HANDLER) };
    let deployed = cancelled.clone();
    with_function(client, body, &deployed, async |name| {
        tokio::select! {
            // Where a signal came before there was a function, none is asked about.
            biased;
            _ = received(&mut cancelled) => return Ok(None),
            loaded = all_wait(client, name, instances) => loaded?,
        }
        let after = look(pid).await?;
        Ok(Some((before, after)))
    })
    .await
}

/// Returns once so many instances of the function wait.
async fn all_wait(client: &Client, name: &str, instances: u32) -> Result<(), CliError> {
    let mut progress = Progress::new("density", instances.to_string());
    let mut reached = 0;
    let patience = LOADING + LOADING_EACH * instances;
    let waited = tokio::time::timeout(patience, async {
        loop {
            reached = client.functions().stats(name).await?.warm;
            if reached >= u64::from(instances) {
                return Ok(());
            }
            progress.at(reached);
            tokio::time::sleep(LOOK).await;
        }
    });
    match waited.await {
        Ok(ended) => ended,
        Err(_) => {
            let detail = format!("{reached} of {instances} instances wait after {patience:?}");
            Err(CliError::new(ErrorCode::AtCapacity, detail)
                .help("ask for fewer with --instances, or raise warm.sandboxes and max_sandboxes of the server"))
        }
    }
}

/// Reads what the server's processes take, once what is available has been read several times.
async fn look(pid: u32) -> Result<Look, CliError> {
    let cannot = |error| CliError::io("the memory of the server's processes cannot be read", &error);
    let mut reads = Vec::with_capacity(READS);
    for _ in 0..READS {
        tokio::time::sleep(LOOK).await;
        reads.push(memory_available().map_err(cannot)?);
    }
    reads.sort_unstable();
    let processes = tree(pid);
    let pss =
        proportional_set(&processes).map_err(|error| cannot(error).help("run it as root or as the server's user"))?;
    Ok(Look { available: reads.get(READS / 2).copied().unwrap_or(0), pss, processes: processes.len() })
}

impl Density {
    fn of(options: &DensityOptions, place: String, before: &Look, after: &Look) -> Result<Self, CliError> {
        let instances = options.instances;
        let more = after.processes.saturating_sub(before.processes);
        if more < usize::try_from(instances).unwrap_or(usize::MAX) {
            let detail = format!(
                "{more} processes came to be beneath {place} for {instances} instances: what listens there is not \
                 the server itself"
            );
            return Err(CliError::invalid(detail).help("name the server's own address"));
        }
        let taken = i64::try_from(before.available).unwrap_or(i64::MAX) - i64::try_from(after.available).unwrap_or(0);
        let available_bytes_each = taken / i64::from(instances);
        let gate = options
            .gate
            .map(|bound| DensityGate { available_mb_each: bound, held: available_bytes_each as f64 <= bound * 1e6 });
        Ok(Self {
            bench: "density",
            place,
            host: Host::look(),
            instances,
            available_bytes_each,
            pss_bytes_each: after.pss.saturating_sub(before.pss) / u64::from(instances),
            processes_each: rounded(more as f64 / f64::from(instances)),
            pss_bytes_idle: before.pss,
            gate,
        })
    }

    fn describe(&self) -> String {
        let Host { cores, kernel, cgroups } = &self.host;
        let megabytes = |bytes: f64| format!("{:.2} MB", bytes / 1e6);
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<18}{value}");
        };
        line("bench", format!("density, {} instances, {}", self.instances, self.place));
        line("host", format!("{cores} cores, Linux {kernel}, cgroups {cgroups}"));
        line("available, each", megabytes(self.available_bytes_each as f64));
        line("PSS, each", megabytes(self.pss_bytes_each as f64));
        line("processes, each", self.processes_each.to_string());
        line("PSS of the rest", megabytes(self.pss_bytes_idle as f64));
        if let Some(DensityGate { available_mb_each, held }) = self.gate {
            let verdict = if held { "held" } else { "MISSED" };
            line("gate", format!("≤ {available_mb_each} MB of what was available: {verdict}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Density, Look, pid_of};
    use crate::commands::bench::options::DensityOptions;
    use crate::remote::RemoteOptions;

    const fn options(gate: f64) -> DensityOptions {
        DensityOptions { instances: 10, gate: Some(gate), json: true, remote: RemoteOptions::at(None) }
    }

    #[test]
    fn one_instance_is_a_part_of_the_difference() {
        let before = Look { available: 900_000_000, pss: 30_000_000, processes: 2 };
        let after = Look { available: 880_000_000, pss: 45_000_000, processes: 22 };
        let density = Density::of(&options(2.5), "here".to_owned(), &before, &after).expect("a server");
        assert_eq!((density.available_bytes_each, density.pss_bytes_each), (2_000_000, 1_500_000));
        assert_eq!((density.pss_bytes_idle, density.gate.map(|gate| gate.held)), (30_000_000, Some(true)));
        let text = density.describe();
        assert!(text.contains("available, each   2.00 MB") && text.contains("held"), "{text}");
        let missed = Density::of(&options(1.9), "here".to_owned(), &before, &after).expect("a server");
        assert!(missed.describe().contains("MISSED"));
    }

    #[test]
    fn what_does_not_make_sandboxes_here_is_not_measured() {
        let look = |processes| Look { available: 0, pss: 0, processes };
        let refused = Density::of(&options(1.0), "a tunnel".to_owned(), &look(2), &look(3)).expect_err("no server");
        assert!(refused.to_string().contains("a tunnel"));
        for elsewhere in ["10.0.0.7:8080", "example.org:80", "[2001:db8::1]:80"] {
            assert!(pid_of(elsewhere).expect_err("elsewhere").to_string().contains("loopback"), "{elsewhere}");
        }
    }
}
