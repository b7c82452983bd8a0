//! `faas executions ls|get|logs|cancel|wait`.

mod show;

use crate::diagnostic::CliError;
use crate::output::{Output, Stream};
use crate::printed::json_line;
use crate::remote::RemoteOptions;
use crate::runtime::on_runtime;
use crate::{console, exit};
use faas_client::model::StreamName;
use faas_client::{Client, ListFilter};
use faas_types::{ExecutionRecord, ExecutionState, parse_duration};
use std::io;
use std::process::ExitCode;
use std::time::Duration;

/// The most executions of a page.
const PAGE: u32 = 200;
/// How long is waited where nobody says: longer than anything may run or stand in a queue unnoticed.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Options of `faas executions`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExecutionsOptions {
    #[command(subcommand)]
    command: ExecutionsCommand,
}

/// What can be done with executions.
#[derive(Debug, clap::Subcommand)]
enum ExecutionsCommand {
    /// List executions, newest first
    Ls(ListOptions),
    /// Show one
    Get(OneOptions),
    /// Print what one wrote
    Logs(LogsOptions),
    /// Cancel one, wherever it stands
    Cancel(OneOptions),
    /// Wait for the end of one; the exit code is the program's, as of `faas run`
    Wait(WaitOptions),
}

/// Options of `faas executions ls`.
#[derive(Debug, clap::Args)]
struct ListOptions {
    /// Only those that stand here: queued, starting, running, succeeded, failed or cancelled
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,

    /// Only calls of this function
    #[arg(long, value_name = "NAME")]
    function: Option<String>,

    /// Only those with this label
    #[arg(long, value_name = "NAME=VALUE")]
    label: Option<String>,

    /// At most so many; 0 is all
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: u32,

    /// Print one JSON record per line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of what shows one execution.
#[derive(Debug, clap::Args)]
struct OneOptions {
    /// Its id
    id: String,

    /// Print its JSON record
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of `faas executions logs`.
#[derive(Debug, clap::Args)]
struct LogsOptions {
    /// Its id
    id: String,

    /// Go on until it ends
    #[arg(short, long)]
    follow: bool,

    /// Only what it wrote there: stdout or stderr
    #[arg(long, value_name = "STREAM", value_parser = stream_name)]
    stream: Option<StreamName>,

    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of `faas executions wait`.
#[derive(Debug, clap::Args)]
struct WaitOptions {
    #[command(flatten)]
    one: OneOptions,

    /// How long at most, such as 30s or 5m [default: 24h]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
}

pub(super) fn executions(options: &ExecutionsOptions) -> Result<ExitCode, CliError> {
    match &options.command {
        ExecutionsCommand::Ls(options) => list(options),
        ExecutionsCommand::Get(options) => {
            let client = options.remote.client()?;
            show(&on_runtime(async { Ok(client.get(&options.id).await?) })?, options.json)
        }
        ExecutionsCommand::Logs(options) => {
            let client = options.remote.client()?;
            on_runtime(logs(&client, options))
        }
        ExecutionsCommand::Cancel(options) => {
            let client = options.remote.client()?;
            let record = on_runtime(async { Ok(client.cancel(&options.id).await?) })?;
            short(&record, options.json)
        }
        ExecutionsCommand::Wait(options) => wait(options),
    }
}

fn list(options: &ListOptions) -> Result<ExitCode, CliError> {
    let status = options.status.as_deref().map(str::parse::<ExecutionState>).transpose();
    let label = options.label.as_deref().map(|pair| {
        let pair = pair
            .split_once('=')
            .ok_or_else(|| CliError::invalid(format!("--label {pair:?} is refused; accepted: NAME=VALUE")))?;
        Ok::<_, CliError>((pair.0.to_owned(), pair.1.to_owned()))
    });
    let mut filter = ListFilter {
        status: status.map_err(|error| CliError::invalid(format!("--status: {error}")))?,
        function: options.function.clone(),
        label: label.transpose()?,
        limit: None,
        cursor: None,
    };
    let client = options.remote.client()?;
    let mut left = if options.limit == 0 { u32::MAX } else { options.limit };
    on_runtime(async {
        let mut records = Vec::new();
        while left > 0 {
            filter.limit = Some(left.min(PAGE));
            let page = client.list(&filter).await?;
            left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
            let empty = page.items.is_empty();
            records.extend(page.items);
            filter.cursor = page.next_cursor;
            if filter.cursor.is_none() || empty {
                break;
            }
        }
        Ok(records)
    })
    .and_then(|records| {
        let text = if options.json {
            records.iter().map(json_line).collect::<Result<String, _>>()?
        } else {
            show::table(&records).to_string()
        };
        console::print(text.as_bytes())
    })
}

async fn logs(client: &Client, options: &LogsOptions) -> Result<ExitCode, CliError> {
    let mut logs = client.logs(&options.id, options.stream, options.follow).await?;
    let output = Output::start().map_err(|error| CliError::io("standard output cannot be used", &error))?;
    while let Some(piece) = logs.next().await {
        if output.write(Stream::Stdout, piece?).await.is_err() {
            break;
        }
    }
    match output.finish().await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(console::broken_pipe()),
        Err(error) => Err(CliError::io("standard output cannot be written", &error)),
    }
}

fn wait(options: &WaitOptions) -> Result<ExitCode, CliError> {
    let patience = match &options.timeout {
        None => PATIENCE,
        Some(text) => parse_duration(text).map_err(|error| CliError::invalid(format!("--timeout: {error}")))?,
    };
    let client = options.one.remote.client()?;
    let record = on_runtime(async { Ok(client.wait(&options.one.id, patience).await?) })?;
    short(&record, options.one.json)?;
    Ok(ExitCode::from(exit::of_record(&record)))
}

fn show(record: &ExecutionRecord, json: bool) -> Result<ExitCode, CliError> {
    let text = if json { json_line(record)? } else { show::details(record).to_string() };
    console::print(text.as_bytes())
}

fn short(record: &ExecutionRecord, json: bool) -> Result<ExitCode, CliError> {
    let text = if json { json_line(record)? } else { format!("{} {}\n", record.id, record.status) };
    console::print(text.as_bytes())
}

fn stream_name(text: &str) -> Result<StreamName, String> {
    match text {
        "stdout" => Ok(StreamName::Stdout),
        "stderr" => Ok(StreamName::Stderr),
        _ => Err("accepted: stdout, stderr".to_owned()),
    }
}
