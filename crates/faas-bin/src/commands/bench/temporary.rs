//! Functions that exist for the time of a run.
//!
//! Invariant: what may have been deployed is removed, or its name is said, however the run ends.

use crate::console;
use crate::diagnostic::CliError;
use crate::session::Cancelled;
use faas_client::model::FunctionBody;
use faas_client::{Client, ClientError};
use faas_types::{ErrorCode, ExecutionId};

/// Functions that may exist. Those that are still among them when this is dropped are named to the user.
#[derive(Default)]
struct Deployed {
    names: Vec<String>,
    /// Why the last one that could not be removed is still there.
    reason: Option<ClientError>,
}

/// Deploys a function under a name that nobody has, does the work, and removes it, however the work ended. After a
/// signal nothing more is deployed: the work, which is told of the signal, too, may get no name then.
pub(super) async fn with_function<T>(
    client: &Client,
    body: FunctionBody,
    cancelled: &Cancelled,
    work: impl AsyncFnOnce(&str) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let work = async |names: &[String]| work(names.first().map_or("", String::as_str)).await;
    with_functions(client, vec![body], cancelled, work).await
}

/// The same with several, in this order.
pub(super) async fn with_functions<T>(
    client: &Client,
    bodies: Vec<FunctionBody>,
    cancelled: &Cancelled,
    work: impl AsyncFnOnce(&[String]) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let mut deployed = Deployed::default();
    let ended = match deployed.deploy(client, bodies, cancelled).await {
        Ok(()) => work(&deployed.names).await,
        Err(error) => Err(error),
    };
    deployed.remove(client).await;
    ended
}

impl Deployed {
    async fn deploy(
        &mut self,
        client: &Client,
        bodies: Vec<FunctionBody>,
        cancelled: &Cancelled,
    ) -> Result<(), CliError> {
        for body in bodies {
            if cancelled.borrow().is_some() {
                break;
            }
            let name = format!("bench-{}", unique());
            let named =
                name.parse().map_err(|_| CliError::invalid(format!("{name} cannot be the name of a function")))?;
            // Before it is asked for, for the answer may be lost where the function is not.
            self.names.push(name);
            if let Err(error) = client.functions().create(&FunctionBody { name: Some(named), ..body }).await {
                if error.status.is_some() {
                    // Refused.
                    self.names.pop();
                }
                return Err(error.into());
            }
        }
        Ok(())
    }

    async fn remove(&mut self, client: &Client) {
        let mut next = 0;
        while let Some(name) = self.names.get(next) {
            match client.functions().delete(name, None).await {
                Err(error) if error.known() != Some(ErrorCode::FunctionNotFound) => {
                    self.reason = Some(error);
                    next += 1;
                }
                Ok(_) | Err(_) => {
                    self.names.remove(next);
                }
            }
        }
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        if self.names.is_empty() {
            return;
        }
        let names = self.names.join(" ");
        let reason = self.reason.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        let what = format!("functions that may be left where the server goes on: {names}{reason}");
        console::complain("warning", None, &what);
        console::note("help", "for each: faas functions rm NAME");
    }
}

/// Ids are unique wherever they are made.
fn unique() -> String {
    ExecutionId::generate().to_string().chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::Deployed;
    use crate::commands::bench::program::handler;
    use faas_client::{Client, Connect, RetryPolicy};
    use faas_types::Language;
    use std::sync::Arc;
    use tokio::sync::watch;

    /// A client whose every connection is lost.
    fn client() -> Client {
        Client::new(Connect::InProcess(Arc::new(|| tokio::io::duplex(64).0))).retries(RetryPolicy::NEVER)
    }

    #[tokio::test]
    async fn what_got_no_answer_may_be_deployed() {
        let (_sender, cancelled) = watch::channel(None);
        let mut deployed = Deployed::default();
        let bodies = vec![handler(Language::Python, ""); 2];
        let lost = deployed.deploy(&client(), bodies, &cancelled).await.expect_err("no answer");
        assert!(lost.to_string().contains("server_unreachable"), "{lost}");
        assert_eq!(deployed.names.len(), 1, "the second one was not asked for");
        deployed.remove(&client()).await;
        assert_eq!((deployed.names.len(), deployed.reason.is_some()), (1, true), "it is named at the end");
    }

    #[tokio::test]
    async fn nothing_is_deployed_after_a_signal() {
        let (_sender, cancelled) = watch::channel(Some(2));
        let mut deployed = Deployed::default();
        let bodies = vec![handler(Language::Python, "")];
        deployed.deploy(&client(), bodies, &cancelled).await.expect("nothing is asked for");
        assert!(deployed.names.is_empty());
    }
}
