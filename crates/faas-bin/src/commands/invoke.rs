//! `faas invoke NAME`: a call as an execution, or through the function's HTTP address.

mod http;
mod input;

use crate::diagnostic::CliError;
use crate::output::{Output, Stream};
use crate::printed::{json_line, result_text};
use crate::remote::RemoteOptions;
use crate::runtime::on_runtime;
use crate::{console, exit};
use bytes::Bytes;
use faas_client::Client;
use faas_client::model::{ExecuteBody, OutputText};
use faas_types::{Contract, ExecutionRecord};
use input::{Input, InputOptions};
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

/// How long an answer is waited for: longer than any function may run.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Options of `faas invoke`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The result goes to standard output: a text as it is, everything else as JSON. What the \
function wrote meanwhile goes to standard error. The exit code is that of `faas run`.\nWith --method, --path, \
--header or --include the function is asked through its HTTP address, and its answer is printed as it comes; the \
exit code is 0 whatever status it has, and 1 where the function failed.\nExamples:\n  \
faas invoke hello --data '{\"name\":\"World\"}'\n  faas invoke hello@3 --data @request.json --trace\n  \
faas invoke hello --path '/users/7?full=1' --header 'accept: text/plain' -i")]
pub(crate) struct InvokeOptions {
    /// The function: NAME, NAME@3, NAME@ALIAS
    #[arg(value_name = "NAME", help_heading = "Arguments")]
    function: String,

    #[command(flatten)]
    input: InputOptions,

    /// Do not wait for its end; print the execution's id
    #[arg(long = "async")]
    detach: bool,

    /// Print the execution's JSON record and nothing else
    #[arg(long)]
    json: bool,

    /// Say how it was started and what each part took
    #[arg(long)]
    trace: bool,

    /// Do it once, however often it is sent with this key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,

    #[command(flatten)]
    http: http::HttpOptions,

    #[command(flatten)]
    remote: RemoteOptions,
}

pub(super) fn invoke(options: &InvokeOptions) -> Result<ExitCode, CliError> {
    let input = options.input.read()?;
    let client = options.remote.client()?;
    if options.http.is_wanted() {
        if options.detach || options.json || options.idempotency_key.is_some() {
            let detail = "--async, --json and --idempotency-key are refused with --method, --path, --header and \
                          --include: these ask the function through HTTP";
            return Err(CliError::invalid(detail.to_owned()));
        }
        return on_runtime(http::ask(&client, &options.function, &options.http, input, options.trace));
    }
    on_runtime(call(&client, options, input))
}

async fn call(client: &Client, options: &InvokeOptions, input: Option<Input>) -> Result<ExitCode, CliError> {
    let mut body = ExecuteBody { wait: Some(!options.detach), ..ExecuteBody::default() };
    match input {
        None => {}
        Some(Input::Json { value, .. }) => body.input = Some(value),
        Some(Input::Bytes(bytes)) => body.stdin = Some(bytes),
    }
    let key = options.idempotency_key.as_deref();
    let record = client.functions().invoke(&options.function, &body, key, PATIENCE).await?;
    if options.trace && !options.detach {
        trace(&record);
    }
    if options.json {
        console::print(json_line(&record)?.as_bytes())?;
        return Ok(if options.detach { ExitCode::SUCCESS } else { ExitCode::from(exit::of_record(&record)) });
    }
    if options.detach {
        return console::print(format!("{}\n", record.id).as_bytes());
    }
    print(&record).await
}

/// Prints what it wrote, what it answered, and why it failed.
async fn print(record: &ExecutionRecord) -> Result<ExitCode, CliError> {
    let output = Output::start().map_err(|error| CliError::io("standard output cannot be used", &error))?;
    let stdout = bytes_of(&record.stdout, record.stdout_base64.as_deref());
    let stderr = bytes_of(&record.stderr, record.stderr_base64.as_deref());
    // What a program that has no result writes is what was asked for.
    let has_result = record.contract.answers() || record.contract == Contract::ArgvJson;
    let stdout_to = if has_result { Stream::Stderr } else { Stream::Stdout };
    let mut pieces = vec![(stdout_to, without_result(record, stdout)), (Stream::Stderr, stderr)];
    if let Some(result) = record.result.as_ref().filter(|_| record.error_kind.is_none()) {
        pieces.push((Stream::Stdout, result_text(result, io::stdout().is_terminal())?));
    }
    for (stream, bytes) in pieces {
        if !bytes.is_empty() && output.write(stream, Bytes::from(bytes)).await.is_err() {
            break;
        }
    }
    match output.finish().await {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(console::broken_pipe()),
        Err(error) => return Err(CliError::io("standard output cannot be written", &error)),
    }
    if record.stdout_truncated || record.stderr_truncated {
        let more = format!("not all that it wrote is shown; `faas executions logs {}` has the rest", record.id);
        console::complain("warning", None, &more);
    }
    if let (Some(kind), Some(error)) = (record.error_kind, &record.error) {
        console::complain("error", Some(kind.as_str()), error);
        console::note("execution", &record.id.to_string());
    }
    Ok(ExitCode::from(exit::of_record(record)))
}

/// Under argv-json the last line on standard output is the result, which is printed as such.
fn without_result(record: &ExecutionRecord, stdout: Vec<u8>) -> Vec<u8> {
    if record.contract != Contract::ArgvJson || record.error_kind.is_some() {
        return stdout;
    }
    let kept = stdout.trim_ascii_end();
    let begin = kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let last = kept.get(begin..).unwrap_or_default();
    match serde_json::from_slice::<serde_json::Value>(last) {
        Ok(value) if Some(&value) == record.result.as_ref() => stdout.get(..begin).unwrap_or_default().to_vec(),
        Ok(_) | Err(_) => stdout,
    }
}

fn bytes_of(text: &str, base64: Option<&str>) -> Vec<u8> {
    let text = OutputText { data: text.to_owned(), data_base64: base64.map(str::to_owned) };
    text.bytes().unwrap_or_default()
}

/// One line on how it was started and what each part took.
fn trace(record: &ExecutionRecord) {
    let start = &record.start;
    let [queued, started, run, total] =
        [start.queued_us, start.start_us, start.run_us, start.total_us].map(Duration::from_micros);
    let kind = if start.kind.is_empty() { "none" } else { &start.kind };
    let function = record.function.as_deref().unwrap_or_default();
    let version = record.version.as_deref().unwrap_or_default();
    let text = format!("start {kind}, queued {queued:.1?}, start {started:.1?}, run {run:.1?}, total {total:.1?}");
    console::complain("trace", None, &format!("{} {function}@{version}: {text}", record.id));
}
