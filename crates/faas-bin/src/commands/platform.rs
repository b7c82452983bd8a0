//! `faas limits`, `faas stats`, `faas events`: what a server bounds, does and has seen.

use crate::console;
use crate::diagnostic::CliError;
use crate::printed::{Table, json_line};
use crate::remote::RemoteOptions;
use crate::runtime::on_runtime;
use faas_client::model::{LimitsAnswer, PlatformEventAnswer, StatsAnswer};
use std::process::ExitCode;

/// Options of `faas limits`.
#[derive(Debug, clap::Args)]
pub(crate) struct LimitsOptions {
    /// Print one JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of `faas stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatsOptions {
    /// Print one JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of `faas events`.
#[derive(Debug, clap::Args)]
pub(crate) struct EventsOptions {
    /// Only events after this number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: u64,

    /// Go on with those that come
    #[arg(short, long)]
    follow: bool,

    /// Print one JSON event per line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: RemoteOptions,
}

pub(super) fn limits(options: &LimitsOptions) -> Result<ExitCode, CliError> {
    let client = options.remote.client()?;
    let limits = on_runtime(async { Ok(client.limits().await?) })?;
    let text = if options.json { json_line(&limits)? } else { limits_table(&limits).to_string() };
    console::print(text.as_bytes())
}

fn limits_table(limits: &LimitsAnswer) -> Table {
    let LimitsAnswer { http, execution, defaults, platform } = limits;
    let mut table = Table::new(&["OF", "LIMIT", "VALUE"]);
    for (of, values) in [("http", http), ("execution", execution), ("defaults", defaults), ("platform", platform)] {
        for (name, value) in values {
            table.row(&[of, name, &value.to_string()]);
        }
    }
    table
}

pub(super) fn stats(options: &StatsOptions) -> Result<ExitCode, CliError> {
    let client = options.remote.client()?;
    let stats = on_runtime(async { Ok(client.stats().await?) })?;
    let text = if options.json { json_line(&stats)? } else { stats_table(&stats).to_string() };
    console::print(text.as_bytes())
}

fn stats_table(stats: &StatsAnswer) -> Table {
    let mut table = Table::new(&["WHAT", "VALUE"]);
    let mut row = |what: &str, value: u64| table.row(&[what, &value.to_string()]);
    row("queued", stats.queued);
    row("running", stats.running);
    row("concurrency", stats.concurrency);
    row("queue limit", stats.queue_limit);
    for (status, count) in &stats.ended {
        row(status, *count);
    }
    row("refused", stats.refused);
    row("warm", stats.warm);
    row("warm starts", stats.warm_starts);
    row("retired", stats.retired);
    row("log bytes", stats.log_bytes);
    for spares in &stats.spares {
        let language = spares.language.map_or_else(|| "commands".to_owned(), |language| language.to_string());
        row(&format!("spares of {language}, wanted"), spares.wanted);
        row(&format!("spares of {language}, ready"), spares.ready);
    }
    for lane in &stats.lanes {
        let shares = [
            ("cpu", lane.cpu_percent),
            ("memory", lane.memory_percent),
            ("io", lane.io_percent),
            ("score", lane.score_percent),
        ];
        for (name, share) in shares.into_iter().filter_map(|(name, share)| Some((name, share?))) {
            row(&format!("lane {}, {name} %", lane.lane), share.into());
        }
    }
    for kept in &stats.kept {
        row(&format!("instances of {}@{} are kept, ms", kept.function, kept.version), kept.keep_ms);
    }
    row("uptime ms", stats.uptime_ms);
    table
}

pub(super) fn events(options: &EventsOptions) -> Result<ExitCode, CliError> {
    let client = options.remote.client()?;
    on_runtime(async {
        let page = client.events(Some(options.after)).await?;
        let mut last = options.after;
        let mut text = String::new();
        for event in &page.items {
            last = last.max(event.seq);
            text.push_str(&line(event, options.json)?);
        }
        let mut printed = console::print(text.as_bytes())?;
        if options.follow {
            let mut stream = client.follow_events(last);
            while let Some(event) = stream.next().await {
                printed = console::print(line(&event?, options.json)?.as_bytes())?;
                if printed != ExitCode::SUCCESS {
                    break;
                }
            }
        }
        Ok(printed)
    })
}

fn line(event: &PlatformEventAnswer, json: bool) -> Result<String, CliError> {
    if json {
        return json_line(event);
    }
    let id = event.execution_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let line = format!("{} {} {} {id} {}", event.seq, event.at, event.kind, event.detail);
    Ok(crate::terminal::one_line(line.trim_end()) + "\n")
}
