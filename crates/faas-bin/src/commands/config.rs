//! `faas config`.

use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use crate::server_options::{self, ServerOptions};
use crate::{console, settings};
use faas_config::{Entry, EntryValue, Key, Unused, reference, to_toml};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Options of `faas config`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  faas config > config.toml\n  faas config --check --config config.toml\n  \
faas config keys")]
pub(crate) struct ConfigOptions {
    #[command(subcommand)]
    command: Option<ConfigCommand>,

    /// Only check it: exit code 0 when it holds, else 125 and what is wrong
    #[arg(long, conflicts_with = "json")]
    check: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    server: ServerOptions,
}

/// What else can be shown.
#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// List every key: what it does, its default, what it accepts, its variables and its option
    Keys(KeysOptions),
}

/// Options of `faas config keys`.
#[derive(Debug, clap::Args)]
struct KeysOptions {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn config(options: &ConfigOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    if let Some(ConfigCommand::Keys(keys)) = &options.command {
        return if keys.json { print_json(&described_keys()) } else { console::print(reference().as_bytes()) };
    }
    let config = settings::load(global, &options.server.flags(global.flags()))?;
    let data_dir = server_options::data_dir(&config);
    if options.check {
        return data_dir.and_then(|_| console::print(b"the configuration holds\n"));
    }
    let mut entries = config.entries();
    // A user without a home has none; whoever starts a server then hears of it.
    if let Ok(path) = data_dir {
        for entry in entries.iter_mut().filter(|entry| entry.key == Key::DataDir) {
            entry.value = EntryValue::Text(path.display().to_string());
        }
    }
    if options.json {
        return print_json(&listed(&entries, &config.unused));
    }
    let unused = config.unused.iter().map(|Unused { name, why }| format!("# {name} is set and has no effect: {why}\n"));
    console::print((to_toml(&entries) + &unused.collect::<String>()).as_bytes())
}

fn listed(entries: &[Entry], unused: &[Unused]) -> Value {
    let items = entries.iter().map(|entry| {
        let value = match &entry.value {
            EntryValue::Unset => Value::Null,
            EntryValue::Text(text) => json!(text),
            EntryValue::Number(number) => json!(number),
            EntryValue::Truth(value) => json!(value),
            EntryValue::List(parts) => json!(parts),
        };
        json!({ "key": entry.key.info().name, "value": value, "origin": entry.origin.to_string() })
    });
    let unused = unused.iter().map(|Unused { name, why }| json!({ "variable": name, "why": why }));
    json!({ "items": items.collect::<Vec<_>>(), "unused": unused.collect::<Vec<_>>() })
}

fn described_keys() -> Value {
    let items = Key::ALL.iter().map(|key| {
        let info = key.info();
        json!({
            "key": info.name,
            "about": info.about,
            "default": info.default,
            "accepted": info.accepted,
            "variables": key.variables().collect::<Vec<_>>(),
            "option": info.flag,
        })
    });
    json!({ "items": items.collect::<Vec<_>>() })
}

fn print_json(value: &Value) -> Result<ExitCode, CliError> {
    console::print(format!("{value:#}\n").as_bytes())
}
