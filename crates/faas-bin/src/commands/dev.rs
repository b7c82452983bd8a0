//! `faas dev [DIR|FILE]`: deploys at every save and shows what calls write.
//!
//! Files are looked at several times a second; a change is deployed once nothing has changed between two
//! looks, so that half of a save is not deployed. A mistake is printed and the last good version goes on.

use crate::console;
use crate::diagnostic::CliError;
use crate::function::{Following, Source, Stamp, deploy};
use crate::output::{Output, Stream};
use crate::own_server::OwnServer;
use crate::remote::RemoteOptions;
use crate::runtime::on_runtime;
use crate::signals::Signals;
use bytes::Bytes;
use faas_client::Client;
use faas_client::model::ProgressEvent;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Options of `faas dev`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Each save is a new version of the function, live in under a second. What its calls write \
goes to standard output as they come, headings and errors go to standard error. Without a server at the usual \
address, and where none is named, one is started for as long as this runs, with nothing kept. Ctrl-C ends it.")]
pub(crate) struct DevOptions {
    /// A folder with faas.yaml, or one source file
    #[arg(value_name = "DIR|FILE", default_value = ".", help_heading = "Arguments")]
    target: PathBuf,

    /// The function's name instead of the one it says itself
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    remote: RemoteOptions,
}

pub(super) fn dev(options: &DevOptions) -> Result<ExitCode, CliError> {
    // What cannot even be looked at is not waited for.
    Stamp::of(&options.target)?;
    if let Err(error) = std::fs::metadata(&options.target) {
        return Err(CliError::io(&format!("{} cannot be watched", options.target.display()), &error)
            .help("name a folder with faas.yaml or a source file; `faas new NAME` makes a folder"));
    }
    let named = options.remote.chosen()?;
    let usual = options.remote.client()?;
    on_runtime(async {
        let cannot = |error| CliError::io("signals cannot be handled", &error);
        let mut signals = Signals::take_over().map_err(cannot)?;
        // A terminal that is closed must not leave a server behind.
        let mut hangup = signal(SignalKind::hangup()).map_err(cannot)?;
        let (client, own) = match named {
            Some(client) => {
                client.health().await?;
                (client, None)
            }
            None if usual.health().await.is_ok() => (usual, None),
            None => {
                let own = OwnServer::start("dev", &[]).await?;
                (own.client()?, Some(own))
            }
        };
        let shown = options.target.display();
        let place = own.as_ref().map_or_else(String::new, |own| format!(" on a server of its own, {}", own.address()));
        console::complain("watching", None, &format!("{shown}{place}; Ctrl-C ends it"));
        let ended = tokio::select! {
            ended = watch(options, client) => ended,
            _ = signals.next() => Ok(ExitCode::SUCCESS),
            _ = hangup.recv() => Ok(ExitCode::SUCCESS),
        };
        if let Some(own) = own {
            own.stop().await;
        }
        ended
    })
}

/// Deploys what changes until nobody reads our output any more.
async fn watch(options: &DevOptions, client: Client) -> Result<ExitCode, CliError> {
    let output = Output::start().map_err(|error| CliError::io("standard output cannot be used", &error))?;
    let mut session = Session { client, output: Arc::new(output), calls: None };
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut deployed, mut before, mut trouble) = (None, None, String::new());
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = session.output.broken() => return Ok(console::broken_pipe()),
        }
        let stamp = match Stamp::of(&options.target) {
            Ok(stamp) => stamp,
            Err(error) => {
                // Said once, not at every look.
                if trouble != error.to_string() {
                    trouble = error.to_string();
                    error.report();
                }
                continue;
            }
        };
        let settled = before.as_ref() == Some(&stamp);
        before = Some(stamp.clone());
        if settled && deployed.as_ref() != Some(&stamp) {
            trouble.clear();
            deployed = Some(stamp);
            if let Err(error) = session.deploy(options).await {
                error.report();
            }
        }
    }
}

struct Session {
    client: Client,
    output: Arc<Output>,
    /// Who shows the calls of the function with this name.
    calls: Option<(String, JoinHandle<()>)>,
}

impl Session {
    async fn deploy(&mut self, options: &DevOptions) -> Result<(), CliError> {
        let source = Source::read(&options.target, options.name.as_deref())?;
        let mut hears = |progress: ProgressEvent| console::note(&progress.phase, &progress.line);
        let deployment = deploy(&self.client, &source, false, &mut hears).await?;
        // A reader that went away is found out about by the loop.
        drop(self.output.write(Stream::Stdout, Bytes::from(deployment.describe())).await);
        let name = source.name.as_str();
        if self.calls.as_ref().is_none_or(|(shown, _)| shown != name) {
            let mut following = Following::new(self.client.clone(), name.to_owned());
            // Only calls from now on are of interest.
            following.last(1).await?;
            let output = Arc::clone(&self.output);
            let calls = tokio::spawn(async move {
                let mut last = String::new();
                let told_once = |error: CliError| {
                    if last != error.to_string() {
                        last = error.to_string();
                        error.report();
                    }
                    Ok(())
                };
                if let Err(error) = following.follow(Vec::new(), &output, told_once).await {
                    error.report();
                }
            });
            if let Some((_, others)) = self.calls.replace((name.to_owned(), calls)) {
                others.abort();
            }
        }
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some((_, calls)) = &self.calls {
            calls.abort();
        }
    }
}
