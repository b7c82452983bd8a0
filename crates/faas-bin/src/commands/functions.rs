//! `faas functions ls|get|rm|versions|rollback|alias`.

mod show;

use crate::diagnostic::CliError;
use crate::printed::json_line;
use crate::remote::RemoteOptions;
use crate::runtime::on_runtime;
use crate::{console, exit};
use faas_client::Client;
use faas_client::model::{FunctionAnswer, VersionAnswer};
use serde::Serialize;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

/// The most items of a page.
const PAGE: u32 = 200;

/// Options of `faas functions`.
#[derive(Debug, clap::Args)]
pub(crate) struct FunctionsOptions {
    #[command(subcommand)]
    command: FunctionsCommand,
}

/// What can be done with functions.
#[derive(Debug, clap::Subcommand)]
enum FunctionsCommand {
    /// List functions, newest first
    Ls(ListOptions),
    /// Show one, or one of its versions: NAME, NAME@3, NAME@ALIAS
    Get(OneOptions),
    /// Delete one with all its versions; calls that run go on
    Rm(RemoveOptions),
    /// List the versions of one, newest first
    Versions(OneOptions),
    /// Let another version be the live one: the one before, or the one that is named
    Rollback(RollbackOptions),
    /// Give versions names: `faas functions alias set NAME ALIAS VERSION`, and `… rm NAME ALIAS`
    Alias(AliasOptions),
}

/// Options of `faas functions ls`.
#[derive(Debug, clap::Args)]
struct ListOptions {
    /// Print one JSON object per line, without source
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of what is about one function.
#[derive(Debug, clap::Args)]
struct OneOptions {
    /// Its name or id
    #[arg(value_name = "NAME")]
    function: String,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    remote: RemoteOptions,
}

/// Options of `faas functions rm`.
#[derive(Debug, clap::Args)]
struct RemoveOptions {
    #[command(flatten)]
    one: OneOptions,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Options of `faas functions rollback`.
#[derive(Debug, clap::Args)]
struct RollbackOptions {
    #[command(flatten)]
    one: OneOptions,

    /// A version's number or an alias [default: the version before the live one]
    #[arg(value_name = "VERSION")]
    to: Option<String>,
}

/// Options of `faas functions alias`.
#[derive(Debug, clap::Args)]
struct AliasOptions {
    #[command(subcommand)]
    command: AliasCommand,
}

/// What can be done with aliases.
#[derive(Debug, clap::Subcommand)]
enum AliasCommand {
    /// Let an alias mean a version
    Set {
        #[command(flatten)]
        one: OneOptions,

        /// The alias
        alias: String,

        /// The version's number
        #[arg(value_name = "VERSION")]
        number: u32,
    },
    /// Let an alias mean nothing any more
    Rm {
        #[command(flatten)]
        one: OneOptions,

        /// The alias
        alias: String,
    },
}

pub(super) fn functions(options: &FunctionsOptions) -> Result<ExitCode, CliError> {
    match &options.command {
        FunctionsCommand::Ls(options) => {
            let client = options.remote.client()?;
            let functions = on_runtime(all(&client))?;
            print(options.json, || lines(&functions), || show::table(&functions).to_string())
        }
        FunctionsCommand::Get(options) => {
            let client = options.remote.client()?;
            let function = on_runtime(async { Ok(client.functions().get(&options.function).await?) })?;
            print(options.json, || json_line(&function), || show::details(&function).to_string())
        }
        FunctionsCommand::Rm(options) => remove(options),
        FunctionsCommand::Versions(options) => {
            let client = options.remote.client()?;
            let versions = on_runtime(versions(&client, &options.function))?;
            print(options.json, || lines(&versions), || show::versions(&versions).to_string())
        }
        FunctionsCommand::Rollback(RollbackOptions { one, to }) => {
            let client = one.remote.client()?;
            let function = on_runtime(async { Ok(client.functions().rollback(&one.function, to.as_deref()).await?) })?;
            print(
                one.json,
                || json_line(&function),
                || format!("{}: version {} is live\n", function.name, function.live),
            )
        }
        FunctionsCommand::Alias(AliasOptions { command }) => {
            let (AliasCommand::Set { one, .. } | AliasCommand::Rm { one, .. }) = command;
            let client = one.remote.client()?;
            let answer = on_runtime(async {
                let functions = client.functions();
                Ok(match command {
                    AliasCommand::Set { one, alias, number } => {
                        functions.set_alias(&one.function, alias, *number).await?
                    }
                    AliasCommand::Rm { one, alias } => functions.remove_alias(&one.function, alias).await?,
                })
            })?;
            print(one.json, || json_line(&answer), || show::aliases(&answer).to_string())
        }
    }
}

async fn all(client: &Client) -> Result<Vec<FunctionAnswer>, CliError> {
    let mut functions = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.functions().list(Some(PAGE), cursor.as_deref()).await?;
        functions.extend(page.items);
        // The end, and a server that would go round in a circle.
        if page.next_cursor.is_none() || page.next_cursor == cursor {
            return Ok(functions);
        }
        cursor = page.next_cursor;
    }
}

async fn versions(client: &Client, function: &str) -> Result<Vec<VersionAnswer>, CliError> {
    let mut versions = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.functions().versions(function, Some(PAGE), cursor.as_deref()).await?;
        versions.extend(page.items);
        if page.next_cursor.is_none() || page.next_cursor == cursor {
            return Ok(versions);
        }
        cursor = page.next_cursor;
    }
}

/// Asks on a terminal; elsewhere nobody could answer, and `--yes` is needed.
fn remove(options: &RemoveOptions) -> Result<ExitCode, CliError> {
    let RemoveOptions { one, yes } = options;
    let client = one.remote.client()?;
    if !yes {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Err(CliError::invalid("--yes is missing: there is no terminal to ask on".to_owned())
                .help("say --yes to delete the function with all its versions"));
        }
        console::ask(&format!("delete {} with all its versions? [y/N] ", one.function));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|error| CliError::io("the answer cannot be read", &error))?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(ExitCode::from(exit::REFUSED));
        }
    }
    on_runtime(async { Ok(client.functions().delete(&one.function, None).await?) })?;
    let answer = serde_json::json!({ "name": one.function, "deleted": true });
    print(one.json, || json_line(&answer), || format!("{}: deleted\n", crate::terminal::one_line(&one.function)))
}

fn lines<T: Serialize>(items: &[T]) -> Result<String, CliError> {
    items.iter().map(json_line).collect()
}

fn print(
    json: bool,
    line: impl FnOnce() -> Result<String, CliError>,
    text: impl FnOnce() -> String,
) -> Result<ExitCode, CliError> {
    let text = if json { line()? } else { text() };
    console::print(text.as_bytes())
}
