//! Which server a command talks to.
//!
//! The first of these that says something: `--server`, `--context`, `FAAS_SERVER`, the context in use.
//! Credentials are `FAAS_API_KEY`, else those of the context that was chosen.

use crate::contexts::{Contexts, LOCAL, address};
use crate::diagnostic::CliError;
use faas_client::{Address, Client, Connect};

/// Where a server is when nobody names one.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// The options of every command that talks to a server.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct RemoteOptions {
    /// Address of the server, or local [default: $FAAS_SERVER, else the context in use; its key is $FAAS_API_KEY]
    #[arg(long, value_name = "URL", conflicts_with = "context")]
    server: Option<String>,

    /// Use this context (see `faas context`)
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// A server that was chosen.
#[derive(Debug)]
struct Chosen {
    address: Address,
    key: Option<String>,
}

impl RemoteOptions {
    /// As if this had been given as `--server`.
    pub(crate) const fn at(server: Option<String>) -> Self {
        Self { server, context: None }
    }

    /// A client of the server that was chosen; `None` where none was, or this process.
    pub(crate) fn chosen(&self) -> Result<Option<Client>, CliError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let contexts = Contexts::load;
        let chosen = self.choose(variable("FAAS_SERVER").as_deref(), variable("FAAS_API_KEY"), contexts)?;
        chosen.map(Chosen::client).transpose()
    }

    /// The address of the server that was chosen; `None` as for [`Self::chosen`].
    pub(crate) fn address(&self) -> Result<Option<Address>, CliError> {
        let variable = std::env::var("FAAS_SERVER").ok().filter(|value| !value.is_empty());
        Ok(self.choose(variable.as_deref(), None, Contexts::load)?.map(|chosen| chosen.address))
    }

    /// A client of the server that was chosen, else of the one on this machine.
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        match self.chosen()? {
            Some(client) => Ok(client),
            None => {
                let key = std::env::var("FAAS_API_KEY").ok().filter(|value| !value.is_empty());
                Chosen { address: address("the default server", DEFAULT_SERVER)?, key }.client()
            }
        }
    }

    fn choose(
        &self,
        variable: Option<&str>,
        key: Option<String>,
        contexts: impl FnOnce() -> Result<Contexts, CliError>,
    ) -> Result<Option<Chosen>, CliError> {
        let at = |field: &str, text: &str, key: Option<String>| match text {
            LOCAL => Ok(None),
            text => Ok(Some(Chosen { address: address(field, text)?, key })),
        };
        match (&self.server, &self.context, variable) {
            (Some(server), _, _) => at("--server", server, key),
            (None, Some(name), _) if name == LOCAL => Ok(None),
            (None, Some(name), _) => {
                let contexts = contexts()?;
                let context = contexts.get(name)?;
                at(&format!("server of the context {name}"), &context.server, key.or_else(|| context.key.clone()))
            }
            (None, None, Some(server)) => at("FAAS_SERVER", server, key),
            (None, None, None) => {
                let contexts = contexts()?;
                let Some(name) = &contexts.current else { return Ok(None) };
                let context = contexts.get(name)?;
                at(&format!("server of the context {name}"), &context.server, key.or_else(|| context.key.clone()))
            }
        }
    }
}

impl Chosen {
    fn client(self) -> Result<Client, CliError> {
        let connect = Connect::Tcp(self.address);
        match self.key {
            Some(key) => Ok(Client::with_key(connect, &key)?),
            None => Ok(Client::new(connect)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RemoteOptions;
    use crate::contexts::{Context, Contexts};
    use std::collections::BTreeMap;

    fn choose(server: Option<&str>, context: Option<&str>, variable: Option<&str>, key: Option<&str>) -> String {
        let known = |name: &str, key: Option<&str>| {
            (name.to_owned(), Context { server: format!("http://{name}:1"), key: key.map(str::to_owned) })
        };
        let contexts = Contexts {
            current: Some("current".to_owned()),
            contexts: BTreeMap::from([known("current", Some("its-key")), known("other", None)]),
        };
        let options = RemoteOptions { server: server.map(str::to_owned), context: context.map(str::to_owned) };
        match options.choose(variable, key.map(str::to_owned), || Ok(contexts)) {
            Ok(None) => "here".to_owned(),
            Ok(Some(chosen)) => format!("{} {:?}", chosen.address, chosen.key.as_deref().unwrap_or("")),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_most_explicit_choice_counts() {
        assert_eq!(choose(Some("a"), None, Some("b"), None), "http://a:8080 \"\"");
        assert_eq!(choose(None, Some("other"), Some("b"), None), "http://other:1 \"\"");
        assert_eq!(choose(None, None, Some("b:2"), Some("k")), "http://b:2 \"k\"");
        assert_eq!(choose(None, None, None, None), "http://current:1 \"its-key\"");
        assert_eq!(choose(None, None, None, Some("k")), "http://current:1 \"k\"");
        for here in [choose(Some("local"), None, None, None), choose(None, Some("local"), Some("b"), None)] {
            assert_eq!(here, "here");
        }
        assert!(choose(Some("ftp://x"), None, None, None).contains("--server"));
        assert!(choose(None, Some("no-such"), None, None).contains("known: current, other"));
    }

    #[test]
    fn the_key_of_a_context_goes_nowhere_else() {
        assert!(!choose(Some("elsewhere"), None, None, None).contains("its-key"));
        assert!(!choose(None, None, Some("elsewhere"), None).contains("its-key"));
    }
}
