//! One execution from the command line: start, stream, end, and nothing left.
//!
//! ```text
//! our stdin ──thread──▶ feed ──▶ WebSocket ──▶ forward ──thread──▶ our stdout, stderr
//! signals ───────────── cancel ──────▲
//! ```
//!
//! Where it runs makes no difference here: the client talks to a server elsewhere or to one in this
//! process.

mod conclusion;
mod feed;
mod forward;

use crate::diagnostic::CliError;
use crate::embedded::Embedded;
use crate::output::{Output, Stream};
use crate::printed::{json_line, result_text};
use crate::runtime::on_runtime;
use crate::signals::Signals;
use crate::stdin::StdinSource;
use crate::{console, exit};
use bytes::Bytes;
use faas_client::Client;
use faas_client::model::ExecuteBody;
use faas_config::Config;
use faas_lib::Bootstrap;
use faas_types::{ByteSize, ExecutionRecord};
use forward::{End, forward};
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use tokio::sync::watch;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where; `None` is in this process.
    pub(crate) client: Option<Client>,
    /// What is to run.
    pub(crate) body: ExecuteBody,
    /// Where its standard input comes from.
    pub(crate) stdin: StdinSource,
    /// Whether only its record is wanted.
    pub(crate) json: bool,
    /// Whether it is handed over and not waited for.
    pub(crate) detach: bool,
    /// The output limit, for messages.
    pub(crate) output_limit: ByteSize,
}

/// Runs the plan to its end. In this process that means: starts the launcher and gives up all
/// privileges first.
pub(crate) fn execute(config: &Config, mut plan: Plan) -> Result<ExitCode, CliError> {
    match plan.client.take() {
        Some(client) if plan.detach => on_runtime(hand_over(client, plan)),
        Some(client) => {
            on_runtime(async move { until_the_second_signal(|cancelled| run(client, plan, cancelled)).await })
        }
        None if plan.detach => Err(CliError::invalid(
            "--detach needs a server, for what runs in this process ends with it; accepted: --server URL".to_owned(),
        )),
        None => {
            // Nobody comes after this one.
            let bootstrap = Bootstrap::start(config)?.without_spares();
            bootstrap.become_unprivileged()?;
            on_runtime(async move {
                until_the_second_signal(async |cancelled| {
                    let embedded = Embedded::start(bootstrap, config).await?;
                    let code = run(embedded.client(), plan, cancelled).await;
                    embedded.shutdown().await;
                    code
                })
                .await
            })
        }
    }
}

async fn hand_over(client: Client, plan: Plan) -> Result<ExitCode, CliError> {
    let record = client.submit(&plan.body, None).await?;
    let answer = if plan.json { json_line(&record)? } else { format!("{}\n", record.id) };
    console::print(answer.as_bytes())
}

/// The signal that cancelled us, if any.
pub(crate) type Cancelled = watch::Receiver<Option<u8>>;

/// Tells the work of the first signal; the second one ends us at once.
pub(crate) async fn until_the_second_signal<F>(work: impl FnOnce(Cancelled) -> F) -> Result<ExitCode, CliError>
where
    F: Future<Output = Result<ExitCode, CliError>>,
{
    let mut signals = Signals::take_over().map_err(|error| CliError::io("signals cannot be handled", &error))?;
    let (cancel, cancelled) = watch::channel(None);
    let work = work(cancelled);
    tokio::pin!(work);
    loop {
        tokio::select! {
            code = &mut work => return code,
            signal = signals.next() => {
                if cancel.borrow().is_some() {
                    // Asked twice: what runs here is cleared up by the launcher when we are gone.
                    return Ok(ExitCode::from(exit::of_signal(signal)));
                }
                cancel.send_replace(Some(signal));
            }
        }
    }
}

async fn run(client: Client, plan: Plan, mut cancelled: Cancelled) -> Result<ExitCode, CliError> {
    let Plan { body, stdin, json, output_limit, .. } = plan;
    let output = Output::start().map_err(|error| CliError::io("standard output cannot be used", &error))?;
    let (running, input) = tokio::select! {
        opened = client.run_interactive(&body) => opened?,
        signal = received(&mut cancelled) => return Ok(conclusion::cancelled_by(signal)),
    };
    let (feeder, canceller) = feed::start(stdin, input);
    let end = forward(running, &output, json, canceller, cancelled.clone()).await;
    feeder.abort();
    let End { record, forwarded } = match end {
        Ok(end) => end,
        // The one who asked for it need not be told that it did not begin.
        Err(error) => {
            return cancelled.borrow().map_or_else(|| Err(error.into()), |signal| Ok(conclusion::cancelled_by(signal)));
        }
    };

    let record = if json { client.get(&record.id.to_string()).await? } else { *record };
    let answer = if json { Some(json_line(&record)?.into_bytes()) } else { answer(&record)? };
    if let Some(answer) = answer {
        // A reader that went away is found out about below.
        drop(output.write(Stream::Stdout, Bytes::from(answer)).await);
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
    match signal {
        Some(signal) => Ok(conclusion::cancelled_by(signal)),
        None => Ok(conclusion::conclude(&record, &forwarded, output_limit, json)),
    }
}

/// What a program that answers has answered; every other one has written its result itself.
fn answer(record: &ExecutionRecord) -> Result<Option<Vec<u8>>, CliError> {
    let result = record.result.as_ref().filter(|_| record.contract.answers());
    result.map(|result| result_text(result, io::stdout().is_terminal())).transpose()
}

/// The signal that cancels us, once it is there.
pub(crate) async fn received(cancelled: &mut Cancelled) -> u8 {
    // What is borrowed is given back before the next wait, so that any thread may wait here.
    let signal = cancelled.wait_for(Option::is_some).await.ok().and_then(|signal| *signal);
    match signal {
        Some(signal) => signal,
        // Nobody can cancel any more.
        None => std::future::pending().await,
    }
}
