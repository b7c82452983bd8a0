//! One execution from the command line: start, stream, end, and nothing left.
//!
//! ```text
//! our stdin ──thread──▶ feed ──▶ execution ──▶ forward ──thread──▶ our stdout, stderr
//! signals ───────────── cancel ──────▲
//! ```

use crate::diagnostic::CliError;
use crate::output::{Broken, Output, Stream};
use crate::signals::Signals;
use crate::stdin::StdinSource;
use crate::{console, exit};
use bytes::Bytes;
use faas_config::Config;
use faas_lib::{Bootstrap, Execution, ExecutionEvent, ExecutionRecord, ExecutionRequest, Platform};
use faas_types::{ByteSize, ErrorKind};
use std::future::Future;
use std::io;
use std::process::ExitCode;
use tokio::sync::watch;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The checked request.
    pub(crate) request: ExecutionRequest,
    /// Where its standard input comes from.
    pub(crate) stdin: StdinSource,
    /// Whether only its record is wanted.
    pub(crate) json: bool,
}

/// Starts the launcher, gives up all privileges, runs the plan to its end.
pub(crate) fn execute(config: &Config, plan: Plan) -> Result<ExitCode, CliError> {
    let bootstrap = Bootstrap::start(config)?;
    bootstrap.become_unprivileged()?;
    on_runtime(async move {
        let mut signals = Signals::take_over().map_err(|error| CliError::io("signals cannot be handled", &error))?;
        let platform = bootstrap.into_platform()?;
        let (cancel, cancelled) = watch::channel(None);
        let whole = async {
            let code = run_to_end(&platform, plan, cancelled).await;
            platform.shutdown().await;
            code
        };
        tokio::pin!(whole);
        loop {
            tokio::select! {
                code = &mut whole => return code,
                signal = signals.next() => {
                    if cancel.borrow().is_some() {
                        // Asked twice: the launcher clears up when we are gone.
                        return Ok(ExitCode::from(exit::of_signal(signal)));
                    }
                    cancel.send_replace(Some(signal));
                }
            }
        }
    })
}

/// Runs a future on a runtime of one thread, which waits for nothing at its end: a reader of a
/// terminal may be left behind.
pub(crate) fn on_runtime<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::io("the runtime cannot be started", &error))?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

/// The signal that cancelled us, if any.
type Cancelled = watch::Receiver<Option<u8>>;

async fn run_to_end(platform: &Platform, plan: Plan, mut cancelled: Cancelled) -> Result<ExitCode, CliError> {
    let Plan { request, stdin, json } = plan;
    let output = Output::start().map_err(|error| CliError::io("standard output cannot be used", &error))?;
    let output_limit = request.output.bytes;
    // A signal that comes meanwhile cancels what was started, which then has its record.
    let execution = platform.start(request).await?;
    let feeder = tokio::spawn(stdin.feed(execution.input.clone()));
    let end = forward(execution, &output, json, cancelled.clone()).await;
    feeder.abort();

    if let Some(record) = &end.record
        && json
        && let Ok(text) = serde_json::to_vec(record)
    {
        // A reader that went away is found out about below.
        drop(output.write(Stream::Stdout, Bytes::from([text, b"\n".to_vec()].concat())).await);
    }
    let written = if json {
        // A cancelled execution has a record, too.
        output.finish().await
    } else {
        tokio::select! {
            written = output.finish() => written,
            // The rest is for a reader that does not read.
            _ = received(&mut cancelled) => Ok(()),
        }
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(console::broken_pipe()),
        Err(error) => return Err(CliError::io("standard output cannot be written", &error)),
        Ok(()) => {}
    }
    let signal = *cancelled.borrow();
    match (signal, end.record) {
        (Some(signal), _) => Ok(cancelled_by(signal)),
        (None, Some(record)) => Ok(conclude(&record, &end.forwarded, output_limit, json)),
        (None, None) => Err(faas_lib::ExecuteError::Stopping.into()),
    }
}

/// How an execution ended and what of its output was passed on.
struct End {
    record: Option<Box<ExecutionRecord>>,
    forwarded: Forwarded,
}

#[derive(Default)]
struct Forwarded {
    stdout: u64,
    stderr: u64,
}

