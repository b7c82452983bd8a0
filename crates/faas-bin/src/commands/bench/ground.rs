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
use std::net::IpAddr;
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
    /// Whether everything happens on this host.
    pub(super) fn is_here(&self) -> bool {
        self.place.strip_prefix("http://").is_none_or(is_loopback)
    }

    /// A client with connections of its own. Nothing is tried twice: a refusal is a result here.
    pub(super) fn client(&self) -> Result<Client, CliError> {
        let client = match &self.reached {
            Reached::InProcess(connect) => Client::new(connect.clone()),
            Reached::Server(remote) => remote.client()?,
        };
        Ok(client.retries(RetryPolicy::NEVER))
    }
}

/// Whether a host, perhaps with a port, is this one by its address.
pub(super) fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, _)) if !host.contains(':') || host.ends_with(']') => host,
        Some(_) | None => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn this_host_is_told_by_the_address() {
        for here in ["localhost:80", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "::1", "localhost"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["10.0.0.7:8080", "example.org:80", "[2001:db8::1]:80", "2001:db8::1", ""] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
