//! Where calls go: the platform in this process, or a server.

use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use crate::embedded::Embedded;
use crate::remote::RemoteOptions;
use crate::runtime::on_runtime;
use crate::session::{Cancelled, until_the_second_signal};
use crate::settings;
use faas_client::{Client, Connect, RetryPolicy};
use faas_lib::Bootstrap;
use std::process::ExitCode;

/// How the platform in this process is called in reports.
const EMBEDDED: &str = "embedded";

/// Where calls go.
pub(super) struct Ground {
    /// `embedded`, or the server's address.
    pub(super) place: String,
    reached: Reached,
}

enum Reached {
    InProcess(Connect),
    Server(RemoteOptions),
}

impl Ground {
    /// A client with connections of its own. Nothing is tried twice: a refusal is a result here.
    pub(super) fn client(&self) -> Result<Client, CliError> {
        let client = match &self.reached {
            Reached::InProcess(connect) => Client::new(connect.clone()),
            Reached::Server(remote) => remote.client()?,
        };
        Ok(client.retries(RetryPolicy::NEVER))
    }
}

/// Does the work where the options say. In this process that means: starts the launcher and gives up all
/// privileges first, and ends everything afterwards.
pub(super) fn on_ground<F>(
    remote: &RemoteOptions,
    global: &GlobalOptions,
    work: impl FnOnce(Ground, Cancelled) -> F,
) -> Result<ExitCode, CliError>
where
    F: Future<Output = Result<ExitCode, CliError>>,
{
    if let Some(address) = remote.address()? {
        let ground = Ground { place: address.to_string(), reached: Reached::Server(remote.clone()) };
        return on_runtime(until_the_second_signal(|cancelled| work(ground, cancelled)));
    }
    let config = settings::load_own(global, &global.flags())?;
    let bootstrap = Bootstrap::start(&config)?;
    bootstrap.become_unprivileged()?;
    on_runtime(async {
        until_the_second_signal(async |cancelled| {
            let embedded = Embedded::start(bootstrap, &config).await?;
            let reached = Reached::InProcess(embedded.connect().clone());
            let code = work(Ground { place: EMBEDDED.to_owned(), reached }, cancelled).await;
            embedded.shutdown().await;
            code
        })
        .await
    })
}
