//! `faas context add|use|ls|rm`: servers by name.

use crate::console;
use crate::contexts::{Context, Contexts, LOCAL, address, check_name};
use crate::diagnostic::CliError;
use crate::printed::{Table, json_line};
use serde_json::json;
use std::io::{self, Read as _};
use std::process::ExitCode;

/// The longest key.
const KEY_BYTES: u64 = 8 * 1024;

/// Options of `faas context`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The file is ~/.config/faas/contexts.toml; only its owner can read it. \
--server, --context and FAAS_SERVER win over the context in use.")]
pub(crate) struct ContextOptions {
    #[command(subcommand)]
    command: ContextCommand,
}

/// What can be done with contexts.
#[derive(Debug, clap::Subcommand)]
enum ContextCommand {
    /// Add a server under a name, or replace it
    Add(AddOptions),
    /// Use it from now on; local is this process, without a server
    Use(NameOptions),
    /// List them
    Ls(ListOptions),
    /// Forget it
    Rm(NameOptions),
}

/// Options of `faas context add`.
#[derive(Debug, clap::Args)]
struct AddOptions {
    /// Its name
    name: String,

    /// Its address
    #[arg(long, value_name = "URL")]
    server: String,

    /// Read its API key from standard input, where no other user sees it
    #[arg(long)]
    key_stdin: bool,
}

/// Options of what takes a name.
#[derive(Debug, clap::Args)]
struct NameOptions {
    /// Its name
    name: String,
}

/// Options of `faas context ls`.
#[derive(Debug, clap::Args)]
struct ListOptions {
    /// Print one JSON object per line; keys are left out
    #[arg(long)]
    json: bool,
}

pub(super) fn context(options: &ContextOptions) -> Result<ExitCode, CliError> {
    let mut contexts = Contexts::load()?;
    match &options.command {
        ContextCommand::Add(options) => {
            check_name(&options.name)?;
            let server = address("--server", &options.server)?.to_string();
            let key = options.key_stdin.then(read_key).transpose()?;
            contexts.contexts.insert(options.name.clone(), Context { server, key });
            contexts.save()?;
        }
        ContextCommand::Use(options) if options.name == LOCAL => {
            contexts.current = None;
            contexts.save()?;
        }
        ContextCommand::Use(options) => {
            contexts.get(&options.name)?;
            contexts.current = Some(options.name.clone());
            contexts.save()?;
        }
        ContextCommand::Ls(options) => return list(&contexts, options.json),
        ContextCommand::Rm(options) => {
            contexts.get(&options.name)?;
            contexts.contexts.remove(&options.name);
            if contexts.current.as_ref() == Some(&options.name) {
                contexts.current = None;
            }
            contexts.save()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(contexts: &Contexts, json: bool) -> Result<ExitCode, CliError> {
    let is_current = |name: &str| contexts.current.as_deref() == Some(name);
    let text = if json {
        let lines = contexts.contexts.iter().map(|(name, context)| {
            json_line(&json!({
                "name": name,
                "server": context.server,
                "current": is_current(name),
                "has_key": context.key.is_some(),
            }))
        });
        lines.collect::<Result<String, _>>()?
    } else {
        let mut table = Table::new(&["USED", "NAME", "SERVER", "KEY"]);
        for (name, context) in &contexts.contexts {
            let used = if is_current(name) { "*" } else { "" };
            table.row(&[used, name, &context.server, if context.key.is_some() { "yes" } else { "" }]);
        }
        table.to_string()
    };
    console::print(text.as_bytes())
}

fn read_key() -> Result<String, CliError> {
    let mut key = String::new();
    io::stdin()
        .lock()
        .take(KEY_BYTES)
        .read_to_string(&mut key)
        .map_err(|error| CliError::io("the key on standard input cannot be read", &error))?;
    let key = key.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CliError::invalid("the key on standard input is refused; accepted: visible ASCII text".to_owned()));
    }
    Ok(key.to_owned())
}