/// Passes output on as it comes until the execution is complete. Where nobody wants it any more,
/// the execution is cancelled and the rest is dropped.
async fn forward(mut execution: Execution, output: &Output, json: bool, mut cancelled: Cancelled) -> End {
    let canceller = execution.canceller();
    let mut unwanted = false;
    let mut end = End { record: None, forwarded: Forwarded::default() };
    loop {
        let event = tokio::select! {
            event = execution.next() => event,
            () = nobody_wants_it(output, &mut cancelled), if !unwanted => {
                unwanted = true;
                canceller.cancel();
                continue;
            }
        };
        let (stream, bytes) = match event {
            Some(ExecutionEvent::Stdout(bytes)) => (Stream::Stdout, bytes),
            Some(ExecutionEvent::Stderr(bytes)) => (Stream::Stderr, bytes),
            Some(ExecutionEvent::Complete(record)) => {
                end.record = Some(record);
                return end;
            }
            None => return end,
        };
        if json || unwanted {
            continue;
        }
        end.forwarded.count(stream, &bytes);
        tokio::select! {
            written = output.write(stream, bytes) => match written {
                Ok(()) => {}
                Err(Broken) => {
                    unwanted = true;
                    canceller.cancel();
                }
            },
            _ = received(&mut cancelled) => {
                unwanted = true;
                canceller.cancel();
            }
        }
    }
}

impl Forwarded {
    fn count(&mut self, stream: Stream, bytes: &Bytes) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match stream {
            Stream::Stdout => self.stdout = self.stdout.saturating_add(length),
            Stream::Stderr => self.stderr = self.stderr.saturating_add(length),
        }
    }
}

async fn nobody_wants_it(output: &Output, cancelled: &mut Cancelled) {
    tokio::select! {
        () = output.broken() => {}
        _ = received(cancelled) => {}
    }
}

/// The signal that cancels us, once it is there.
async fn received(cancelled: &mut Cancelled) -> u8 {
    match cancelled.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(signal)) => *signal,
        // Nobody can cancel any more.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

fn cancelled_by(signal: u8) -> ExitCode {
    console::complain("cancelled", None, "the run was ended by a signal and its sandbox is gone");
    ExitCode::from(exit::of_signal(signal))
}

/// Says on stderr what the program's own output does not say, and gives the exit code.
fn conclude(record: &ExecutionRecord, forwarded: &Forwarded, output_limit: ByteSize, json: bool) -> ExitCode {
    let discarded =
        record.stdout_bytes.saturating_sub(forwarded.stdout) + record.stderr_bytes.saturating_sub(forwarded.stderr);
    if discarded > 0 && !json {
        let message = format!(
            "output passed the limit of {output_limit}; {discarded} bytes were discarded; raise it with --output-limit"
        );
        console::complain("warning", None, &message);
    }
    if !record.isolation.missing.is_empty() {
        let missing = record.isolation.missing.join(", ");
        console::complain("warning", None, &format!("isolation {}: missing {missing}", record.isolation.level));
        console::note("help", "`faas doctor` shows how to get it");
    }
    if let (Some(kind), Some(error)) = (record.error_kind, &record.error)
        && !is_plain_exit(record)
    {
        console::complain("error", Some(kind.as_str()), error);
        if let Some(help) = option_that_raises(record) {
            console::note("help", help);
        }
    }
    ExitCode::from(exit::of_record(record))
}

/// A program that ends with a code of its own has said what it wanted to say.
fn is_plain_exit(record: &ExecutionRecord) -> bool {
    record.error_kind == Some(ErrorKind::UserError)
        && record.result.is_none()
        && record.exit_code.is_some_and(|code| code != 0)
}

fn option_that_raises(record: &ExecutionRecord) -> Option<&'static str> {
    let error = record.error.as_deref().unwrap_or_default();
    match record.error_kind? {
        ErrorKind::Timeout => Some("give it longer with --timeout, such as --timeout 5m"),
        ErrorKind::Oom => Some("give it more with --memory, such as --memory 1Gi"),
        ErrorKind::Limit if error.contains("output") => Some("raise --output-limit, or use --on-output-limit discard"),
        ErrorKind::Limit if error.contains("pids") => Some("raise --pids"),
        ErrorKind::Limit => Some("raise --disk, and --memory to at least twice of it"),
        ErrorKind::UserError | ErrorKind::Cancelled | ErrorKind::SandboxLost | ErrorKind::Platform => None,
    }
}
